"""The command's work against a real server: what it shows, and that nothing is lost or shown twice."""

import asyncio
import json
import socket
from pathlib import Path
from urllib.parse import quote

import pytest

from eventscache.config.settings import Settings
from eventscache.server import app
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Stream
from eventscache.tail.faults import ConnectionLost, Rejected, TailError
from tests.support import nginx
from tests.support.command import Serve
from tests.support.event_streams import FlakyStorage, record, until
from tests.support.missing import missing
from tests.support.paths import ROOT
from tests.support.redis_server import RedisServer, free_port, short_folder
from tests.support.sidecar import CACHE, Sidecar, Start
from tests.support.tailing import Tailing, tailed

Capsys = pytest.CaptureFixture[str]
ADMIN = "of-an-admin-0123456789"


def timed(number: int, name: str = "d", **fields: object) -> bytes:
    return record(number, name, timestamp=f"2026-11-23T21:{number:02}:00Z", **fields)


async def test_the_newest_events_of_all_streams_come_in_the_order_of_their_times(
    sidecar: Sidecar, capsys: Capsys
) -> None:
    for number in range(12):
        await sidecar.record(timed(number, f"d{number % 3}"))

    tailing = await tailed(sidecar.address, capsys, history=5)

    assert tailing.numbers == [7, 8, 9, 10, 11]
    assert tailing.said == ""


async def test_each_line_is_what_the_server_sent_byte_for_byte(sidecar: Sidecar, capsys: Capsys) -> None:
    original = (
        r'{"n":12345678901234567890,"price":1.10,"a":1,"a":2,"e":1E400, "half":"\ud800","t":"' + "\x7f\x9b\u202e" + '"}'
    )
    await sidecar.record(f'{{"destination_id":"d","original":{original}}}'.encode())

    tailing = await tailed(sidecar.address, capsys)

    assert original.encode() in tailing.written
    answer = await sidecar.get(f"{CACHE}?ids=d", Accept="application/x-ndjson")
    assert tailing.written == answer.body


@pytest.mark.parametrize("format_name", ["json", "human", "logfmt", "compact"])
async def test_without_events_nothing_is_shown(sidecar: Sidecar, capsys: Capsys, format_name: str) -> None:
    tailing = await tailed(sidecar.address, capsys, format_name=format_name)

    assert tailing.written == b""


async def test_the_options_select_as_the_api_does(sidecar: Sidecar, capsys: Capsys) -> None:
    await sidecar.record(timed(1))
    await sidecar.record(timed(2, error="Needle"))
    await sidecar.record(timed(3, "e"))
    await sidecar.post("/api/v1/event?token=t", b'{"n":4,"event_type":"purchase"}')
    for options, numbers in (
        ({"ids": ("d",)}, [1, 2]),
        ({"ids": ("d", "e")}, [1, 2, 3]),
        ({"status": "error"}, [2]),
        ({"status": "success"}, [1, 3]),
        ({"text": "needle"}, [2]),
        ({"start": "2026-11-23T21:02:00Z"}, [2, 3]),
        ({"where": ("n > 1", "-n = 3")}, [2]),
        ({"history": 1}, [3]),
        ({"history": 0}, []),
        ({"namespace": Namespace.TOKEN}, [4]),
        ({"namespace": Namespace.TOKEN, "event_type": "purchase"}, [4]),
        ({"namespace": Namespace.TOKEN, "event_type": "other"}, []),
    ):
        assert (await tailed(sidecar.address, capsys, **options)).numbers == numbers, options


