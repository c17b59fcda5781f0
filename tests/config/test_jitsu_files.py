"""Files as Jitsu publishes them, or as its users have them: what each means here."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web

from eventscache.access.api_keys import ApiKey
from eventscache.config import loading
from eventscache.errors import ConfigError
from eventscache.server.startup_checks import check_start
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_from_url
from tests.support.redis_sentinel import RedisSentinel
from tests.support.redis_server import NEWEST, RedisServer, binary_of, free_port, short_folder
from tests.support.sidecar import CACHE, Sidecar, Start

DOCKER = """
server:
  name: a-jitsu
  port: '${env.SERVER_PORT|8001}'
  strict_auth_tokens: true
  admin_token: '${env.CLUSTER_ADMIN_TOKEN|env.SERVER_ADMIN_TOKEN|demo___please_provide_value_in_production___}'
  telemetry: '${env.TELEMETRY_URL|}'
  cache: {enabled: '${env.EVENTS_CACHE_ENABLED|true}'}
configurator:
  base_url: '${env.JITSU_CONFIGURATOR_URL|}'
  admin_token: '${env.CLUSTER_ADMIN_TOKEN|env.CONFIGURATOR_ADMIN_TOKEN|demo___please_provide_value_in_production___}'
api_keys: '${env.API_KEYS_URL|}'
destinations: '${env.DESTINATIONS_URL|}'
meta:
  storage:
    redis:
      host: '${env.REDIS_URL|}'
      tls_skip_verify: '${env.TLS_SKIP_VERIFY|false}'
      ttl_minutes: {anonymous_events: '${env.USER_RECOGNITION_TTL_MINUTES|10080}'}
coordination: {type: redis}
google-ads: {developer-token: '${env.GOOGLE_ADS_DEVELOPER_TOKEN|}'}
"""
HEROKU = """
server:
  configurator_url: /configurator
  api_keys: '{address}/api/v1/apikeys?token=${{env.CONFIGURATOR_ADMIN_TOKEN}}'
  admin_token: '${{env.SERVER_ADMIN_TOKEN}}'
  strict_auth_tokens: true
meta: {{storage: {{redis: {{host: '${{env.REDIS_URL}}'}}}}}}
"""
DEMO = """
server:
  auth: [{client_secret: 123, server_secret: s123}]
  admin_token: an-admin
log.rotation_min: 1
destinations: {pg: {type: postgres}}
"""
BENCHMARK = """
server:
  strict_auth_tokens: true
  admin_token: '${env.CLUSTER_ADMIN_TOKEN}'
  metrics: {prometheus: {enabled: true}}
log.rotation_min: 1
api_keys:
  - {id: one_by_one, client_secret: single, server_secret: single_s}
  - {id: in_files, client_secret: many, server_secret: many_s}
meta: {storage: {redis: {host: '${env.REDIS_URL|}', tls_skip_verify: '${env.TLS_SKIP_VERIFY|false}'}}}
"""
FROM_THE_UI = """
# Made by the web page
server: {name: Xy9zQ}
api_keys:
  - id: first.site
    client_secret: js.first.aaaa
    server_secret: s2s.first.bbbb
"""


def load(folder: Path, text: str, **environ: str) -> loading.LoadedSettings:
    path = folder / "eventnative.yaml"
    path.write_text(text, encoding="utf-8")
    return loading.load(path, environ, {})


async def serve(start: Start, loaded: loading.LoadedSettings) -> Sidecar:
    settings = {field.name: getattr(loaded.settings, field.name) for field in dataclasses.fields(loaded.settings)}
    return await start(**settings)


async def sends(sidecar: Sidecar, token: str, path: str = "/api/v1/event") -> int:
    return (await sidecar.post(f"{path}?token={token}", b"{}")).status


@pytest.fixture
async def configurator() -> AsyncIterator[tuple[str, list[str]]]:
    """A stand-in for Jitsu's configurator: its address, and the tokens that it was asked with."""
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path != "/api/v1/apikeys":
            return web.Response(status=404)
        asked.append(request.query.get("token", ""))
        key = {"id": "from-there", "client_secret": "theirs", "server_secret": "theirs-too", "origins": None}
        return web.json_response({"tokens": [key]})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    await runner.cleanup()


def test_a_variable_holds_what_the_host_of_jitsus_redis_may_hold(tmp_path: Path) -> None:
    for text, url in (
        ("127.0.0.1:6379", "redis://127.0.0.1:6379/0"),
        ("redis", "redis://redis:6379/0"),
        ('"rediss://:pw@h:1"', "rediss://:pw@h:1/0"),
        ("sentinel://m:pw@a:1,b:2", "sentinel://m:pw@a:1,b:2/0?sentinel_password=pw"),
    ):
        assert load(tmp_path, DOCKER, REDIS_URL=text).settings.storage == url
    skipping = load(tmp_path, DOCKER, REDIS_URL="rediss://h", TLS_SKIP_VERIFY="true")
    assert skipping.settings.storage == "rediss://h/0?tls_skip_verify=true"


