"""What the calls of the storage take, and how they fail."""

from collections import Counter
from typing import Final, Literal, get_args

from eventscache.delivery.histogram import Histogram
from eventscache.errors import StorageRefused, StorageUnavailable

FaultKind = Literal["unavailable", "refused", "error"]
FAULT_KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)
"""It did not answer, or its circuit breaker is open; it answered that it cannot now; trying again does not help."""
CALL_BOUNDS_US: Final = (500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000)


class StorageCalls:
    """How long the calls of this process took, whatever came of them; and how often they failed."""

    __slots__ = ("insert_faults", "inserts", "read_faults", "reads", "retries")

    def __init__(self) -> None:
        self.inserts = Histogram(CALL_BOUNDS_US)
        self.reads = Histogram(CALL_BOUNDS_US)
        self.retries = 0  # of batches, each try of one
        self.insert_faults: Counter[FaultKind] = Counter()  # of batches, each try of one
        self.read_faults: Counter[FaultKind] = Counter()


def fault_kind(fault: Exception) -> FaultKind:
    """Return the kind of an error of a storage."""
    if isinstance(fault, StorageRefused):
        return "refused"
    return "unavailable" if isinstance(fault, StorageUnavailable) else "error"
