"""The type of an event."""

import pytest

from eventscache.ingest.json import scan
from eventscache.query.event_type import event_type, event_type_at

CASES = [
    (b'{"event_type":"view"}', "view"),
    (b' {"a":{"event_type":"inner"},"event_type" : "outer" }', "outer"),
    (b'{"event_type":"view","type":"track","event":"Bought"}', "view"),
    (b'{"type":"page"}', "page"),
    (b'{"type":"track","event":"Order Completed"}', "Order Completed"),
    (b'{"event":"Order Completed","type":"track"}', "Order Completed"),
    (b'{"type":"track"}', "track"),
    (b'{"type":"track","event":7}', "track"),
    (b'{"event":"signup"}', "signup"),
    (b'{"event_type":"","type":"page"}', "page"),
    (b'{"event_type":{"a":1}}', ""),
    (b'{"event_type":7,"type":[],"event":null}', ""),
    (b'{"event_type":["view"]}', ""),
    (b'{"event_type":"\\ud83d"}', "\ufffd"),
    (b'{"event_\\u0074ype":"view"}', "view"),
    (b'{"event_type":"a\\nb"}', "a\nb"),
    ('{"event_type":"\u043f"}'.encode(), "\u043f"),
    (b"{}", ""),
    (b"{ }", ""),
    (b"[]", ""),
    (b"7", ""),
    (b"", ""),
    (b'{"event_type":', ""),
    (b'{"event_type":"view', ""),
    (b'{"event_type":"writes","writeKey":"k:SECRET"}', "writes"),
]


@pytest.mark.parametrize(("original", "expected"), CASES)
def test_the_type_of_an_event(original: bytes, expected: str) -> None:
    assert event_type(original) == expected


@pytest.mark.parametrize(("original", "expected"), CASES)
def test_it_is_the_same_without_the_module_in_c(
    original: bytes, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "string_member", lambda *_: None)
    assert event_type(original) == expected


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        (b'{"event_type":"page","properties":{"kind":"order"}}', "order"),
        (b'{"event_type":"page","properties.kind":"flat"}', "flat"),
        (b'{"event_type":"page","properties":{"kind":7}}', "7"),
        (b'{"event_type":"page","properties":{"kind":null}}', "page"),
        (b'{"event_type":"page","properties":{"kind":""}}', "page"),
        (b'{"event_type":"page","properties":{"kind":{"a":1}}}', "page"),
        (b'{"event_type":"page"}', "page"),
        (b"{}", ""),
        (b"{broken", ""),
    ],
)
def test_the_type_can_be_at_a_path_of_the_configuration(original: bytes, expected: str) -> None:
    assert event_type_at(("properties", "kind"))(original) == expected
