"""Jitsu's reading side, sent to the sidecar by the documented lines for nginx."""

import asyncio
import re

import aiohttp

from tests.support import nginx
from tests.support.cache_bench import GENEROUS_SECONDS
from tests.support.jitsu_lists import JitsuLists, numbers
from tests.support.missing import missing
from tests.support.paths import ROOT
from tests.support.readme import nginx_lines
from tests.support.redis_server import RedisServer, short_folder
from tests.support.sidecar import Start

(READING,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "sources.md").read_text(encoding="utf-8"), re.DOTALL)


async def test_requests_of_the_configurator_are_answered_with_what_jitsu_keeps(
    start: Start, tcp_redis: RedisServer
) -> None:
    if not nginx.BINARY:
        missing("no nginx: apt-get install nginx-light")
    jitsu = JitsuLists(tcp_redis)
    for n in range(30):
        jitsu.destination("p.pg", original={"n": n}, **({"error": "x"} if n % 5 == 0 else {"success": {"table": "t"}}))
    sidecar = await start(sources=(("jitsu_redis", tcp_redis.url),), jitsu_admin_token="the-token")
    async with asyncio.timeout(GENEROUS_SECONDS):
        while sidecar.server.sources.counts["jitsu_redis"].entries < 30:
            await asyncio.sleep(0.01)
    configuration = nginx_lines().replace("        location / {", f"{READING}\n        location / {{")
    addresses = {"http://jitsu:8001": "http://127.0.0.1:9", "127.0.0.1:8095": sidecar.address.removeprefix("http://")}
    with short_folder() as folder, nginx.Nginx(folder, configuration, addresses) as proxy:
        query = "project_id=p&limit=500&namespace=destination&ids=p.pg&status="
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{proxy.url}/api/v1/events/cache?{query}", headers={"X-Admin-Token": "the-token"}) as answer,
        ):
            body = await answer.json()
        assert numbers(body["events"]) == [*range(30)]
        assert body["total_events"] == body["response_events"] == 30
