"""A Redis storage that notes what came of each batch, and what has to hold of that."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from eventscache.errors import StorageError
from eventscache.storage.messages import Admission, Batch, Decision, Quota
from eventscache.storage.redis import RedisStorage
from eventscache.stream import Stream


class Deed(NamedTuple):
    """A batch that was applied, and its answer, which came that long after the limiter decided: from, to."""

    batch: Batch
    admission: Admission
    late_us: tuple[int, int] = (0, 0)


class RecordingRedis(RedisStorage):
    """Notes what came of each batch, however often it was tried. Its user gives it `deeds` and `tries` to note in."""

    deeds: dict[tuple[str, int], Deed]
    tries: dict[tuple[str, int], list[tuple[int, Batch]]]

    async def insert(self, batch: Batch) -> Admission:
        self._begin(batch)
        admission = await super().insert(batch)
        self._end(batch, admission)
        return admission

    async def insert_many(self, batches: Sequence[Batch]) -> list[Admission | StorageError]:
        for batch in batches:
            self._begin(batch)
        answers = await super().insert_many(batches)
        for batch, answer in zip(batches, answers, strict=True):
            if isinstance(answer, Admission):
                self._end(batch, answer)
        return answers

    def has_admitted(self, least: int, streams: Sequence[Stream]) -> bool:
        """Tell whether each collection of each of some streams has admitted at least so many events."""
        admitted: Counter[tuple[str, str]] = Counter()
        for (stream_id, _), deed in self.deeds.items():
            for name in ("all", "error"):
                decision: Decision | None = getattr(deed.admission, name)
                admitted[stream_id, name] += decision.admitted if decision else 0
        return all(admitted[stream.id, name] >= least for stream in streams for name in ("all", "error"))

    def _begin(self, batch: Batch) -> None:
        self.tries.setdefault((batch.stream.id, batch.number), []).append((now_us(), batch))

    def _end(self, batch: Batch, admission: Admission) -> None:
        tries = self.tries[batch.stream.id, batch.number]
        # Limited counts grow older from try to try. The servers share this machine's clock, and a broken connection
        # cannot be heard any more: it was the last of the tries that had been sent by then.
        done = max((nth for nth, (sent_us, _) in enumerate(tries) if sent_us <= admission.at_us), default=0)
        repeated = done < len(tries) - 1
        late_us = (tries[-1][0] - admission.at_us, now_us() - admission.at_us) if repeated else (0, 0)
        # Where many become one, or one of many is tried by itself, it ends twice.
        self.deeds.setdefault((batch.stream.id, batch.number), Deed(tries[done][1], admission, late_us))


def now_us() -> int:
    return time.time_ns() // 1000


def check_windows(deeds: Iterable[Deed], quota: Quota, more: int = 0) -> dict[str, int]:
    """No half-open window holds more than `size` admissions of one stream, and so many `more`.

    Return how many each collection had.
    """
    known = [*deeds]
    admitted = {}
    for collection in ("all", "error"):
        stamps = sorted(
            deed.admission.at_us
            for deed in known
            if (decision := getattr(deed.admission, collection))
            for _ in range(decision.admitted)
        )
        admitted[collection] = len(stamps)
        for first_us, next_us in zip(stamps, stamps[quota.size + more :], strict=False):
            assert next_us - first_us >= quota.window_us
    return admitted