async def test_the_published_file_without_variables_serves_the_operator_only(start: Start, tmp_path: Path) -> None:
    loaded = load(tmp_path, DOCKER)
    assert loaded.settings.storage == "memory://"
    with structlog.testing.capture_logs() as log:
        check_start(loaded)
    assert [line["event"] for line in log] == ["a token that Jitsu publishes counts as none: set your own in its place"]
    sidecar = await serve(start, loaded)
    assert (await sidecar.get(CACHE)).status == 200
    assert (await sidecar.get(CACHE, X_Forwarded_For="1.2.3.4", X_Admin_Token="demo_admin")).status == 403


async def test_without_keys_they_come_from_the_configurator(
    start: Start, tmp_path: Path, configurator: tuple[str, list[str]]
) -> None:
    address, asked = configurator
    loaded = load(tmp_path, DOCKER, JITSU_CONFIGURATOR_URL=f"{address}/", CONFIGURATOR_ADMIN_TOKEN="p&w /x")
    assert loaded.sources["api_keys"] == "file configurator.base_url"
    sidecar = await serve(start, loaded)
    assert asked[0] == "p&w /x"
    assert await sends(sidecar, "theirs") == 200
    assert await sends(sidecar, "theirs-too", "/api/v1/s2s/event") == 200
    assert await sends(sidecar, "unknown") == 401


async def test_a_configurator_that_cannot_be_reached_lets_nobody_send(start: Start, tmp_path: Path) -> None:
    sidecar = await serve(start, load(tmp_path, DOCKER, JITSU_CONFIGURATOR_URL="http://127.0.0.1:1"))
    assert await sends(sidecar, "any") == 401


async def test_an_address_under_the_older_name_counts(
    start: Start, tmp_path: Path, configurator: tuple[str, list[str]]
) -> None:
    address, asked = configurator
    variables = {"CONFIGURATOR_ADMIN_TOKEN": "pw", "SERVER_ADMIN_TOKEN": "admin", "REDIS_URL": "h:1"}
    loaded = load(tmp_path, HEROKU.format(address=address), **variables)
    assert (loaded.settings.storage, loaded.sources["api_keys"]) == ("redis://h:1/0", "file server.api_keys")
    sidecar = await start(api_keys=loaded.settings.api_keys)
    assert asked[0] == "pw"
    assert [await sends(sidecar, token) for token in ("theirs", "unknown")] == [200, 401]


async def test_keys_under_the_oldest_name_count_and_a_number_is_a_text(start: Start, tmp_path: Path) -> None:
    sidecar = await serve(start, load(tmp_path, DEMO))
    assert [await sends(sidecar, token) for token in ("123", "unknown", "s123")] == [200, 401, 401]
    assert await sends(sidecar, "s123", "/api/v1/s2s/event") == 200
    assert [(await sidecar.get(CACHE, X_Admin_Token=token)).status for token in ("an-admin", "no")] == [200, 401]


def test_the_files_of_the_benchmark_and_of_the_web_page_are_read(tmp_path: Path) -> None:
    keys = load(tmp_path, BENCHMARK, CLUSTER_ADMIN_TOKEN="admin", REDIS_URL="redis://h:1").settings.api_keys.keys
    assert keys == (ApiKey("one_by_one", "single", "single_s"), ApiKey("in_files", "many", "many_s"))
    keys = load(tmp_path, FROM_THE_UI).settings.api_keys.keys
    assert keys == (ApiKey("first.site", "js.first.aaaa", "s2s.first.bbbb"),)


@pytest.mark.parametrize(
    ("variables", "token"),
    [
        ({"FIRST": "", "SECOND": "two"}, "two"),
        ({"FIRST": "one", "SECOND": "two"}, "one"),
        ({"FIRST": "", "SECOND": ""}, "fallback"),
        ({}, "fallback"),
    ],
)
async def test_an_empty_variable_is_not_set(
    start: Start, tmp_path: Path, variables: dict[str, str], token: str
) -> None:
    loaded = load(tmp_path, "server: {admin_token: '${env.FIRST|env.SECOND|fallback}'}", **variables)
    sidecar = await serve(start, loaded)
    assert (await sidecar.get(CACHE, X_Admin_Token=token)).status == 200
    assert (await sidecar.get(CACHE)).status == 401
    assert (await sidecar.get(CACHE, X_Admin_Token="${env.FIRST|env.SECOND|fallback}")).status == 401


