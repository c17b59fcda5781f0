"""The throttle of failed logins."""

from typing import Any

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.access.auth_throttle import AuthThrottle, client_of
from tests.support.sidecar import CACHE, Answer, Sidecar, Start

CLIENT = "192.0.2.1"


class Clock:
    """A clock that the test sets, in seconds."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def failed(throttle: AuthThrottle, count: int, client: str | None = CLIENT) -> list[int]:
    return [throttle.count_failure(client) for _ in range(count)]


def test_ten_failures_are_free_and_then_waits_double_up_to_a_minute(clock: Clock) -> None:
    throttle = AuthThrottle(clock)
    assert failed(throttle, 10) == [0] * 10
    assert failed(throttle, 9) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_ten_failures_that_take_longer_than_a_minute_are_free(clock: Clock) -> None:
    throttle = AuthThrottle(clock)
    for _ in range(100):
        assert failed(throttle, 1) == [0]
        clock.seconds += 6
    # One more within a minute of the tenth last is too many.
    assert failed(throttle, 2) == [0, 1]


def test_after_a_minute_without_failures_a_client_starts_from_zero(clock: Clock) -> None:
    throttle = AuthThrottle(clock)
    failed(throttle, 12)
    clock.seconds += 59.9
    assert failed(throttle, 1) == [4]
    clock.seconds += 60
    assert failed(throttle, 11) == [0] * 10 + [1]


def test_each_client_has_its_own_count(clock: Clock) -> None:
    throttle = AuthThrottle(clock)
    failed(throttle, 20)
    assert failed(throttle, 10, "192.0.2.2") == [0] * 10
    assert failed(throttle, 1, None) == failed(throttle, 1, "") == [0]


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::2", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::1", "2001:db8:0:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("/run/a.sock", "/run/a.sock"),
        ("", ""),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(address: str, client: str) -> None:
    assert client_of(address) == client


def test_at_most_max_clients_are_remembered(clock: Clock) -> None:
    throttle = AuthThrottle(clock, max_clients=3)
    failed(throttle, 11, "a")
    for number in range(100):
        failed(throttle, 1, "a")  # a client that fails again is not replaced
        failed(throttle, 1, f"other {number}")
        assert len(throttle) <= 3
    assert failed(throttle, 1, "a") == [60]
    for client in "bcd":
        failed(throttle, 1, client)
    assert failed(throttle, 1, "a") == [0]


async def wrong(sidecar: Sidecar, count: int) -> list[Answer]:
    return [await sidecar.get(CACHE, X_Admin_Token=f"wrong {n}") for n in range(count)]


async def test_wrong_tokens_get_401_then_429_and_the_right_one_is_accepted(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",), ingest_tokens=("ingest",))
    assert {answer.status for answer in await wrong(sidecar, 10)} == {401}
    for seconds in ("1", "2", "4"):
        (answer,) = await wrong(sidecar, 1)
        assert (answer.status, answer.headers["Retry-After"]) == (429, seconds)
        assert (answer.json["error"], answer.json["code"]) == ("", "too_many_failed_logins")
        assert (await sidecar.get(CACHE, X_Admin_Token="admin")).status == 200
        assert (await sidecar.record(b'{"destination_id":"d","original":{}}', X_Auth_Token="ingest")).status == 200
    assert (await sidecar.record(b"{}")).status == 429
    assert (await sidecar.get("/livez")).status == 200


async def test_wrong_tokens_of_ingestion_are_a_401_always_and_throttle_nobody(start: Start) -> None:
    sidecar = await start(api_keys=KeyList((ApiKey("site", "js", "s2s"),)), admin_tokens=("admin",))
    for number in range(20):
        assert (await sidecar.post(f"/api/v1/event?token=wrong{number}", b"{}")).status == 401
        assert (await sidecar.post("/api/v1/s2s/event?token=js", b"{}")).status == 401
        assert (await sidecar.post("/api/v1/events", b"{}")).status == 401
    assert {answer.status for answer in await wrong(sidecar, 10)} == {401}
    assert {answer.status for answer in await wrong(sidecar, 2)} == {429}
    browser = await sidecar.post("/api/v1/event?token=wrong", b"{}", Origin="http://shop.example")
    assert (browser.status, browser.headers["Access-Control-Allow-Origin"]) == (401, "http://shop.example")
    assert sidecar.cache.ledger.rejected == 61


@pytest.mark.parametrize("settings", [{"host": "0.0.0.0", "admin_tokens": ("admin",)}, {}])
async def test_without_keys_a_wrong_token_is_a_401_always_too(start: Start, settings: dict[str, Any]) -> None:
    sidecar = await start(**settings)
    answers = [await sidecar.post("/api/v1/event?token=a,b", b"{}") for _ in range(15)]
    assert {answer.status for answer in answers} == {401}


async def test_a_client_that_does_not_fail_is_not_counted(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(AuthThrottle, "count_failure")
    sidecar = await start(api_keys=KeyList((ApiKey("site", "js"),)), admin_tokens=("admin",))
    assert (await sidecar.post("/api/v1/event?token=js", b"{}")).status == 200
    assert (await sidecar.get(CACHE, X_Admin_Token="admin")).status == 200
