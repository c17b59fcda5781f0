"""The circuit breaker: closed, open, and half-open with one probe."""

from eventscache.errors import StorageUnavailable
from eventscache.storage.redis.circuit_breaker import CircuitBreaker
from eventscache.storage.redis.driver_errors import Outcome


def fails_at_once(breaker: CircuitBreaker, now: float) -> bool:
    try:
        breaker.leave(probe=breaker.enter(now))
    except StorageUnavailable:
        return True
    return False


def test_a_half_open_breaker_lets_one_probe_through_at_a_time() -> None:
    breaker = CircuitBreaker()
    breaker.record(Outcome.UNREACHABLE, "away", 100.0, probe=breaker.enter(100.0))
    assert fails_at_once(breaker, 100.04)
    probe = breaker.enter(100.05)
    assert probe
    assert fails_at_once(breaker, 100.06), "a second call before the probe has ended"
    breaker.record(Outcome.UNREACHABLE, "still away", 100.07, probe=probe)
    breaker.leave(probe=probe)
    assert breaker.reason == "still away"
    assert fails_at_once(breaker, 100.16)
    probe = breaker.enter(100.17)
    breaker.record(Outcome.ANSWERED, "", 100.18, probe=probe)
    breaker.leave(probe=probe)
    assert not breaker.enter(100.18)


def test_a_breaker_is_open_for_at_most_a_quarter_of_a_second_while_the_server_is_away() -> None:
    breaker, now = CircuitBreaker(), 0.0
    for _ in range(20):
        breaker.record(Outcome.UNREACHABLE, "away", now, probe=breaker.enter(now))
        breaker.leave(probe=True)
        now += 0.25
        assert not fails_at_once(breaker, now)


def test_a_breaker_is_open_for_a_second_and_then_longer_when_access_is_denied() -> None:
    breaker, now, pauses = CircuitBreaker(), 0.0, []
    for _ in range(8):
        breaker.record(Outcome.DENIED, "no", now, probe=breaker.enter(now))
        breaker.leave(probe=True)
        pause = next(seconds for seconds in (1, 2, 4, 8, 16, 30) if not fails_at_once(breaker, now + seconds))
        pauses.append(pause)
        now += pause
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_one_timeout_or_a_broken_connection_does_not_open_the_breaker() -> None:
    breaker = CircuitBreaker()
    for outcome in (Outcome.TIMED_OUT, Outcome.DISCONNECTED, Outcome.DISCONNECTED, Outcome.DISCONNECTED):
        breaker.record(outcome, "?", 0.0, probe=breaker.enter(0.0))
    breaker.record(Outcome.ANSWERED, "", 0.0, probe=False)
    breaker.record(Outcome.TIMED_OUT, "?", 0.0, probe=False)
    assert not fails_at_once(breaker, 0.0)
    breaker.record(Outcome.TIMED_OUT, "?", 0.0, probe=False)
    assert fails_at_once(breaker, 0.0)


def test_a_breaker_is_open_for_a_moment_if_two_connections_broke_before_the_login() -> None:
    breaker, now = CircuitBreaker(), 0.0
    breaker.record(Outcome.NO_LOGIN, "broke", now, probe=breaker.enter(now))
    assert not fails_at_once(breaker, now)
    breaker.record(Outcome.NO_LOGIN, "broke", now, probe=breaker.enter(now))
    for _ in range(10):
        assert fails_at_once(breaker, now)
        now += 0.05
        breaker.record(Outcome.NO_LOGIN, "broke again", now, probe=breaker.enter(now))
        breaker.leave(probe=True)
