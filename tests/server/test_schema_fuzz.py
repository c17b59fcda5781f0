"""The server against its own OpenAPI document: every response, whatever is sent, is described there."""

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import hypothesis
import msgpack
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.config.replay_targets import ReplayTarget
from eventscache.server.routes import ingestion, jitsu2_ingestion, jitsu2_pixel, jitsu2_settings
from eventscache.server.routes.openapi import document
from tests.support.fuzz import fuzzed, in_rounds, settings
from tests.support.sidecar import CACHE
from tests.support.threaded_sidecar import served

pytestmark = pytest.mark.slow

# Requests are long, and shrinking a failing one takes too much time.
WITHOUT_SHRINKING = hypothesis.settings(settings(10), phases=[hypothesis.Phase.generate], stateful_step_count=8)
FIELDS = st.fixed_dictionaries(
    {"destination_id": st.sampled_from(["a", "b"]), "original": st.dictionaries(st.text(), st.none() | st.integers())},
)
LINES = st.lists(FIELDS, min_size=1).map(lambda records: "\n".join(map(json.dumps, records)).encode())

schemathesis.openapi.media_type("application/x-ndjson", LINES)
schemathesis.openapi.format(
    "object-in-base64", FIELDS.map(lambda event: b64encode(json.dumps(event).encode()).decode())
)
schemathesis.openapi.media_type(
    "text/plain", FIELDS.map(lambda event: json.dumps({"type": "page", "event": "x", **event}).encode())
)
for kind in ("application/msgpack", "application/x-msgpack"):

    @schemathesis.serializer(kind)
    def pack(_: Any, value: Any) -> bytes:
        try:
            return bytes(msgpack.packb(value))
        except OverflowError:  # it knows no integers beyond 64 bits
            hypothesis.reject()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A sidecar with tokens of every kind, without a throttle for failed logins, and else with defaults."""
    with (
        pytest.MonkeyPatch.context() as patch,
        served(
            admin_tokens=("admin",),
            ingest_tokens=("ingest",),
            admin_token_in_query=True,
            api_keys=KeyList((ApiKey("id", "client", "server"),)),
            replay_targets=(ReplayTarget("staging", "http://127.0.0.1:1/"),),
            storage_timeout_ms=60_000,
            ack_timeout_ms=60_000,
        ) as where,
    ):
        patch.setattr("eventscache.access.auth_throttle._FREE_FAILURES", 1_000_000)
        yield where


class Zipping(requests.Session):
    """Zips a body if its header says gzip."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        # The HTTP parser rejects longer lines, whatever the route.
        hypothesis.assume(max(map(len, [request.url or "", *map(str, request.headers.values())])) < 8000)
        if request.headers.get("Content-Encoding") == "gzip":
            body: Any = request.body or b""
            request.body = gzip.compress(body.encode() if isinstance(body, str) else body)
            request.headers["Content-Length"] = str(len(request.body))
        return super().send(request, **{**options, "timeout": 60})  # slow machines are slow


def load(*modes: GenerationMode) -> Any:
    described = schemathesis.openapi.from_dict(document())
    described.config.generation.update(with_security_parameters=False, modes=list(modes))
    described.config.checks.negative_data_rejection.expected_statuses = ["400", "401", "413", "415"]
    described.config.checks.positive_data_acceptance.expected_statuses = ["2xx"]
    return described


BULK = "/api/v1/events/bulk"
ENDLESS = "/api/v1/events/stream"
JITSU2_PATHS = {path for module in (jitsu2_ingestion, jitsu2_pixel, jitsu2_settings) for _, path, _ in module.ROUTES}
ALIKE = ("/mirror/", "/ingest/")
"""Where every request has the same answer, whatever is wrong with it."""
OPERATIONS = {
    result.ok().label: result.ok() for result in load(*GenerationMode).exclude(path=ENDLESS).get_all_operations()
}


def secrets(path: str) -> dict[str, str]:
    if path.startswith(("/api/v1/s2s", "/api/v1/segment", BULK)):
        return {"X-Auth-Token": "server"}
    if path in JITSU2_PATHS:
        return {"X-Write-Key": "server" if "/s2s/" in path else "client"}
    is_ingestion = path in {ingested for _, ingested, _ in ingestion.ROUTES}
    return {"X-Auth-Token": "client"} if is_ingestion else {"X-Admin-Token": "admin"}


def shorten_wait(case: Any) -> None:
    """Let no response wait long: `wait` may be up to a minute."""
    if re.fullmatch(r"[0-9.]+", str((case.query or {}).get("wait"))):
        case.query = {**case.query, "wait": "0.01"}


def with_one_collection(query: dict[str, Any]) -> dict[str, Any]:
    """Return a query without all but the first of the parameters that name an extra collection."""
    named = [name for name in ("scope", "group", "follow") if query.get(name)]
    return {name: value for name, value in query.items() if name not in named[1:]}


