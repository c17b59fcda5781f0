"""Jitsu's own load test, `benchmark.sh`: the requests that it has `plow` send, byte for byte."""

import json

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support.clients import Serve, originals

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEYS = KeyList((ApiKey("stream_api_key", "stream", "stream_s"),))
EVENT = {
    "event_id": "",
    "user": {"anonymous_id": "abc", "email": "load@example.com"},
    "ids": {"ga": "GA1.2.3.4"},
    "local_tz_offset": -180,
    "doc_search": "",
    "utm": {},
    "src": "jitsu",
    "event_type": "pageview",
}


async def test_its_event_is_taken(serve: Serve) -> None:
    sidecar, _ = await serve(api_keys=KEYS)
    headers = {"Content_Type": "application/json"}

    answers = [
        await sidecar.post("/api/v1/event?token=stream", json.dumps(EVENT, indent=2).encode() + b"\n", **headers)
        for _ in range(12)
    ]

    assert [answer.status for answer in answers] == [200] * 12
    assert await originals(sidecar, "stream_api_key") == [EVENT] * 12
