"""Where following begins, the first time: at the end of the files, at their beginning, or some time back."""

from typing import NamedTuple, Self

from eventscache.clock import MICROSECONDS
from eventscache.errors import ConfigError
from eventscache.timestamp import parse_duration


class StartPoint(NamedTuple):
    """Events from `seconds` before the first start on are brought; those of any time if it is None."""

    seconds: int | None = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the start point that a setting means. Raises `ConfigError`."""
        if text == "beginning":
            return cls(None)
        if text == "end":
            return cls(0)
        try:
            seconds = parse_duration(text)
        except ValueError:
            seconds = 0
        if not seconds:
            raise ConfigError("start must be end, beginning, or a time such as 90s, 15m, 12h or 2d")
        return cls(seconds)

    def since_us(self, now_us: int) -> int:
        """Return the Unix microseconds from which on events are brought."""
        return 0 if self.seconds is None else now_us - self.seconds * MICROSECONDS
