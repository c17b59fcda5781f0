"""The requests and events of a load test."""

import json
from pathlib import Path
from typing import Any

import pytest

from eventscache.errors import ConfigError
from eventscache.loadtest.events import made_up_events
from eventscache.loadtest.plan import LoadPlan
from eventscache.loadtest.requests import Request, RequestMaker
from eventscache.stream import Namespace


def requests(plan: LoadPlan, count: int) -> list[Request]:
    maker = RequestMaker(plan, "h:1", "/prefix")
    return [maker.next() for _ in range(count)]


def body(request: Request) -> Any:
    return json.loads(request.data.partition(b"\r\n\r\n")[2])


def test_the_same_plan_makes_the_same_requests() -> None:
    plan = LoadPlan(ids=7, malformed=0.2, batch=3, event_bytes=300)
    assert requests(plan, 50) == requests(plan, 50)
    assert requests(plan, 50) != requests(LoadPlan(ids=7, malformed=0.2, batch=3, event_bytes=300, seed=2), 50)


@pytest.mark.parametrize("size", [11, 12, 100, 200, 300, 1000, 50_000])
def test_made_up_events_have_the_size_that_was_asked_for(size: int) -> None:
    events = list(made_up_events(20, size, 1))
    assert {len(event) for event in events} == {size}
    assert all(isinstance(json.loads(event), dict) for event in events)


def test_a_request_is_framed_for_its_route() -> None:
    one, batch = requests(LoadPlan(ids=1), 1) + requests(LoadPlan(ids=1, batch=2), 1)
    assert one.data.startswith(b"POST /prefix/api/v1/event HTTP/1.1\r\nHost: h:1\r\nX-Auth-Token: bench0\r\n")
    assert batch.data.startswith(b"POST /prefix/api/v1/events HTTP/1.1\r\n")
    assert (one.events, batch.events, len(body(batch))) == (1, 2, 2)
    head, _, text = one.data.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(text) in head


def test_records_name_their_stream_in_the_query_and_carry_the_token() -> None:
    plan = LoadPlan(namespace=Namespace.DESTINATION, ids=2, id_prefix="a b", tokens=("s",), ack="stored")
    for number, request in enumerate(requests(plan, 2)):
        path = b"/prefix/api/v1/events/cache?namespace=destination&id=a%%20b%d&ack=stored" % number
        assert request.data.startswith(b"POST " + path + b" HTTP/1.1\r\n")
        assert b"\r\nX-Auth-Token: s\r\nAuthorization: Bearer s\r\n" in request.data


def test_several_tokens_are_several_streams() -> None:
    sent = requests(LoadPlan(tokens=("one", "two")), 4)
    tokens = [request.data.partition(b"X-Auth-Token: ")[2].partition(b"\r\n")[0] for request in sent]
    assert tokens == [b"one", b"two", b"one", b"two"]


def test_errors_have_their_share() -> None:
    sent = requests(LoadPlan(namespace=Namespace.DESTINATION, errors=0.25, batch=4, event_bytes=100), 997)
    records = [record for request in sent for record in body(request)]
    assert sum("error" in record for record in records) == sum(request.errors for request in sent) == 997
    assert len({request.errors for request in sent}) > 2, "they are spread"


def test_malformed_bodies_have_their_share_and_count_once() -> None:
    sent = requests(LoadPlan(malformed=0.1, batch=5), 1000)
    malformed = [request for request in sent if request.malformed]
    assert 60 < len(malformed) < 140
    for request in malformed:
        assert request.events == 1
        with pytest.raises(ValueError, match="Expecting"):
            body(request)


@pytest.mark.parametrize("text", ['[{"n": 1.10},\n {"n":2},{"n":3}]', '{"n": 1.10}\n\n{"n":2}\r\n{"n":3}\n'])
def test_a_file_is_sent_byte_for_byte_in_its_order(tmp_path: Path, text: str) -> None:
    file = tmp_path / "events"
    file.write_text(text)
    sent = [request.data.partition(b"\r\n\r\n")[2].strip() for request in requests(LoadPlan(file=file), 4)]
    assert sent == [b'{"n": 1.10}', b'{"n":2}', b'{"n":3}', b'{"n": 1.10}']
    batches = [body(request) for request in requests(LoadPlan(file=file, batch=2), 2)]
    assert batches == [[{"n": 1.1}, {"n": 2}], [{"n": 3}, {"n": 1.1}]]


@pytest.mark.parametrize("text", ["", "[]", "[1]", "[{}", "{}\nnonsense", "\x00", '"text"'])
def test_a_file_without_events_is_an_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "events"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"--file: .*(neither|no events)"):
        RequestMaker(LoadPlan(file=file), "h")


def test_many_large_events_are_not_all_kept_in_memory() -> None:
    sent = requests(LoadPlan(ids=1, batch=100, event_bytes=100_000), 20)
    assert len({id(request.data) for request in sent}) == 20
    assert len({request.data for request in sent}) == 6
