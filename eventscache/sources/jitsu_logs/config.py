"""The setting of the source: a directory, or a mapping that says more."""

from pathlib import Path
from typing import Any, NamedTuple, Self

from eventscache.errors import ConfigError
from eventscache.sources.jitsu_logs.file_name import Kind
from eventscache.sources.jitsu_logs.start_point import StartPoint

_KEYS = ("dir", "kinds", "state", "start", "node")
_FALSE = {"false", "no", "off", "0"}
_WANTED = "must be a directory, or a mapping with dir and any of " + ", ".join(_KEYS[1:])


class LogsConfig(NamedTuple):
    """Which directory is followed, which kinds of files, where positions are kept, and where to begin.

    `node` tells apart directories of several machines that have the same path.
    """

    directory: Path
    kinds: tuple[Kind, ...] = tuple(Kind)
    state: Path | None = None
    start: StartPoint = StartPoint()
    node: str = ""

    @classmethod
    def parse(cls, value: Any) -> Self | None:
        """Return what a value means, None if it is false. Raises `ConfigError`."""
        if value is False or value is None or (isinstance(value, str) and value.lower() in _FALSE):
            return None
        if isinstance(value, str):
            return cls(_path("dir", value))
        if not isinstance(value, dict):
            raise ConfigError(_WANTED)
        for key in value:
            if key not in _KEYS:
                raise ConfigError(f"the key {key!a} is not known; known are {', '.join(_KEYS)}")
        if "dir" not in value:
            raise ConfigError(f"dir is missing: the value {_WANTED}")
        return cls(
            _path("dir", value["dir"]),
            _kinds(value["kinds"]) if "kinds" in value else cls._field_defaults["kinds"],
            _path("state", value["state"]) if "state" in value else None,
            StartPoint.parse(_text("start", value["start"])) if "start" in value else StartPoint(),
            _text("node", value["node"]) if "node" in value else "",
        )


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ConfigError(f"{key} must be a text that is not empty")
    return value


def _path(key: str, value: Any) -> Path:
    return Path(_text(key, value))


def _kinds(value: Any) -> tuple[Kind, ...]:
    known = ", ".join(Kind)
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, list) or not names:
        raise ConfigError(f"kinds must be a list of any of {known}")
    for name in names:
        if name not in [*Kind]:
            raise ConfigError(f"kinds holds {name!a}; known are {known}")
    return tuple(Kind(name) for name in dict.fromkeys(names))
