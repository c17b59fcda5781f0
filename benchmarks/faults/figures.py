"""The figures of a fault, what is asked of them, and the table that the documentation shows."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

P99_MS = 25.0
READ_SECONDS = 0.5
MEMORY_MB = 150.0
_BLOCK = re.compile(r"(<!-- figures: begin[^>]*-->\n).*?(<!-- figures: end -->)", re.DOTALL)


class Figures(msgspec.Struct, frozen=True):
    """What was measured of one fault, and how soon after its end something had to be stored (None: not asked).

    Of a failover, `first_write_seconds` is the time from when the master is called down.
    """

    fault: str
    p99_ms: float
    longest_ms: float
    longest_read_seconds: float
    first_write_seconds: float | None
    asked_seconds: float | None
    memory_mb: float
    sent: int
    dropped: int
    balanced: bool
    server_errors: int

    @property
    def misses(self) -> list[str]:
        """The aims that were missed."""
        return [
            what
            for what, met in (
                ("p99", self.p99_ms < P99_MS),
                ("reads", self.longest_read_seconds <= READ_SECONDS),
                ("first write", self._is_soon),
                ("memory", self.memory_mb <= MEMORY_MB),
                ("ledger", self.balanced),
                ("5xx", not self.server_errors),
            )
            if not met
        ]

    @property
    def _is_soon(self) -> bool:
        if self.asked_seconds is None:
            return True
        return self.first_write_seconds is not None and self.first_write_seconds <= self.asked_seconds


class Soak(msgspec.Struct, frozen=True):
    """What a long run with a fault every few seconds took: in the second round of all faults, and in the last."""

    seconds: float
    faults: int
    early_mb: float
    late_mb: float
    early_record_mb: float
    late_record_mb: float
    early_files: int
    late_files: int
    early_tasks: int
    late_tasks: int
    sent: int
    dropped: int
    balanced: bool
    server_errors: int


class Results(msgspec.Struct):
    """All that one run measured, and where."""

    facts: list[tuple[str, str]]
    figures: list[Figures] = []
    soak: Soak | None = None


HEADS = ("Redis, or the way to it", "p99", "longest", "longest GET", "first write", "memory", "dropped", "missed")


def table(results: Results) -> str:
    """Return the figures as Markdown."""
    lines = [HEADS, ["---"] * len(HEADS), *map(_row, results.figures)]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    facts = ", ".join(f"{name} {value}" for name, value in results.facts)
    return f"Measured with {facts}.\n\n{text}{_soak_text(results.soak) if results.soak else ''}"


def _row(figures: Figures) -> Sequence[str]:
    first, asked = figures.first_write_seconds, figures.asked_seconds
    return (
        figures.fault,
        f"{figures.p99_ms:.1f} ms",
        f"{figures.longest_ms:.0f} ms",
        f"{figures.longest_read_seconds:.2f} s",
        "" if first is None else f"{first:.2f} s" + (f" of {asked:g}" if asked else ""),
        f"{figures.memory_mb:.0f} MB",
        f"{100 * figures.dropped / max(1, figures.sent):.0f} %",
        ", ".join(figures.misses) or "none",
    )


def _soak_text(soak: Soak) -> str:
    ledger = "every event was accounted for" if soak.balanced else "THE LEDGER DID NOT ADD UP"
    dropped = 100 * soak.dropped / max(1, soak.sent)
    sentences = [
        f"A run of {soak.seconds:,.0f} s with {soak.faults} faults in turn, {soak.sent:,} events:",
        f"{soak.early_mb:.1f} MB in the second round of all faults and {soak.late_mb:.1f} MB in the last,",
        f"of which the record of events, which is bounded, took {soak.early_record_mb:.1f} and",
        f"{soak.late_record_mb:.1f} MB; {soak.early_files} and {soak.late_files} open files;",
        f"{soak.early_tasks} and {soak.late_tasks} tasks; {soak.server_errors} answers with a 5xx,",
        f"{dropped:.0f} % dropped, and {ledger}.",
    ]
    return "\n" + "\n".join(sentences) + "\n"


def write_into(path: Path, results: Results) -> None:
    """Replace the figures in a document."""
    text = path.read_text(encoding="utf-8")
    if not _BLOCK.search(text):
        raise SystemExit(f"{path} has no place for the figures")
    path.write_text(_BLOCK.sub(lambda found: f"{found[1]}\n{table(results)}\n{found[2]}", text), encoding="utf-8")
