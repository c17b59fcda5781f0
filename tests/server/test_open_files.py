"""There are no more connections than files may be open."""

import resource

import pytest

from eventscache.server.descriptors import connections_that_fit
from tests.support.sidecar import Log, Start


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The soft and the hard limit, which no test changes in truth."""
    limits = [100, 1000]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.__setitem__(slice(2), wanted))
    return limits


def test_a_limit_that_suffices_is_left_alone(limits: list[int]) -> None:
    assert connections_that_fit(60, 40) == 60
    assert limits == [100, 1000]


def test_the_soft_limit_is_raised_as_far_as_needed(limits: list[int]) -> None:
    assert connections_that_fit(500, 40) == 500
    assert limits == [540, 1000]


def test_beyond_the_hard_limit_there_are_fewer_connections(limits: list[int]) -> None:
    assert connections_that_fit(5000, 40) == 960
    assert limits == [1000, 1000]


@pytest.mark.parametrize(("soft", "hard", "left"), [(resource.RLIM_INFINITY,) * 2 + (-1,), (100, -1, 5040)])
def test_no_limit_is_none(limits: list[int], soft: int, hard: int, left: int) -> None:
    limits[:] = soft, hard
    assert connections_that_fit(5000, 40) == 5000
    assert limits[0] == left


async def test_fewer_connections_than_configured_are_told(limits: list[int], start: Start, log: Log) -> None:
    limits[:] = 300, 300
    sidecar = await start(max_connections=1000)
    assert sidecar.server._connections._limits.most < 300
    assert any("'max_connections': 1000" in line for line in log.lines)
