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
EVENTS = [{**EVENT, "url": f"https://example.com/{number}"} for number in range(12)]
BOUNDARY = "---------------------------3587754863202700235388351790"
# Its lines end without a carriage return, also those of the parts' heads. So the last event's line has no end.
MULTIPART = (
    f'--{BOUNDARY}\nContent-Disposition: form-data; name="file"; filename="bulk.ndjson"\n'
    f"Content-Type: application/x-ndjson\n\n" + "\n".join(map(json.dumps, EVENTS)) + f"\n--{BOUNDARY}--\n"
).encode()


async def test_its_event_is_taken(serve: Serve) -> None:
    sidecar, _ = await serve(api_keys=KEYS)
    headers = {"Content_Type": "application/json"}

    answers = [
        await sidecar.post("/api/v1/event?token=stream", json.dumps(EVENT, indent=2).encode() + b"\n", **headers)
        for _ in range(12)
    ]

    assert [answer.status for answer in answers] == [200] * 12
    assert await originals(sidecar, "stream_api_key") == [EVENT] * 12


async def test_its_file_of_events_is_taken(serve: Serve) -> None:
    sidecar, _ = await serve(api_keys=KEYS)
    headers = {"Content_Type": f"multipart/form-data; boundary={BOUNDARY}"}

    answer = await sidecar.post("/api/v1/events/bulk?token=stream_s", MULTIPART, **headers)

    assert answer.status == 200, answer
    assert await originals(sidecar, "stream_api_key") == EVENTS
