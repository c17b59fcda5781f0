"""What the watchers of all processes know together: small values by name, beside the events."""

from collections.abc import Iterator, Mapping


class KeptState:
    """The checkpoints as they were loaded, with what changed since: `take_changed` says what is to be saved."""

    def __init__(self, loaded: Mapping[bytes, bytes]) -> None:
        self._values = dict(loaded)
        self._changed: dict[bytes, bytes] = {}

    def __getitem__(self, name: bytes) -> bytes:
        """Return a value, empty if there is none."""
        return self._values.get(name, b"")

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if self._values.get(name, b"") != value:
            self._values[name] = self._changed[name] = value
            if not value:
                del self._values[name]

    def under(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield what is named with a prefix: the rest of the name, and the value."""
        return iter(
            [(name.removeprefix(prefix), value) for name, value in self._values.items() if name.startswith(prefix)]
        )

    def number(self, name: bytes) -> int:
        """Return a value as a number, 0 if it is none."""
        return number_of(self[name])

    def take_changed(self) -> dict[bytes, bytes]:
        """Return what changed since the last call; an empty value removes one."""
        changed, self._changed = self._changed, {}
        return changed


def number_of(value: bytes) -> int:
    """Return a number that was kept; 0 for anything else, as something else may have written there."""
    return int(value) if value.isdigit() and len(value) < 20 else 0  # noqa: PLR2004 - those of 64 bits
