"""The arithmetic, the report and the documentation of the benchmarks. Nothing is measured here."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks import chart
from benchmarks.cases import CASES, Case, Contest, Findings, Latency, Result, Unit
from benchmarks.events import page_views, segment_events
from benchmarks.faults.cases import CASES as CASES_OF_FAULTS
from benchmarks.faults.figures import Figures, Results, Soak, write_into
from benchmarks.load import LoadConnection, Measured
from benchmarks.measures import FULL, MEASURES, QUICK
from benchmarks.report import Environment, Report, Yardstick
from eventscache.ingest.jitsu import parse_events
from eventscache.ingest.jitsu2 import ANY_TYPE, fault_of
from eventscache.ingest.limits import Limits
from eventscache.loadtest.ledger import LedgerCounts
from tests.support.paths import ROOT

FINDINGS = Findings(
    [
        Result(CASES["clients-stored"], [1.43, 1.46, 1.47], "by processor time 1.45"),
        Result(CASES["calls"], [0.6, 0.7, 0.01]),
        Result(CASES["stream-memory"], [1013]),
    ],
    [Contest("POST <overload>", "events", {"bare aiohttp": [30_000.0, 31_000.0], "eventscache": [28_000.0, 29_500.0]})],
    [Latency("ack", {"naive": [0.0004, 0.0005, 0.02], "eventscache": [0.0003, 0.0004, 0.01]})],
)
ENVIRONMENT = Environment([("machine", "a | b")])


@pytest.mark.parametrize(
    ("at_most", "values", "met"),
    [(False, [0.5, 1.0, 9], True), (False, [0.9, 0.9, 9], False), (True, [1, 1, 9], True), (True, [0, 2, 2], False)],
)
def test_a_bar_is_met_by_the_median(at_most: bool, values: list[float], met: bool) -> None:
    assert Result(Case("a", "b", 1.0, at_most), values).met is met


def test_values_are_shown_with_their_units() -> None:
    assert [Unit.RATIO.as_text(0.9512), Unit.RATIO.as_text(31.26)] == ["0.951", "31.3"]
    assert [Unit.MEBIBYTES.as_text(23.94), Unit.MILLISECONDS.as_text(5.72)] == ["23.9 MiB", "5.7 ms"]
    assert [Unit.PERCENT.as_text(0.5), Unit.BYTES.as_text(2048)] == ["0.5 %", "2,048 bytes"]
    assert Result(CASES["single"], [0.9, 1.0]).spread == "0.900 to 1.000"


def test_the_table_has_every_bar_and_quick_says_what_it_shortens() -> None:
    second = {"refused-new", "single-naive", "mirrored-cost", "stream-memory", "segment-jitsu2", "bulk-memory"}
    assert set(CASES) - set(MEASURES) == second
    assert set(MEASURES) <= set(CASES)
    assert not FULL.shortened
    assert "12 s instead of 300" in QUICK.shortened
    assert "50,000 streams instead of 100,000" in QUICK.shortened
    assert QUICK.rounds >= 5


def test_a_report_has_bars_rates_latencies_and_charts(tmp_path: Path) -> None:
    path = tmp_path / "results" / "report.md"
    Report(ENVIRONMENT, FINDINGS, [Yardstick("LPUSH", [5.0, 7.0])], ["**Shortened**: all."]).write(path)

    text = path.read_text(encoding="utf-8")
    assert "| 1.460 | 1.430 to 1.470 | at least 1.400 | yes | by processor time 1.45 |" in text
    assert "| 0.6 % | 0.01 % to 0.7 % | at most 0.5 % | **NO** |" in text
    assert "| 1,013 bytes | one round | at most 2,048 bytes | yes |" in text
    assert "| eventscache | 28,750 events | 28,000, 29,500 |" in text
    assert "| naive | 0.50 ms |" in text
    assert "| LPUSH | 6 | 5 to 7 |" in text
    assert r"| machine | a \| b |" in text
    for image in ("report-throughput.svg", "report-latency.svg"):
        assert f"({image})" in text
        assert ET.parse(path.with_name(image)).getroot().tag.endswith("svg")


def test_a_report_of_nothing_has_no_charts(tmp_path: Path) -> None:
    Report(ENVIRONMENT, Findings.empty()).write(tmp_path / "report.md")
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


def test_a_chart_names_its_contenders_and_escapes() -> None:
    drawn = chart.throughput(FINDINGS.contests)
    assert "POST &lt;overload&gt;" in drawn
    assert "28,750" in drawn
    assert drawn.count("<rect") == 3
    assert chart.latency(FINDINGS.latencies).count("<polyline") == 2


def test_rates_and_latencies_are_derived_from_a_measurement() -> None:
    measured = Measured(
        100,
        2.0,
        1.0,
        0.5,
        0.1,
        0,
        LedgerCounts(100, 60, 30, dropped={"queue_full": 10}),
        latencies=[1.0, 2.0, 3.0, 4.0],
    )
    assert (measured.rate, measured.stored_rate, measured.decided_rate) == (50, 30, 45)
    assert (measured.server_us, measured.server_busy) == (10_000, 0.5)
    assert (measured.latency(0.5), measured.latency(1.0)) == (3.0, 4.0)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n" + b'{"status":"ok"}',
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n1\r\n0\r\n0\r\n\r\n",
        b"HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_the_end_of_a_response_is_found_however_it_is_cut(response: bytes, piece: int) -> None:
    failures: list[bool] = []
    connection = LoadConnection(0, lambda ended: failures.append(bool(ended.failure)))
    for count in (1, 2, 3):
        for start in range(0, len(response), piece):
            assert len(failures) == count - 1
            connection.data_received(response[start : start + piece])
        assert len(failures) == count
    assert failures[0] is response.startswith(b"HTTP/1.1 503")


def test_events_have_their_size_and_are_the_same_ones_every_time() -> None:
    events = page_views(5, 1000)
    assert {len(event) for event in events} == {1000}
    assert len(set(events)) == 5
    assert events == page_views(5, 1000)
    for event in events:
        assert parse_events(event, Limits()) == [event]
    with pytest.raises(ValueError, match="at least"):
        page_views(1, 10)


def test_segments_events_have_their_size_and_are_taken() -> None:
    events = segment_events(3, 1000)
    assert {len(event) for event in events} == {1000}
    assert len(set(events)) == 3
    for event in events:
        assert fault_of(event, ANY_TYPE) == ""


FIGURES = Figures("frozen", 24.9, 30.0, 0.5, 0.4, 0.5, 150.0, 1000, 250, True, 0)


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, []),
        ({"p99_ms": 25.0}, ["p99"]),
        ({"longest_read_seconds": 0.51}, ["reads"]),
        ({"first_write_seconds": 0.51}, ["first write"]),
        ({"first_write_seconds": None}, ["first write"]),
        ({"first_write_seconds": None, "asked_seconds": None}, []),
        ({"memory_mb": 151.0}, ["memory"]),
        ({"balanced": False}, ["ledger"]),
        ({"server_errors": 1}, ["5xx"]),
    ],
)
def test_the_figures_of_a_fault_are_compared_with_what_is_asked(changes: dict[str, Any], missed: list[str]) -> None:
    assert msgspec.structs.replace(FIGURES, **changes).misses == missed


def test_the_figures_of_faults_are_put_into_a_document(tmp_path: Path) -> None:
    soak = Soak(600.0, 60, 80.1, 80.9, 9.5, 10.5, 50, 51, 40, 40, 600_000, 60_000, True, 0)
    results = Results([("Redis", "7")], [FIGURES], soak)
    document = tmp_path / "faults.md"
    document.write_text("before\n<!-- figures: begin. Made. -->\nold\n<!-- figures: end -->\nafter\n", encoding="utf-8")
    for _ in range(2):
        write_into(document, results)
    text = document.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- figures: begin. Made. -->\n\nMeasured with Redis 7.\n\n| Redis")
    assert "| frozen | 24.9 ms | 30 ms | 0.50 s | 0.40 s of 0.5 | 150 MB | 25 % | none |\n" in text
    assert "600 s with 60 faults in turn, 600,000 events:\n80.1 MB" in text
    assert text.endswith("\n<!-- figures: end -->\nafter\n")
    assert "old" not in text
    assert msgspec.json.decode(msgspec.json.encode(results), type=Results) == results


def test_the_documentation_has_the_figures_of_every_fault() -> None:
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    assert [name for name in CASES_OF_FAULTS if f"\n| {name} | " not in text] == []


def test_every_make_target_of_the_benchmarks_is_in_their_readme() -> None:
    documentation = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("bench", "bench-quick", "bench-micro", "bench-storage", "faults", "freshness"):
        assert f"make {target}" in documentation
        assert f"\n{target}:" in makefile
    for module in (ROOT / "benchmarks").glob("[a-z]*.py"):
        assert f"`{module.name}`" in documentation, module
