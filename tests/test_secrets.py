"""No secret is shown: not in a log line, a response, a metric, an error, nor when a value is printed."""

import asyncio
import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from eventscache.access.api_keys import ApiKey, ApiKeys, KeyList
from eventscache.config import loading
from eventscache.errors import ConfigError
from eventscache.logs import hide_secrets
from eventscache.masking.mask import Mask
from eventscache.server.http.auth import Access
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_class, storage_from_url
from tests.support import command
from tests.support.command import GENEROUS_SECONDS
from tests.support.paths import ROOT
from tests.support.redis_server import RedisServer, free_port
from tests.support.sidecar import CACHE

MARK = "s3cr3t"
ADMIN, JITSUS, INGEST, READ, CLIENT, SERVER, REDIS, KEY, HOOK = (
    f"{MARK}-{name}" for name in ("admin", "jitsus", "ingest", "read", "client", "server", "redis", "mask", "hook")
)
FILE = f"""
server: {{admin_token: {JITSUS}}}
api_keys: [{{id: site, client_secret: {CLIENT}, server_secret: {SERVER}}}]
eventscache:
  mask: {{hash: [email], key: {KEY}}}
  ack_timeout_ms: 100
  read_tokens: [{{token: {READ}, ids: [site]}}]
"""
ENVIRON = {
    "EVENTSCACHE_ADMIN_TOKENS": ADMIN,
    "EVENTSCACHE_INGEST_TOKENS": INGEST,
    "EVENTSCACHE_ALERTS_WEBHOOK": f"http://user:{HOOK}@127.0.0.1:1/{HOOK}?sig={HOOK}",
}


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return command.run(*arguments, **{**ENVIRON, **environ})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "eventnative.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


# Requests that are not HTTP, with a token in the part that is wrong.
BROKEN = [
    f"GET /readyz HTTP/1.1\r\nHost: x\r\nX-Admin-Token: {ADMIN}\x01\r\n\r\n",
    f"GET {CACHE}?token={ADMIN}\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET {CACHE}?token={ADMIN} HTTP/9.9\r\nHost: x\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nX-Admin-Token {ADMIN}\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nX-Admin-Token: {ADMIN}{'a' * 9000}\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {ADMIN}\r\n\r\n",
    f"POST /api/v1/event?token={CLIENT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{ADMIN}\r\n",
    f"{ADMIN}\r\n\r\n",
]


async def exchange(address: str, request: str) -> str:
    url = URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request.encode())
    async with asyncio.timeout(GENEROUS_SECONDS):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode(errors="replace")


