"""The source in the documentation works."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from eventscache.sources import plugins
from tests.support.cache_bench import GENEROUS_SECONDS
from tests.support.jitsu_lists import numbers
from tests.support.paths import ROOT
from tests.support.sidecar import Start

PAGE = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")


async def test_the_source_in_the_documentation_brings_each_line_once(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    imports = re.findall(r"`(from [^`]* import [^`]*)`", PAGE)
    names: dict[str, Any] = {}
    exec("\n".join([*imports, block]), names)
    monkeypatch.setattr(plugins, "_source_class", lambda _: names["MyPlace"])
    path = tmp_path / "events"
    path.write_text('{"n":1}\nno json\n{"n":2}\n{"half')
    sidecar = await start(sources=(("my_place", str(path)),))
    counts = sidecar.server.sources.counts["my_place"]
    async with asyncio.timeout(GENEROUS_SECONDS):
        while counts.entries < 2:
            await asyncio.sleep(0.01)
        with path.open("a") as file:
            file.write('":3,"n":3}\n')
        while counts.entries < 3:
            await asyncio.sleep(0.01)
    assert numbers(await sidecar.events("ids=my_destination")) == [1, 2, 3]
    assert counts.errors == {"unreadable": 1}
