"""Who may do what."""

import pytest

from eventscache.apikeys import ApiKey, KeyList
from eventscache.config import Settings
from eventscache.errors import ConfigError
from eventscache.server import app
from eventscache.storage.memory import MemoryStorage
from tests.server.conftest import CACHE, Sidecar, Start

RECORD = b'{"destination_id":"d","original":{}}'
READS = (("GET", CACHE), ("GET", "/api/v1/streams"), ("DELETE", f"{CACHE}?ids=d"))


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Admin_Token": "one"},
        {"X_Admin_Token": "two"},
        {"X_Admin_Token": "jitsus"},
        {"Authorization": "Bearer one"},
        {"Authorization": "bearer  two"},
        {"X_Admin_Token": "wrong", "Authorization": "Bearer one"},
    ],
)
async def test_any_admin_token_reads_writes_and_clears(start: Start, headers: dict[str, str]) -> None:
    sidecar = await start(admin_tokens=("one", "two"), jitsu_admin_token="jitsus", host="0.0.0.0")
    # With a token, neither proxies nor pages of other origins matter.
    headers = {**headers, "Host": "example.com", "X_Forwarded_For": "1.2.3.4", "Origin": "http://evil.example"}
    for method, path in READS:
        assert (await sidecar.ask(method, path, **headers)).status == 200
    assert (await sidecar.record(RECORD, **headers)).status == 200


