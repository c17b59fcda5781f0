"""The run book: it has each alert and each way to lose an event, and its commands run."""

import asyncio
import os
import re
import shutil
import subprocess

import pytest

from eventscache.config.settings import DEFINITIONS
from eventscache.metrics.definitions import DROP_REASONS
from eventscache.sources.counts import ERROR_KINDS
from tests.support.alerts import ALERTS
from tests.support.dashboard import PANELS
from tests.support.metric_samples import labels_of
from tests.support.missing import missing
from tests.support.paths import ROOT
from tests.support.redis_server import HOST, RedisServer
from tests.support.sidecar import Start

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n\n((?:(?!^## ).*\n)+)", PAGE, re.MULTILINE))
OF_ALERTS = {name: text for name, text in SECTIONS.items() if name.startswith("Eventscache")}
CODE = [" ".join(text.split()) for text in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL))]
COMMANDS = [*dict.fromkeys(code for code in CODE if code.startswith(("curl ", "redis-cli ")) and " " in code)]


def rows(heading: str) -> list[str]:
    """Return the first cells of the table below a heading, which are code."""
    section = re.split(r"^#+ ", PAGE.partition(f"### {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_every_alert_has_a_section_in_the_order_of_the_file() -> None:
    assert [*OF_ALERTS] == [*ALERTS]


@pytest.mark.parametrize("name", OF_ALERTS)
def test_a_section_says_what_it_means_what_is_lost_and_what_to_do(name: str) -> None:
    parts = re.findall(r"^- \*\*(.+?)\*\* \S", OF_ALERTS[name], re.MULTILINE)
    assert parts == ["Means:", "Lost?", "Look:", "Do:", "Over when:"]


def test_every_reason_to_drop_and_every_kind_of_error_of_a_source_is_explained() -> None:
    assert rows("Events that are dropped") == [*DROP_REASONS]
    assert rows("What a source could not bring") == [*ERROR_KINDS]


def test_every_count_of_a_loss_is_named() -> None:
    for name in ("events_dropped", "events_rejected", "events_limited", "events_unreadable", "source_errors"):
        assert f"`eventscache_{name}_total`" in SECTIONS["What each loss means"]


def test_everything_that_is_named_exists() -> None:
    settings = {key for definition in DEFINITIONS.values() for key in (definition.name, *definition.keys)}
    settings |= {"eventscache.sources"}
    named = [code for code in CODE if re.fullmatch(r"(?:eventscache|server)(?:\.\w+)+", code)]
    assert named
    assert [name for name in named if name not in settings] == []
    for metric in re.findall(r"\beventscache_[a-z_]+", PAGE):
        labels_of(metric)
    assert {*re.findall(r"panels? \*(.+?)\*", PAGE)} <= PANELS.keys()


def test_what_the_log_says_is_logged() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "eventscache").rglob("*.py"))
    said = re.findall(r"log (?:says|line)\s+`([^`]+)`", PAGE)
    assert len(said) >= 10
    assert [text for text in said if f'"{text}"' not in sources] == []


def test_every_link_within_the_page_leads_to_a_heading() -> None:
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)", PAGE, re.MULTILINE)}
    assert {*re.findall(r"\]\(#([\w-]+)\)", PAGE)} <= headings


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_runs_and_finds_what_it_looks_for(command: str, start: Start, tcp_redis: RedisServer) -> None:
    program = command.split(maxsplit=1)[0]
    if not shutil.which(program):
        missing(f"no {program}: apt-get install curl redis-tools")
    sidecar = await start(f"redis://{HOST}:{tcp_redis.port}/0", admin_tokens=("admin",))
    given = {"SIDECAR": sidecar.address, "REDIS": f"redis://{HOST}:{tcp_redis.port}/0", "ADMIN_TOKEN": "admin"}
    process = await asyncio.create_subprocess_exec(
        *("bash", "-o", "pipefail", "-c", command),
        env={**os.environ, **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    told, wrong = await process.communicate()
    tcp_redis.ask("CONFIG", "SET", "maxmemory", "0")  # other tests use this server
    assert (process.returncode, wrong) == (0, b"")
    assert b'"code"' not in told
    assert not told.startswith((b"ERR unknown", b"NOAUTH", b"NOPERM"))