async def everything(address: str) -> list[str]:
    """Send valid and invalid requests to every route, and return all responses."""
    answers: list[str] = []
    admin, ingest, read = {"X-Admin-Token": ADMIN}, {"X-Auth-Token": INGEST}, {"X-Admin-Token": READ}
    record = json.dumps({"original": {"email": "a@b"}, "error": "x"})
    requests: list[tuple[str, str, dict[str, str], str]] = [
        ("GET", "/livez", {}, ""),
        ("GET", "/readyz", {}, ""),
        ("GET", "/metrics", {}, ""),
        ("GET", CACHE, admin, ""),
        ("GET", CACHE, {"Authorization": f"Bearer {JITSUS}"}, ""),
        ("GET", f"{CACHE}?namespace=token&ids=site", admin, ""),
        ("GET", f"{CACHE}?token={ADMIN}", {}, ""),
        ("GET", CACHE, {"X-Admin-Token": f"{ADMIN}x"}, ""),
        ("GET", CACHE, {"Authorization": f"Basic {ADMIN}"}, ""),
        ("GET", f"{CACHE}?limit=x", admin, ""),
        ("GET", f"/{ADMIN}", {}, ""),
        ("PUT", f"{CACHE}?token={ADMIN}", {}, ""),
        ("GET", "/api/v1/streams", admin, ""),
        ("GET", "/log/incoming.all/key", admin, ""),
        ("GET", "/api/v1/access", admin, ""),
        ("GET", "/api/v1/access", read, ""),
        ("GET", CACHE, read, ""),
        ("GET", f"{CACHE}?token={READ}", {}, ""),
        ("GET", CACHE, {"X-Admin-Token": f"{READ}x"}, ""),
        ("DELETE", f"{CACHE}?ids=site", read, ""),
        ("POST", f"{CACHE}?id=d&ack=stored", {**admin, "Content-Type": "application/json"}, record),
        ("POST", f"{CACHE}?id=d", {**ingest, "Content-Type": "application/json"}, record),
        ("POST", f"{CACHE}?id=d", {**ingest, "Content-Type": "application/json"}, "{"),
        ("POST", f"{CACHE}?id=d", {**ingest, "Content-Encoding": "gzip", "Content-Type": "application/json"}, "x"),
        ("POST", f"{CACHE}?id=d", {"X-Auth-Token": f"{INGEST}x", "Content-Type": "application/json"}, record),
        ("POST", "/api/v1/event", {"X-Auth-Token": CLIENT, "Origin": "https://a"}, '{"email":"a@b"}'),
        ("POST", f"/api/v1/event?token={CLIENT}", {}, "{"),
        ("POST", f"/api/v1/event?token={SERVER}", {}, "{}"),
        ("POST", f"/api/v1/event?token={CLIENT}x", {"Origin": "https://a"}, "{}"),
        ("OPTIONS", f"/api/v1/event?token={CLIENT}", {"Origin": "https://a"}, ""),
        ("POST", f"/api/v1/s2s/event?token={SERVER}", {}, "[{},{}]"),
        ("POST", f"/api/v1/s2s/event?token={CLIENT}", {}, "{}"),
        ("POST", "/api/s/page", {"X-Write-Key": f"site:{CLIENT}"}, f'{{"writeKey":"site:{CLIENT}"}}'),
        ("POST", "/api/s/page", {"X-Write-Key": f"site:{CLIENT}"}, f'{{"writeKey":"site:{CLIENT}"'),
        ("POST", "/api/s/s2s/page", {"X-Write-Key": f"site:{SERVER}"}, "[]"),
        ("POST", "/api/s/s2s/page", {"X-Write-Key": CLIENT}, "{}"),
        ("POST", f"/v1/batch?writekey=site:{SERVER}x", {}, "{}"),
        ("POST", "/v1/batch", {}, f'{{"batch":[{{}}],"writeKey":"site:{SERVER}"}}'),
        ("POST", "/v1/batch", {}, f'{{"batch":[{{}},"writeKey":"site:{SERVER}"}}'),
        ("POST", "/v1/batch", {"Authorization": f"Bearer {SERVER}"}, "{}"),
        ("GET", f"/v1/projects/site:{CLIENT}/settings", {}, ""),
        ("GET", f"/v1/projects/:{CLIENT}/settings", {}, ""),
        ("GET", f"/v1/projects%2fsite:{CLIENT}/settings", {}, ""),
        ("GET", f"/mirror/v1/projects/site:{CLIENT}/settings", {}, ""),
        ("GET", f"/log/incoming.all/site:{CLIENT}", admin, ""),
        *(
            (
                "POST",
                f"{route}?{query}",
                headers,
                f'{{"writeKey":"{key}","Api_Key":["{key}"],"url":"https://x/?k={key}"}}',
            )
            for route, key in (
                ("/api/v1/event", f"site:{CLIENT}"),
                ("/mirror/api/v1/event", f"site:{CLIENT}"),
                ("/api/v1/s2s/event", f"site:{SERVER}"),
                ("/api/v1/segment", f"site:{SERVER}"),
                ("/api/s/page", f"site:{CLIENT}"),
                ("/v1/page", f"site:{SERVER}"),
            )
            for query, headers in (
                (f"token={key}", {}),
                (f"writekey={key}", {}),
                ("", {"X-Write-Key": key}),
                ("", {"Authorization": f"Bearer {key}"}),
            )
        ),
        ("POST", f"/api/v1/event?token=site:{CLIENT}", {}, f"a=1&b=site:{CLIENT}"),
        ("POST", "/ingest/jitsu2?actor_id=d", ingest, f'{{"api_key":"site:{SERVER}","url":"?k=site:{SERVER}"}}'),
        ("POST", "/ingest/jitsu2?actor_id=d", ingest, f"writeKey=site:{SERVER}"),
        ("GET", f"/api/v1/p.gif?api_key=site:{CLIENT}&writeKey=site:{CLIENT}&u=x%3Fsite%3A{CLIENT}", {}, ""),
        ("GET", f"/api/px/page?writekey=site:{CLIENT}&api_key=site:{CLIENT}&u=x%3Fsite%3A{CLIENT}", {}, ""),
        ("GET", f"{CACHE}?namespace=destination&ids=d", admin, ""),
        ("GET", f"/api/px/page?writekey=site:{CLIENT}&writeKey=site:{CLIENT}", {}, ""),
        ("GET", f"{CACHE}?namespace=token&ids=site", admin, ""),
        ("DELETE", f"{CACHE}?ids=nobody", admin, ""),
        ("DELETE", CACHE, admin, ""),
    ]
    async with aiohttp.ClientSession() as session:
        for method, path, headers, body in requests:
            url = URL(address + path, encoded=True)
            async with session.request(method, url, headers=headers, data=body.encode() or None) as answer:
                text = (await answer.read()).decode(errors="replace")
                answers.append(f"{method} {answer.status} {dict(answer.headers)} {text}")
    answers += [await exchange(address, request) for request in BROKEN]
    return answers


