"""Where events can be replayed, as the configuration has it."""

from typing import Any

import pytest

from eventscache.config.replay_targets import ReplayTarget, parse_replay_targets
from eventscache.errors import ConfigError

ADDRESS = "https://staging.example.com/api/v1/event?token=secret"


def test_targets_are_a_list_or_its_json() -> None:
    entry = {"name": "staging", "address": ADDRESS, "headers": {"X-Auth-Token": "secret"}}
    target = ReplayTarget("staging", ADDRESS, (("X-Auth-Token", "secret"),))
    assert parse_replay_targets([entry]) == (target,)
    assert parse_replay_targets('[{"name":"a","address":"http://localhost:1/"}]') == (
        ReplayTarget("a", "http://localhost:1/"),
    )
    assert "secret" not in repr(target)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{", "list of entries"),
        ({}, "list of entries"),
        ([1], "entry 1"),
        ([{"name": "a"}], "address is missing"),
        ([{"name": "", "address": ADDRESS}], "name"),
        ([{"name": "a", "address": "ftp://secret"}], "address"),
        ([{"name": "a", "address": ADDRESS, "token": "secret"}], "none of name"),
        ([{"name": "a", "address": ADDRESS, "headers": ["secret"]}], "headers"),
        ([{"name": "a", "address": ADDRESS, "headers": {"a b": "secret"}}], "headers"),
        ([{"name": "a", "address": ADDRESS, "headers": {"a": "secret\r\nb"}}], "headers"),
        ([{"name": "a", "address": ADDRESS}] * 2, "entry 2"),
    ],
)
def test_a_fault_names_its_entry_and_quotes_nothing(value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        parse_replay_targets(value)
    assert "secret" not in str(raised.value)
