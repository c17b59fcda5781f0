"""Reading as in bulker, over the streams of the cache."""

import json
from typing import Any

import pytest

from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Page, Query
from eventscache.stream import Namespace, Stream
from tests.support.sidecar import Sidecar, Start

FIRST_MS = 1_606_772_892_754
PAGE = {"type": "page", "writeKey": "site:secret"}


async def write(sidecar: Sidecar, *records: dict[str, Any]) -> None:
    answer = await sidecar.record(json.dumps(records).encode())
    assert (answer.status, answer.json["stored"]) == (200, len(records)), answer


async def read(sidecar: Sidecar, path: str) -> list[dict[str, Any]]:
    answer = await sidecar.get(f"/log/{path}")
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    records: list[dict[str, Any]] = answer.json
    assert all(set(record) == {"id", "date", "content"} for record in records)
    return records


async def contents(sidecar: Sidecar, path: str) -> list[dict[str, Any]]:
    return [record["content"] for record in await read(sidecar, path)]


def incoming(number: int, **fields: Any) -> dict[str, Any]:
    return {"token_id": "site", "original": {"n": number}, "timestamp": str(FIRST_MS + number), **fields}


async def test_an_incoming_event_is_shown_with_its_body_as_text(sidecar: Sidecar) -> None:
    await write(sidecar, {"token_id": "site", "original": PAGE, "timestamp": "2020-11-30T21:48:12.754321Z"})
    (record,) = await read(sidecar, "incoming.all/site")
    assert record["id"] == f"{FIRST_MS}-1"
    assert record["date"] == "2020-11-30T21:48:12.754321Z"
    body = record["content"].pop("body")
    assert json.loads(body) == {"type": "page", "writeKey": "site:***"}
    assert record["content"] == {"asyncDestinations": [], "tags": [], "status": "SUCCESS"}


async def test_incoming_events_are_skipped_or_failed_with_the_reason(sidecar: Sidecar) -> None:
    cut = '{"a": 1, "writeKey": "site:sec'
    await write(sidecar, incoming(1, skip="no destination"), {"token_id": "site", "malformed": cut, "error": "cut"})
    failed, skipped = await contents(sidecar, "incoming.all/site")
    assert (failed["status"], failed["error"], failed["body"]) == ("FAILED", "cut", '{"a": 1, "writeKey": "site:***')
    assert (skipped["status"], skipped["error"]) == ("SKIPPED", "no destination")
    assert await contents(sidecar, "incoming.error/site") == [failed]


@pytest.mark.parametrize("level", ["info", "warn", "debug"])
async def test_other_levels_show_all_events_as_in_bulker(sidecar: Sidecar, level: str) -> None:
    await write(sidecar, incoming(1), incoming(2, error="late"))
    assert await read(sidecar, f"incoming.{level}/site") == await read(sidecar, "incoming.all/site")


async def test_a_row_of_a_table_is_shown_as_mapped_data(sidecar: Sidecar) -> None:
    record = [{"field": "b", "type": "text", "value": "x"}, {"field": "a", "type": "numeric", "value": 1.0}]
    rows = {"destination_id": "d", "table": "events", "record": [*record, {"field": "none", "type": "text"}]}
    await write(sidecar, {"destination_id": "d", "original": {"n": 1}, "success": rows})
    assert await contents(sidecar, "bulker_stream.all/d") == [
        {
            "original": '{"n": 1}',
            "mappedData": {"b": "x", "a": 1.0, "none": None},
            "representation": {"name": "events", "schema": {"b": "text", "a": "numeric", "none": "text"}},
            "status": "SUCCESS",
        }
    ]


async def test_what_else_a_destination_tells_is_shown_as_it_is(sidecar: Sidecar) -> None:
    success = {"destination_id": "d", "url": "http://hook.example", "method": "POST"}
    await write(
        sidecar,
        {"destination_id": "d", "original": {}, "success": success},
        {"destination_id": "d", "original": {}, "error": "refused"},
    )
    failed, succeeded = await contents(sidecar, "bulker_stream.all/d")
    assert succeeded == {"original": "{}", "representation": success, "status": "SUCCESS"}
    assert failed == {"original": "{}", "status": "FAILED", "error": "refused"}
    assert await contents(sidecar, "bulker_stream.error/d") == [failed]


