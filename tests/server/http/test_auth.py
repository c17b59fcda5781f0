"""Authentication: who may read, write, clear and send."""

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.config.settings import Settings
from eventscache.errors import ConfigError
from eventscache.server import app
from eventscache.server.routes import (
    bulk,
    ingestion,
    jitsu2_ingestion,
    jitsu2_pixel,
    jitsu2_settings,
    mirror,
    pixel,
    segment,
    webhooks,
)
from eventscache.server.routing import ROUTES
from eventscache.storage.memory import MemoryStorage
from tests.support.sidecar import CACHE, Sidecar, Start

OPEN = {"/openapi.json", "/livez", "/readyz", "/ping", "/metrics"}
JITSU2 = {path for module in (jitsu2_ingestion, jitsu2_pixel, jitsu2_settings) for _, path, _ in module.ROUTES}
INGESTION = {path for module in (ingestion, segment, bulk, pixel) for _, path, _ in module.ROUTES} | JITSU2
# Of Jitsu 2 a page gets a 200 in any case, which says what is wrong; the settings are the same for everybody; and a
# pixel's image comes without a token too.
QUIET = {"/api/s/{tp}", "/api/px/{tp}", "/v1/projects/{key}/settings", "/api/v1/p.gif"}
ALIKE = {path for _, path, _ in (*mirror.ROUTES, *webhooks.ROUTES)}
"""Where a request without a token is answered as well, and no more."""

RECORD = b'{"destination_id":"d","original":{}}'
READS = (("GET", CACHE), ("GET", "/api/v1/streams"), ("GET", "/log/incoming.all/key"), ("DELETE", f"{CACHE}?ids=d"))


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


async def head_status(
    sidecar: Sidecar, *lines: str, method: str = "GET", target: str = CACHE, version: str = "1.1"
) -> int:
    """Send a request with the given head, and return the status of its response."""
    head = [f"{method} {target} HTTP/{version}", *lines, "Connection: close", "Content-Length: 0", "", ""]
    answer = await sidecar.raw("\r\n".join(head).encode(errors="surrogateescape"))
    return int(answer.split(b" ", 2)[1])


LOOPBACK_HOSTS = [
    "localhost", "LocalHost", "localhost:8095", "localhost:", "LOCALHOST:1",
    "127.0.0.1", "127.0.0.1:8095", "127.255.255.254",
    "[::1]", "[::1]:8095", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::FFFF:7f00:1]",
]  # fmt: skip
OTHER_HOSTS = [
    "", "evil.example", "localhost.evil", "localhost.evil:8095", "evil.localhost", "evil-localhost", "localhostevil",
    "127.0.0.1.evil.example", "127.0.0.1.nip.example", "localhost.", "localhost.:8095", "127.0.0.1.",
    "user@localhost", "evil.example@localhost", "localhost@evil.example", "localhost:8095@evil.example",
    "localhost:evil.example", "localhost:80:90", "localhost:123456", "localhost:-1", "localhost:+1",
    "localhost/", "localhost/evil", "localhost?evil", "localhost#evil", "localhost\\evil", "localhost%00",
    "localhost evil", "local\thost", "localhost,evil.example", "http://localhost",
    "0.0.0.0", "0", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01", "128.0.0.1", "10.0.0.1",
    "::1", "[::1", "::1]", "[::]", "[::2]", "[::1%25lo]", "[::1%lo]", "[localhost]", "[127.0.0.1]", "[::1].evil",
    "[::1]evil", "[fe80::1]", "[::ffff:10.0.0.1]", "[::127.0.0.1]", "[v1.localhost]",
    "ⓛocalhost", "localhost\u3002evil", "\uff11\uff12\uff17.0.0.1", "\udcff",
]  # fmt: skip


FORWARDING = [
    "CF-Connecting-IP", "CF-Connecting-IPv6", "CF-RAY", "CF-Visitor", "CF-IPCountry", "CDN-Loop", "True-Client-IP",
    "X-Client-IP", "X_Client_IP", "X-ClientIP", "Client-IP", "X-Cluster-Client-IP", "Fastly-Client-IP", "Fastly-FF",
    "X-Envoy-External-Address", "X-Envoy-Internal", "X-Envoy-Original-Path", "X-Vercel-Forwarded-For", "X-Vercel-Id",
    "X-Rewrite-URL", "X-Original-URL", "X-Originating-IP", "X-Remote-IP", "X-Remote-Addr", "Remote-Addr",
    "X-Azure-ClientIP", "X-Azure-SocketIP", "X-Azure-FDID", "X-ARR-LOG-ID", "X-ARR-SSL", "X-AppEngine-User-IP",
    "X-Amzn-Trace-Id", "X-Amz-Cf-Id", "CloudFront-Viewer-Address", "X-NF-Client-Connection-IP", "Fly-Client-IP",
    "X-ProxyUser-Ip", "X-Proxy-User", "WL-Proxy-Client-IP", "Proxy-Client-IP", "X-HTTP-Host-Override", "X-Script-Name",
    "X-Scheme", "X-URL-Scheme", "Front-End-Https", "X-Bluecoat-Via", "X-Varnish-Id", "Akamai-Origin-Hop",
    "Tailscale-User-Login", "X-Goog-Authenticated-User-Email", "X-MS-Client-Principal", "Remote-User",
    "DO-Connecting-IP", "X-Real-Host", "X-Forward-Proto-Forwarded",
]  # fmt: skip


