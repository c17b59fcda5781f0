"""Jitsu's configuration file as YAML: read, searched by dotted keys, its placeholders replaced."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from eventscache.errors import ConfigError
from eventscache.logs import HIDDEN

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


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
        # A word in quotes may be part of a secret that begins with a * or a !, which YAML takes for its own.
        problem = re.sub(r"(['\"]).{2,}\1", HIDDEN, fault.problem or "", flags=re.DOTALL)
        raise ConfigError(f"{path}: {line}not valid YAML: {problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        reason = re.sub(r"(['\"]).{2,}\1", HIDDEN, " ".join(str(fault).split()))
        raise ConfigError(f"{path}: not valid YAML: {reason}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: not a mapping of sections")
    return content


def look_up(content: Any, key: str) -> Any:
    """Return what stands under a dotted key, or None."""
    walked = ""
    for part in key.split("."):
        if content is None:
            return None
        if not isinstance(content, dict):
            raise ConfigError(f"{walked}: must be a section")
        walked = f"{walked}.{part}" if walked else part
        content = content.get(part)
    return content


def substituted(value: Any, key: str, environ: Mapping[str, str]) -> Any:
    """Return a value with `${env.A|env.B|default}` replaced, as in Jitsu's files."""

    def replace(match: re.Match[str]) -> str:
        for part in match[1].split("|"):
            name = part.removeprefix("env.")
            if part == name:
                return part
            if name in environ:
                return environ[name]
        raise ConfigError(f"{key}: {match[0]} is not set and has no default")

    if isinstance(value, str):
        return _PLACEHOLDER.sub(replace, value)
    if isinstance(value, list):
        return [substituted(entry, key, environ) for entry in value]
    if isinstance(value, dict):
        return {name: substituted(entry, key, environ) for name, entry in value.items()}
    return value