async def test_states_of_batches_are_told_from_single_events(sidecar: Sidecar) -> None:
    state = {"status": "COMPLETED", "processedRows": 7, "successfulRows": 7}
    await write(
        sidecar,
        {"destination_id": "d", "success": state, "original": {}},
        {"destination_id": "d", "original": {"processedRows": 3, "status": "ABORTED"}, "error": "no table"},
        {"destination_id": "d", "original": {"processedRows": 0}, "error": "no connection"},
        {"destination_id": "d", "original": {"processedRows": "an event may have this too"}},
    )
    assert await contents(sidecar, "bulker_batch.all/d") == [
        {"status": "FAILED", "processedRows": 0, "error": "no connection"},
        {"status": "ABORTED", "processedRows": 3, "error": "no table"},
        state,
    ]
    (event,) = await contents(sidecar, "bulker_stream.all/d")
    assert json.loads(event["original"])["processedRows"].startswith("an event")


async def test_before_id_pages_through_all_records_once(sidecar: Sidecar) -> None:
    await write(sidecar, *(incoming(number, error="e" if number % 2 else "") for number in range(10)))
    for level, count in (("all", 10), ("error", 5)):
        paged: list[dict[str, Any]] = []
        while page := await read(sidecar, f"incoming.{level}/site?limit=3&beforeId={paged[-1]['id'] if paged else ''}"):
            assert len(page) <= 3
            paged += page
        assert paged == await read(sidecar, f"incoming.{level}/site")
        assert len(paged) == count


async def test_a_limit_of_thousands_is_taken(start: Start) -> None:
    sidecar = await start(size=2000)
    await write(sidecar, *map(incoming, range(1500)))
    assert len(await read(sidecar, "incoming.all/site?limit=5000")) == 1500
    assert len(await read(sidecar, "incoming.all/site?limit=1200")) == 1200
    assert len(await read(sidecar, "incoming.all/site")) == 100
    lines = await sidecar.get("/log/incoming.all/site?limit=1400&ndjson=1")
    assert len({json.loads(line)["id"] for line in lines.body.splitlines()}) == 1400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"start={FIRST_MS + 1}", [2, 1]),
        (f"end={FIRST_MS + 1}", [1, 0]),
        (f"start={FIRST_MS + 1}&end={FIRST_MS + 1}", [1]),
        ("start=2020-11-30", [2, 1, 0]),
        ("start=2020-12-01", []),
        ("end=2020-11-30", []),
        ("end=2020-12-01", [2, 1, 0]),
        ("start=2020-11-30T22:48:12.755%2B01:00", [2, 1]),
        (f"start=&end=&limit=&beforeId={FIRST_MS}-3", [1, 0]),
    ],
)
async def test_start_and_end_are_times_or_dates(start: Start, query: str, expected: list[int]) -> None:
    sidecar = await start()
    await write(sidecar, *map(incoming, range(3)))
    found = await contents(sidecar, f"incoming.all/site?{query}")
    assert [json.loads(content["body"])["n"] for content in found] == expected


async def test_ndjson_gives_a_record_a_line(start: Start) -> None:
    sidecar = await start()
    await write(sidecar, *map(incoming, range(3)))
    records = await read(sidecar, "incoming.all/site?ndjson=false")
    for path, headers in (("?ndjson=true", {}), ("", {"Accept": "application/x-ndjson"})):
        answer = await sidecar.get(f"/log/incoming.all/site{path}", **headers)
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        assert [json.loads(line) for line in answer.body.split(b"\n")[:-1]] == records
    assert (await sidecar.get("/log/incoming.all/other?ndjson=t")).body == b""


async def test_max_bytes_ends_the_answer_before_a_record_too_many(start: Start) -> None:
    sidecar = await start()
    await write(sidecar, *map(incoming, range(3)))
    whole = (await sidecar.get("/log/incoming.all/site")).body
    size = (len(whole) - 4) // 3
    for max_bytes, count in ((0, 3), (1, 0), (size, 1), (2 * size, 1), (2 * size + 1, 2), (10**18 - 1, 3)):
        assert len(await read(sidecar, f"incoming.all/site?maxBytes={max_bytes}")) == count


