"""The state of one stream: its clock, its limiters, its numbers and its last answers; everything but the events.

A storage that can run Python next to its data needs no other rules. In one atomic step, under a lock on the stream, it
loads the state (`StreamState.load`, or a new one). If `replay` has no answer to the batch, the storage calls `apply`,
puts the admitted entries in front of their collections, trims the collections that got some to the size, and saves
`dump()`.
"""

from collections.abc import Mapping
from typing import NamedTuple, Self

import msgspec

from eventscache.storage.limiter import Limiter, LimiterState, MonotonicClock
from eventscache.storage.messages import (
    MAX_WRITERS,
    PERIOD_US,
    WRITER_HORIZON_US,
    Admission,
    Batch,
    Decision,
    Entry,
    Extra,
    ExtraInfo,
    Quota,
    Unsent,
    kind_of,
)


class Applied(NamedTuple):
    """What a batch changed: the answer to it, and the entries that each collection admitted, oldest first.

    `gone` are the extra collections that made room for new ones: their entries are to be dropped first.
    """

    admission: Admission
    all: list[Entry]
    error: list[Entry]
    extras: dict[str, list[Entry]]
    gone: list[str]


class LastAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The last answer to one writer, kept so that the same batch again changes nothing."""

    number: int
    admission: Admission

    def replay(self, time_us: int) -> Admission:
        """Return the answer again, with less time to wait and without `other_quota`, which the first one reported."""
        first = self.admission
        passed_us = time_us - first.at_us

        def later(decision: Decision) -> Decision:
            return Decision(decision.admitted, max(0, decision.retry_after_us - passed_us))

        return Admission(
            first.at_us,
            first.all and later(first.all),
            first.error and later(first.error),
            extras={name: later(decision) for name, decision in first.extras.items()},
        )


class SavedExtra(msgspec.Struct, frozen=True, array_like=True):
    """The state of an extra collection, as plain values."""

    limiter: LimiterState
    counts: "OfferedCounts"


class OfferedCounts(msgspec.Struct, array_like=True):
    """How many events an extra collection was offered, and when: see `ExtraInfo`."""

    offered: int = 0
    first_us: int = 0
    last_us: int = 0
    recent: int = 0
    earlier: int = 0

    def add(self, events: int, time_us: int) -> None:
        """Count events that were offered until this time."""
        periods = time_us // PERIOD_US - self.last_us // PERIOD_US
        if periods:
            self.recent, self.earlier = 0, self.recent if periods == 1 else 0
        self.first_us = self.first_us if self.offered else time_us
        self.last_us = time_us
        self.offered += events
        self.recent += events


class ExtraState:
    """The limiter of an extra collection, and how many events it was offered."""

    __slots__ = ("counts", "limiter")

    def __init__(self, saved: SavedExtra | None = None) -> None:
        self.limiter = Limiter(saved.limiter if saved else None)
        self.counts = saved.counts if saved else OfferedCounts()

    @property
    def saved(self) -> SavedExtra:
        """A copy of the whole state."""
        return SavedExtra(self.limiter.state, msgspec.structs.replace(self.counts))

    def forget(self) -> None:
        """Begin to count anew; the limiter continues."""
        self.counts = OfferedCounts()


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    last_us: int
    offset_us: int
    sequence: int
    quota: Quota | None
    all: LimiterState
    error: LimiterState
    answers: dict[str, LastAnswer]
    extras: dict[str, SavedExtra] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Saved)


class StreamState:
    """Applies the batches of one stream, one after another."""

    __slots__ = ("_answers", "_quota", "all", "clock", "error", "extras", "sequence")

    def __init__(self, sequence: int = 0, last_us: int = 0) -> None:
        """Begin anew, after a number and a time that were reached already."""
        self.clock = MonotonicClock(last_us)
        self.sequence = sequence
        self.all = Limiter()
        self.error = Limiter()
        self._quota: Quota | None = None
        self._answers: dict[str, LastAnswer] = {}  # the writer that wrote last is last
        self.extras: dict[str, ExtraState] = {}

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
        state.extras = {name: ExtraState(saved) for name, saved in values.extras.items()}
        return state

    def dump(self) -> bytes:
        """Return the whole state as a few KB of bytes."""
        clock, limiters = self.clock, (self.all.state, self.error.state)
        extras = {name: extra.saved for name, extra in self.extras.items()}
        return _encoder.encode(
            _Saved(clock.last_us, clock.offset_us, self.sequence, self._quota, *limiters, self._answers, extras)
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
        gone = self._make_room(batch)
        admission = Admission(
            time_us,
            _decision(self.all, sum(offer.to_all for offer in batch.offers), batch.all, time_us, batch.quota),
            _decision(self.error, sum(offer.to_error for offer in batch.offers), batch.error, time_us, batch.quota),
            other_quota=self._quota if self._quota != batch.quota else None,
            extras={name: self._decide_extra(name, extra, time_us) for name, extra in batch.extras.items()},
        )
        self._quota = batch.quota
        self._remember(batch, admission)
        return self._number(batch, admission, gone)

    def _make_room(self, batch: Batch) -> list[str]:
        """Remove the least recently active extra collections for new ones; return their names."""
        gone: list[str] = []
        for name, extra in batch.extras.items():
            if name not in self.extras and (extra.offered or extra.unsent.surplus):
                others = [other for other in self.extras if kind_of(other) == kind_of(name)]
                idle = sorted((other for other in others if other not in batch.extras), key=self._activity)
                leaving = idle[: max(0, len(others) + 1 - extra.most)]
                for other in leaving:
                    del self.extras[other]
                gone += leaving
                self.extras[name] = ExtraState()
        return gone

    def _activity(self, name: str) -> tuple[int, bytes]:
        return self.extras[name].counts.last_us, name.encode(errors="surrogatepass")

    def _decide_extra(self, name: str, extra: Extra, time_us: int) -> Decision:
        offered, unsent = len(extra.offered) + extra.unsent.surplus, extra.unsent
        state = self.extras.get(name)
        if state is None or not (offered or unsent.limited_earlier):
            return Decision(0, 0)
        state.counts.add(offered + sum(limited.events for limited in unsent.limited_earlier), time_us)
        return state.limiter.decide(offered, unsent.limited_earlier, time_us, extra.quota)

    def _number(self, batch: Batch, admission: Admission, gone: list[str]) -> Applied:
        applied = Applied(admission, [], [], {}, gone)
        in_extras = admission.in_extras(batch) if admission.extras else {}
        for index, (offer, (in_all, in_error)) in enumerate(
            zip(batch.offers, admission.placed(batch.offers), strict=True)
        ):
            names = in_extras.get(index, ())
            if in_all or in_error or names:
                self.sequence += 1
                entry = Entry(self.sequence, admission.at_us, offer.status, offer.event)
                if in_all:
                    applied.all.append(entry)
                if in_error:
                    applied.error.append(entry)
                for name in names:
                    applied.extras.setdefault(name, []).append(entry)
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

    def extra_infos(self, kind: str, totals: Mapping[str, int]) -> list[ExtraInfo]:
        """Return the extra collections of a kind, the most recently active first; `totals` says what each holds."""
        infos = [
            ExtraInfo(name, totals.get(name, 0), *msgspec.structs.astuple(extra.counts))
            for name, extra in self.extras.items()
            if extra.counts.offered and kind_of(name) == kind
        ]
        return sorted(infos, key=lambda info: (-info.last_us, info.name))

    def clear(self) -> None:
        """Note that the events are removed; limiters, time, numbers and answers continue."""
        for extra in self.extras.values():
            extra.forget()

    def clear_extra(self, name: str, *, reset: bool) -> None:
        """Note that the events of an extra collection are removed; its limiter continues unless `reset`."""
        if reset:
            self.extras.pop(name, None)
        elif extra := self.extras.get(name):
            extra.forget()

    def reset(self) -> None:
        """Let all limiters begin anew; time, numbers and answers continue."""
        self.all, self.error = Limiter(), Limiter()
        self.extras = {}


def _decision(limiter: Limiter, offered: int, unsent: Unsent, time_us: int, quota: Quota) -> Decision | None:
    offered += unsent.surplus
    if not offered and not any(limited.events for limited in unsent.limited_earlier):
        return None
    return limiter.decide(offered, unsent.limited_earlier, time_us, quota)