async def test_without_admin_token_headers_that_no_proxy_adds_are_served(start: Start) -> None:
    sidecar = await start()
    names = [
        "Accept",
        "User-Agent",
        "X-Admin-Token",
        "X-Requested-With",
        "Proxy-Connection",
        "Referer",
        "DNT",
        "X-Ship",
    ]
    for name in (
        *names,
        "X-HTTP-Method-Override",
        "Origin-Trial",
        "X-IP-Policy",
        "Clip",
        "X-Request-Id",
        "Traceparent",
    ):
        assert await head_status(sidecar, "Host: localhost", f"{name}: a") == 200, name


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
async def test_without_admin_token_every_loopback_host_is_served(start: Start, host: str) -> None:
    sidecar = await start()
    assert await head_status(sidecar, f"Host: {host}") == 200
    for site in ("same-origin", "none"):
        assert await head_status(sidecar, f"Host: {host}", f"Origin: HTTP://{host}", f"Sec-Fetch-Site: {site}") == 200


async def test_without_admin_token_no_other_host_is_served(start: Start) -> None:
    # DNS rebinding: a page whose name an attacker points to 127.0.0.1 sends that name.
    sidecar = await start()
    for host in OTHER_HOSTS:
        assert await head_status(sidecar, f"Host: {host}") == 403, host
        assert await head_status(sidecar, f"Host: {host}", f"Origin: http://{host}") == 403, host


@pytest.mark.parametrize(
    "lines",
    [
        ["Forwarded: for=127.0.0.1"],
        ["FORWARDED: "],
        ["Forwarded-For: 127.0.0.1"],
        ["X-Forwarded: a"],
        ["x-forwarded-for: 127.0.0.1"],
        ["X_Forwarded_For: 127.0.0.1"],
        ["X-FORWARDED-HOST: localhost"],
        ["X-Forwarded-Anything: a"],
        ["X-Real-IP: 127.0.0.1"],
        ["X-Original-Host: localhost"],
        ["X-Original-URL: /livez"],
        ["X-Host: localhost"],
        ["Via: 1.1 proxy"],
        *([f"{name}: 127.0.0.1"] for name in FORWARDING),
        ["Origin: null"],
        ["Origin: "],
        ["Origin: http://evil.example"],
        ["Origin: http://localhost"],
        ["Origin: http://localhost:1"],
        ["Origin: https://localhost:8095"],
        ["Origin: http://127.0.0.1:8095"],
        ["Origin: http://localhost:8095.evil"],
        ["Origin: http://localhost:8095/"],
        ["Origin: http://localhost:8095 http://evil.example"],
        ["Origin: http://localhost:8095", "Origin: http://evil.example"],
        ["Origin: file://"],
        ["Origin: chrome-extension://abcdef"],
        ["Sec-Fetch-Site: cross-site"],
        ["Sec-Fetch-Site: same-site"],
        ["Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"],
    ],
)
async def test_without_admin_token_neither_proxies_nor_foreign_pages_are_served(start: Start, lines: list[str]) -> None:
    sidecar = await start()
    for method, target in (*READS, ("POST", CACHE)):
        assert await head_status(sidecar, "Host: localhost:8095", *lines, method=method, target=target) == 403
    for path in OPEN:
        assert await head_status(sidecar, "Host: evil.example", *lines, target=path) == 200


async def test_without_admin_token_a_target_that_is_a_whole_url_needs_a_loopback_host_too(start: Start) -> None:
    sidecar = await start()
    for target_host in ("localhost", "LOCALHOST:8095", "[::1]:1", "evil.example", "127.0.0.1.evil.example"):
        for host in ("localhost", "evil.example"):
            status = await head_status(sidecar, f"Host: {host}", target=f"http://{target_host}{CACHE}")
            assert status == (403 if "evil" in target_host + host else 200), (target_host, host)
    assert await head_status(sidecar, "Host: localhost", target=f"http://user@localhost{CACHE}") == 404
    for target in (f"//localhost{CACHE}", f"/./{CACHE}", "localhost:80", "*"):
        assert await head_status(sidecar, "Host: localhost", target=target) in {400, 404}


