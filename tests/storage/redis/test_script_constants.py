"""Constants that the Lua scripts and the Python code both have are the same on both sides."""

import re
from typing import Any

import fakeredis
import msgspec
import pytest

from eventscache.storage.messages import (
    LIMITED_SECONDS,
    MAX_WRITERS,
    WRITER_HORIZON_US,
    Batch,
    Extra,
    Offer,
    Quota,
    Unsent,
)
from eventscache.storage.redis.codec import STATUS_LETTERS, active_us, admission, entries, insert_arguments
from eventscache.storage.redis.keys import EXTRA_KINDS, KINDS
from eventscache.storage.redis.scripts import read_script
from eventscache.stream import Namespace, Status, Stream

STREAM, QUOTA, NOW_US = Stream(Namespace.TOKEN, "x"), Quota(100, 60_000_000), 1_700_000_000_000_000


def constant(script: str, name: str) -> Any:
    """Return the value of a constant in a script, from a line such as `local SIZE, COLOUR = 5, 'red'`."""
    found = []
    for names, values in re.findall(r"^ *local ([A-Z_, ]+) = (.+)$", read_script(script), re.MULTILINE):
        found += [value for known, value in zip(names.split(", "), values.split(", "), strict=True) if known == name]
    [value] = found
    return value[1:-1] if value.startswith("'") else int(value)


def is_entry(logged: bytes, event: bytes) -> bool:
    return bool(entries([logged], [event]))


def batch(*offers: Offer) -> Batch:
    return Batch(STREAM, QUOTA, "writer", 1, offers)


@pytest.mark.parametrize("script", ["insert", "fetch", "clear"])
def test_limited_events_count_for_the_same_time(script: str) -> None:
    assert constant(script, "LIMITED_SECONDS") == LIMITED_SECONDS


def test_answers_are_kept_for_as_long_and_for_as_many_writers() -> None:
    assert constant("insert", "WRITER_HORIZON_US") == WRITER_HORIZON_US
    assert constant("insert", "MAX_WRITERS") == MAX_WRITERS


def test_an_event_is_readable_up_to_the_same_length() -> None:
    most = constant("fetch", "MAX_EVENT_BYTES")
    assert is_entry(b"s1:1", bytes(most))
    assert not is_entry(b"s1:1", bytes(most + 1))


@pytest.mark.parametrize("script", ["insert", "fetch", "evict"])
def test_a_number_has_as_many_digits(script: str) -> None:
    most = constant(script, "MAX_DIGITS")
    fits, too_long = b"9" * most, b"1" + b"0" * most
    assert is_entry(b"s%b:%b" % (fits, fits), b"")
    assert not is_entry(b"s%b:1" % too_long, b"")
    assert not is_entry(b"s1:%b" % too_long, b"")
    assert active_us(fits + b" 0") == int(fits)
    assert active_us(too_long + b" 0") == 0


def test_an_admission_begins_with_the_same_letters() -> None:
    [letters] = re.findall(r"^\^\[(\w+)\]", constant("fetch", "ADMISSION"))
    assert sorted(letters) == sorted(STATUS_LETTERS.values())
    assert [byte for byte in range(256) if is_entry(b"%c1:1" % byte, b"")] == sorted(map(ord, letters))


@pytest.mark.parametrize(
    ("offer", "kinds"),
    [
        (Offer(b"event", Status.SUCCESS), ["all"]),
        (Offer(b"event", Status.SKIP), ["all"]),
        (Offer(b"event", Status.ERROR, to_all=True, to_error=True), ["all", "error"]),
        (Offer(b"event", Status.ERROR, to_all=True, to_error=False), ["all"]),
        (Offer(b"event", Status.ERROR, to_all=False, to_error=True), ["error"]),
    ],
)
def test_the_letter_of_a_payload_leads_to_its_collections_and_status(offer: Offer, kinds: list[str]) -> None:
    client: Any = fakeredis.FakeRedis()
    following = Offer(b"following", Status.SUCCESS)
    client.eval(
        read_script("insert"), len(KINDS), *KINDS, *insert_arguments([batch(offer, following)], NOW_US, 600_000)
    )
    for kind in ("all", "error"):
        logged, events = client.lrange(f"{kind}:at", 0, -1), client.lrange(kind, 0, -1)
        found = [entry for entry in entries(logged, events) if entry.event == b"event"]
        assert found == [(1, NOW_US, offer.status, b"event")] * (kind in kinds)


def test_the_kinds_of_a_reply_mean_the_same() -> None:
    def is_stale(kind: int) -> bool:
        return admission(batch(), [kind, 0, -1, 0, -1, 0, b"", 0, []])[0].stale

    assert is_stale(constant("insert", "STALE"))
    assert not is_stale(constant("insert", "NEW"))
    assert not is_stale(constant("insert", "REPEATED"))


@pytest.mark.parametrize("script", ["insert", "clear", "evict"])
def test_the_keys_of_a_stream_come_in_the_same_order(script: str) -> None:
    described = re.findall(r"^-- KEYS\[(\d)\]  \w+ +(\w+(?::\w+)?)", read_script(script), re.MULTILINE)
    assert described == [(str(number), kind) for number, kind in enumerate((*KINDS, *EXTRA_KINDS), 1)]


def test_the_arguments_of_insert_have_the_same_number() -> None:
    first, each = constant("insert", "FIRST_BATCH"), constant("insert", "BATCH_ARGUMENTS")
    assert len(insert_arguments([batch()], NOW_US, 600_000)) == first - 1 + each
    assert len(insert_arguments([batch(), batch()], NOW_US, 600_000)) == first - 1 + 2 * each
    extra = msgspec.structs.replace(batch(), extras={"type:a": Extra(QUOTA, 1, (), Unsent(1))})
    of_extra = constant("insert", "EXTRA_ARGUMENTS")
    assert len(insert_arguments([batch(), extra], NOW_US, 600_000)) == first - 1 + 2 * (each + 1) + of_extra