async def test_an_ingest_token_writes_and_does_not_read(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",), ingest_tokens=("ingest", "other"))
    assert (await sidecar.record(RECORD, X_Auth_Token="other")).status == 200
    for method, path in READS:
        assert (await sidecar.ask(method, path, X_Auth_Token="ingest")).status == 401
    for headers in ({}, {"X_Auth_Token": "wrong"}, {"X_Auth_Token": "admin"}, {"X_Admin_Token": "ingest"}):
        answer = await sidecar.record(RECORD, **headers)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert sidecar.cache.ledger.rejected == 4


async def test_a_token_in_the_query_counts_only_where_it_is_allowed(start: Start) -> None:
    careful = await start(admin_tokens=("admin",))
    assert (await careful.get(f"{CACHE}?token=admin")).status == 401
    like_jitsu = await start(admin_tokens=("admin",), admin_token_in_query=True)
    assert (await like_jitsu.get(f"{CACHE}?token=admin")).status == 200
    assert (await like_jitsu.get(f"{CACHE}?token=wrong")).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8095"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "[::"},
        {"Host": "evil.example@127.0.0.1"},
        {"X_Forwarded_For": "127.0.0.1"},
        {"X_Forwarded_Proto": "http"},
        {"X_Forwarded_Server": "a"},
        {"X_Forwarded_Prefix": "/a"},
        {"Forwarded": "for=127.0.0.1"},
        {"X_Real_IP": "127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
    ],
)
async def test_without_admin_token_only_this_machines_operator_is_served(start: Start, headers: dict[str, str]) -> None:
    sidecar = await start()
    for method, path in READS:
        answer = await sidecar.ask(method, path, **headers)
        assert (answer.status, answer.json["error"]) == (403, "")
    assert (await sidecar.record(RECORD, **headers)).status == 403
    assert (await sidecar.get("/livez", **headers)).status == 200
    assert sidecar.cache.ledger.stored == 0


async def test_without_admin_token_loopback_names_and_the_own_page_are_served(start: Start) -> None:
    sidecar = await start()
    assert (await sidecar.get(CACHE, Origin=sidecar.address)).status == 200
    for host in ("localhost", "LOCALHOST:8095", "127.0.0.1:1", "[::1]:8095", "127.1.2.3"):
        assert (await sidecar.get(CACHE, Host=host)).status == 200, host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com"])
async def test_an_address_that_others_reach_needs_an_admin_token(host: str) -> None:
    with pytest.raises(ConfigError, match="admin_tokens"):
        app.Sidecar(Settings(host=host), MemoryStorage())
    app.Sidecar(Settings(host=host, admin_tokens=("x",)), MemoryStorage())


async def test_probes_and_metrics_are_open_and_tell_no_ids(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",))
    await sidecar.record(b'{"destination_id":"the-id","original":{"a":"the-text"}}', X_Admin_Token="admin")
    for path in ("/livez", "/readyz", "/ping", "/metrics"):
        answer = await sidecar.get(path)
        assert answer.status == 200
        assert b"the-" not in answer.body


KEYS = KeyList(
    (
        ApiKey("site", "js-secret", "s2s-secret", ("*abc.com", "https://exact.example")),
        ApiKey("app", "app-secret"),
    )
)


async def tokens(sidecar: Sidecar) -> dict[str, int]:
    streams = (await sidecar.get("/api/v1/streams?namespace=token", X_Admin_Token="admin")).json["streams"]
    return {stream["id"]: stream["total_events"] for stream in streams}


async def test_configured_keys_map_tokens_to_ids(start: Start) -> None:
    sidecar = await start(api_keys=KEYS, admin_tokens=("admin",), host="0.0.0.0")
    accepted = [
        ("/api/v1/event?token=js-secret", {}),
        ("/api/v1/events?p_abc=js-secret", {}),
        ("/api/v1/event", {"X_Auth_Token": "js-secret"}),
        ("/api/v1/event", {"Authorization": "Basic anMtc2VjcmV0Og=="}),
        ("/api/v1/s2s/event", {"X_Auth_Token": "s2s-secret"}),
        ("/api/v1/s2s/event/", {"X_Auth_Token": "s2s-secret"}),
        ("/api/v1/s2s/events?token=s2s-secret", {}),
    ]
    for path, headers in accepted:
        assert (await sidecar.post(path, b"{}", **headers)).json == {"status": "ok"}, path
    assert (await sidecar.post("/api/v1/event?token=app-secret", b"{}")).status == 200
    await sidecar.get(f"{CACHE}?namespace=token&ids=site,app", X_Admin_Token="admin")
    assert await tokens(sidecar) == {"site": len(accepted), "app": 1}


async def test_the_api_key_header_is_a_token(start: Start) -> None:
    sidecar = await start(api_keys=KEYS)
    request = b"POST /api/v1/event HTTP/1.1\r\nHost: x\r\napi_key: app-secret\r\nContent-Length: 2\r\n"
    assert (await sidecar.raw(request + b"Connection: close\r\n\r\n{}")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/v1/event", "not found"),
        ("/api/v1/event?token=unknown", "not found"),
        ("/api/v1/event?token=site", "not found"),
        ("/api/v1/event?token=s2s-secret", "isn't a client secret"),
        ("/api/v1/s2s/event?token=js-secret", "isn't a server secret token. Please use an s2s integration token"),
    ],
)
async def test_tokens_that_may_not_send_get_401(start: Start, path: str, message: str) -> None:
    sidecar = await start(api_keys=KEYS)
    answer = await sidecar.post(path, b"{}")
    assert answer.status == 401
    assert message in answer.json["message"]
    assert b"secret-" not in answer.body
    assert sidecar.cache.ledger.rejected == 1


async def test_without_keys_a_token_is_an_id_on_loopback_or_where_that_is_allowed(start: Start) -> None:
    reachable = {"host": "0.0.0.0", "admin_tokens": ("admin",)}
    closed = await start(**reachable)
    assert (await closed.post("/api/v1/event?token=t", b"{}")).status == 401
    for sidecar in (await start(), await start(**reachable, open_ingestion=True)):
        assert (await sidecar.post("/api/v1/event?token=t", b"{}")).status == 200
        for bad in ("", "?token=", "?token=%00", "?token=a,b", f"?token={'x' * 513}"):
            assert (await sidecar.post(f"/api/v1/event{bad}", b"{}")).status == 401


async def test_browsers_may_send_from_where_the_key_allows(start: Start) -> None:
    sidecar = await start(api_keys=KEYS)
    for origin, allowed in (
        ("https://www.abc.com", True),
        ("https://exact.example", True),
        ("https://evil.example", False),
    ):
        for method in ("OPTIONS", "POST"):
            answer = await sidecar.ask(method, "/api/v1/event?token=js-secret", b"{}", Origin=origin)
            assert answer.status == 200
            assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
    unknown = await sidecar.ask("POST", "/api/v1/event?token=unknown", b"{}", Origin="https://any.example")
    assert (unknown.status, unknown.headers["Access-Control-Allow-Origin"]) == (401, "https://any.example")
    assert "Access-Control-Allow-Origin" not in (await sidecar.get(CACHE, Origin=sidecar.address)).headers
