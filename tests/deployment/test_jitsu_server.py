"""What stands for Jitsu in tests of proxies answers as the sidecar does, which has Jitsu's contract."""

import base64
import itertools
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support.jitsu_server import JitsuServer
from tests.support.redis_server import HOST, free_port
from tests.support.sidecar import Sidecar, Start

PATHS = ("/api/v1/event", "/api/v1/events", "/api.x", "/api/v1/s2s/events", "/api/v1/segment/v1/batch")
BODIES = (b'{"a":1}', b'[{"a":1}] more', b"", b"x", b' {"a":1}', b'{"a":', b'[{"a":1},]', b'{"a":NaN}', b"[{}")
KEYS = KeyList((ApiKey("site", "client", "server", ("shop.example",)),))
PAGE = "https://shop.example"


def basic(user: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:x".encode()).decode()}


TOKENS: tuple[tuple[str, dict[str, str]], ...] = (
    ("", {}),
    *((f"token={token}", {}) for token in ("client", "server", "unknown", "")),
    ("", {"X-Auth-Token": "client"}),
    ("", {"api_key": "server"}),
    ("p_1=client&p_2=server", {}),
    ("", basic("server")),
    ("token=server&p_1=client", {"X-Auth-Token": "client", "api_key": "client"}),
    ("p_1=unknown", {"X-Auth-Token": "client", "api_key": "unknown"}),
    ("p_1=unknown", {"api_key": "server", **basic("unknown")}),
    ("p_1=client", basic("unknown")),
)


@pytest.fixture
async def addresses(start: Start) -> AsyncIterator[tuple[str, str]]:
    sidecar: Sidecar = await start(api_keys=KEYS)
    jitsu, port = JitsuServer(["client"], ["server"]), free_port()
    await jitsu.runner.setup()
    await web.TCPSite(jitsu.runner, HOST, port).start()
    yield sidecar.address, f"http://{HOST}:{port}"
    await jitsu.runner.cleanup()


async def ask(address: str, method: str, target: str, body: bytes, headers: dict[str, str]) -> tuple[object, ...]:
    """Return what clients see of an answer; Jitsu's words may go on with the token, and ours do not."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, address + target, data=body, headers=headers) as answer,
    ):
        cors = {name: value for name, value in answer.headers.items() if name.startswith("Access-Control")}
        if method == "OPTIONS":
            return answer.status, cors
        message = (await answer.json()).get("message", "")
        return answer.status, cors, message.partition("not found")[:2]


@pytest.mark.parametrize("path", PATHS)
async def test_it_answers_as_the_sidecar(addresses: tuple[str, str], path: str) -> None:
    requests = [(query, headers, b"{}") for query, headers in TOKENS]
    requests += [(f"token={token}", {}, body) for token, body in itertools.product(("client", "server"), BODIES)]
    for (query, headers, body), origin in itertools.product(requests, ({}, {"Origin": PAGE})):
        for method in ("POST", "OPTIONS"):
            sent = method, f"{path}?{query}", body if method == "POST" else b"", {**headers, **origin}
            ours, stand_in = [await ask(address, *sent) for address in addresses]
            assert ours == stand_in, sent
