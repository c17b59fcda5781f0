"""Jitsu's configuration file: YAML, searched by dotted keys, with placeholders for environment variables."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from eventscache.errors import ConfigError
from eventscache.logs import HIDDEN

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_QUOTED = re.compile(r"(['\"]).{2,}\1", re.DOTALL)


def read_file(path: Path) -> dict[str, Any]:
    """Return the sections of a file. Raises `ConfigError`, whose text holds no secret."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8") from None
    except yaml.MarkedYAMLError as fault:
        line = f"line {fault.problem_mark.line + 1}: " if fault.problem_mark else ""
        raise ConfigError(f"{path}: {line}not valid YAML: {_without_quotes(fault.problem or '')}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        reason = _without_quotes(" ".join(str(fault).split()))
        raise ConfigError(f"{path}: not valid YAML: {reason}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: not a mapping of sections")
    return content


def _without_quotes(problem: str) -> str:
    """Hide what a YAML error quotes: a secret that begins with a * or a ! is an alias or a tag to YAML."""
    return _QUOTED.sub(HIDDEN, problem)


def look_up(content: Any, key: str) -> Any:
    """Return the value at a dotted key such as `server.cache.pool.size`, or None if there is none.

    Raises `ConfigError` if a part of the key before the last is not a section.
    """
    path = ""
    for part in key.split("."):
        if content is None:
            return None
        if not isinstance(content, dict):
            raise ConfigError(f"{path}: must be a section")
        path = f"{path}.{part}" if path else part
        content = content.get(part)
    return content


def fill_placeholders(value: Any, key: str, environ: Mapping[str, str]) -> Any:
    """Return a value, however deep, with each `${env.A|env.B|default}` replaced, as in Jitsu's files.

    The first variable that is set counts. Raises `ConfigError`, which names `key`, if none is and there is no default.
    """

    def fill(match: re.Match[str]) -> str:
        for part in match[1].split("|"):
            name = part.removeprefix("env.")
            if part == name:
                return part
            if name in environ:
                return environ[name]
        raise ConfigError(f"{key}: {match[0]} is not set and has no default")

    if isinstance(value, str):
        return _PLACEHOLDER.sub(fill, value)
    if isinstance(value, list):
        return [fill_placeholders(entry, key, environ) for entry in value]
    if isinstance(value, dict):
        return {name: fill_placeholders(entry, key, environ) for name, entry in value.items()}
    return value