async def test_keys_with_dots_and_capitals_count(start: Start, tmp_path: Path) -> None:
    loaded = load(tmp_path, "eventscache.port: 9555\nServer.Admin_Token: tok\nserver: {cache.EVENTS: {Size: 7}}")
    assert (loaded.settings.port, loaded.settings.size) == (9555, 7)
    sidecar = await serve(start, loaded)
    assert [(await sidecar.get(CACHE, X_Admin_Token=token)).status for token in ("tok", "other")] == [200, 401]


def test_a_key_with_dots_counts_before_one_in_a_section(tmp_path: Path) -> None:
    nested = "server: {admin_token: nested, cache: {events: {size: 3}}}"
    text = f"{nested}\nserver.admin_token: dotted\nserver.cache: {{events.size: 4}}"
    settings = load(tmp_path, text).settings
    assert (settings.all_admin_tokens, settings.size) == (("dotted",), 4)


async def test_one_key_may_have_the_same_text_as_both_secrets(start: Start, tmp_path: Path) -> None:
    sidecar = await serve(start, load(tmp_path, "api_keys: [{id: k1, client_secret: abc, server_secret: abc}]"))
    assert await sends(sidecar, "abc") == 200
    assert await sends(sidecar, "abc", "/api/v1/s2s/event") == 200
    assert len(await sidecar.events("namespace=token&ids=k1")) == 2


@pytest.mark.parametrize("size", ["0", "'0'", 1])
def test_jitsu_takes_0_for_1(tmp_path: Path, size: Any) -> None:
    settings = load(
        tmp_path, f"server: {{cache: {{events: {{time_window_sec: {size}}}, pool: {{size: {size}}}}}}}"
    ).settings
    assert (settings.window_seconds, settings.pool_size) == (1, 1)


def test_json_with_tabs_is_a_configuration(tmp_path: Path) -> None:
    assert load(tmp_path, '{\n\t"server": {\n\t\t"admin_token": "tok"\n\t}\n}').settings.all_admin_tokens == ("tok",)


def test_a_configuration_is_a_file_and_neither_an_address_nor_inline(tmp_path: Path) -> None:
    for text in ("http://127.0.0.1:1/config.yaml", '{"server": {"admin_token": "x"}}'):
        with pytest.raises(ConfigError, match="cannot be read: No such file"):
            loading.load(Path(text), {}, {})
    file = tmp_path / "a.yaml"
    file.write_text("server: {admin_token: x}")
    assert loading.load(None, {"CONFIG_LOCATION": str(file)}, {}).settings.all_admin_tokens == ()


async def test_without_keys_the_operators_machine_may_send_whatever_strict_auth_tokens_says(
    start: Start, tmp_path: Path
) -> None:
    loaded = load(tmp_path, "server: {strict_auth_tokens: true}")
    assert await sends(await serve(start, loaded), "any") == 200
    others = await start(host="0.0.0.0", admin_tokens=("long",))
    assert await sends(others, "any") == 401


def test_placeholders_are_filled_in_lists_too(tmp_path: Path) -> None:
    loaded = load(tmp_path, "api_keys: [{id: k, client_secret: '${env.SECRET}'}, '${HOME}']", SECRET="s")
    assert loaded.settings.api_keys.keys == (ApiKey("k", "s"),)
    assert loaded.settings.api_keys.faults == (
        "entry 1 is no secret; an address, a path or JSON must be the only entry",
    )


async def ping(url: str) -> None:
    async with storage_from_url(url, StorageOptions(timeout_seconds=20)) as storage:
        await storage.ping()


async def test_a_password_may_hold_any_character(tmp_path: Path) -> None:
    password = "pa${x}ss#/@:%41'"
    with short_folder() as folder, RedisServer(binary_of(NEWEST), folder, port=free_port(), password=password) as redis:
        section = f"{{host: 127.0.0.1, port: {redis.port}, password: '{password.replace(chr(39), chr(39) * 2)}'}}"
        await ping(load(tmp_path, f"meta: {{storage: {{redis: {section}}}}}").settings.storage)


@pytest.mark.parametrize("sentinel_password", ["pw1", ""])
async def test_a_sentinel_is_asked_on_its_port_with_the_one_password(tmp_path: Path, sentinel_password: str) -> None:
    with short_folder() as folder:
        for name in ("master", "sentinel"):
            (folder / name).mkdir()
        master = RedisServer(binary_of(NEWEST), folder / "master", port=free_port(), password="pw1")
        sentinel = RedisSentinel(binary_of(NEWEST), folder / "sentinel", port=free_port(), password=sentinel_password)
        sentinel.watch("mymaster", master, 1000)
        with master, sentinel:
            beside = f"port: {sentinel.port}, password: pw1, sentinel_master_name: mymaster"
            await ping(load(tmp_path, f"meta: {{storage: {{redis: {{host: 127.0.0.1, {beside}}}}}}}").settings.storage)
