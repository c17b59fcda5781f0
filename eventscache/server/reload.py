"""Reads the settings again while the server runs, and uses those that can change meanwhile."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import structlog

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
    """The settings to use from now on, the names of those that changed, and of those that need a restart for it."""

    settings: Settings
    used: list[str]
    left: list[str]


def changes(current: Settings, read: Settings) -> Changes:
    """Return what of the settings that were read can be used while the server runs."""
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
    return Changes(dataclasses.replace(current, **used), names, left)


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
            if found.left:
                _log.warning("changed settings need a restart", settings=found.left)
