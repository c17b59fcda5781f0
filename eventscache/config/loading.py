"""Loads the effective settings: command line over environment over file over default."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from eventscache.config.jitsu_keys import find_api_keys
from eventscache.config.jitsu_storage import find_jitsu_storage
from eventscache.config.known_names import check_names, check_sections
from eventscache.config.sections import nest
from eventscache.config.settings import DEFINITIONS, Definition, Settings
from eventscache.config.source_settings import find_sources
from eventscache.config.sources import Found, Sources
from eventscache.config.yaml_file import read_file
from eventscache.errors import ConfigError
from eventscache.logs import HIDDEN, hide_secrets, visible

_SHOWN: dict[str, Callable[[Any], str]] = {
    "storage": hide_secrets,
    "sources": lambda sources: ", ".join(name for name, _ in sources),
    "replay_targets": lambda targets: ", ".join(target.name for target in targets),
    "read_tokens": lambda tokens: "; ".join(f"{HIDDEN} for {token.streams}" for token in tokens),
}
"""How settings are shown that hold more than secrets, without these."""


class LoadedSettings(NamedTuple):
    """The effective settings, and by the name of each its source, such as `environment EVENTSCACHE_PORT`.

    `warnings` are what an operator should know of settings that do not count.
    """

    settings: Settings
    sources: dict[str, str]
    warnings: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the key, the value and the source of each setting as text, with secrets hidden."""
        return [
            (definition.name, self._value_text(name, definition), self.sources[name])
            for name, definition in DEFINITIONS.items()
        ]

    def _value_text(self, name: str, definition: Definition) -> str:
        value = getattr(self.settings, name)
        if name in _SHOWN:
            return _SHOWN[name](value)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int):
            return str(value)
        if definition.secret:
            return HIDDEN if any(value) else ""
        return ", ".join(value) if isinstance(value, tuple) else str(value)


def load(
    path: Path | None = None, environ: Mapping[str, str] | None = None, options: Mapping[str, Any] | None = None
) -> LoadedSettings:
    """Return the effective settings: `options` (by field name) over the environment, the file, the defaults.

    Without `environ` that of the process counts. Raises `ConfigError` with one line that names the setting at fault and
    holds no secret.
    """
    try:
        return _load(path, os.environ if environ is None else environ, options or {})
    except ConfigError as fault:
        raise ConfigError(visible(str(fault))) from None  # names of keys may be anything


def _load(path: Path | None, environ: Mapping[str, str], options: Mapping[str, Any]) -> LoadedSettings:
    content = read_file(path) if path else {}
    check_names(content, environ)
    sources = Sources(options, environ, nest(content))
    check_sections(sources.sections)
    found = {name: _find(sources, name, definition) for name, definition in DEFINITIONS.items()}
    values = {name: _parse(DEFINITIONS[name], given) for name, given in found.items() if given}
    origins = {name: given.source if given else "default" for name, given in found.items()}
    followed = find_sources(sources)
    values["sources"], origins["sources"] = followed.values, followed.source
    _add_jitsu_redis(sources, values, origins)
    keys = find_api_keys(sources, values.get("max_id_bytes", Settings.max_id_bytes))
    values["api_keys"], origins["api_keys"] = keys.listed, keys.source
    settings = Settings(**values)
    _check("server.cache.events.size", lambda: settings.quota)
    _check("eventscache.mask.key", lambda: settings.mask)
    _check("eventscache.read_tokens", lambda: settings.checked_read_tokens)
    return LoadedSettings(settings, origins, keys.warnings)


def _add_jitsu_redis(sources: Sources, values: dict[str, Any], origins: dict[str, str]) -> None:
    """Add the Redis that Jitsu uses: the storage if none is given, and what can be followed."""
    needed = not values.get("storage")
    try:
        url, source = find_jitsu_storage(sources)
    except ConfigError:
        if needed or values["sources"]:
            raise
        return  # nobody uses it
    if needed:
        values["storage"], origins["storage"] = url, source
    if source != "default":
        values["jitsu_redis_url"], origins["jitsu_redis_url"] = url, source


def _find(sources: Sources, name: str, definition: Definition) -> Found | None:
    """Return the value of a setting from the first source that has one, unless it has a function of its own."""
    if name in {"api_keys", "sources"}:
        return None
    return sources.option(name) or sources.find(*definition.keys, other_variables=definition.other_variables)


def _parse(definition: Definition, found: Found) -> Any:
    try:
        return definition.parse(found.value)
    except ConfigError as fault:
        raise found.error(fault, secret=definition.secret) from None


def _check(key: str, derive: Callable[[], object]) -> None:
    """Raise `ConfigError` that names `key` if several settings together cannot be used."""
    try:
        derive()
    except ConfigError as fault:
        raise ConfigError(f"{key}: {fault}") from None
