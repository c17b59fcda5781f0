"""The effective settings: command line over environment over file over default."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from eventscache.config.jitsu import storage_of_jitsu
from eventscache.config.settings import SOURCES, Settings, Source
from eventscache.config.values import without_value
from eventscache.config.yaml_file import look_up, read_file, substituted
from eventscache.errors import ConfigError
from eventscache.logs import HIDDEN, hide_secrets


class Effective(NamedTuple):
    """Settings, and for each by name where its value came from."""

    settings: Settings
    origins: dict[str, str]

    def shown(self) -> list[tuple[str, str, str]]:
        """Return key, value and origin of each setting, with secrets hidden."""
        return [(source.name, self._shown(name, source), self.origins[name]) for name, source in SOURCES.items()]

    def _shown(self, name: str, source: Source) -> str:
        value = getattr(self.settings, name)
        if name == "storage":
            return hide_secrets(value)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int):
            return str(value)
        if source.secret:
            return HIDDEN if any(value) else ""
        return ", ".join(value) if isinstance(value, tuple) else str(value)


def load(
    path: Path | None = None, environ: Mapping[str, str] | None = None, options: Mapping[str, Any] | None = None
) -> Effective:
    """Return the effective settings: `options` (by name) over the environment, the file, the defaults.

    Raises `ConfigError` with one line that names the setting at fault.
    """
    environ = os.environ if environ is None else environ
    content = read_file(path) if path else {}
    _refuse_unknown(content)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, source in SOURCES.items():
        found = _find(name, source, options or {}, environ, content)
        if found is None:
            origins[name] = "default"
            continue
        raw, origin, key = found
        origins[name] = origin
        try:
            values[name] = source.parse(raw)
        except ConfigError as fault:
            raise ConfigError(f"{key}: {without_value(fault) if source.secret else fault} (from {origin})") from None
    if not values.get("storage"):
        values["storage"], origins["storage"] = storage_of_jitsu(environ, content)
    settings = Settings(**values)
    try:
        _ = settings.quota
    except ConfigError as fault:
        raise ConfigError(f"server.cache.events.size: {fault}") from None
    try:
        _ = settings.mask
    except ConfigError as fault:
        raise ConfigError(f"eventscache.mask.key: {fault}") from None
    return Effective(settings, origins)


def _find(
    name: str, source: Source, options: Mapping[str, Any], environ: Mapping[str, str], content: dict[str, Any]
) -> tuple[Any, str, str] | None:
    """Return the raw value of a setting with its origin and the key it was found under."""
    if options.get(name) is not None:
        return options[name], "command line", f"--{name}"
    for variable in source.variables:
        if environ.get(variable):
            return environ[variable], f"environment {variable}", variable
    for key in source.keys:
        value = substituted(look_up(content, key), key, environ)
        if value is not None and value != "":
            return value, f"file {key}", key
    return None


def _refuse_unknown(content: dict[str, Any]) -> None:
    """Raise if our own sections hold a key that means nothing; Jitsu's other sections are Jitsu's."""
    known = {key for source in SOURCES.values() for key in source.keys}

    def check(section: Any, path: str) -> None:
        if path in known or section is None:
            return
        if any(key.startswith(f"{path}.") for key in known):
            if not isinstance(section, dict):
                raise ConfigError(f"{path}: must be a section")
            for name, value in section.items():
                check(value, f"{path}.{name}")
            return
        similar = difflib.get_close_matches(path, known, 1)
        raise ConfigError(f"{path}: unknown setting" + (f"; did you mean {similar[0]}?" if similar else ""))

    check(content.get("eventscache"), "eventscache")
    check(look_up(content, "server.cache"), "server.cache")
