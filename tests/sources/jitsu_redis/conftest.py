import pytest

from eventscache.sources.jitsu_redis import key_follower


@pytest.fixture(autouse=True)
def _poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_follower, "POLL_SECONDS", 0.03)
    monkeypatch.setattr(key_follower, "_LEAST_PAUSE_SECONDS", 0.03)
