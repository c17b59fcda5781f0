"""Waiting for changes of a directory."""

import asyncio
import sys
from pathlib import Path

import pytest

from eventscache.sources.jitsu_logs.watch import ALONE_SECONDS, FALLBACK_SECONDS, Watch
from tests.support.fake_clock import GENEROUS_SECONDS, FakeClock


async def test_a_change_ends_the_wait(tmp_path: Path) -> None:
    clock = FakeClock()
    folder = tmp_path / "failed"
    folder.mkdir()
    async with Watch(tmp_path, name="logs") as watch, asyncio.timeout(GENEROUS_SECONDS):
        for number in range(3):
            waiting = asyncio.ensure_future(watch.wait(clock))
            while not waiting.done():
                with (folder / f"{number}.log").open("a") as file:  # until the library watches
                    file.write("x")
                await asyncio.wait([waiting], timeout=0.01)
            await waiting
        assert not watch.is_alone


async def test_without_a_change_it_ends_after_a_while(tmp_path: Path) -> None:
    clock = FakeClock()
    async with Watch(tmp_path, name="logs") as watch:
        for seconds, given in ((FALLBACK_SECONDS, None), (0.5, 0.5)):
            before = clock.now()
            waiting = asyncio.ensure_future(watch.wait(clock, given))
            await clock.end_sleep()
            await waiting
            assert clock.now() - before == seconds


@pytest.mark.parametrize("fault", ["no library", "no directory"])
async def test_if_nothing_tells_of_changes_it_ends_sooner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "no library":
        monkeypatch.setitem(sys.modules, "watchfiles", None)
    clock = FakeClock()
    directory = tmp_path if fault == "no library" else tmp_path / "missing"
    async with Watch(directory, name="logs") as watch, asyncio.timeout(GENEROUS_SECONDS):
        while not watch.is_alone:
            await asyncio.sleep(0)
        before = clock.now()
        await watch.wait(clock)  # at once: something may have changed unseen
        waiting = asyncio.ensure_future(watch.wait(clock))
        await clock.end_sleep()
        await waiting
        assert clock.now() - before == ALONE_SECONDS