async def test_expressions_select_the_events_that_the_api_selects(start: Start, capsys: Capsys) -> None:
    sidecar = await start(max_ids=10)
    values = ('"b"', '"b c"', "7", '"x, y"', '""', '" x"', '"漢字 😀"', '"= b"', '"(b"', '[{"sku":"x"}]')
    others = ('{"user":{"email":"Ann@jitsu.com"}}', '{"odd key":{"x":"y"}}', '{"kind":"a"}')
    originals = [*(f'{{"a":{value}}}' for value in values), *others]
    for number, original in enumerate(originals):
        time = f"2026-11-23T21:{number:02}:00Z"
        await sidecar.record(f'{{"destination_id":"d","original":{original},"timestamp":"{time}"}}'.encode())
    cases = json.loads((ROOT / "tests/query/field_filters.json").read_text(encoding="utf-8"))
    assert len(cases) > 50
    selected = 0
    for expression, _ in cases:
        answer = await sidecar.get(f"{CACHE}?field={quote(expression)}", Accept="application/x-ndjson")
        if answer.status == 400:
            with pytest.raises(Rejected) as fault:
                await tailed(sidecar.address, capsys, where=(expression,))
            assert str(fault.value) == f"{sidecar.address} answers 400: {answer.json['message'][:300]}"
            continue
        tailing = await tailed(sidecar.address, capsys, where=(expression,))
        assert tailing.lines == answer.body.splitlines()[::-1], expression
        selected += len(tailing.lines)
    assert selected > len(originals)


async def test_following_goes_on_with_new_events(sidecar: Sidecar, capsys: Capsys) -> None:
    await sidecar.record(record(1))
    async with Tailing(sidecar.address, capsys, follows=True) as tailing:
        await tailing.has(1)
        await sidecar.record(record(2))
        await tailing.has(2)
        await sidecar.record(record(3, "a-new-stream"))
        await tailing.has(3)
        assert tailing.numbers == [1, 2, 3]
        assert tailing.said == ""


