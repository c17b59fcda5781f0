"""The OpenAPI document describes the server: every route and no other, and every example works."""

import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from eventscache import __version__
from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.config.replay_targets import ReplayTarget
from eventscache.config.settings import Settings
from eventscache.errors import StorageUnavailable
from eventscache.server.replayer import Replayer
from eventscache.server.routes.openapi import document
from eventscache.server.routing import ROUTES
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Admission, Batch, Page, Query, StreamInfo
from eventscache.stream import Namespace, Stream
from tests.support.openapi_check import (
    answered_operations,
    check_answer,
    check_as,
    check_value,
    operations,
    path_with_examples,
    resolved,
)
from tests.support.sidecar import CACHE, Answer, Sidecar, Start

BULK = "/api/v1/events/bulk"  # has an example as a test of its own: a form is no text
LOOKUP, ASSERT = "/api/v1/lookup", "/api/v1/events/assert"
RECORD = b'{"destination_id":"d","original":{"n":1},"error":"late"}'


async def test_the_document_is_valid_and_of_this_version(sidecar: Sidecar) -> None:
    answer = await sidecar.get("/openapi.json")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json == document()
    assert answer.json["info"]["version"] == __version__
    OpenAPIV31SpecValidator(answer.json).validate()


async def test_the_document_is_open(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",))
    for headers in ({}, {"Host": "evil.example"}, {"X_Forwarded_For": "1.2.3.4"}):
        assert (await sidecar.get("/openapi.json", **headers)).status == 200


def test_every_route_is_described_and_no_other() -> None:
    assert {(method, path) for method, path, _ in operations()} == {(method, path) for method, path, _ in ROUTES}


def test_everything_described_is_used() -> None:
    text = json.dumps(document())
    for kind, names in document()["components"].items():
        for name in names:
            used = f'"{name}": []' if kind == "securitySchemes" else f"#/components/{kind}/{name}"
            # These two are responses where there is no route.
            assert used in text or name in {"NotFound", "MethodNotAllowed"}, name


def test_every_operation_has_a_summary_and_its_security() -> None:
    known = set(document()["components"]["securitySchemes"])
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    for _, path, operation in operations():
        assert operation["summary"], path
        assert {name for choice in operation["security"] for name in choice} <= known
        for parameter in map(resolved, operation.get("parameters", [])):
            assert parameter["description"].endswith("."), (path, parameter["name"])
        for response in map(resolved, operation["responses"].values()):
            assert response["description"].endswith("."), path
            for link in response.get("links", {}).values():
                assert link["operationId"] in names


def test_the_limits_in_the_document_are_the_defaults() -> None:
    schemas, settings = document()["components"]["schemas"], Settings()
    assert schemas["StreamId"]["maxLength"] == settings.max_id_bytes
    assert document()["components"]["parameters"]["Ids"]["schema"]["maxItems"] == settings.max_ids
    assert schemas["Records"]["anyOf"][1]["maxItems"] == settings.max_batch
    assert schemas["JitsuEvents"]["anyOf"][1]["maxItems"] == settings.max_batch
    assert schemas["SegmentEvents"]["allOf"][1]["properties"]["batch"]["maxItems"] == settings.max_batch
    assert f"at most {settings.max_depth} levels" in schemas["Object"]["description"]


def described_values(node: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield every example below a node, with the schema that it stands beside."""
    if isinstance(node, dict):
        if isinstance(node.get("schema"), dict):
            examples = [example["value"] for example in node.get("examples", {}).values()]
            for value in [*examples, *([node["example"]] if "example" in node else [])]:
                yield node["schema"], value
        elif isinstance(node.get("examples"), list):
            for value in node["examples"]:
                yield node, value
        for child in node.values():
            yield from described_values(child)
    elif isinstance(node, list):
        for child in node:
            yield from described_values(child)


def test_every_example_matches_its_schema() -> None:
    values = list(described_values(document()))
    for schema, value in values:
        check_value(schema, value)
    assert len(values) >= 40


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    for kind, media in resolved(operation.get("requestBody", {})).get("content", {}).items():
        for example in media.get("examples", {}).values():
            value = example["value"]
            yield kind, (value if isinstance(value, str) else json.dumps(value)).encode()


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [pytest.param(*each, id=f"{each[0]} {each[1]}") for each in answered_operations() if each[1] != BULK],
)
async def test_every_example_is_accepted(sidecar: Sidecar, method: str, path: str, operation: dict[str, Any]) -> None:
    replayer = Replayer((ReplayTarget("staging", "http://127.0.0.1:1/"),))
    router = sidecar.server._router
    router.context = router.context._replace(replayer=replayer)
    queries = [""]
    for parameter in map(resolved, operation.get("parameters", [])):
        if parameter["in"] == "query" and "example" in parameter:
            value = parameter["example"]
            text = ",".join(quote(part) for part in value) if isinstance(value, list) else quote(str(value))
            queries.append(f"{parameter['name']}={text}")
    needed = {"DELETE": "ids=d", "POST": "token=key&writekey=key"}.get(method, "ids=d" if path == CACHE else "")
    needed = "ids=d" if path == ASSERT else needed
    for query in queries:
        if path == LOOKUP:
            others = {"event_id": "", "field": "value=x", "value": "field=x"}
            needed = others.get(query.partition("=")[0], "event_id=x")
        query_string = "&".join(part for part in (query, "" if query.startswith("ids=") else needed) if part)
        for kind, body in list(bodies(operation)) or [("", b"")]:
            headers = {"Content_Type": kind} if kind else {}
            target = f"{path_with_examples(path, operation)}?{query_string}"
            answer = await sidecar.ask(method, target, body or None, **headers)
            assert answer.status in {200, 201, 202, 204}, (query_string, body, answer)
            check_answer(method, path, answer)
            if body:
                zipped = gzip.compress(body)
                assert (await sidecar.post(target, zipped, **headers, Content_Encoding="gzip")).status < 300


async def test_the_answers_to_a_file_are_as_described(start: Start) -> None:
    sidecar = await start(max_bulk_bytes=1_000)
    kind = {"Content_Type": "multipart/form-data; boundary=B"}
    head = b'--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    for lines, status in ((b'{"n":1}', 200), (b"x\n", 400), (b"x" * 1_000, 413)):
        answer = await sidecar.post(f"{BULK}?token=key", head + lines + b"\r\n--B--\r\n", **kind)
        assert answer.status == status
        check_answer("POST", BULK, answer)


async def test_the_answers_of_a_session_are_as_described(sidecar: Sidecar) -> None:
    kind = {"Content_Type": "application/json"}
    session: list[tuple[str, str, str, bytes | None, dict[str, str], int]] = [
        ("POST", CACHE, "", RECORD, kind, 202),
        ("POST", CACHE, "ack=stored", b"[" + RECORD + b",5]", kind, 200),
        ("POST", CACHE, "id=d&ack=stored", b'{"malformed":"{","skip":"no","timestamp":"1606772892754"}', kind, 200),
        ("POST", CACHE, "id=d", b"{", kind, 400),
        ("POST", CACHE, "id=d", b"5", kind, 400),
        ("POST", CACHE, "id=d", RECORD, {}, 415),
        ("POST", CACHE, "id=d", RECORD, {**kind, "Content_Encoding": "br"}, 415),
        ("POST", CACHE, "id=d", b"[" + b"0," * 10_000 + b"0]", kind, 413),
        ("POST", "/api/v1/event", "token=key", b'{"event_type":"x"}', {"Origin": "https://a.example"}, 200),
        ("POST", "/api/v1/s2s/event/", "token=key", b"x", {}, 400),
        ("POST", "/api/v1/events", "", b"{}", {"Origin": "https://a.example"}, 401),
        ("POST", "/api/v1/events", "token=key", b"{}", {"Content_Encoding": "br"}, 415),
        ("OPTIONS", "/api/v1/events", "", None, {"Origin": "https://a.example"}, 200),
        ("GET", CACHE, "", None, {}, 200),
        ("GET", CACHE, "namespace=token&ids=key", None, {}, 200),
        ("GET", CACHE, "ids=d", None, {"Accept": "application/x-ndjson"}, 200),
        ("GET", CACHE, "limit=0", None, {}, 400),
        ("GET", CACHE, "", None, {"X_Real_IP": "1.2.3.4"}, 403),
        ("GET", "/api/v1/streams", "", None, {}, 200),
        ("GET", "/api/v1/errors", "sort=frequent&limit=1", None, {}, 200),
        ("GET", "/api/v1/errors", "sorted=no", None, {}, 400),
        ("GET", LOOKUP, "field=n&value=1", None, {}, 200),
        ("GET", LOOKUP, "field=n&value=2", None, {}, 200),
        ("GET", LOOKUP, "", None, {}, 400),
        ("DELETE", CACHE, "", None, {}, 400),
        ("DELETE", CACHE, "ids=d", None, {}, 200),
        *(("GET", path, "", None, {}, 200) for path in ("/livez", "/readyz", "/ping", "/metrics", "/openapi.json")),
    ]
    for method, path, query, body, headers, status in session:
        answer = await sidecar.ask(method, f"{path}?{query}", body, **headers)
        assert answer.status == status, (method, path, query, answer)
        check_answer(method, path, answer)


async def test_error_responses_are_as_described(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventscache.access.auth_throttle._FREE_FAILURES", 1000)  # each operation fails once
    key = ApiKey("id", "client", "server")
    sidecar = await start(admin_tokens=("admin",), api_keys=KeyList((key,)), queue_bytes=1, max_body_bytes=1000)
    for method, path, operation in operations():
        if "401" in operation["responses"]:
            check_answer(method, path, await answered(sidecar, method, path, 401))
    admin = {"X_Admin_Token": "admin", "Content_Type": "application/json"}
    full = await sidecar.record(RECORD, "", **admin)
    assert full.status == 429
    check_answer("POST", CACHE, full)
    large = await sidecar.post("/api/v1/event?token=client", b"x" * 1001)
    assert large.status == 413
    check_answer("POST", "/api/v1/event", large)
    answers = document()["components"]["responses"]
    check_as(answers["NotFound"], await answered(sidecar, "GET", "/nothing", 404))
    check_as(answers["MethodNotAllowed"], await answered(sidecar, "PUT", CACHE, 405))


class Away(MemoryStorage):
    """Answers nothing."""

    async def fetch(self, stream: Stream, query: Query) -> Page:
        raise StorageUnavailable("away")

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        raise StorageUnavailable("away")

    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        raise StorageUnavailable("away")

    async def ping(self) -> None:
        raise StorageUnavailable("away")

    async def insert(self, batch: Batch) -> Admission:
        raise StorageUnavailable("away")


async def test_answers_without_a_storage_are_as_described(start: Start) -> None:
    sidecar = await start(Away(), ack_timeout_ms=20)
    unconfirmed = await sidecar.record(RECORD)
    assert (unconfirmed.status, unconfirmed.json["received"]) == (503, 1)
    check_answer("POST", CACHE, unconfirmed)
    for method, path, query in (
        ("GET", CACHE, ""),
        ("DELETE", CACHE, "?ids=d"),
        ("GET", "/api/v1/streams", ""),
        ("GET", "/api/v1/errors", ""),
        ("GET", LOOKUP, "?event_id=x"),
        ("GET", "/readyz", ""),
    ):
        answer = await sidecar.ask(method, path + query)
        assert answer.status == 503
        check_answer(method, path, answer)


async def answered(sidecar: Sidecar, method: str, path: str, status: int) -> Answer:
    # A body may name the key, and is read first where the head names none.
    answer = await sidecar.ask(method, path, b"{}" if method == "POST" else None)
    assert answer.status == status, (method, path, answer)
    return answer
