"""`eventscache bench` as a user runs it, against a real `eventscache serve`."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import EVENTSCACHE, Process, Serve, clean_environment, run
from tests.support.paths import ROOT
from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE
from tests.support.stub_server import OK, Stub

KEYS = "the-secret,another-secret"


def bench(process: Process, *options: str, **environ: str) -> dict[str, Any]:
    """Return the report of a load test that went well."""
    finished = run("bench", process.address, "--json", "-", *options, **environ)
    assert finished.returncode == 0, finished.stderr
    assert "it adds up" in finished.stderr
    return dict(json.loads(finished.stdout))


async def test_a_closed_loop_accounts_for_every_event(serve: Serve) -> None:
    process = serve(SERVER_CACHE_EVENTS_SIZE="10")
    report = bench(process, "--requests", "300", "--ids", "3", "--connections", "8")
    assert report["requests"]["statuses"] == {"200": 300}
    ledger = report["ledger"]
    assert (ledger["received"], ledger["stored"], ledger["limited"]) == (300, 30, 270)
    assert ledger["offered"] == {"least": 300, "most": 300}
    streams = await process.get("/api/v1/streams?namespace=token")
    assert {stream["id"] for stream in streams["streams"]} == {"bench0", "bench1", "bench2"}


def test_an_open_loop_sends_what_is_due(serve: Serve) -> None:
    report = bench(serve(), "--requests", "40", "--rate", "400")
    assert report["plan"]["loop"] == "open"
    assert report["requests"]["sent"] == report["requests"]["answered"] == 40
    assert report["requests"]["unsent"] == 0


def test_batches_and_real_events(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text('{"event_type":"a","price":1.10}\n{"event_type":"b"}\n')
    process = serve()
    report = bench(process, "--requests", "10", "--batch", "6", "--file", str(file), "--ids", "2")
    assert report["events"]["sent"] == report["ledger"]["stored"] == 60


@pytest.mark.parametrize("ack", ["queued", "stored"])
async def test_records_with_errors_and_malformed_bodies(serve: Serve, redis_server: RedisServer, ack: str) -> None:
    process = serve("--storage", redis_server.storage_url, EVENTSCACHE_PREFIX=f"eventscache:bench-{ack}")
    options = ("--namespace", "destination", "--ack", ack, "--errors", "0.5", "--malformed", "0.2")
    report = bench(process, "--requests", "100", "--batch", "2", "--ids", "1", "--id-prefix", "d", *options)
    malformed = report["requests"]["malformed"]
    assert 0 < malformed < 50
    assert report["requests"]["statuses"] == {"202" if ack == "queued" else "200": 100 - malformed, "400": malformed}
    ledger = report["ledger"]
    assert ledger["received"] == report["events"]["sent"] == 200 - malformed
    assert ledger["stored"] + ledger["limited"] == ledger["received"]
    found = await process.get(f"{CACHE}?ids=d0&status=error&limit=1000")
    assert found["total_events"] == min(100, report["events"]["errors"] + malformed)


def test_several_workers_are_waited_for(serve: Serve, redis_server: RedisServer) -> None:
    options = ("--workers", "2", "--storage", redis_server.storage_url)
    process = serve(*options, EVENTSCACHE_PREFIX="eventscache:bench-workers")
    for _ in range(2):
        assert bench(process, "--requests", "200")["ledger"]["received"] == 200


def test_tokens_are_used_and_never_shown(serve: Serve, tmp_path: Path) -> None:
    process = serve(API_KEYS=KEYS, EVENTSCACHE_INGEST_TOKENS="the-secret", EVENTSCACHE_ADMIN_TOKENS="admin-secret")
    destination = ("--namespace", "destination")
    file = str(tmp_path / "report.json")
    for options, token in (((), "the-secret"), ((), "the-secret another-secret"), (destination, "the-secret")):
        finished = run("bench", process.address, "--requests", "20", "--json", file, *options, EVENTSCACHE_TOKEN=token)
        assert finished.returncode == 0, finished.stderr
        assert "secret" not in finished.stdout + finished.stderr + Path(file).read_text()
    assert bench(process, "--requests", "20", *destination, "--token", "admin-secret")["ledger"]["stored"] == 20


def test_a_wrong_token_is_an_error(serve: Serve) -> None:
    process = serve(API_KEYS=KEYS, EVENTSCACHE_INGEST_TOKENS="a", EVENTSCACHE_ADMIN_TOKENS="b")
    for options in ((), ("--token", "unknown"), ("--token", "unknown", "--namespace", "destination")):
        finished = run("bench", process.address, "--requests", "5", *options)
        assert finished.returncode == 2
        # The third one gets a 429.
        assert re.search("rejects requests with status (401: |429: too many failed logins)", finished.stderr)
        assert finished.stderr.count("\n") == 1
        assert "unknown" not in finished.stderr


async def test_a_ledger_that_differs_fails_unless_others_send() -> None:
    async with Stub() as stub:
        stub.answers = lambda _: OK if stub.bodies.pop() else None  # it forgets what it received
        for options, code, word in (((), 1, "DIFFERS: received 0"), (("--shared",), 0, "note, as others send too: ")):
            finished = await asyncio.to_thread(run, "bench", stub.url, "--requests", "5", "--settle", "0", *options)
            assert finished.returncode == code, finished.stderr
            assert word in finished.stdout
            assert "is less than the 5 offered" in finished.stdout


async def test_being_interrupted_still_reports() -> None:
    asked = asyncio.Event()
    async with Stub() as stub:

        def answers(number: int) -> bytes:
            if number == 10:
                asked.set()
            return OK

        stub.answers = answers
        process = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
            [*EVENTSCACHE, "bench", stub.url, "--requests", "100000000", "--json", "-"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=clean_environment(),
        )
        try:
            await asked.wait()
            process.send_signal(signal.SIGINT)
            output, text = await asyncio.to_thread(process.communicate)
        finally:
            process.kill()
            process.wait()
    report = json.loads(output)
    assert process.returncode == 0, text
    assert report["note"] == "ended early"
    assert report["requests"]["answered"] == report["ledger"]["received"] > 10


def test_the_json_report_has_the_fields_that_scripts_read(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    finished = run("bench", serve().address, "--requests", "10", "--json", str(file))
    assert finished.returncode == 0
    report = json.loads(file.read_text())
    shape = {name: set(value) if isinstance(value, dict) else type(value).__name__ for name, value in report.items()}
    assert shape == {
        "version": "str",
        "url": "str",
        "plan": {
            "loop", "rate", "connections", "namespace", "streams", "batch", "event_bytes", "file", "errors",
            "malformed", "ack", "duration_seconds", "requests", "seed",
        },
        "seconds": "float",
        "requests": {
            "sent", "answered", "statuses", "unanswered", "unsent", "malformed", "failed_connects", "per_second",
        },
        "events": {"sent", "errors", "per_second"},
        "latency_ms": {"p50", "p90", "p99", "p99.9", "max"},
        "ledger": {
            "offered", "received", "stored", "limited", "dropped", "dropped_by_reason", "rejected", "queued",
            "faults", "shared", "good",
        },
        "note": "str",
    }  # fmt: skip
    assert "10 received = 10 stored + 0 limited + 0 dropped + 0 rejected" in finished.stdout


async def test_a_target_that_cannot_be_tested_is_one_line(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    cases = {
        ("http://127.0.0.1:1",): "http://127.0.0.1:1 cannot be reached: ",
        ("http://example.com",): "example.com is not this machine; --remote allows",
        ("http://user:the-secret@127.0.0.1:1",): "no user and no password",
        ("127.0.0.1:1",): "URL: it is http://HOST:PORT",
        ("http://127.0.0.1:99999",): "URL: it is http://HOST:PORT",
        ("http://127.0.0.1:1", "--errors", "0.1"): "--errors needs --namespace destination",
        ("http://127.0.0.1:1", "--ack", "stored"): "--ack needs --namespace destination",
        ("http://127.0.0.1:1", "--token", "the-secret", "--ids", "2"): "--ids makes tokens up",
        ("http://127.0.0.1:1", "--token", "the-secret\n"): "no header can hold",
        ("http://127.0.0.1:1", "--id-prefix", "a,b"): "--id-prefix: the id holds a comma",
    }
    for arguments, message in cases.items():
        finished = await asyncio.to_thread(run, "bench", *arguments)
        assert finished.returncode == 2
        assert message in finished.stderr
        assert finished.stderr.count("\n") == 1
        assert "the-secret" not in finished.stderr
    async with Stub() as stub:
        finished = await asyncio.to_thread(run, "bench", stub.url, "--file", missing)
        assert finished.returncode == 2
        assert "--file: " in finished.stderr
    async with asyncio.timeout(30), await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1") as other:
        url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"
        finished = await asyncio.to_thread(run, "bench", url)
        assert finished.returncode == 2
        assert "/metrics cannot be read: " in finished.stderr


async def test_another_server_is_not_loaded() -> None:
    class Other(Stub):
        metrics = b"go_goroutines 7\n"

    async with Other() as stub:
        finished = await asyncio.to_thread(run, "bench", stub.url)
    assert finished.returncode == 2
    assert (
        finished.stderr
        == f"eventscache: {stub.url} is not an eventscache: no metrics of one at /metrics (status 200)\n"
    )
    assert stub.bodies == []


def test_missing_packages_are_named() -> None:
    code = "import sys; sys.modules['hdrh'] = None; from eventscache.cli.main import main; main(['bench', 'http://[::1]:1'])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert finished.returncode == 2
    assert finished.stderr == "eventscache: bench needs more packages: install eventscache[bench]\n"
