"""The access log."""

import asyncio
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from eventscache.errors import StorageError
from tests.support.sidecar import CACHE, Log, Sidecar, Start

GENEROUS_SECONDS = 20


async def logged(sidecar: Sidecar, request: bytes) -> tuple[bytes, list[EventDict]]:
    """Send a request as it is; return the response, and the log lines of requests."""
    with structlog.testing.capture_logs() as log:
        answer = await sidecar.raw(request)
        await asyncio.sleep(0)
    return answer, [line for line in log if line["event"] == "request"]


def head(method: str, target: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *lines, "", ""]).encode()


async def test_each_request_has_a_line_without_secrets(start: Start) -> None:
    sidecar = await start(access_log=True, admin_tokens=("secret",), admin_token_in_query=True)
    cases: list[tuple[bytes, dict[str, Any]]] = [
        (head("GET", f"{CACHE}?token=secret&ids=secret"), {"method": "GET", "path": CACHE, "status": 200}),
        (head("GET", CACHE, "X-Admin-Token: not-secret"), {"method": "GET", "path": CACHE, "status": 401}),
        (head("POST", "/api/v1/event?token=secret"), {"method": "POST", "path": "/api/v1/event", "status": 400}),
        (head("GET", "/nothing%0Ahere#secret"), {"method": "GET", "path": "/nothing%0Ahere", "status": 404}),
        (head("GET", "http://user:secret@localhost/livez"), {"method": "GET", "path": "*", "status": 404}),
        (head("GET", "/" + "a" * 1000), {"path": "/" + "a" * 199, "status": 404}),
    ]
    for request, expected in cases:
        answer, log = await logged(sidecar, request)
        assert len(log) == 1, request
        line = log[0]
        assert line.items() >= expected.items()
        assert line.keys() == {"event", "log_level", "method", "path", "status", "duration_ms", "bytes", "client"}
        assert (line["client"], line["bytes"]) == ("127.0.0.1", len(answer))
        assert line["duration_ms"] >= 0
        assert "secret" not in str(line)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/v1/projects/k:SECRET/settings", "/v1/projects/***"),
        ("/v1/projects/id:sec/RETSECRET/settings", "/v1/projects/***"),
        ("/x/id:sec/SECRET", "/x/id:***"),
        ("/v1//projects//SECRET/settings", "/v1//projects/***"),
        ("/v1/projects/%2FSECRET", "/v1/projects/***"),
        ("/v1/projects/SECRET", "/v1/projects/***"),
        ("/mirror/v1/projects/k:SECRET/settings", "/mirror/v1/projects/***"),
        ("/v1/projects%2fk:SECRET/settings", "/v1/projects%2f***"),
        ("/v1/projects%252FSECRET/settings", "/v1/projects%252F***"),
        ("/v1/Projects//k%3ASECRET/settings", "/v1/Projects/***"),
        ("/log/incoming.all/kid:SECRET", "/log/incoming.all/kid:***"),
        ("/log/incoming.all/kid%3aSECRET%2FSECRET/x", "/log/incoming.all/kid%3a***"),
        ("/log/incoming.all/kid%253ASECRET", "/log/incoming.all/kid%253A***"),
        ("http://localhost:1/kid:SECRET?a", "/kid:***"),
        ("/" + "a" * 200 + ":SECRET", "/" + "a" * 199),
    ],
)
async def test_no_part_of_a_path_shows_what_could_be_the_secret_half_of_a_key(
    start: Start, target: str, path: str
) -> None:
    sidecar = await start(access_log=True)
    _, (line,) = await logged(sidecar, head("GET", target))
    assert line["path"] == path


async def test_a_failed_request_shows_no_secret_half_either(
    start: Start, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    sidecar = await start()
    for fault in (StorageError("down"), ValueError("a bug")):

        async def fail(*_: Any, fault: Exception = fault) -> Any:
            raise fault

        monkeypatch.setattr(sidecar.cache, "fetch", fail)
        assert (await sidecar.get("/log/incoming.all/kid:SECRET")).status in {500, 503}
    failed = [line for line in log.lines if "request failed" in line]
    assert len(failed) == 2
    assert all("/log/incoming.all/kid:***" in line and "SECRET" not in line for line in failed)


async def test_a_prebuilt_response_is_logged_with_its_bytes(start: Start) -> None:
    sidecar = await start(access_log=True)
    with structlog.testing.capture_logs() as log:
        answer = await sidecar.post("/api/v1/event?token=t", b"{}")
        await sidecar.get("/ping")  # on the same connection, and so after it
    (line,) = [line for line in log if line.get("path") == "/api/v1/event"]
    assert (answer.status, line["status"]) == (200, 200)
    assert line["bytes"] > len(answer.body)


async def test_a_page_of_events_is_logged_with_its_bytes(start: Start) -> None:
    sidecar = await start(access_log=True)
    with structlog.testing.capture_logs() as log:
        answer = await sidecar.get("/api/v1/events/cache?ids=a")
        await sidecar.get("/ping")
    (line,) = [line for line in log if line.get("path", "").startswith("/api/v1/events/cache")]
    assert (answer.status, line["status"]) == (200, 200)
    assert line["bytes"] > len(answer.body)


async def test_invalid_http_has_a_line_too(start: Start) -> None:
    sidecar = await start(access_log=True)
    _, log = await logged(sidecar, b"GET secret HTTP/9\r\n\r\n")
    assert [(line["path"], line["status"]) for line in log] == [("/", 400)]


async def test_the_access_log_is_off_by_default(start: Start) -> None:
    sidecar = await start()
    _, log = await logged(sidecar, head("GET", CACHE))
    assert log == []
