"""The storage contract in its plainest form: one event at a time, nothing optimised, nothing shared with the code."""

from bisect import bisect_right
from collections import Counter

from eventscache.storage.messages import (
    PERIOD_US,
    Admission,
    Batch,
    Decision,
    Entry,
    ExtraInfo,
    Page,
    Query,
    Quota,
    Unsent,
)
from eventscache.stream import Status

SECOND = 1_000_000


class Collection:
    def __init__(self) -> None:
        self.kept: list[Entry] = []  # oldest first
        self.stamps: list[int] = []
        self.tokens: int | None = None  # times the window
        self.tokens_at = 0
        self.limited_counts: list[tuple[int, int]] = []  # second, count
        self.offers: list[tuple[int, int]] = []  # of an extra collection: time, count

    @property
    def active(self) -> int:
        return self.offers[-1][0] if self.offers else 0

    def info(self, name: str) -> ExtraInfo:
        periods = Counter[int]()
        for t, count in self.offers:
            periods[t // PERIOD_US] += count
        last = self.active // PERIOD_US
        return ExtraInfo(
            name, len(self.kept), periods.total(), self.offers[0][0], self.active, periods[last], periods[last - 1]
        )

    def refill(self, t: int, quota: Quota) -> None:
        full = quota.size * quota.window_us
        self.tokens = full if self.tokens is None else min(full, self.tokens + (t - self.tokens_at) * quota.size)
        self.tokens_at = t

    def count_limited(self, unsent: Unsent, t: int, quota: Quota) -> None:
        for age, count in unsent.limited_earlier:
            # An event limited at that age left one token, and time has refilled since: the latest one decides.
            assert self.tokens is not None
            self.tokens = min(self.tokens, quota.window_us + age * quota.size)
            self.limited_counts.append(((t - age) // SECOND, count))

    def offer(self, t: int, quota: Quota) -> bool:
        assert self.tokens is not None
        young = len(self.stamps) - bisect_right(self.stamps, t - quota.window_us)  # they are in order
        if young < quota.size and self.tokens >= quota.window_us:
            self.tokens -= quota.window_us
            self.stamps.append(t)
            del self.stamps[: -quota.size]
            return True
        self.tokens = min(self.tokens, quota.window_us)
        self.limited_counts.append((t // SECOND, 1))
        return False

    def opens(self, t: int, quota: Quota) -> int:
        """Search for the first instant at which one event would be admitted."""
        assert self.tokens is not None
        log = t if len(self.stamps) < quota.size else self.stamps[-quota.size] + quota.window_us
        bucket = t
        missing = quota.window_us - self.tokens
        if missing > 0:
            bucket = t + missing // quota.size + (missing % quota.size > 0)
        return max(t, log, bucket)

    def limited(self, t: int) -> int:
        return sum(count for second, count in self.limited_counts if second > t // SECOND - 60)


class Model:
    """One stream."""

    def __init__(self) -> None:
        self.all = Collection()
        self.error = Collection()
        self.sequence = 0
        self.last = 0
        self.offset = 0
        self.quota: Quota | None = None
        self.answers: dict[str, tuple[int, int, Admission]] = {}
        self.extras: dict[str, Collection] = {}

    def time(self, now: int) -> int:
        return max(now + self.offset, self.last)

    def insert(self, batch: Batch, now: int) -> Admission:
        t = self.time(now)
        number, answered_at, answer = self.answers.get(batch.writer, (0, 0, Admission()))
        if batch.number < number:
            return Admission(stale=True)
        if batch.number == number:
            gone = t - answered_at
            later = [v and Decision(v.admitted, max(0, v.retry_after_us - gone)) for v in (answer.all, answer.error)]
            extras = {name: Decision(v.admitted, max(0, v.retry_after_us - gone)) for name, v in answer.extras.items()}
            return Admission(answered_at, later[0], later[1], extras=extras)
        self.last, self.offset = t, t - now
        other = self.quota if self.quota != batch.quota else None
        self.quota = batch.quota
        admitted_all, all_decision = self.decide(
            self.all, batch.quota, [offer.to_all for offer in batch.offers], batch.all, t
        )
        admitted_error, error_decision = self.decide(
            self.error, batch.quota, [offer.to_error for offer in batch.offers], batch.error, t
        )
        in_extras, extra_decisions = self.decide_extras(batch, t)
        self.keep(batch, t, admitted_all, admitted_error, in_extras)
        for name, decided in extra_decisions.items():
            if decided.admitted:
                del self.extras[name].kept[: -batch.extras[name].quota.size]
        for collection, decision in ((self.all, all_decision), (self.error, error_decision)):
            if decision and decision.admitted:
                del collection.kept[: -batch.quota.size]
        if batch.writer not in self.answers:
            self.answers = {name: answer for name, answer in self.answers.items() if answer[1] > t - 300 * SECOND}
        admission = Admission(t, all_decision, error_decision, other_quota=other, extras=extra_decisions)
        self.answers[batch.writer] = (batch.number, t, admission)
        return admission

    def keep(
        self,
        batch: Batch,
        t: int,
        admitted_all: list[bool],
        admitted_error: list[bool],
        in_extras: dict[str, list[bool]],
    ) -> None:
        for index, (offer, in_all, in_error) in enumerate(zip(batch.offers, admitted_all, admitted_error, strict=True)):
            names = [name for name, admitted in in_extras.items() if admitted[index]]
            if in_all or in_error or names:
                self.sequence += 1
                entry = Entry(self.sequence, t, offer.status, offer.event)
                self.all.kept += [entry] * in_all
                self.error.kept += [entry] * in_error
                for name in names:
                    self.extras[name].kept.append(entry)

    def decide_extras(self, batch: Batch, t: int) -> tuple[dict[str, list[bool]], dict[str, Decision]]:
        self.make_room(batch)
        in_extras: dict[str, list[bool]] = {}
        extra_decisions: dict[str, Decision] = {}
        for name, extra in batch.extras.items():
            unsent = extra.unsent
            if name not in self.extras or not (extra.offered or unsent.surplus or unsent.limited_earlier):
                in_extras[name], extra_decisions[name] = [False] * len(batch.offers), Decision(0, 0)
                continue
            collection = self.extras[name]
            earlier = sum(count for _, count in extra.unsent.limited_earlier)
            collection.offers.append((t, len(extra.offered) + extra.unsent.surplus + earlier))
            offered = [index in extra.offered for index in range(len(batch.offers))]
            in_extras[name], decision = self.decide(collection, extra.quota, offered, extra.unsent, t)
            assert decision
            extra_decisions[name] = decision
        return in_extras, extra_decisions

    def make_room(self, batch: Batch) -> None:
        for name, extra in batch.extras.items():
            if name in self.extras or not (extra.offered or extra.unsent.surplus):
                continue
            kind = [other for other in self.extras if other.split(":")[0] == name.split(":")[0]]
            idle = sorted((self.extras[other].active, other) for other in kind if other not in batch.extras)
            for _, oldest in idle[: max(0, len(kind) + 1 - extra.most)]:
                del self.extras[oldest]
            self.extras[name] = Collection()

    @staticmethod
    def decide(
        collection: Collection, quota: Quota, offered: list[bool], unsent: Unsent, t: int
    ) -> tuple[list[bool], Decision | None]:
        if not any(offered) and not unsent.surplus and not unsent.limited_earlier:
            return [False] * len(offered), None
        bucket = collection.tokens, collection.tokens_at
        collection.refill(t, quota)
        collection.count_limited(unsent, t, quota)
        admitted = [is_offered and collection.offer(t, quota) for is_offered in offered]
        for _ in range(unsent.surplus):
            assert not collection.offer(t, quota) or len(offered) < quota.size
        retry = collection.opens(t, quota) - t
        if quota.window_us == 1:  # it limits nothing, and leaves the bucket alone
            collection.tokens, collection.tokens_at = bucket
        return admitted, Decision(sum(admitted), retry)

    def fetch(self, query: Query, now: int) -> Page:
        if query.extra:
            collection = self.extras.get(query.extra, Collection())
        else:
            collection = self.error if query.status is Status.ERROR else self.all
        matching = [entry for entry in reversed(collection.kept) if query.status in {None, entry.status}]
        selected = [
            entry
            for entry in matching
            if (query.before is None or entry.sequence < query.before)
            and (query.after is None or entry.sequence > query.after)
            and query.containing in entry.event
        ]
        limited = 0 if query.extra else collection.limited(self.time(now))
        return Page(selected[: query.limit], len(matching), limited)

    def extra_infos(self, kind: str) -> list[ExtraInfo]:
        infos = [extra.info(name) for name, extra in self.extras.items() if name.split(":")[0] == kind and extra.offers]
        return sorted(infos, key=lambda info: (-info.last_us, info.name))

    def clear_extra(self, name: str, *, reset: bool) -> int:
        collection = self.extras.get(name, Collection())
        cleared, collection.kept, collection.offers = len(collection.kept), [], []
        if reset:
            self.extras.pop(name, None)
        return cleared

    def clear(self, *, reset: bool) -> int:
        collections = [self.all, self.error, *self.extras.values()]
        cleared = len({entry.sequence for collection in collections for entry in collection.kept})
        for collection in collections:
            collection.kept, collection.offers = [], []
        if reset:
            self.all, self.error, self.extras = Collection(), Collection(), {}
        return cleared