async def test_a_connection_that_breaks_off_loses_and_repeats_nothing(sidecar: Sidecar, capsys: Capsys) -> None:
    for number in range(3):
        await sidecar.record(record(number))
    async with Tailing(sidecar.address, capsys, follows=True) as tailing:
        await tailing.has(3)
        for number in range(3, 9, 2):
            for subscription in [*sidecar.server.live._subscriptions]:
                subscription._client.cut()
            await tailing.says('"notice":"lost"', (number - 1) // 2)
            await sidecar.record(record(number))
            await tailing.clock.end_sleep()
            await tailing.has(number + 1)
            await sidecar.record(record(number + 1))
            await tailing.has(number + 2)
        assert tailing.numbers == [*range(9)]
        assert tailing.notices == ["lost", "back"] * 3


async def test_after_a_restart_it_goes_on_where_it_was(serve: Serve, redis_server: RedisServer, capsys: Capsys) -> None:
    port = free_port()
    options = ("--port", str(port), "--storage", redis_server.storage_url)
    first = serve(*options, EVENTSCACHE_PREFIX="eventscache:tail")
    path = f"{CACHE}?ack=stored"
    await first.post(path, [{"destination_id": "d", "original": {"n": number}} for number in range(3)])
    async with Tailing(first.address, capsys, follows=True) as tailing:
        await tailing.has(3)
        first.stop()
        await tailing.says("trying again")
        await tailing.clock.end_sleep()
        await tailing.says("cannot be reached: Connection refused")
        second = serve(*options, EVENTSCACHE_PREFIX="eventscache:tail")
        await second.post(path, [{"destination_id": "d", "original": {"n": number}} for number in (3, 4)])
        await tailing.clock.end_sleep()
        await tailing.has(5)
        await second.post(path, {"destination_id": "d", "original": {"n": 5}})
        await tailing.has(6)
        assert tailing.numbers == [*range(6)]
        assert tailing.notices == ["lost", "lost", "back"]


async def test_a_restart_that_lost_the_events_is_told(serve: Serve, capsys: Capsys) -> None:
    port = str(free_port())
    path = f"{CACHE}?ack=stored"
    first = serve("--port", port)
    await first.post(path, [{"destination_id": "d", "original": {"n": number}} for number in range(3)])
    async with Tailing(first.address, capsys, follows=True) as tailing:
        await tailing.has(3)
        first.stop()
        await tailing.says("trying again")
        second = serve("--port", port)
        await second.post(path, [{"destination_id": "d", "original": {"n": number}} for number in range(10, 15)])
        await tailing.clock.end_sleep()
        await tailing.has(8)
        assert tailing.numbers == [0, 1, 2, 10, 11, 12, 13, 14]
        assert tailing.notices == ["lost", "back", "restart"]
        assert json.loads(tailing.said.splitlines()[-1]) == {
            "notice": "restart",
            "message": "destination d: the numbers began again, so events from before may be missing",
            "namespace": "destination",
            "id": "d",
        }


async def test_a_gap_is_told(start: Start, capsys: Capsys) -> None:
    storage = FlakyStorage()
    sidecar = await start(storage, size=2, window_seconds=1)
    await sidecar.record(record(0))
    async with Tailing(sidecar.address, capsys, follows=True, ids=("d",)) as tailing:
        await tailing.has(1)
        for subscription in [*sidecar.server.live._subscriptions]:
            subscription._client.cut()
        await tailing.says("trying again")
        for number in range(1, 5):
            storage.now_us += 1_000_000
            sidecar.cache.queue.end_cooldowns(Stream(Namespace.DESTINATION, "d"))
            await sidecar.record(record(number))
        await tailing.clock.end_sleep()
        await tailing.has(3)
        assert tailing.numbers == [0, 3, 4]
        await tailing.says("destination d: at most 2 events may be missing here")


async def test_what_happens_to_the_storage_and_to_streams_is_told(start: Start, capsys: Capsys) -> None:
    storage = FlakyStorage()
    sidecar = await start(storage)
    await sidecar.record(record(1))
    async with Tailing(sidecar.address, capsys, follows=True, format_name="human") as tailing:
        await until(lambda: tailing.written.count(b"n=1") == 1)
        storage.unavailable = True
        await tailing.says("eventscache: the storage does not answer; new events are shown when it does\n")
        storage.unavailable = False
        await tailing.says("eventscache: the storage answers again\n")
        await sidecar.ask("DELETE", f"{CACHE}?ids=d")
        await tailing.says("eventscache: destination d: its events were removed\n")


async def test_a_storage_that_is_away_is_an_error_unless_it_follows(start: Start, capsys: Capsys) -> None:
    storage = FlakyStorage()
    sidecar = await start(storage)
    await sidecar.record(record(1))
    storage.unavailable = True
    with pytest.raises(TailError, match="the storage does not answer"):
        await tailed(sidecar.address, capsys)


async def test_older_events_that_are_left_out_are_told_where_all_were_meant(start: Start, capsys: Capsys) -> None:
    sidecar = await start()
    for number in range(3):
        await sidecar.record(record(number))
    for history, tells, notices in ((3, True, ["left_out"]), (2, True, ["left_out"]), (4, True, []), (3, False, [])):
        tailing = await tailed(sidecar.address, capsys, history=history, tells_left_out=tells)
        assert tailing.notices == notices


async def test_it_says_when_it_follows_only_some_of_many_streams(start: Start, capsys: Capsys) -> None:
    sidecar = await start()
    await sidecar.record(b"[" + b",".join(record(n, f"d{n}") for n in range(101)) + b"]")
    async with Tailing(sidecar.address, capsys, follows=True) as tailing:
        await tailing.says("only the 100 streams with the latest events are shown; --id names others")
    async with Tailing(sidecar.address, capsys, follows=True, ids=("d1",)) as tailing:
        await tailing.has(1)


async def test_a_wrong_token_and_none_are_named_and_never_shown(start: Start, capsys: Capsys) -> None:
    sidecar = await start(admin_tokens=(ADMIN,))
    await sidecar.record(record(1), Authorization=f"Bearer {ADMIN}")
    for format_name in ("json", "human"):
        with pytest.raises(Rejected, match=r"answers 401: .*; give a token by EVENTSCACHE_TOKEN or --token$"):
            await tailed(sidecar.address, capsys, format_name=format_name)
        with pytest.raises(Rejected, match=r"answers 401: .*; give another token") as fault:
            await tailed(sidecar.address, capsys, token="a-wrong-token", format_name=format_name)
        assert "a-wrong-token" not in str(fault.value)
        tailing = await tailed(sidecar.address, capsys, token=ADMIN, format_name=format_name)
        assert len(tailing.lines) == 1
        assert ADMIN not in tailing.said


async def until_ready(sidecar: Sidecar) -> None:
    async with asyncio.timeout(20):
        while (await sidecar.get("/readyz")).status != 200:
            await asyncio.sleep(0.01)


async def test_a_token_that_is_taken_away_ends_it(start: Start, capsys: Capsys, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"{ADMIN}\n")
    sidecar = await start(admin_tokens_file=str(file))
    await until_ready(sidecar)
    await sidecar.record(record(1), Authorization=f"Bearer {ADMIN}")
    async with Tailing(sidecar.address, capsys, follows=True, token=ADMIN) as tailing:
        await tailing.has(1)
        file.write_text("another-token-0123456789\n")
        await tailing.says("trying again")
        await tailing.clock.end_sleep()
        with pytest.raises(Rejected, match="answers 401"):
            await tailing.end()


NGINX = """
events {}
http {
    server {
        listen 80;
        location /events/ { proxy_pass http://sidecar/; proxy_set_header X-Forwarded-For $remote_addr; }
    }
}
"""


async def test_behind_a_proxy_that_serves_below_a_path_it_reads_and_follows(start: Start, capsys: Capsys) -> None:
    if not nginx.BINARY:
        missing("no nginx: apt-get install nginx-light")
    sidecar = await start(admin_tokens=(ADMIN,))
    admin = {"Authorization": f"Bearer {ADMIN}"}
    await sidecar.record(record(1), **admin)
    with short_folder() as folder, nginx.Nginx(folder, NGINX, {"http://sidecar": sidecar.address}) as proxy:
        url = f"{proxy.url}/events"
        with pytest.raises(Rejected, match="answers 401"):
            await tailed(url, capsys)
        async with Tailing(f"{url}/", capsys, follows=True, token=ADMIN) as tailing:
            await tailing.has(1)
            await sidecar.record(record(2), **admin)
            await tailing.has(2)
        with pytest.raises(Rejected, match="answers with status 404"):
            await tailed(proxy.url, capsys, token=ADMIN)


async def test_without_a_token_a_proxy_is_not_the_operator(start: Start, capsys: Capsys) -> None:
    if not nginx.BINARY:
        missing("no nginx: apt-get install nginx-light")
    sidecar = await start()
    with short_folder() as folder, nginx.Nginx(folder, NGINX, {"http://sidecar": sidecar.address}) as proxy:
        for format_name in ("json", "human"):
            with pytest.raises(Rejected, match="answers 403: "):
                await tailed(f"{proxy.url}/events", capsys, format_name=format_name)


async def test_the_type_is_looked_for_where_the_server_looks(start: Start, capsys: Capsys) -> None:
    sidecar = await start(type_path="kind.name")
    await sidecar.record(b'{"destination_id":"d","original":{"kind":{"name":"sale"},"event_type":"other"}}')

    tailing = await tailed(sidecar.address, capsys, format_name="logfmt")

    assert b" type=sale " in tailing.written


async def test_an_ipv6_address_is_read(capsys: Capsys) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    server = app.Sidecar(Settings(host="::1"), MemoryStorage(StorageOptions()))
    try:
        address = await server.start("::1", 0)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    assert "[::1]" in address
    try:
        assert (await tailed(address, capsys)).written == b""
    finally:
        await server.stop()


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("200 OK", Rejected, "is not an eventscache: its answer is 'text/html'"),
        ("404 Not Found", Rejected, "answers with status 404, and not as an eventscache does"),
        ("302 Found", Rejected, "answers with status 302, and not as an eventscache does"),
        ("503 Away", ConnectionLost, "answers with status 503, and not as an eventscache does"),
    ],
)
async def test_another_server_is_named_as_such(capsys: Capsys, status: str, kind: type[Exception], words: str) -> None:
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as other:
        url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}/below"
        with pytest.raises(kind, match=words):
            await tailed(url, capsys)
