"""The metrics of all worker processes of one server, in memory that they share."""

import mmap
import struct

from eventscache.metrics.snapshot import VALUE_NAMES, MetricsSnapshot


class SharedMetrics:
    """The last snapshot of each worker. To be created before the workers are forked."""

    _LAYOUT = struct.Struct(f"={len(VALUE_NAMES)}q")

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._memory = mmap.mmap(-1, workers * self._LAYOUT.size)

    def publish(self, worker: int, snapshot: MetricsSnapshot) -> None:
        """Replace a worker's snapshot. Only the worker itself may call this, or its supervisor after its death."""
        self._LAYOUT.pack_into(self._memory, worker * self._LAYOUT.size, *snapshot.values)

    def read(self, worker: int) -> MetricsSnapshot:
        """Return the snapshot that a worker published last."""
        start = worker * self._LAYOUT.size
        data = b""
        # Until two reads are equal: the worker may be writing.
        while data != (data := self._memory[start : start + self._LAYOUT.size]):
            pass
        return MetricsSnapshot(self._LAYOUT.unpack(data))

    def sum_of_others(self, worker: int) -> MetricsSnapshot:
        """Return the sum of the snapshots of all workers but this one."""
        return sum((self.read(other) for other in range(self._workers) if other != worker), MetricsSnapshot())
