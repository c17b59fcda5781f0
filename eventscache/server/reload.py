"""Reads the settings again while the server runs, and uses those that can change meanwhile."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import structlog

from eventscache.access.api_keys import ApiKeys
from eventscache.access.tokens import Tokens
from eventscache.config.settings import DEFINITIONS, Settings
from eventscache.errors import ConfigError

_log = structlog.get_logger()

RELOADED = frozenset(
    {
        *(
            "admin_tokens",
            "jitsu_admin_token",
            "ingest_tokens",
            "read_tokens",
            "admin_token_in_query",
            "api_keys",
            "open_ingestion",
        ),
        *("mask_drop", "mask_hash", "mask_ip", "mask_key"),
        *("max_event_bytes", "max_malformed_bytes", "max_batch", "max_depth", "max_body_bytes", "max_bulk_bytes"),
        *("max_ids", "max_id_bytes", "max_new_streams_per_minute"),
    }
)
"""The fields of `Settings` that are used at once; all others need a restart."""


class Changes(NamedTuple):
    """The settings to use from now on, the names of those that changed, and of those that need a restart for it.

    `unmasked` are those of the masks that cover less than before.
    """

    settings: Settings
    used: list[str]
    left: list[str]
    unmasked: list[str]


def changes(current: Settings, read: Settings) -> Changes:
    """Return what of the settings that were read can be used while the server runs.

    Raises `ConfigError` if they cannot be used together with those that stay, or would let everybody read or send.
    """
    used, left = {}, []
    for name, definition in DEFINITIONS.items():
        value = getattr(read, name)
        if value == getattr(current, name):
            continue
        if name not in RELOADED or (name == "api_keys" and (value.url or current.api_keys.url)):
            left.append(definition.name)
        else:
            used[name] = value
    names = [DEFINITIONS[name].name for name in used]
    settings = dataclasses.replace(current, **used)
    _check_still_closed(current, settings)
    try:
        settings.checked_read_tokens  # noqa: B018 - it raises
    except ConfigError as fault:
        raise ConfigError(f"eventscache.read_tokens: {fault}") from None
    return Changes(settings, names, left, _unmasked(current, settings))


def _check_still_closed(current: Settings, settings: Settings) -> None:
    """Raise `ConfigError` if everybody could read or send, and could not before: that may be a file lost by mistake."""
    if _asks_for_admin_token(current) and not _asks_for_admin_token(settings):
        raise ConfigError(
            "eventscache.admin_tokens: it would leave no admin token, so that everybody could read: needs a restart"
        )
    if ApiKeys(current.api_keys).configured and not ApiKeys(settings.api_keys).configured:
        raise ConfigError("api_keys: it would leave no API key, so that any token could send: needs a restart")


def _asks_for_admin_token(settings: Settings) -> bool:
    return Tokens(settings.all_admin_tokens, settings.admin_tokens_file).configured


def _unmasked(current: Settings, settings: Settings) -> list[str]:
    """Return the names of the settings of masks that cover less than before."""
    covered = {*settings.mask_drop, *settings.mask_hash}
    names = [name for name in ("mask_drop", "mask_hash") if not covered.issuperset(getattr(current, name))]
    if _masked_addresses(current) - _masked_addresses(settings):
        names.append("mask_ip")
    return [DEFINITIONS[name].name for name in names]


def _masked_addresses(settings: Settings) -> set[str | bool]:
    if isinstance(settings.mask_ip, bool):
        return {True} if settings.mask_ip else set()
    return {*settings.mask_ip}


class SettingsReloader:
    """Reads the settings with `read` when asked, and passes what changed to `use`; an error leaves all as it is.

    Both may raise `ConfigError`.
    """

    def __init__(self, current: Settings, read: Callable[[], Settings], use: Callable[[Settings], None]) -> None:
        self._current = current
        self._read = read
        self._use = use
        self._requested = False
        self._task: asyncio.Task[None] | None = None

    def request(self) -> None:
        """Read the settings soon; while they are read, remember to do it once more."""
        self._requested = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._reload())

    async def stop(self) -> None:
        """Finish what was begun."""
        if self._task:
            await self._task

    async def _reload(self) -> None:
        while self._requested:
            self._requested = False
            try:
                found = changes(self._current, await asyncio.to_thread(self._read))
                self._use(found.settings)
            except ConfigError as fault:
                _log.error("settings not reloaded, the last ones stay in use", reason=str(fault))
                continue
            self._current = found.settings
            _log.info("settings reloaded", changed=found.used)
            if found.unmasked:
                _log.warning("masks removed", settings=found.unmasked)
            if found.left:
                _log.warning("changed settings need a restart", settings=found.left)
