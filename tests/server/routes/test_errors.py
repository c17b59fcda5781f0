"""Error groups over HTTP."""

import json
from typing import Any

import pytest

from eventscache.errors import StorageUnavailable
from eventscache.extras.error_groups import GROUP, MALFORMED, MOST_GROUPS
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import ExtraInfo, Page, Query
from eventscache.stream import Namespace, Stream
from tests.support.openapi_check import check_answer
from tests.support.sidecar import CACHE, Sidecar, Start

ERRORS = "/api/v1/errors"
COLUMN = "Unsupported column [{}] type changing from: INT64 to: STRING"
FLOOD = 100_000
LETTERS = str.maketrans("0123456789", "abcdefghij")


def failed(stream: str, error: str, namespace: str = "destination") -> dict[str, Any]:
    return {f"{namespace}_id": stream, "original": {"n": 1}, "error": error}


async def keep(sidecar: Sidecar, *records: dict[str, Any]) -> None:
    assert (await sidecar.record(json.dumps(records).encode())).status == 200


async def found(sidecar: Sidecar, query: str = "") -> Any:
    answer = await sidecar.get(f"{ERRORS}?{query}")
    assert answer.status == 200, answer
    check_answer("GET", ERRORS, answer)
    return answer.json


async def test_errors_that_differ_in_what_varies_are_one_group_over_all_streams(sidecar: Sidecar) -> None:
    await keep(sidecar, failed("db", COLUMN.format("a")), failed("db", "timeout after 3 s"))
    await keep(sidecar, failed("db", COLUMN.format("b")))
    await keep(sidecar, failed("lake", COLUMN.format("c")))

    answer = await found(sidecar)

    column, timeout = answer["groups"]
    assert (column["message"], column["count"]) == (COLUMN.format("c"), 3)
    assert column["template"] == COLUMN.format("…")
    assert (column["recent"] + column["earlier"], column["trend"]) == (3, "new")
    assert [(each["namespace"], each["id"], each["count"]) for each in column["streams"]] == [
        ("destination", "lake", 1),
        ("destination", "db", 2),
    ]
    assert column["first"] == column["streams"][1]["first"] <= column["streams"][0]["last"] == column["last"]
    assert (timeout["message"], timeout["count"]) == ("timeout after 3 s", 1)
    assert (answer["more"], answer["streams"], answer["period_seconds"]) == (False, 2, 300)


async def test_the_events_of_a_group_are_read_by_its_digest(sidecar: Sidecar) -> None:
    await keep(sidecar, *(failed("db", COLUMN.format(f"c{nth}")) for nth in range(3)), failed("db", "other"))
    group = (await found(sidecar, "sort=frequent"))["groups"][0]

    events = await sidecar.events(f"ids=db&group={group['group']}")

    assert [event["error"] for event in events] == [COLUMN.format(f"c{nth}") for nth in (2, 1, 0)]


async def test_the_newest_come_first_or_the_most_frequent(sidecar: Sidecar) -> None:
    for error in ("one", "two", "two", "three", "three", "three", "two", "one"):
        await keep(sidecar, failed("db", error))
    for query, expected in (
        ("", ["one", "two", "three"]),
        ("sort=newest&limit=2", ["one", "two"]),
        ("sort=frequent", ["two", "three", "one"]),
        ("sort=frequent&limit=1", ["two"]),
    ):
        answer = await found(sidecar, query)
        assert [group["message"] for group in answer["groups"]] == expected
        assert answer["more"] is (len(expected) < 3)


async def test_only_the_streams_that_are_meant_are_read(sidecar: Sidecar) -> None:
    await keep(sidecar, failed("a", "down"), failed("b", "down"), failed("a", "down", "token"))
    for query, streams in (
        ("", ["b", "a"]),
        ("ids=a", ["a"]),
        ("ids=a,unknown", ["a"]),
        ("ids=unknown", []),
        ("namespace=token", ["a"]),
        ("namespace=token&ids=b", []),
    ):
        groups = (await found(sidecar, query))["groups"]
        assert [each["id"] for group in groups for each in group["streams"]] == streams


async def test_bodies_that_cannot_be_read_are_a_group_of_a_token(sidecar: Sidecar) -> None:
    await sidecar.post("/api/v1/event?token=key", b'{"x":')
    await sidecar.events("namespace=token&ids=key")
    await keep(sidecar, {"token_id": "key", "malformed": "}{"})
    without_error, unreadable = (await found(sidecar, "namespace=token"))["groups"]
    assert (without_error["message"], without_error["template"]) == (MALFORMED, MALFORMED)
    assert unreadable["message"] == "error parsing HTTP body: unexpected EOF"


