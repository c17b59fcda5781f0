"""Jitsu's API keys: under today's name or an older one, in the file or the environment, or at its configurator."""

from typing import NamedTuple
from urllib.parse import quote

from eventscache.access.api_keys import KeyList, check_address, parse_api_keys, server_keys
from eventscache.access.scalars import scalar_text
from eventscache.config.sources import Found, Sources
from eventscache.errors import ConfigError

_NAMES = ("server.api_keys", "api_keys", "server.auth")
"""In Jitsu's order: of several names the first one counts."""
_SERVER_SECRETS = "server.s2s_auth"
_CONFIGURATOR, _CONFIGURATOR_TOKEN = "configurator.base_url", "configurator.admin_token"


class FoundKeys(NamedTuple):
    """The keys, their source, and what an operator should know of them; no secret is in the last two."""

    listed: KeyList
    source: str
    warnings: tuple[str, ...] = ()


def find_api_keys(sources: Sources, max_id_bytes: int) -> FoundKeys:
    """Return the API keys. Raises `ConfigError`, which names the key and holds no secret."""
    found = [given for given in map(sources.find, _NAMES) if given and given.value != []]
    servers = sources.find(_SERVER_SECRETS)
    if servers and servers.value == []:
        servers = None
    if not found:
        at_configurator = _of_configurator(sources)
        if at_configurator:
            return at_configurator
        if servers:
            return FoundKeys(_server_keys(servers, max_id_bytes), servers.source)
        return FoundKeys(KeyList(), "default")
    # The environment overrides the file, whatever the names are.
    counts, *others = sorted(found, key=lambda given: given.source.startswith("file "))
    listed = _parse(counts, max_id_bytes)
    warnings = [f"{other.key}: does not count beside {counts.key}" for other in others]
    if servers and listed.url:
        warnings.append(f"{servers.key}: does not count beside an address in {counts.key}")
    elif servers:
        more = _server_keys(servers, max_id_bytes)
        listed = KeyList((*listed.keys, *more.keys), faults=(*listed.faults, *more.faults))
    return FoundKeys(listed, counts.source, tuple(warnings))


def _parse(found: Found, max_id_bytes: int) -> KeyList:
    try:
        return parse_api_keys(found.value, max_id_bytes)
    except ConfigError as fault:
        raise found.error(fault, secret=False) from None


def _server_keys(found: Found, max_id_bytes: int) -> KeyList:
    try:
        return server_keys(found.value, max_id_bytes)
    except ConfigError as fault:
        raise found.error(fault, secret=False) from None


def _of_configurator(sources: Sources) -> FoundKeys | None:
    """Return the address where Jitsu's configurator lists the keys, or None if none is given."""
    found, token = sources.find(_CONFIGURATOR), sources.find(_CONFIGURATOR_TOKEN)
    if not found:
        return None
    try:
        address = check_address(scalar_text(found.value).strip().rstrip("/"))
    except ConfigError as fault:
        raise found.error(fault, secret=False) from None
    query = ""
    if token:
        try:
            secret = scalar_text(token.value).strip()
        except ConfigError as fault:
            raise token.error(fault, secret=True) from None
        query = f"?token={quote(secret, safe='', errors='surrogatepass')}"
    return FoundKeys(KeyList(url=f"{address}/api/v1/apikeys{query}"), found.source)
