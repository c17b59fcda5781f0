"""Addresses to which events can be replayed."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from eventscache.access.api_keys import check_address
from eventscache.access.entries import parse_entries
from eventscache.errors import ConfigError

_FORM = "must be a list of entries, each with name, address and perhaps headers"
_KEYS = frozenset(("name", "address", "headers"))
_NAME = re.compile(r"[A-Za-z0-9_. -]{1,50}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,4000}")


@dataclasses.dataclass(frozen=True)
class ReplayTarget:
    """Where events are posted. The address and the headers may hold tokens, and are never shown."""

    name: str
    address: str = dataclasses.field(repr=False)
    headers: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)


def parse_replay_targets(value: Any) -> tuple[ReplayTarget, ...]:
    """Return the targets of a list of entries, or of its JSON.

    Raises `ConfigError`, which names the entry at fault by its number, and quotes nothing of it.
    """
    targets: dict[str, ReplayTarget] = {}
    for number, target in parse_entries(value, _parse_entry, _FORM):
        if target.name in targets:
            raise ConfigError(f"entry {number}: another one has its name")
        targets[target.name] = target
    return tuple(targets.values())


def _parse_entry(entry: Any) -> ReplayTarget:
    if not isinstance(entry, Mapping):
        raise ConfigError("must have name, address and perhaps headers")
    if not _KEYS.issuperset(entry):
        raise ConfigError("has a key that is none of name, address, headers")
    name, address, headers = entry.get("name"), entry.get("address"), entry.get("headers") or {}
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError("its name must be 1 to 50 letters, digits, spaces, or any of _ . -")
    if not isinstance(address, str):
        raise ConfigError("its address is missing")
    check_address(address)
    if not isinstance(headers, Mapping) or not all(map(_is_header, headers.items())):
        raise ConfigError("its headers must be names with texts of visible ASCII")
    return ReplayTarget(name, address, tuple((str(name), str(text)) for name, text in headers.items()))


def _is_header(item: tuple[Any, Any]) -> bool:
    name, text = item
    is_name = isinstance(name, str) and bool(_HEADER_NAME.fullmatch(name))
    return is_name and isinstance(text, str) and bool(_HEADER_VALUE.fullmatch(text))
