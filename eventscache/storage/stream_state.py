"""The judge of one stream: its time, its limiters, its numbers and the answers it gave; all but the events.

A storage that can run Python next to its data needs no other rules. In one atomic step, under a lock on the stream,
it loads the state (`StreamState.load`, or a new one), and if `answered` knows no answer it calls `judge`, puts admitted
entries in front of their collections, trims those that got some to the size, and saves `dump()`.
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
    """The answer to a batch, and the entries that each collection admitted, oldest first."""

    admission: Admission
    all: list[Entry]
    error: list[Entry]


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """The last answer to one writer, kept so that the same batch again changes nothing."""

    number: int
    admission: Admission

    def repeat(self, time_us: int) -> Admission:
        """Return the answer, with less time left to wait; another quota was told the first time."""
        gone_us = time_us - self.admission.at_us

        def later(verdict: Decision | None) -> Decision | None:
            return verdict and Decision(verdict.admitted, max(0, verdict.retry_after_us - gone_us))

        return Admission(self.admission.at_us, later(self.admission.all), later(self.admission.error))


class _State(msgspec.Struct, frozen=True, array_like=True):
    last_us: int
    offset_us: int
    sequence: int
    quota: Quota | None
    all: LimiterState
    error: LimiterState
    answers: dict[str, Answered]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_State)


class StreamState:
    """Judges the batches of one stream, one after another."""

    __slots__ = ("_answers", "_quota", "all", "clock", "error", "sequence")

    def __init__(self, sequence: int = 0, last_us: int = 0) -> None:
        """Begin anew, after a number and a time that were reached already."""
        self.clock = MonotonicClock(last_us)
        self.sequence = sequence
        self.all = Limiter()
        self.error = Limiter()
        self._quota: Quota | None = None
        self._answers: dict[str, Answered] = {}  # the writer heard last is last

    @classmethod
    def load(cls, state: bytes) -> Self:
        """Return the judge that `dump` gave this state of; raise `ValueError` if it is none."""
        try:
            saved = _decoder.decode(state)
        except (msgspec.MsgspecError, TypeError) as fault:
            raise ValueError(f"not a judge's state: {fault}") from fault
        judge = cls(saved.sequence)
        judge.clock = MonotonicClock(saved.last_us, saved.offset_us)
        judge.all, judge.error = Limiter(saved.all), Limiter(saved.error)
        judge._quota, judge._answers = saved.quota, saved.answers
        return judge

    def dump(self) -> bytes:
        """Return all it knows, a few KB."""
        clock, limiters = self.clock, (self.all.state, self.error.state)
        return _encoder.encode(
            _State(clock.last_us, clock.offset_us, self.sequence, self._quota, *limiters, self._answers)
        )

    def answered(self, batch: Batch, now_us: int) -> Admission | None:
        """Return the answer to a batch that was judged before, or that is older than one that was; else None."""
        answered = self._answers.get(batch.writer)
        if answered is None or answered.number < batch.number:
            return None
        if answered.number > batch.number:
            return Admission(stale=True)
        return answered.repeat(self.clock.peek(now_us))

    def judge(self, batch: Batch, now_us: int) -> Applied:
        """Judge a batch that was not answered before."""
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
        ruling = Applied(admission, [], [])
        for offer, (in_all, in_error) in zip(batch.offers, admission.placed(batch.offers), strict=True):
            if in_all or in_error:
                self.sequence += 1
                entry = Entry(self.sequence, admission.at_us, offer.status, offer.event)
                if in_all:
                    ruling.all.append(entry)
                if in_error:
                    ruling.error.append(entry)
        return ruling

    def _remember(self, batch: Batch, admission: Admission) -> None:
        answers = self._answers
        if answers.pop(batch.writer, None) is None:
            horizon_us = admission.at_us - WRITER_HORIZON_US
            for name in [name for name, old in answers.items() if old.admission.at_us <= horizon_us]:
                del answers[name]
            if len(answers) >= MAX_WRITERS:
                del answers[next(iter(answers))]
        answers[batch.writer] = Answered(batch.number, admission)

    def reset(self) -> None:
        """Forget what the limiters know; time, numbers and answers go on."""
        self.all, self.error = Limiter(), Limiter()


def _decision(limiter: Limiter, offered: int, share: Unsent, time_us: int, quota: Quota) -> Decision | None:
    offered += share.surplus
    if not offered and not any(refusal.events for refusal in share.limited_earlier):
        return None
    return limiter.judge(offered, share.limited_earlier, time_us, quota)
