"""A stream state that is saved and loaded decides as before; what it remembers is bounded."""

import itertools
import random

import pytest

from eventscache.clock import MICROSECONDS
from eventscache.storage.messages import (
    MAX_WRITERS,
    WRITER_HORIZON_US,
    Batch,
    Decision,
    LimitedCount,
    Offer,
    Quota,
    Unsent,
)
from eventscache.storage.stream_state import StreamState
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import success

STREAM = Stream(Namespace.TOKEN, "key")
QUOTA = Quota(10, 60 * MICROSECONDS)
START_US = 1_700_000_000 * MICROSECONDS


def random_batches(seed: int) -> list[tuple[int, Batch]]:
    choose = random.Random(seed)
    quotas = [Quota(choose.choice((1, 7, 100)), choose.choice((7, MICROSECONDS, 61_234_567))) for _ in range(2)]
    batches, now_us = [], START_US
    for number in range(1, 300):
        now_us += choose.choice((-MICROSECONDS, 0, 1, 300_000, 30 * MICROSECONDS))
        offers = [
            Offer(b"x", Status.ERROR, to_all=choose.random() < 0.9, to_error=choose.random() < 0.5)
            for _ in range(choose.choice((0, 1, 5, 120)))
        ]
        unsent = Unsent(limited_earlier=(LimitedCount(choose.randint(0, 70) * MICROSECONDS, choose.randint(0, 9)),))
        writer = choose.choice("abc")
        batch = Batch(STREAM, choose.choice(quotas), writer, number, offers, all=unsent, error=Unsent())
        batches += [(now_us, batch)] * choose.choice((1, 1, 2))
    return batches


@pytest.mark.parametrize("seed", range(10))
def test_a_loaded_state_continues_like_the_one_that_was_saved(seed: int) -> None:
    kept, saved = StreamState(), StreamState().dump()
    for now_us, batch in random_batches(seed):
        loaded = StreamState.load(saved)
        assert loaded.replay(batch, now_us) == kept.replay(batch, now_us)
        if not kept.replay(batch, now_us):
            assert loaded.apply(batch, now_us) == kept.apply(batch, now_us)
        saved = loaded.dump()
        assert saved == kept.dump()
        time_us = kept.clock.peek(now_us)
        assert loaded.all.limited(time_us) == kept.all.limited(time_us)


@pytest.mark.parametrize("garbage", [b"", b"\x00", b"\xff" * 50, StreamState().dump()[:-1], "text", None, 7])
def test_bytes_that_are_no_state_cannot_be_loaded(garbage: bytes) -> None:
    with pytest.raises(ValueError, match="not the state of a stream"):
        StreamState.load(garbage)


def test_time_numbers_and_answers_continue_after_a_reset() -> None:
    state, batch = StreamState(), Batch(STREAM, QUOTA, "writer", 1, success(*[b"x"] * 12))
    state.apply(batch, START_US)
    state.reset()
    assert state.replay(batch, START_US) is not None
    applied = state.apply(Batch(STREAM, QUOTA, "writer", 2, success(b"y")), START_US - 1)
    assert (applied.admission.at_us, applied.admission.all) == (START_US, Decision(1, 0))
    assert [entry.sequence for entry in applied.all] == [11]
    assert applied.error == []


def test_it_remembers_the_writers_that_wrote_last() -> None:
    state, numbers = StreamState(), itertools.count(1)
    batches = [Batch(STREAM, QUOTA, f"{number}", next(numbers)) for number in range(MAX_WRITERS + 5)]
    for batch in batches:
        state.apply(batch, START_US)
    known = [batch.writer for batch in batches if state.replay(batch, START_US)]
    assert known == [f"{number}" for number in range(5, MAX_WRITERS + 5)]

    state.apply(Batch(STREAM, QUOTA, "new", 1), START_US + WRITER_HORIZON_US)
    assert not any(state.replay(batch, START_US) for batch in batches)
