"""How many events an expectation wants."""

from typing import Any, Final, NamedTuple


class ExpectedCount(NamedTuple):
    """From `least` to `most` events; as many as there are if `most` is None."""

    least: int
    most: int | None = None

    def fits(self, count: int) -> bool:
        """Tell whether that many are as expected."""
        return count >= self.least and not self.exceeded_by(count)

    def exceeded_by(self, count: int) -> bool:
        """Tell whether that many are too many, so that more events cannot mend it."""
        return self.most is not None and count > self.most

    def to_json(self) -> int | dict[str, int]:
        """Return it as a body writes it: a number, or `$gte` and `$lte`."""
        if self.least == self.most:
            return self.least
        bounds = {"$gte": self.least} if self.least or self.most is None else {}
        return bounds if self.most is None else {**bounds, "$lte": self.most}


AT_LEAST_ONE: Final = ExpectedCount(1)
_LEAST: Final = {"$eq": 0, "$gte": 0, "$gt": 1}  # and what is added to the operand
_MOST: Final = {"$eq": 0, "$lte": 0, "$lt": -1}


def parse_count(value: Any, path: str) -> ExpectedCount:
    """Return the count that a number, or an object of operators, writes. Raises `ValueError` with the path."""
    operands = value if isinstance(value, dict) and value else {"$eq": value}
    for name, operand in operands.items():
        if name not in _LEAST | _MOST or isinstance(operand, bool) or not isinstance(operand, int) or operand < 0:
            raise ValueError(f"{path}: takes a number, or any of $eq, $gt, $gte, $lt and $lte with a number from 0 on")
    least = max((operands[name] + more for name, more in _LEAST.items() if name in operands), default=0)
    most = min((operands[name] + more for name, more in _MOST.items() if name in operands), default=None)
    if most is not None and most < least:
        raise ValueError(f"{path}: no number is both {least} or more and {most} or less")
    return ExpectedCount(least, most)
