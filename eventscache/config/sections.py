"""The sections of Jitsu's file, found by dotted keys as Jitsu does: in any case, with sections or dots in names."""

from collections.abc import Mapping
from typing import Any, Final

from eventscache.errors import ConfigError

ROOTS: Final = frozenset({"api_keys", "configurator", "eventscache", "meta", "server"})
"""The sections and keys at the top of which anything is read; all others are Jitsu's alone."""


def nest(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the sections under `ROOTS`, with names in small letters, and each dotted name as sections in sections.

    Where a dotted name and a section give the same key, the dotted name counts, as in Jitsu. Raises `ConfigError` for a
    name that is there twice in different cases, since either could count in Jitsu, and for a section that is none.
    """
    try:
        return _nest({name: value for name, value in content.items() if _root(name) in ROOTS}, "")
    except RecursionError:
        raise ConfigError(f"{', '.join(sorted(ROOTS))}: nested too deeply") from None


def look_up(sections: Any, key: str) -> Any:
    """Return the value at a dotted key such as `server.cache.pool.size`, or None if there is none.

    Raises `ConfigError` if a part of the key before the last is not a section.
    """
    path = ""
    for part in key.split("."):
        if sections is None:
            return None
        if not isinstance(sections, dict):
            raise ConfigError(f"{path}: must be a section")
        path = _joined(path, part)
        sections = sections.get(part)
    return sections


def _root(name: Any) -> str:
    return str(name).lower().partition(".")[0]


def _nest(section: Mapping[Any, Any], path: str) -> dict[str, Any]:
    names = [str(name).lower() for name in section]
    if twice := [name for name in names if names.count(name) > 1] if len(set(names)) < len(names) else []:
        raise ConfigError(f"{_joined(path, twice[0])}: is there twice, with capital and with small letters")
    nested: dict[str, Any] = {}
    for name, value in sorted(zip(names, section.values(), strict=True), key=lambda item: item[0].count(".")):
        at = _joined(path, name)
        _put(nested, name.split("."), _nest(value, at) if isinstance(value, dict) else value, path)
    return nested


def _put(section: dict[str, Any], parts: list[str], value: Any, path: str) -> None:
    """Add a value, however deep; it replaces what is there, except that sections become one."""
    name, *rest = parts
    path = _joined(path, name)
    there = section.get(name)
    if rest or (isinstance(value, dict) and isinstance(there, dict)):
        if there is None:
            there = section[name] = {}
        if not isinstance(there, dict):
            raise ConfigError(f"{path}: must be a section")
        if rest:
            _put(there, rest, value, path)
            return
        for inner, inner_value in value.items():
            _put(there, [inner], inner_value, path)
    elif value is not None or there is None:
        section[name] = value


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
