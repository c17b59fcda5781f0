"""The state of one stream: its clock, its two limiters, its numbers and its last answers; everything but the events.

A storage that can run Python next to its data needs no other rules. In one atomic step, under a lock on the stream, it
loads the state (`StreamState.load`, or a new one). If `replay` has no answer to the batch, the storage calls `apply`,
puts the admitted entries in front of their collections, trims the collections that got some to the size, and saves
`dump()`.
"""

from typing import NamedTuple, Self

import msgspec

from eventscache.storage.limiter import Limiter, LimiterState, MonotonicClock
from eventscache.storage.messages import (
    MAX_WRITERS,
    WRITER_HORIZON_US,
    Admission,
    Batch,
    Decision,
    Entry,
    Quota,
    Unsent,
)


class Applied(NamedTuple):
    """What a batch changed: the answer to it, and the entries that each collection admitted, oldest first."""

    admission: Admission
    all: list[Entry]
    error: list[Entry]


class LastAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The last answer to one writer, kept so that the same batch again changes nothing."""

    number: int
    admission: Admission

    def replay(self, time_us: int) -> Admission:
        """Return the answer again, with less time to wait and without `other_quota`, which the first one reported."""
        passed_us = time_us - self.admission.at_us

        def later(decision: Decision | None) -> Decision | None:
            return decision and Decision(decision.admitted, max(0, decision.retry_after_us - passed_us))

        return Admission(self.admission.at_us, later(self.admission.all), later(self.admission.error))


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    last_us: int
    offset_us: int
    sequence: int
    quota: Quota | None
    all: LimiterState
    error: LimiterState
    answers: dict[str, LastAnswer]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Saved)


class StreamState:
    """Applies the batches of one stream, one after another."""

    __slots__ = ("_answers", "_quota", "all", "clock", "error", "sequence")

    def __init__(self, sequence: int = 0, last_us: int = 0) -> None:
        """Begin anew, after a number and a time that were reached already."""
        self.clock = MonotonicClock(last_us)
        self.sequence = sequence
        self.all = Limiter()
        self.error = Limiter()
        self._quota: Quota | None = None
        self._answers: dict[str, LastAnswer] = {}  # the writer that wrote last is last

    @classmethod
    def load(cls, saved: bytes) -> Self:
        """Return the state that `dump` saved; raise `ValueError` if it did not."""
        try:
            values = _decoder.decode(saved)
        except (msgspec.MsgspecError, TypeError) as error:
            raise ValueError(f"not the state of a stream: {error}") from error
        state = cls(values.sequence)
        state.clock = MonotonicClock(values.last_us, values.offset_us)
        state.all, state.error = Limiter(values.all), Limiter(values.error)
        state._quota, state._answers = values.quota, values.answers
        return state

    def dump(self) -> bytes:
        """Return the whole state as a few KB of bytes."""
        clock, limiters = self.clock, (self.all.state, self.error.state)
        return _encoder.encode(
            _Saved(clock.last_us, clock.offset_us, self.sequence, self._quota, *limiters, self._answers)
        )

    def replay(self, batch: Batch, now_us: int) -> Admission | None:
        """Return the answer to a batch that was applied before, or that is stale; None if `apply` has to be called."""
        last = self._answers.get(batch.writer)
        if last is None or last.number < batch.number:
            return None
        if last.number > batch.number:
            return Admission(stale=True)
        return last.replay(self.clock.peek(now_us))

    def apply(self, batch: Batch, now_us: int) -> Applied:
        """Decide about a batch that `replay` has no answer to, number its admitted events and remember the answer."""
        time_us = self.clock.advance(now_us)
        admission = Admission(
            time_us,
            _decision(self.all, sum(offer.to_all for offer in batch.offers), batch.all, time_us, batch.quota),
            _decision(self.error, sum(offer.to_error for offer in batch.offers), batch.error, time_us, batch.quota),
            other_quota=self._quota if self._quota != batch.quota else None,
        )
        self._quota = batch.quota
        self._remember(batch, admission)
        return self._number(batch, admission)

    def _number(self, batch: Batch, admission: Admission) -> Applied:
        applied = Applied(admission, [], [])
        for offer, (in_all, in_error) in zip(batch.offers, admission.placed(batch.offers), strict=True):
            if in_all or in_error:
                self.sequence += 1
                entry = Entry(self.sequence, admission.at_us, offer.status, offer.event)
                if in_all:
                    applied.all.append(entry)
                if in_error:
                    applied.error.append(entry)
        return applied

    def _remember(self, batch: Batch, admission: Admission) -> None:
        answers = self._answers
        if answers.pop(batch.writer, None) is None:
            horizon_us = admission.at_us - WRITER_HORIZON_US
            for name in [name for name, old in answers.items() if old.admission.at_us <= horizon_us]:
                del answers[name]
            if len(answers) >= MAX_WRITERS:
                del answers[next(iter(answers))]
        answers[batch.writer] = LastAnswer(batch.number, admission)

    def reset(self) -> None:
        """Let both limiters begin anew; time, numbers and answers continue."""
        self.all, self.error = Limiter(), Limiter()


def _decision(limiter: Limiter, offered: int, unsent: Unsent, time_us: int, quota: Quota) -> Decision | None:
    offered += unsent.surplus
    if not offered and not any(limited.events for limited in unsent.limited_earlier):
        return None
    return limiter.decide(offered, unsent.limited_earlier, time_us, quota)
