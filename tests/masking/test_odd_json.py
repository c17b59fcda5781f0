"""Masks on events that are JSON by the standard but that few readers take: halves of surrogate pairs, huge numbers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscache.event import Event
from eventscache.ingest.json import strict
from eventscache.masking.mask import Mask
from tests.support.fuzz import fuzz

KEY = "a key of enough bytes for a test"
HUGE = "1" * 5000


@pytest.mark.parametrize(
    ("mask", "original", "masked"),
    [
        (Mask(drop=["email"]), r'{"email":"a\ud83d","title":"Sale \ud83d"}', r'{"title":"Sale \ud83d"}'),
        (Mask(drop=["a"]), r'{"\ud83d":1e400,"a":1E+999,"b":1.10}', r'{"\ud83d":1e400,"b":1.10}'),
        (Mask(drop=["n"]), f'{{"n":{HUGE},"m":{HUGE}}}', f'{{"m":{HUGE}}}'),
        (Mask(ip=True), r'{"ip":"10.1.2.3","t":"\udc00 \ud83d"}', r'{"ip":"10.1.2.0","t":"\udc00 \ud83d"}'),
        (Mask(ip=["t"]), r'{"t":"\ud83d from 10.1.2.3 \udc00"}', r'{"t":"\ud83d from 10.1.2.0 \udc00"}'),
    ],
)
def test_odd_events_are_masked_and_else_stay_byte_for_byte(mask: Mask, original: str, masked: str) -> None:
    event = mask.masked(Event(original=original.encode()))
    assert event.original == masked.encode()
    assert event.masked


def test_a_masked_half_of_a_pair_is_replaced_in_the_result_and_the_error_too() -> None:
    original = rb'{"email":"half\ud83d@x.example"}'
    success = rb'{"table":"t","record":[{"field":"mail","type":"string","value":"to half\ud83d@x.example"}]}'
    for as_written in (r"half\ud83d@x.example", "half\ufffd@x.example"):  # Jitsu sends on what it reads
        there = success.replace(rb"half\ud83d@x.example", as_written.encode())
        event = Event(original=original, success=there, error=f"bad value {as_written}")
        event = Mask(drop=["email"]).masked(event)
        assert json.loads(event.success)["record"][0]["value"] == "to ***"
        assert event.error == "bad value ***"


ODD = st.sampled_from([r'"\ud83d"', r'"a\udc00b"', r'"\\\ud83d10.1.2.3"', "1e400", HUGE, "-0.0e-999", '"é"', "null"])
NAMES = st.sampled_from([r"\ud83d", "a", "email", "ip", r"em\u0061il"])
VALUES = st.recursive(
    ODD,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda found: f"[{','.join(found)}]")
        | st.lists(st.tuples(NAMES, inner), max_size=3).map(
            lambda found: "{" + ",".join(f'"{name}":{value}' for name, value in found) + "}"
        )
    ),
    max_leaves=8,
)
MASKS = [
    Mask(drop=["email"], hash=["a.*", "**.ip"], ip=True, key=KEY),
    Mask(hash=["*"], key=KEY),
    Mask(drop=["**.a"], ip=["email"]),
]


@fuzz
@given(st.lists(st.tuples(NAMES, VALUES), max_size=4), st.sampled_from(MASKS))
def test_fuzz_masked_events_are_events(members: list[tuple[str, Any]], mask: Mask) -> None:
    data = ("{" + ",".join(f'"{name}":{value}' for name, value in members) + "}").encode()
    event = mask.masked(Event(original=data, success=data, error=r"what \ud83d is 10.1.2.3"))
    for masked in (event.original, event.success):
        assert isinstance(strict.decode(masked), dict)
    event.pack()
