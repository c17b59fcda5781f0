"""The commands of docs/tests.md do what the page says."""

import asyncio
import json
import re

from tests.support.paths import ROOT
from tests.support.sidecar import Start

_PAGE = (ROOT / "docs" / "tests.md").read_text(encoding="utf-8")


async def run(command: str, address: str) -> str:
    """Run a command of the page against a server at another address; return what it prints."""
    shell = await asyncio.create_subprocess_shell(
        command.replace("http://127.0.0.1:8095", address),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, _ = await shell.communicate()
    return printed.decode()


async def test_the_commands_of_the_page_lead_to_its_answer(start: Start) -> None:
    sidecar = await start("memory://")
    sent, read, asserted = (
        next(command for command in commands() if part in command)
        for part in ("X-Eventscache-Scope", "cache?namespace=token&ids=my_key&scope", "assert")
    )
    assert await run(sent, sidecar.address) == '{"status":"ok"}'
    assert json.loads(await run(read, sidecar.address))["total_events"] == 1
    answer = json.loads(await run(asserted.replace("wait=5", "wait=0.1"), sidecar.address))
    assert answer == json.loads(re.findall(r"```json\n(\{\"passed.*)\n```", _PAGE)[0])


def commands() -> list[str]:
    """Return the curl commands of the page, each whole."""
    blocks = re.findall(r"```sh\n(.*?)```", _PAGE, re.DOTALL)
    split = (command for block in blocks for command in re.split(r"\n(?=curl )", block.strip()))
    return [command for command in split if command.startswith("curl")]