@pytest.mark.parametrize(
    "lines",
    [
        ["Host: localhost", "Host: localhost"],
        ["Host: localhost", "Host: evil.example"],
        ["Host: evil.example", "Host: localhost"],
        ["Host: localhost", "host : localhost"],
        ["Host: localhost", "Host:", " evil.example"],
        [],
    ],
)
async def test_a_request_without_a_host_or_with_several_is_rejected(start: Start, lines: list[str]) -> None:
    sidecar = await start()
    assert await head_status(sidecar, *lines) == 400
    assert await head_status(sidecar, *lines, version="1.0") in {400, 403}


async def test_a_page_cannot_post_what_needs_no_preflight(start: Start) -> None:
    sidecar = await start()
    types = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a")
    for content_type in types:
        for origin in ("http://evil.example", "null"):
            answer = await sidecar.post(CACHE, RECORD, Origin=origin, Content_Type=content_type)
            assert answer.status == 403
        # A client without an Origin is not a browser; its body is not a record all the same.
        assert (await sidecar.post(CACHE, RECORD, Content_Type=content_type)).status == 415
    # A request that needs a preflight is not allowed.
    preflight = await sidecar.ask("OPTIONS", CACHE, Origin="http://evil.example", Access_Control_Request_Method="POST")
    assert preflight.status == 405
    assert not [name for name in preflight.headers if name.lower().startswith("access-control")]
    assert sidecar.cache.ledger.stored == 0


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in ROUTES])
async def test_every_route_needs_a_token_unless_it_is_listed_as_open(start: Start, method: str, path: str) -> None:
    sidecar = await start(admin_tokens=("admin",), ingest_tokens=("ingest",), api_keys=KEYS)
    body = b"{}" if method == "POST" else None
    answer = await sidecar.ask(method, path, body, Origin=sidecar.address)
    if path in OPEN | QUIET | ALIKE or method == "OPTIONS":
        assert answer.status in {200, 204}
        assert sidecar.cache.ledger.received == sidecar.cache.ledger.rejected
    else:
        assert answer.status == 401
        assert ("WWW-Authenticate" in answer.headers) == (path not in INGESTION)
    # Pages of other origins may do nothing but send events.
    allowed = any(name.lower().startswith("access-control") for name in answer.headers)
    assert answer.headers["Cross-Origin-Resource-Policy"] == ("cross-origin" if path in INGESTION else "same-origin")
    assert allowed == (path in {"/api/v1/event", "/api/v1/events", "/api.{anything}", *JITSU2})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"])
async def test_a_loopback_address_needs_no_admin_token(host: str) -> None:
    assert app.Sidecar(Settings(host=host), MemoryStorage())


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.evil", "127.1", "::ffff:10.0.0.1"]
)
async def test_an_address_that_others_reach_needs_an_admin_token(host: str) -> None:
    with pytest.raises(ConfigError, match="admin_tokens"):
        app.Sidecar(Settings(host=host), MemoryStorage())
    with pytest.raises(ConfigError, match="admin_tokens"):
        app.Sidecar(Settings(host=host, admin_tokens=("",), ingest_tokens=("x",)), MemoryStorage())
    app.Sidecar(Settings(host=host, admin_tokens=("x",)), MemoryStorage())
    app.Sidecar(Settings(host=host, jitsu_admin_token="x"), MemoryStorage())
    app.Sidecar(Settings(host=host, admin_tokens_file="/not/there/yet"), MemoryStorage())


async def test_probes_and_metrics_are_open_and_show_no_ids(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",))
    await sidecar.record(b'{"destination_id":"the-id","original":{"a":"the-text"}}', X_Admin_Token="admin")
    for path in ("/livez", "/readyz", "/ping", "/metrics"):
        answer = await sidecar.get(path)
        assert answer.status == 200
        assert b"the-" not in answer.body


KEYS = KeyList(
    (
        ApiKey("site", "js-secret", "s2s-secret", ("*abc.com", "exact.example")),
        ApiKey("app", "app-secret"),
    )
)


async def tokens(sidecar: Sidecar) -> dict[str, int]:
    answer = (await sidecar.get("/api/v1/streams?namespace=token", X_Admin_Token="admin")).json
    streams = answer["streams"]
    assert answer["api_keys"] is True
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
async def test_tokens_that_may_not_send_get_a_401(start: Start, path: str, message: str) -> None:
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
    for path in ("/api/v1/event", "/api/v1/events"):
        preflight = await sidecar.ask("OPTIONS", path, Origin="https://any.example")
        assert (preflight.status, preflight.body) == (200, b"")
        assert preflight.headers["Access-Control-Allow-Origin"] == "https://any.example"
    assert "Access-Control-Allow-Origin" not in (await sidecar.get(CACHE, Origin=sidecar.address)).headers
