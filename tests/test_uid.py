"""Ids are unique, and valid random UUIDs."""

import uuid
from itertools import islice

import pytest

from eventscache import uid
from eventscache.uid import uids


def test_ids_are_random_uuids_that_differ_in_their_first_digits() -> None:
    texts = [text for _ in range(100) for text in islice(uids(), 20)]
    assert len({*texts}) == 2000
    assert all(str(uuid.UUID(text)) == text for text in texts)
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in texts} == {(4, uuid.RFC_4122)}
    of_one_series = [*islice(uids(), 100)]
    assert len({text[:8] for text in of_one_series}) == 100


def test_when_the_first_digits_are_used_up_the_rest_is_random_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uid, "_NUMBERS", 8)
    texts = [*islice(uids(), 60)]
    assert len({*texts}) == 60
    assert len({text[8:] for text in texts}) > 5
