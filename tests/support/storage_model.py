"""The storage contract in its plainest form: one event at a time, nothing optimised, nothing shared with the code."""

from bisect import bisect_right

from eventscache.storage.messages import Admission, Batch, Decision, Entry, Page, Query, Quota, Unsent
from eventscache.stream import Status

SECOND = 1_000_000


class Collection:
    def __init__(self) -> None:
        self.kept: list[Entry] = []  # oldest first
        self.stamps: list[int] = []
        self.tokens: int | None = None  # times the window
        self.tokens_at = 0
        self.limited_counts: list[tuple[int, int]] = []  # second, count

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
            return Admission(answered_at, later[0], later[1])
        self.last, self.offset = t, t - now
        other = self.quota if self.quota != batch.quota else None
        self.quota = batch.quota
        admitted_all, all_decision = self.decide(
            self.all, batch, [offer.to_all for offer in batch.offers], batch.all, t
        )
        admitted_error, error_decision = self.decide(
            self.error, batch, [offer.to_error for offer in batch.offers], batch.error, t
        )
        for offer, in_all, in_error in zip(batch.offers, admitted_all, admitted_error, strict=True):
            if in_all or in_error:
                self.sequence += 1
                entry = Entry(self.sequence, t, offer.status, offer.event)
                self.all.kept += [entry] * in_all
                self.error.kept += [entry] * in_error
        for collection, decision in ((self.all, all_decision), (self.error, error_decision)):
            if decision and decision.admitted:
                del collection.kept[: -batch.quota.size]
        if batch.writer not in self.answers:
            self.answers = {name: answer for name, answer in self.answers.items() if answer[1] > t - 300 * SECOND}
        admission = Admission(t, all_decision, error_decision, other_quota=other)
        self.answers[batch.writer] = (batch.number, t, admission)
        return admission

    @staticmethod
    def decide(
        collection: Collection, batch: Batch, offered: list[bool], unsent: Unsent, t: int
    ) -> tuple[list[bool], Decision | None]:
        if not any(offered) and not unsent.surplus and not unsent.limited_earlier:
            return [False] * len(offered), None
        collection.refill(t, batch.quota)
        collection.count_limited(unsent, t, batch.quota)
        admitted = [is_offered and collection.offer(t, batch.quota) for is_offered in offered]
        for _ in range(unsent.surplus):
            assert not collection.offer(t, batch.quota) or len(offered) < batch.quota.size
        retry = collection.opens(t, batch.quota) - t
        return admitted, Decision(sum(admitted), retry)

    def fetch(self, query: Query, now: int) -> Page:
        collection = self.error if query.status is Status.ERROR else self.all
        matching = [entry for entry in reversed(collection.kept) if query.status in {None, entry.status}]
        selected = [
            entry
            for entry in matching
            if (query.before is None or entry.sequence < query.before)
            and (query.after is None or entry.sequence > query.after)
            and query.containing in entry.event
        ]
        return Page(selected[: query.limit], len(matching), collection.limited(self.time(now)))

    def clear(self, *, reset: bool) -> int:
        cleared = len({entry.sequence for entry in self.all.kept + self.error.kept})
        self.all.kept, self.error.kept = [], []
        if reset:
            self.all, self.error = Collection(), Collection()
        return cleared