async def test_an_actor_is_decoded_from_the_path(start: Start) -> None:
    sidecar = await start()
    await write(sidecar, {"token_id": "prj/ä +.b", "original": {}})
    assert len(await read(sidecar, "incoming.all/prj%2F%C3%A4%20+.b")) == 1
    assert await read(sidecar, "bulker_stream.all/unknown") == []
    assert (await sidecar.ask("HEAD", "/log/incoming.all/x")).status == 200


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("incoming/site", "LEVEL"),
        ("incoming.all.x/site", "LEVEL"),
        ("incoming.fatal/site", "LEVEL"),
        ("bulker.all/site", "bulker_stream"),
        (".all/site", "bulker_stream"),
        ("incoming.all/a,b", "comma"),
        ("incoming.all/%00", "invisible"),
        ("incoming.all/%ff", "UTF-8"),
        ("incoming.all/%", "%25"),
        (f"incoming.all/{'x' * 513}", "512"),
        ("incoming.all/site?limit=0", "limit"),
        ("incoming.all/site?limit=many", "limit"),
        ("incoming.all/site?limit=1&limit=2", "limit"),
        ("incoming.all/site?maxBytes=-1", "maxBytes"),
        ("incoming.all/site?beforeId=7", "beforeId"),
        ("incoming.all/site?beforeId=7-%C2%B2", "beforeId"),
        ("incoming.all/site?start=yesterday", "start"),
        ("incoming.all/site?end=2020-13-01", "end"),
        ("incoming.all/site?ndjson=yes", "ndjson"),
        ("incoming.all/site?before=7", "beforeId"),
        ("incoming.all/site?nothing=1", "known are"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(start: Start, path: str, named: str) -> None:
    sidecar = await start()
    answer = await sidecar.get(f"/log/{path}")
    assert (answer.status, answer.json["code"]) == (400, "invalid_parameter"), answer
    assert named in answer.json["message"]


@pytest.mark.parametrize("path", ["/log", "/log/incoming.all", "/log/incoming.all/", "/log//a", "/log/a.b/c/d"])
async def test_other_paths_below_are_not_found(start: Start, path: str) -> None:
    sidecar = await start()
    assert (await sidecar.get(path)).status == 404


async def test_another_method_is_told_which_there_are(start: Start) -> None:
    sidecar = await start()
    answer = await sidecar.post("/log/incoming.all/site", b"{}")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_bulkers_header_is_an_admin_token(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",))
    assert (await sidecar.get("/log/incoming.all/site", Authorization="Bearer admin")).status == 200
    assert (await sidecar.get("/log/incoming.all/site", Authorization="Bearer other")).status == 401
    assert (await sidecar.get("/log/incoming.nothing/site")).status == 401


async def test_odd_events_are_shown(start: Start) -> None:
    sidecar = await start()
    odd = rb'{"\ud800":"\udc00","processedRows":1,"writeKey":"\ud800:\"x"}'
    stream = Stream(Namespace.DESTINATION, "d")
    for timestamp in ("999999999999999", "no time"):
        event = Event.of(stream, original=odd, success=odd, timestamp=timestamp)
        await sidecar.cache.store([(stream, event)])
    for kind in ("stream", "batch"):
        answer = await sidecar.get(f"/log/bulker_{kind}.all/d")
        assert answer.status == 200
        json.loads(answer.body)


class Away(MemoryStorage):
    """Reads nothing."""

    async def fetch(self, stream: Stream, query: Query) -> Page:
        raise StorageUnavailable("away")


async def test_a_storage_that_is_away_is_a_503(start: Start) -> None:
    sidecar = await start(Away())
    for query in ("", "?ndjson=true", "?start=2020-11-30"):
        answer = await sidecar.get(f"/log/bulker_stream.all/d{query}")
        assert (answer.status, answer.json["code"]) == (503, "storage_unavailable")
