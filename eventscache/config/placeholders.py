"""Placeholders for environment variables in Jitsu's file."""

import re
from collections.abc import Mapping
from typing import Any

from eventscache.errors import ConfigError

# Any other ${ is text, as in Jitsu.
_PLACEHOLDER = re.compile(r"\$\{env\.([^}]*)(\}?)")
_NAMES_AND_DEFAULT = re.compile(r"(\w+(?:\|env\.\w+)*)(?:\|(?!env\.)(.*))?", re.ASCII | re.DOTALL)
_NEXT_NAME = "|env."


def fill_placeholders(value: Any, key: str, environ: Mapping[str, str]) -> Any:
    """Return a value, however deep, with each `${env.A|env.B|default}` replaced, as in Jitsu's files.

    The first variable that is set and not empty counts. Raises `ConfigError`, which names `key`, if none is and there
    is no default, or if a placeholder is malformed.
    """

    def fill(match: re.Match[str]) -> str:
        parts = _NAMES_AND_DEFAULT.fullmatch(match[1])
        if not match[2] or not parts or _NEXT_NAME in (parts[2] or ""):
            raise ConfigError(f"{key}: a placeholder must be ${{env.NAME}} or ${{env.NAME|env.OTHER|default}}")
        for name in parts[1].split(_NEXT_NAME):
            if environ.get(name):
                return environ[name]
        if parts[2] is None:
            raise ConfigError(
                f"{key}: {match[0]} is not set and has no default; set it, or write ${{env.NAME|default}}"
            )
        return parts[2]

    if isinstance(value, str):
        return _PLACEHOLDER.sub(fill, value)
    if isinstance(value, list):
        return [fill_placeholders(entry, key, environ) for entry in value]
    if isinstance(value, dict):
        return {name: fill_placeholders(entry, key, environ) for name, entry in value.items()}
    return value
