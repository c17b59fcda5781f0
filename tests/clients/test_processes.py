"""Clients that run on servers, each as it is published, in a process of its own."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from tests.support.clients import EVENTS, Client, Fields, Serve, check, jitsu_fields, originals, segment_fields

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "s2s.secret"
KEYS = KeyList((ApiKey("shop", "js.secret", SECRET), ApiKey("other", "js.other", "s2s.other")))


class Use(NamedTuple):
    """How a client is used, and what is known of it."""

    script: str
    path: str = ""
    """The part of the address that comes before the client's own path."""
    options: dict[str, Any] | None = None
    fields: Fields = segment_fields
    """What an original has of an event."""
    secret: str = SECRET
    """The secret that it needs where keys are configured: that of a server, unless its path is one of pages."""
    key: str = "{}"
    """What the client is given as its key: `{}` stands for the secret."""
    batches: bool = True
    stream: str = "my_token"
    """The stream of its events where no keys are configured, and its key has this secret."""
    retries: str = ""
    """What the client writes when it will try again. Without it, it drops what was not taken, as its makers mean it."""


SENDS_AGAIN = "(?s)sends to.*sends to"
USES = {
    "@jitsu/sdk-js": Use("node/jitsu_sdk.mjs", fields=jitsu_fields),
    "@jitsu/sdk-js, with randomize_url": Use(
        "node/jitsu_sdk.mjs", options={"randomize_url": True}, secret="js.secret", fields=jitsu_fields
    ),
    "@jitsu/js": Use("node/jitsu_js.mjs", key="my_id:{}", stream="my_id", batches=False),
    "@segment/analytics-node": Use("node/segment_node.mjs", "/v1/batch", retries=SENDS_AGAIN),
    "@segment/analytics-node, to classic": Use(
        "node/segment_node.mjs", "/api/v1/segment/v1/batch", retries=SENDS_AGAIN
    ),
    "segment-analytics-python": Use("python/segment_python.py", retries="Network error retry"),
    "segment-analytics-python, to classic": Use(
        "python/segment_python.py", "/api/v1/segment", {"gzip": True}, retries="Network error retry"
    ),
    "rudder-sdk-python": Use("python/rudder_python.py", retries="Backing off"),
    "rudder-sdk-python, to classic": Use("python/rudder_python.py", "/api/v1/segment", retries="Backing off"),
}
REFUSALS = {
    "node/jitsu_sdk.mjs": r"#401",
    "node/jitsu_js.mjs": r"failed with error: 401",
    "node/segment_node.mjs": r"delivery_failure: Error: \[401\] Unauthorized",
    "python/segment_python.py": r"unknown_token: The (token|write key) is not found.* \(401\)",
    "python/rudder_python.py": r"unknown_token: The (token|write key) is not found.* \(401\)",
}


@pytest.fixture(params=[*USES.values()], ids=[*USES])
def use(request: pytest.FixtureRequest) -> Use:
    used: Use = request.param
    return used


@pytest.fixture
def client(use: Use) -> Iterator[Client]:
    client = Client(use.script)
    yield client
    client.kill()


async def test_all_events_are_under_the_token_complete_and_in_order(serve: Serve, use: Use, client: Client) -> None:
    sidecar, gate = await serve()

    await client.run(gate.address, use.key.format("my_token"), use.path, options=use.options)

    check(await originals(sidecar, use.stream), use.fields)
    assert {request.status for request in gate.requests} == {200}
    assert len(gate.posts) == (1 if use.batches else len(EVENTS))


async def test_with_keys_events_are_under_the_id_of_their_key(serve: Serve, use: Use, client: Client) -> None:
    sidecar, gate = await serve(api_keys=KEYS)

    await client.run(gate.address, use.key.format(use.secret), use.path, options=use.options)

    check(await originals(sidecar, "shop"), use.fields)
    assert await originals(sidecar, use.secret, 0) == []


async def test_a_wrong_key_is_told_once_and_is_final(serve: Serve, use: Use, client: Client) -> None:
    _, gate = await serve(api_keys=KEYS)

    output = await client.run(gate.address, use.key.format("wrong"), use.path, EVENTS[:1], use.options)

    assert re.search(REFUSALS[use.script], output), output
    assert [request.status for request in gate.posts] == [401]


async def test_what_was_answered_with_503_comes_again_if_the_client_retries(
    serve: Serve, use: Use, client: Client
) -> None:
    sidecar, gate = await serve()
    gate.busy = 1

    await client.run(gate.address, use.key.format("my_token"), use.path, options=use.options)

    taken = EVENTS if use.retries else [] if use.batches else EVENTS[1:]
    check(await originals(sidecar, use.stream, len(taken)), use.fields, taken)
    assert gate.posts[0].status == 503


async def test_what_was_sent_in_an_outage_comes_after_it_if_the_client_retries(
    serve: Serve, use: Use, client: Client
) -> None:
    sidecar, gate = await serve(closed=True)
    await client.start(gate.address, use.key.format("my_token"), use.path, options=use.options)

    await client.says(use.retries or "(?i)failed")
    await gate.open()
    await client.finish()

    if use.retries:
        check(await originals(sidecar, use.stream), use.fields)


@pytest.mark.parametrize(
    "use", [USES["rudder-sdk-python"], USES["segment-analytics-python, to classic"]], indirect=True
)
async def test_a_zipped_batch_is_taken(serve: Serve, use: Use, client: Client) -> None:
    _, gate = await serve()

    await client.run(gate.address, use.key.format("my_token"), use.path, options=use.options)

    (request,) = gate.posts
    assert request.headers["content-encoding"] == "gzip"
    assert len(request.json["batch"]) == len(EVENTS)
