"""The report: Markdown, with two charts in files beside it."""

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from benchmarks import chart
from benchmarks.cases import Contest, Findings, Latency, Result
from eventscache import __version__

_PACKAGES = ("aiohttp", "uvloop", "redis", "hiredis", "msgspec")
_SHARES = (0.5, 0.9, 0.99, 0.999)


class Yardstick(NamedTuple):
    """The events a second that Redis alone stores in one way, round by round."""

    name: str
    rates: Sequence[float]


class Environment(NamedTuple):
    """The machine and the versions that were measured: name and value."""

    facts: Sequence[tuple[str, str]]

    @classmethod
    def here(cls, processor: str, cores: int, pinning: str, redis_version: str) -> "Environment":
        """Return the facts of this machine; to be called before anything is measured."""
        load = " ".join(f"{average:.2f}" for average in os.getloadavg())
        facts = [
            ("date", date.today().isoformat()),  # noqa: DTZ011 - the reader's own day
            ("machine", f"{processor}, {cores} cores to run on, {platform.system()} {platform.release()}"),
            ("pinned", pinning),
            ("load average before", load),
            ("eventscache", __version__),
            ("Python", platform.python_version()),
            *((name, _version(name)) for name in _PACKAGES),
            ("redis-server", redis_version),
        ]
        return cls(facts)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


class Report:
    """Findings, as a page for people."""

    def __init__(
        self,
        environment: Environment,
        findings: Findings,
        yardsticks: Sequence[Yardstick] = (),
        remarks: Sequence[str] = (),
    ) -> None:
        self._environment = environment
        self._findings = findings
        self._yardsticks = yardsticks
        self._remarks = remarks

    def write(self, path: Path) -> None:
        """Write the page, and the charts beside it under its name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        charts = []
        if self._findings.contests:
            charts.append(("Throughput", path.with_name(f"{path.stem}-throughput.svg")))
            charts[-1][1].write_text(chart.throughput(self._findings.contests), encoding="utf-8")
        if self._findings.latencies:
            charts.append(("Latency", path.with_name(f"{path.stem}-latency.svg")))
            charts[-1][1].write_text(chart.latency(self._findings.latencies), encoding="utf-8")
        images = [f"![{title}]({file.name})\n" for title, file in charts]
        path.write_text("\n".join([self._text(), *images]), encoding="utf-8")

    def _text(self) -> str:
        sections = [
            "# Benchmark report\n",
            *(f"{remark}\n" for remark in self._remarks),
            _table(("", ""), self._environment.facts),
            "## Bars\n\nMedian and spread of the rounds.\n",
            _table(("case", "against", "median", "spread", "bar", "met", "note"), map(_bar, self._findings.results)),
        ]
        if self._findings.contests:
            rows = [row for contest in self._findings.contests for row in _contest(contest)]
            sections += ["## Rates\n", _table(("case", "contender", "a second, median", "round by round"), rows)]
        if self._findings.latencies:
            rows = [row for latency in self._findings.latencies for row in _latency(latency)]
            names = [f"p{share * 100:g}" for share in _SHARES]
            sections += ["## Latency\n", _table(("open loop", "contender", *names, "longest"), rows)]
        if self._yardsticks:
            rows = [_yardstick(each) for each in self._yardsticks]
            sections += ["## Redis alone\n", _table(("work", "events a second", "spread"), rows)]
        return "\n".join(sections)


def _table(heads: Sequence[str], rows: "Sequence[Sequence[str]] | map[Sequence[str]]") -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _bar(result: Result) -> Sequence[str]:
    case = result.case
    met = "yes" if result.met else "**NO**"
    return case.name, case.against, case.unit.as_text(result.median), result.spread, case.bar_text, met, result.note


def _contest(contest: Contest) -> list[Sequence[str]]:
    return [
        (
            contest.name,
            name,
            f"{statistics.median(rates):,.0f} {contest.unit}",
            ", ".join(f"{rate:,.0f}" for rate in rates),
        )
        for name, rates in contest.rates.items()
    ]


def _latency(latency: Latency) -> list[Sequence[str]]:
    return [
        (
            latency.name,
            name,
            *(f"{seconds[min(len(seconds) - 1, int(share * len(seconds)))] * 1000:.2f} ms" for share in _SHARES),
            f"{seconds[-1] * 1000:.2f} ms",
        )
        for name, seconds in latency.seconds.items()
    ]


def _yardstick(each: Yardstick) -> Sequence[str]:
    spread = f"{min(each.rates):,.0f} to {max(each.rates):,.0f}" if len(each.rates) > 1 else "one round"
    return each.name, f"{statistics.median(each.rates):,.0f}", spread
