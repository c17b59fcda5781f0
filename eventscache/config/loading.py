"""Loads the effective settings: command line over environment over file over default."""

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from eventscache.config.jitsu import find_jitsu_storage
from eventscache.config.settings import DEFINITIONS, Definition, Settings
from eventscache.config.values import redact_value
from eventscache.config.yaml_file import fill_placeholders, look_up, read_file
from eventscache.errors import ConfigError
from eventscache.logs import HIDDEN, hide_secrets


class LoadedSettings(NamedTuple):
    """The effective settings, and by the name of each its source, such as `environment EVENTSCACHE_PORT`."""

    settings: Settings
    sources: dict[str, str]

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the key, the value and the source of each setting as text, with secrets hidden."""
        return [
            (definition.name, self._value_text(name, definition), self.sources[name])
            for name, definition in DEFINITIONS.items()
        ]

    def _value_text(self, name: str, definition: Definition) -> str:
        value = getattr(self.settings, name)
        if name == "storage":
            return hide_secrets(value)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int):
            return str(value)
        if definition.secret:
            return HIDDEN if any(value) else ""
        return ", ".join(value) if isinstance(value, tuple) else str(value)


class _Found(NamedTuple):
    """A value as it was found, its source, and the key, variable or option that errors name."""

    value: Any
    source: str
    key: str


def load(
    path: Path | None = None, environ: Mapping[str, str] | None = None, options: Mapping[str, Any] | None = None
) -> LoadedSettings:
    """Return the effective settings: `options` (by field name) over the environment, the file, the defaults.

    Without `environ` that of the process counts. Raises `ConfigError` with one line that names the setting at fault and
    holds no secret.
    """
    environ = os.environ if environ is None else environ
    content = read_file(path) if path else {}
    _reject_unknown_keys(content)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, definition in DEFINITIONS.items():
        found = _find(name, definition, options or {}, environ, content)
        sources[name] = found.source if found else "default"
        if found:
            values[name] = _parse(definition, found)
    if not values.get("storage"):
        values["storage"], sources["storage"] = find_jitsu_storage(environ, content)
    settings = Settings(**values)
    _check("server.cache.events.size", lambda: settings.quota)
    _check("eventscache.mask.key", lambda: settings.mask)
    return LoadedSettings(settings, sources)


def _find(
    name: str, definition: Definition, options: Mapping[str, Any], environ: Mapping[str, str], content: dict[str, Any]
) -> _Found | None:
    """Return the value of a setting from the first source that has one."""
    if options.get(name) is not None:
        return _Found(options[name], "command line", f"--{name}")
    for variable in definition.variables:
        if environ.get(variable):
            return _Found(environ[variable], f"environment {variable}", variable)
    for key in definition.keys:
        value = fill_placeholders(look_up(content, key), key, environ)
        if value is not None and value != "":
            return _Found(value, f"file {key}", key)
    return None


def _parse(definition: Definition, found: _Found) -> Any:
    try:
        return definition.parse(found.value)
    except ConfigError as fault:
        reason = redact_value(fault) if definition.secret else str(fault)
        raise ConfigError(f"{found.key}: {reason} (from {found.source})") from None


def _check(key: str, derive: Callable[[], object]) -> None:
    """Raise `ConfigError` that names `key` if several settings together cannot be used."""
    try:
        derive()
    except ConfigError as fault:
        raise ConfigError(f"{key}: {fault}") from None


def _reject_unknown_keys(content: dict[str, Any]) -> None:
    """Raise `ConfigError` for a key that has no meaning in the sections we read; all other sections are Jitsu's."""
    known = {key for definition in DEFINITIONS.values() for key in definition.keys}

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