async def test_a_running_server_shows_no_secret(file: Path, tmp_path: Path, redis_server: RedisServer) -> None:
    redis = RedisServer(redis_server.binary, tmp_path, port=free_port(), password=REDIS)
    redis.start()
    url = f"redis://:{REDIS}@127.0.0.1:{redis.port}/0"
    process = await asyncio.create_subprocess_exec(
        *(*command.EVENTSCACHE, "serve", "--port", "0", "--config", str(file)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=command.clean_environment(**ENVIRON, EVENTSCACHE_STORAGE=url),
    )
    assert process.stdout
    assert process.stderr
    written: list[str] = []
    try:
        async with asyncio.timeout(GENEROUS_SECONDS):
            while "listening" not in (written or [""])[-1]:
                line = await process.stderr.readline()
                assert line, written
                written.append(line.decode())
        address = json.loads(written[-1])["url"]
        answers = await everything(address)
        redis.stop()
        answers += await everything(address)
        redis.password = "another"
        redis.start()
        answers += await everything(address)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(GENEROUS_SECONDS):
            rest = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        redis.stop()

    written += [part.decode() for part in rest if part]
    assert process.returncode == 0
    assert sum(" 200 " in answer for answer in answers) > 12
    assert {int(answer.split()[1]) for answer in answers if " {" in answer} >= {200, 202, 400, 401, 404, 405, 503}
    refused = re.compile('"code":"(?:invalid_http|head_too_long)"}$')
    assert sum(bool(refused.search(answer)) for answer in answers) == 3 * len(BROKEN)
    assert '"event": "invalid HTTP request"' in "".join(written)
    assert "storage unavailable" in "".join(written)
    assert MARK not in "".join(answers)
    assert MARK not in "".join(written)


def test_commands_and_errors_at_the_start_show_no_secret(file: Path, tmp_path: Path) -> None:
    bad = {
        "alias.yaml": f"server: {{admin_token: *{MARK}}}",
        "tag.yaml": f"server: {{admin_token: !{MARK}x y}}",
        "list.yaml": f"eventscache: {{storage: ['redis://:{REDIS}@h']}}",
        "token.yaml": f"eventscache: {{admin_tokens: {{{ADMIN}: 1}}}}",
        "key.yaml": f"eventscache: {{mask: {{hash: [a], key: [{KEY}]}}}}",
        "redis.yaml": f"meta: {{storage: {{redis: {{host: ['redis://:{REDIS}@h'], password: {REDIS}}}}}}}",
        "hook.yaml": f"eventscache: {{alerts: {{webhook: 'ftp://{HOOK}'}}}}",
        "hooks.yaml": f"eventscache: {{alerts: {{webhook: ['http://h/{HOOK}']}}}}",
        "port.yaml": f"meta: {{storage: {{redis: {{host: h, port: {REDIS}}}}}}}",
        "keys.yaml": f"api_keys: 'ftp://{CLIENT}'",
        "read.yaml": f"eventscache: {{read_tokens: [{{token: {READ}, ids: a}}]}}",
        "entry.yaml": f"eventscache: {{read_tokens: [{READ}]}}",
        "equal.yaml": f"server: {{admin_token: {READ}}}\neventscache: {{read_tokens: [{{token: {READ}, ids: a}}]}}",
        "deep.yaml": f"api_keys: [{{id: [5], client_secret: {CLIENT}}}]",
    }
    for name, text in bad.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    none = {"EVENTSCACHE_ADMIN_TOKENS": "", "EVENTSCACHE_ALERTS_WEBHOOK": ""}
    finished = [run("config", "--config", str(tmp_path / name), **none) for name in bad]
    assert {ended.returncode for ended in finished} == {2}

    good = f"redis://user:{REDIS}@h:1/0"
    finished += [
        run("--help"),
        run("serve", "--help"),
        run("bench", "--help", EVENTSCACHE_TOKEN=ADMIN),
        run("tail", "--help", EVENTSCACHE_TOKEN=ADMIN),
        run("config", "--config", str(file), "--storage", good),
        run("config", "--config", str(file), REDIS_URL=f"{REDIS}@h:6379"),
        run("serve", "--port", "0", "--storage", f"redis://:{REDIS}@h:x"),
        run("serve", "--port", "0", EVENTSCACHE_STORAGE=f"{REDIS}@h:6379"),
        run("serve", "--port", "0", EVENTSCACHE_STORAGE=REDIS),
        run("serve", "--port", "0", EVENTSCACHE_STORAGE=f"mysql://:{REDIS}@h"),
        run("serve", "--port", "x", "--config", str(file)),
        run("serve", "--port", "0", "--workers", "2", "--config", str(file)),
        run("bench", f"http://user:{ADMIN}@127.0.0.1:1"),
        run("tail", f"http://user:{ADMIN}@127.0.0.1:1"),
        run("tail", "http://127.0.0.1:1", EVENTSCACHE_TOKEN=ADMIN),
        run("storage", "verify", f"redis://:{REDIS}@127.0.0.1:{free_port()}"),
    ]

    shown = "".join(ended.stdout + ended.stderr for ended in finished)
    assert "eventscache.mask.key: ***" in shown
    assert "eventscache.alerts.webhook: ***" in shown
    assert "eventscache.read_tokens: *** for site of token and destination" in shown
    assert "redis://***@h:1/0" in shown
    assert "Traceback" not in shown
    assert MARK not in shown


def test_no_value_shows_its_secrets_when_it_is_printed() -> None:
    keys = KeyList((ApiKey("site", CLIENT, SERVER),), f"http://h/?token={ADMIN}")
    loaded = loading.load(
        None,
        {
            **ENVIRON,
            "SERVER_ADMIN_TOKEN": JITSUS,
            "API_KEYS": f"{CLIENT},{SERVER}",
            "EVENTSCACHE_STORAGE": f"redis://:{REDIS}@h/0?password={REDIS}",
            "EVENTSCACHE_READ_TOKENS": f'[{{"token": "{READ}", "ids": "site"}}]',
            "EVENTSCACHE_MASK_HASH": "email",
            "EVENTSCACHE_MASK_KEY": KEY,
        },
        {},
    )
    settings = loaded.settings
    values: list[Any] = [
        loaded,
        settings,
        settings.read_tokens,
        Access(settings).readers,
        keys,
        keys.keys[0],
        ApiKeys(keys),
        Access(settings),
        settings.mask,
    ]
    values += [settings.storage_options, StorageOptions(), Mask(hash=["a"], key=KEY)]
    for scheme in ("redis", "rediss", "redis+cluster"):
        storage = storage_from_url(f"{scheme}://user:{REDIS}@h:1", StorageOptions())
        values += [storage, storage._client]  # type: ignore[attr-defined]
    storage = storage_from_url(f"sentinel://master:{REDIS}@h:1?sentinel_password={REDIS}", StorageOptions())
    values += [storage, storage._client]  # type: ignore[attr-defined]
    for value in values:
        assert MARK not in f"{value!r} {value!s} {[value]}"
    assert "email" in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        REDIS,
        f"{REDIS}@h:6379",
        f":{REDIS}@h:6379",
        f"redis://:{REDIS}@h:x",
        f"redis://h:1/{REDIS}",
        f"redis://h:1/0?{REDIS}=1",
        f"redis://h:1/0?db={REDIS}",
        f"sentinel://m:{REDIS}@",
        f"memory://{REDIS}@",
        f"mysql://:{REDIS}@h",
    ],
)
def test_no_error_in_a_storage_url_quotes_it(url: str) -> None:
    with pytest.raises(ConfigError) as fault:
        storage_class(url).from_url(url, StorageOptions())
    assert MARK not in str(fault.value)
    assert MARK not in hide_secrets(url) or url == f"redis://h:1/{REDIS}"