def complete(case: Any) -> None:
    """Add parameters that others need, which a schema cannot describe."""
    shorten_wait(case)
    query = with_one_collection(dict(case.query or {}))
    case.query = query or case.query
    ids = query.get("ids") or ""
    ids = [part for part in (ids if isinstance(ids, list) else ids.split(",")) if part]
    if case.method == "POST" and case.path == CACHE:
        case.query = {**query, "id": query.get("id") or "d"}
    elif case.path == BULK:
        case.headers.pop("Content-Encoding", None)  # of the file, and not of the body
    elif case.path == "/api/v1/events/assert":
        for expectation in [*case.body.get("expect", []), *case.body.get("none", [])]:
            expectation["match"] = {"original": {}}  # a pattern's operators have rules of their own
            if "count" in expectation:
                expectation["count"] = 1
    elif case.path == "/api/v1/lookup":
        by_field = query.get("field") and query.get("value") is not None
        unwanted = {"event_id"} if by_field else {"field", "value"}
        query["event_id"] = query.get("event_id") or "x"
        case.query = {name: value for name, value in query.items() if name not in unwanted}
    elif case.method == "DELETE" and case.path == CACHE:
        case.query = {**query, "ids": ids or ["d"], "all": "false"}
    elif ("before" in query or "after" in query) and len(set(ids)) != 1:
        case.query = {**query, "ids": ["d"]}


def may_be_accepted(case: Any) -> bool:
    """Whether a request that violates the schema may be accepted: the document describes these cases in words."""
    if "ids" in (case.query or {}):
        return True  # a value that is not a text is sent as one, and any text is valid
    if case.path.startswith(("/log/", "/api.", "/api/v1/follows/", *ALIKE)):
        return True  # the same holds for a text in the path
    if case.path in {"/api/v1/p.gif", "/api/v1/follows"}:
        return True  # so for the fields of an event in a query; names may have all visible characters
    if case.path in JITSU2_PATHS:
        return True  # whether a name is needed depends on the type; a batch and a page get a 200 all the same
    if case.method != "POST" or case.path != CACHE:
        return False
    # The good records of an array are kept; and where a destination is named, the token does not matter.
    return isinstance(case.body, list) or (isinstance(case.body, dict) and bool(case.body.get("destination_id")))


def needless(case: Any) -> Iterator[Any]:
    """Yield the checks that do not hold for a case."""
    if may_be_accepted(case):
        yield negative_data_rejection
    if case.path in {"/api/s/{tp}", "/api/px/{tp}"}:
        yield ignored_auth  # a page gets a 200 without a key as well, and its body says what is wrong


def choices() -> Iterator[Any]:
    for label, operation in OPERATIONS.items():
        for mode in GenerationMode:
            # These parts of a path may be any text.
            varied = [
                each
                for each in operation.iter_parameters()
                if each.location.value != "path" or each.name not in {"path", "id"}
            ]
            if mode.is_positive or varied or operation.body:
                yield pytest.param(operation, mode, id=f"{label}-{mode.value}")


@pytest.mark.parametrize(("operation", "mode"), list(choices()))
def test_every_answer_is_described(address: str, operation: Any, mode: GenerationMode) -> None:
    with Zipping() as session:  # one, so that requests come on a connection that had others

        @fuzzed(WITHOUT_SHRINKING)
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def answered(case: Any) -> None:
            shorten_wait(case)
            if mode.is_positive:
                complete(case)
            case.call_and_validate(
                base_url=address,
                session=session,
                headers=secrets(operation.path),
                excluded_checks=[*needless(case), *([ignored_auth] if case.path.startswith(ALIKE) else [])],
            )

        answered()


def test_links_lead_from_a_record_to_its_stream_and_to_its_end(address: str) -> None:
    described = load(GenerationMode.POSITIVE).include(path=[CACHE, "/api/v1/streams"])
    described.config.phases.stateful.inference.algorithms = []
    machine: Any = described.as_state_machine()
    followed: list[tuple[str, str]] = []
    record: Any = {"destination_id": "d", "original": {}}
    requests.post(f"{address}{CACHE}?ack=stored", json=record, headers=secrets(CACHE), timeout=60).raise_for_status()

    class Session(machine):  # type: ignore[misc]
        """Does what the links of the document lead to."""

        def before_call(self, case: Any) -> None:
            complete(case)

        def call(self, case: Any, **options: Any) -> Any:
            followed.append((case.method, case.path))
            with Zipping() as session:
                return super().call(case, session=session, **options)

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"base_url": address, "headers": secrets(case.path)}

    in_rounds(lambda: run_state_machine_as_test(Session, settings=WITHOUT_SHRINKING))
    assert {("POST", CACHE), ("GET", CACHE), ("DELETE", CACHE)} <= set(followed)