async def test_limited_errors_are_counted_too(start: Start) -> None:
    sidecar = await start(size=2, window_seconds=3600)
    for _ in range(10):
        await keep(sidecar, *[failed("db", "down")] * 10)
    (group,) = (await found(sidecar))["groups"]
    assert group["count"] == 100


async def test_made_up_messages_stay_in_the_bounds(sidecar: Sidecar) -> None:
    for first in range(0, FLOOD, 10_000):
        # Letters, as numbers are no part of a template.
        words = (str(number).translate(LETTERS) for number in range(first, first + 10_000))
        await keep(sidecar, *(failed("db", f"no {word}") for word in words))

    answer = await found(sidecar, "limit=1000")

    assert len(answer["groups"]) == MOST_GROUPS
    assert all(group["message"] for group in answer["groups"])
    assert len(await sidecar.cache.extras(Stream(Namespace.DESTINATION, "db"), GROUP)) == MOST_GROUPS
    await keep(sidecar, failed("lake", "no aaa"))
    assert (await found(sidecar, "ids=lake"))["groups"][0]["count"] == 1


async def test_a_group_without_readable_examples_keeps_its_count(start: Start) -> None:
    class WithoutExamples(MemoryStorage):
        async def fetch(self, stream: Stream, query: Query) -> Page:
            return Page([], 0, 0)

    sidecar = await start(WithoutExamples())
    await keep(sidecar, failed("db", "down"))
    (group,) = (await found(sidecar))["groups"]
    assert (group["message"], group["template"], group["count"]) == ("", "", 1)


async def test_examples_are_read_only_of_groups_that_are_answered(start: Start) -> None:
    class Counting(MemoryStorage):
        read = 0

        async def fetch(self, stream: Stream, query: Query) -> Page:
            self.read += bool(query.extra)
            return await super().fetch(stream, query)

    storage = Counting()
    sidecar = await start(storage)
    words = [chr(ord("a") + nth) * 3 for nth in range(20)]
    await keep(sidecar, *(failed("db", word) for word in words))
    assert len((await found(sidecar, "limit=4"))["groups"]) == storage.read == 4


async def test_a_message_is_cut_to_what_templates_look_at(sidecar: Sidecar) -> None:
    await keep(sidecar, failed("db", "x " * 5000))
    (group,) = (await found(sidecar))["groups"]
    assert len(group["message"]) == 4096


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sort=oldest", "sort can be only newest or frequent"),
        ("limit=0", "limit must be a whole number from 1 to 1000"),
        ("limit=1001", "limit must be"),
        ("namespace=x", "namespace"),
        ("stream=x", "ids"),
        ("destination_ids=x", "ids"),
        ("sorted=newest", "did you mean sort?"),
        ("ids=%01", "id"),
    ],
)
async def test_a_parameter_that_is_wrong_or_not_known_is_named(sidecar: Sidecar, query: str, words: str) -> None:
    answer = await sidecar.get(f"{ERRORS}?{query}")
    check_answer("GET", ERRORS, answer)
    assert answer.status == 400
    assert words in answer.json["message"]


async def test_where_no_groups_are_kept_the_answer_says_so(start: Start) -> None:
    class Plain(MemoryStorage):
        has_extras = False

    for sidecar, words in (
        (await start(Plain()), "the storage keeps no extra collections"),
        (await start(error_groups=False), "eventscache.cache.events.error_groups"),
    ):
        answer = await sidecar.get(ERRORS)
        check_answer("GET", ERRORS, answer)
        assert answer.status == 400
        assert words in answer.json["message"]


async def test_a_storage_that_is_away_is_never_an_empty_list(start: Start) -> None:
    class Away(MemoryStorage):
        async def extras(self, stream: Stream, kind: str) -> list[ExtraInfo]:
            raise StorageUnavailable("away")

    sidecar = await start(Away())
    assert (await sidecar.get(f"{ERRORS}?ids=db")).status == 503


async def test_a_group_whose_stream_was_cleared_has_the_message_of_a_cached_error(sidecar: Sidecar) -> None:
    record = b'{"destination_id":"d","original":{},"error":"no connection after 5 s"}'
    for _ in range(4):
        await sidecar.record(record)
    await sidecar.ask("DELETE", f"{CACHE}?ids=d")
    await sidecar.record(record)
    (group,) = (await sidecar.get("/api/v1/errors?ids=d")).json["groups"]
    assert (group["count"], group["message"]) == (1, "no connection after 5 s")
