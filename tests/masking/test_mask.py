"""Masking: no masked value remains, and everything else stays as it was, byte for byte."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventscache.cache import EventsCache
from eventscache.errors import ConfigError
from eventscache.event import Event
from eventscache.masking.field_paths import parse_path
from eventscache.masking.ip_addresses import truncated, truncated_if_alone
from eventscache.masking.mask import Mask
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Query
from eventscache.stream import Namespace, Stream

KEY = "the key of the mask"


def hashed(json_text: str) -> str:
    return hmac.new(KEY.encode(), json_text.encode(), hashlib.sha256).hexdigest()[:32]


def masked(event: Event, **rules: Any) -> Event:
    return Mask(key=KEY, **rules).masked(event)


DROPPED = [
    ("user.email", '{"user":{"email":"x","id":1}}', '{"user":{"id":1}}'),
    ("user.email", '{"user":{"id":1,"email":"x"}}', '{"user":{"id":1}}'),
    ("user.email", '{"user":{"email":"x"}}', '{"user":{}}'),
    ("user.email", '{"email":1,"user":{"e":1.10},"b":{"user":{"email":2}}}', None),
    ("user.email", '{"user":{"\\u0065mail":"x","b":2}}', '{"user":{"b":2}}'),
    ("user.email", '{"user":{"email":1,"a":1.10,"email":2,"a":1e400,"email":3}}', '{"user":{"a":1.10,"a":1e400}}'),
    ("user.email", '{"user":{"email":1},"user":{"email":2}}', '{"user":{},"user":{}}'),
    ("user.email", '{"user.email":1,"user":[{"email":2},[{"email":3,"b":4}]]}', '{"user":[{},[{"b":4}]]}'),
    ("a.email", ' { "a" : { "id" : 1 , "email" : [ {"a":"}\\"]"} ] , "b":2 } } ', ' { "a" : { "id" : 1 , "b":2 } } '),
    ("user", '{"a":1,"user.email":2,"user_email":3}', '{"a":1,"user_email":3}'),
    ("*.email", '{"email":1,"a":{"email":2,"b":{"email":3}}}', '{"email":1,"a":{"b":{"email":3}}}'),
    ("**.email", '{"email":1,"a":{"email":2,"b":[{"email":3,"c":4}]}}', '{"a":{"b":[{"c":4}]}}'),
    ("a.**.email", '{"email":1,"a":{"email":2,"b":{"c":{"email":3}}}}', '{"email":1,"a":{"b":{"c":{}}}}'),
    ("**.a.**.b", '{"a":{"b":1},"b":2,"x":{"a":{"y":{"b":3}}}}', '{"a":{},"b":2,"x":{"a":{"y":{}}}}'),
    ("items.0", '{"items":[1,2,3]}', '{"items":[2,3]}'),
    ("items.*", '{"items":[1,[2],{"a":3}]}', '{"items":[]}'),
    ("items.1.a", '{"items":[{"a":1},{"a":2}]}', '{"items":[{"a":1},{}]}'),
    ("user.**", '{"user":{"a":1,"b":{"c":2}}}', '{"user":{}}'),
    ("**", '{"a":1,"b":{"c":2}}', "{}"),
    ("größe", '{"größe":1,"gr\\u00f6\\u00dfe":2,"b":3}', '{"b":3}'),
    ("First Name", '{"First Name":"x","b":3}', '{"b":3}'),
    ("a", '{"b":{"a":1,"c":"\\"a\\":1"},"z":""}', None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "before", "after"), DROPPED)
def test_fields_that_a_path_matches_are_dropped_and_nothing_else_changes(
    path: str, before: str, after: str | None
) -> None:
    event = masked(Event(original=before.encode()), drop=[path])
    assert event.original.decode() == (before if after is None else after)


def test_an_event_that_holds_nothing_to_mask_is_the_same_object() -> None:
    event = Event(original=b'{"a" : 1.10}', success=b'{"b":[ ]}', error="no", skip="1.2.3")
    assert masked(event, drop=["email"], hash=["**.phone"], ip=True) is event


@pytest.mark.parametrize(
    ("before", "value"),
    [
        ('"ann@x"', '"ann@x"'),
        ('"ann\\u0040x"', '"ann@x"'),
        ("1.10", "1.10"),
        ("null", "null"),
        ('{ "a" : [1.0, "\\u0061"] }', '{"a":[1.0,"a"]}'),
    ],
)
def test_a_hash_is_that_of_the_value_whatever_its_spelling(before: str, value: str) -> None:
    event = masked(Event(original=f'{{"x":1, "id": {before} ,"y":2}}'.encode()), hash=["id"])
    assert event.original.decode() == f'{{"x":1, "id": "{hashed(value)}" ,"y":2}}'


def test_dropping_wins_over_hashing_and_hashing_over_truncating() -> None:
    event = Event(original=b'{"a":"1.2.3.4","b":"1.2.3.4","c":"1.2.3.4"}')
    after = masked(event, drop=["a"], hash=["a", "b"], ip=["*"]).original
    assert json.loads(after) == {"b": hashed('"1.2.3.4"'), "c": "1.2.3.0"}


ADDRESSES = {
    "1.2.3.4": "1.2.3.0",
    "255.255.255.255": "255.255.255.0",
    "999.1.1.1": "999.1.1.1",
    "1.2.3": "1.2.3",
    "1.2.3.4.5": "1.2.3.4.5",
    "001.002.003.004": "001.002.003.0",
    "1.2.3.4:8080": "1.2.3.0:8080",
    "2001:db8:1:2::3": "2001:db8:1::",
    "[2001:db8:1:2::3]:443": "[2001:db8:1::]:443",
    "2001:DB8:1:2:3:4:5:6": "2001:db8:1::",
    "fe80::1%eth0": "fe80::%eth0",
    "::ffff:1.2.3.4": "::ffff:1.2.3.0",
    "2002:102:304:5::6": "2002:102:300::",
    "::1": "::",
    "1.2.3.4, 2001:db8:1:2::3,unknown": "1.2.3.0, 2001:db8:1::,unknown",
    "12:34:56": "12:34:56",
    "00:1a:2b:3c:4d:5e": "00:1a:2b:3c:4d:5e",
    "2026-11-23T21:18:53.893117Z": "2026-11-23T21:18:53.893117Z",
}


@pytest.mark.parametrize("text", ["203.0.113.77;", ",203.0.113.77", " 203.0.113.77 ,; 203.0.113.78, "])
def test_separators_around_an_address_do_not_hide_it(text: str) -> None:
    assert truncated_if_alone(text) == text.replace(".77", ".0").replace(".78", ".0")


@pytest.mark.parametrize(("before", "after"), ADDRESSES.items())
def test_addresses_are_truncated(before: str, after: str) -> None:
    assert truncated(before) == truncated_if_alone(before) == after
    assert truncated(after) == after


@pytest.mark.parametrize(
    ("before", "after"),
    {
        "dial tcp 1.2.3.4:80: refused.": "dial tcp 1.2.3.0:80: refused.",
        "to 2001:db8:1:2::3: no route": "to 2001:db8:1::: no route",
        "from 1.2.3.4.": "from 1.2.3.0.",
        "peer:2001:db8:1:2::3.": "peer:2001:db8:1::.",
        "std::vector, a.b::c": "std::vector, a.b::c",
        "2001:db8::1::2": "***",
    }.items(),
)
def test_addresses_in_a_sentence_are_truncated(before: str, after: str) -> None:
    assert truncated(before) == after
    assert truncated_if_alone("the " + before) == "the " + before


def test_strings_that_are_addresses_are_truncated_everywhere_or_by_paths() -> None:
    before = b'{"ip":"1.2.3.4","v":"is 1.2.3.4","l":[["1\\u002e2.3.4"]],"n":1.2,"o":{"p":{"q":"at 1.2.3.4"}}}'
    event = Event(original=before)
    everywhere = b'{"ip":"1.2.3.0","v":"is 1.2.3.4","l":[["1.2.3.0"]],"n":1.2,"o":{"p":{"q":"at 1.2.3.4"}}}'
    assert masked(event, ip=True).original == everywhere
    somewhere = b'{"ip":"1.2.3.4","v":"is 1.2.3.4","l":[["1.2.3.0"]],"n":1.2,"o":{"p":{"q":"at 1.2.3.0"}}}'
    assert masked(event, ip=["o", "l"]).original == somewhere


def test_masked_values_are_replaced_in_the_error_and_the_skip_reason() -> None:
    event = Event(
        original=b'{"user":{"email":"a\\"nn<@x","age":42,"phone":"0123456"},"id":7}',
        error='bad a"nn<@x, a\\"nn<@x and a\\"nn\\u003c@x at 42, not 4242, from 1.2.3.4',
        skip="0123456 skipped",
    )
    after = masked(event, drop=["user.email", "user.age"], hash=["user.phone"], ip=True)
    assert after.error == "bad ***, *** and *** at ***, not 4242, from 1.2.3.0"
    assert after.skip == hashed('"0123456"') + " skipped"


def test_an_error_that_quotes_very_many_values_becomes_a_placeholder() -> None:
    numbers = [str(number) for number in range(1000, 1300)]
    event = Event(original=json.dumps({"a": numbers}).encode(), error=" ".join(numbers))
    assert masked(event, drop=["a"]).error == "[masked: 1499 bytes]"
    event.success = json.dumps({"copy": "1001", "all": " ".join(numbers), "n": 1.5}).encode()
    success = json.loads(masked(event, drop=["a"]).success)
    assert (success["copy"], success["all"]) == ("***", "[masked: 1499 bytes]")


def test_the_success_of_a_destination_is_masked_by_columns_and_by_values() -> None:
    original = b'{"user":{"email":"ann@x","ip":"1.2.3.4"},"n":1.10}'
    success = (
        b'{"table":"t","record":[{"field":"user_email","type":"text","value":"ANN@x"},{"value":1.10,"field":"n"},'
        b'{"field":"user_ip","value":"1.2.3.4"},{"field":"copy","value":"ann@x"}],'
        b'"body":"{\\"user\\":{\\"email\\":\\"ann@x\\",\\"ip\\":\\"1.2.3.4\\"}}"}'
    )
    after = masked(Event(original=original, success=success), drop=["user.email"], ip=["user.ip"])
    assert after.success == success.replace(b"ANN@x", b"***").replace(b"ann@x", b"***").replace(b"1.2.3.4", b"1.2.3.0")
    address = b'{"record":[{"value":"1.2.3.4","field":"user_email"},{"field":"user_email","value":{"a":["1.2.3.4"]}}]}'
    both = masked(Event(success=address), drop=["user.email"], ip=True).success
    assert json.loads(both) == {"record": [{"value": "***", "field": "user_email"}] * 2}
    inner = address.replace(b"email", b"ip").replace(b'["1', b'["is 1')
    hidden = masked(Event(success=inner), hash=["record.value.a", "record.0.value"], ip=["user.ip"]).success
    assert b"1.2.3" not in hidden
    alone = masked(Event(success=success), hash=["**.email"])
    assert hashed('"ANN@x"').encode() in alone.success
    assert b"1.10" in alone.success


@pytest.mark.parametrize(
    "text",
    [
        '{"email":"ann@x"',
        '{"user":{"EMAIL":"ann@x",}}',
        '{"\\u0065mail":"ann@x"',
        "user%5Bem%61il%5D=ann@x",
        "{'\\x65mail': 'ann@x'}",
        "e\0m\0a\0i\0l\0=\0a\0n\0n\0@\0x\0",
        '"{\\n\\t\\"email\\":\\"ann@x\\""',
        "\\xffann@x",
        "\x1f\x08ann@x",
        "user_email=ann@x",
    ],
)
def test_malformed_text_that_may_hold_a_masked_field_becomes_a_placeholder(text: str) -> None:
    event = masked(Event(malformed=text, error="line 1: ann@x"), drop=["user.email"])
    assert event.malformed == f"[masked: {len(text.encode())} bytes]"
    assert event.status == "error"


def test_the_error_of_malformed_text_is_masked_like_the_text() -> None:
    event = Event(malformed="{", error='near "email": "ann@x"')
    assert masked(event, drop=["user.email"]) == Event(malformed="{", error="[masked: 21 bytes]", masked=True)
    event = Event(malformed='{"a":', original=b'{"email":"ann@x"}', error="of ann@x")
    assert masked(event, drop=["email"]).error == "of ***"


def test_only_a_masked_event_has_the_flag_masked() -> None:
    event = Event(original=b'{"email":"ann@x"}', skip="late")
    hidden = masked(event, drop=["email"])
    assert (event.masked, hidden.masked, masked(event, drop=["phone"]).masked) == (False, True, False)
    assert masked(hidden, drop=["phone"]).masked
    assert Event.unpack(hidden.pack()) == hidden
    assert hidden.to_json(1).endswith(b'"masked":true,"seq":1}')
    assert b"masked" not in event.to_json(1)


def test_malformed_text_that_names_no_masked_field_is_kept() -> None:
    event = Event(malformed='{"emailed":1, from 1.2.3.4', error="bad JSON")
    after = masked(event, drop=["user.email", "**.phone"], hash=["id.3"], ip=True)
    assert after.malformed == '{"emailed":1, from 1.2.3.0'
    assert after.error == "bad JSON"
    assert masked(event, drop=["user.email"]) is event
    assert masked(event, drop=["*"]).malformed == "[masked: 26 bytes]"
    assert masked(Event(malformed="at 1\\u002e2.3.4"), ip=True).malformed == "[masked: 15 bytes]"


class Number(str):
    """A number, as it is written."""

    __slots__ = ()


MARKER = "m4rk3r"
NAMES = st.sampled_from(["a", "b", "user", "email", "a.b", "", "ü", '"', "\\"])
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["1.10", "-0.0", "1E+400", "123456789012345678901234567890"]).map(Number),
    st.text(st.characters(codec="utf-8"), max_size=5),
)


def members(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.lists(st.tuples(NAMES, inner), max_size=4).map(tuple)


VALUES = st.recursive(PLAIN, members, max_leaves=12)
OBJECTS = st.lists(st.tuples(NAMES, VALUES), max_size=5).map(tuple)


def spelled(value: Any, draw: Callable[..., Any]) -> str:
    """Write JSON with white space and escapes anywhere; an object is a tuple of pairs, which may repeat a name."""
    gap: str = draw(st.sampled_from(["", "", "", " ", "\n\t"]))
    if isinstance(value, Number):
        text = str(value)
    elif isinstance(value, str):
        escape = draw(st.booleans())
        text = (
            '"' + "".join(f"\\u{ord(c):04x}" for c in value) + '"' if escape and value.isascii() else json.dumps(value)
        )
    elif isinstance(value, list):
        text = "[" + gap + ",".join(spelled(inner, draw) for inner in value) + "]"
    elif isinstance(value, tuple):
        text = "{" + gap + ",".join(spelled(name, draw) + ":" + spelled(inner, draw) for name, inner in value) + "}"
    else:
        text = json.dumps(value)
    return gap + text + gap


def read(text: bytes) -> Any:
    return json.loads(text, object_pairs_hook=tuple, parse_float=Number, parse_int=Number)


def matches(parts: list[str], names: list[str]) -> bool:
    """Tell whether a path means a field that stands under these names: the documented rule, in its simplest form."""
    if not parts or not names:
        return not parts and not names
    if parts[0] == "**":
        return matches(parts[1:], names) or matches(parts, names[1:])
    return parts[0] in {"*", names[0]} and matches(parts[1:], names[1:])


def is_matched(parts: list[str], place: list[list[list[str]]]) -> bool:
    """Tell whether a path matches the last step of a place; each step can be read as one of some lists of names."""
    readings: list[list[str]] = [[]]
    for step in place[:-1]:
        readings = [reading + names for reading in readings for names in step]
    last = [names[: length + 1] for names in place[-1] for length in range(len(names))]
    return any(matches(parts, reading + names) for reading in readings for names in last)


def without(value: Any, parts: list[str], place: list[list[list[str]]]) -> Any:
    """Return the value as it should be when all that a path matches is dropped."""
    if isinstance(value, tuple):
        steps = [(name, inner, [*place, [[name], name.split(".")]]) for name, inner in value]
        return tuple((name, without(inner, parts, step)) for name, inner, step in steps if not is_matched(parts, step))
    if isinstance(value, list):
        elements = [(inner, [*place, [[], [str(number)]]]) for number, inner in enumerate(value)]
        return [without(inner, parts, step) for inner, step in elements if not is_matched(parts, step)]
    return value


PATHS = st.lists(st.sampled_from(["*", "**", "a", "b", "email", "0", "ü"]), min_size=1, max_size=4)


@settings(max_examples=300)
@given(OBJECTS, PATHS, st.data())
def test_in_any_json_the_matched_fields_are_dropped_and_the_rest_is_equal(
    value: Any, parts: list[str], data: Any
) -> None:
    text = spelled(value, data.draw).strip().encode()
    before = read(text)
    expected = without(before, [*parts[:-1], "*"] if parts[-1] == "**" else parts, [])
    path = ".".join(parts)

    dropped = masked(Event(original=text), drop=[path])

    assert read(dropped.original) == expected
    assert dropped.original == text or expected != before
    # What is hashed is what is dropped, and nothing else.
    marked = read(masked(Event(original=text), hash=[path]).original)
    assert (marked == before) == (expected == before)


@settings(max_examples=100)
@given(OBJECTS, st.sampled_from(["drop", "hash"]), st.data())
def test_no_masked_value_remains_anywhere_in_the_event(value: Any, rule: str, data: Any) -> None:
    secrets: Any = (("x", MARKER + "1"), ("y", [MARKER + "2", value, Number("9876543210")]))
    original = spelled((*value, ("u", (("email", secrets), *value)), ("email", MARKER + "3")), data.draw).strip()
    success = spelled((("copy", "of " + MARKER + "1"), ("n", Number("9876543210"))), data.draw).strip()
    event = Event(original=original.encode(), success=success.encode(), error=f"{MARKER}2, {original}", skip=original)

    after = masked(event, **{rule: ["**.email"]})

    everything = [read(after.original), read(after.success), after.error, after.skip]
    assert MARKER not in repr(everything)
    assert "9876543210" not in repr(everything)


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a*", "***", "a[0]", "a[].b", "/user/email", "$", '"a"'])
def test_an_invalid_path_is_an_error(path: str) -> None:
    with pytest.raises(ConfigError, match="is no path such as"):
        parse_path(path)


def test_hashing_needs_a_key() -> None:
    with pytest.raises(ConfigError, match="needed to hash"):
        Mask(hash=["a"])


def test_a_mask_without_rules_is_false() -> None:
    assert not Mask(key=KEY)
    assert Mask(ip=True)
    assert KEY not in repr(Mask(hash=["a"], key=KEY))


async def test_a_limited_event_is_not_masked() -> None:
    class Counting(Mask):
        calls = 0

        def masked(self, event: Event) -> Event:
            self.calls += 1
            return super().masked(event)

    mask = Counting(drop=["email"])
    cache = EventsCache(MemoryStorage(), mask=mask)
    stream = Stream(Namespace.TOKEN, "key")
    event = Event(original=b'{"email":1}', token_id="key")
    await cache.open()
    cache.offer([(stream, event)] * 100)
    await cache.fetch(stream, Query())
    cache.offer([(stream, event)] * 50)
    found = await cache.fetch(stream, Query())
    await cache.close()
    assert mask.calls == 100
    assert found.limited == 50
    assert {event.original for _, event in found.events} == {b"{}"}
    assert event.original == b'{"email":1}'


def test_a_text_in_which_values_take_too_long_to_find_becomes_a_placeholder() -> None:
    values = ["a" * 100 + str(number) for number in range(190)]
    error = "a" * 24_000
    masked = Mask(drop=["**.email"]).masked(Event(original=json.dumps({"email": values}).encode(), error=error))
    assert masked.error == "[masked: 24000 bytes]"
    assert masked.original == b"{}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"1.2.3.4":{"::1":1},"at 1.2.3.4":2}', '{"1.2.3.0":{"::":1},"at 1.2.3.4":2}'),
        ('{"1\\u002e2.3.4":1,"a":{"b":{"1.2.3.4":[{"c":1}]}}}', '{"1.2.3.0":1,"a":{"b":{"1.2.3.0":[{"c":1}]}}}'),
        ('{"1.2.3.4":1,"n":2}', '{"1.2.3.0":1,"n":2}'),
    ],
)
def test_names_that_are_addresses_are_truncated(before: str, after: str) -> None:
    assert masked(Event(original=before.encode()), ip=True).original.decode() == after
    assert masked(Event(original=before.encode(), success=b"{}"), ip=["a"]).original.decode() == (
        before.replace('"b":{"1.2.3.4"', '"b":{"1.2.3.0"')
    )


def test_a_dropped_field_whose_name_is_an_address_is_gone() -> None:
    event = Event(original=b'{"1.2.3.4":1,"::1":2,"b":3}')
    assert masked(event, drop=["1.2.3.4", "::1"], ip=True).original == b'{"b":3}'


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("ip", [True, ["nowhere"]])
def test_addresses_are_truncated_in_json_in_texts_in_texts(depth: int, ip: Any) -> None:
    def nested(value: Any) -> bytes:
        for number in range(depth):
            value = json.dumps(value if number % 2 else {"a": value})
        return json.dumps({"text": value}).encode()

    address = "at 1.2.3.4, 2001:db8:1:2::3"
    shown = masked(Event(original=nested(address)), ip=ip).original
    assert shown == nested("at 1.2.3.0, 2001:db8:1::")


@pytest.mark.parametrize("inner", ["1\\u002e2.3.4", "\\n::1", "\\u003c::1", "fe80\\u003a:1", "1\\\\\\u002e2.3.4"])
def test_a_text_with_json_that_hides_an_address_by_escapes_becomes_a_placeholder(inner: str) -> None:
    text = '{"a":"' + inner + '"}'
    event = Event(original=json.dumps({"text": text, "b": 1}).encode())
    assert json.loads(masked(event, ip=True).original) == {"text": f"[masked: {len(text)} bytes]", "b": 1}


def test_escapes_that_hide_no_address_leave_a_text_with_json_readable() -> None:
    text = '{"a":"1.2.3.4\\n 2001:db8:1:2::3: no \\u003croute\\u003e","b":"\\"12:30:00\\""}'
    event = Event(original=json.dumps({"text": text}).encode())
    shown = json.loads(masked(event, ip=True).original)
    assert shown == {"text": text.replace("1.2.3.4", "1.2.3.0").replace("db8:1:2::3:", "db8:1:::")}
