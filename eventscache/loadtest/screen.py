"""The live display of a load test, on a terminal."""

from time import perf_counter

from eventscache.errors import ConfigError
from eventscache.loadtest.account import Counts
from eventscache.loadtest.tally import Tally

try:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text
except ImportError:
    raise ConfigError("bench needs more packages: install eventscache[bench]") from None


class Screen:
    """Shows a tally, and what the deployment says; to be entered like a file."""

    def __init__(self, url: str, tally: Tally, console: Console | None = None) -> None:
        self._url = url
        self._tally = tally
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._began = self._last = perf_counter()
        self._answers = 0

    def __enter__(self) -> "Screen":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, counts: Counts | None) -> None:
        """Draw; `counts` is how much more the metrics say than before the test, None if they could not be read."""
        now, tally = perf_counter(), self._tally
        rate = (tally.answers - self._answers) / max(now - self._last, 1e-9)
        self._last, self._answers = now, tally.answers
        table = Table(title=Text(f"{self._url}, {now - self._began:.0f} s"), title_justify="left")
        cells = {
            "answers/s": f"{rate:,.0f}",
            **{f"{name} ms": f"{value:,.2f}" for name, value in tally.latency.summary().items()},
            "stored": f"{counts.stored:,}" if counts else "?",
            "limited": f"{counts.limited:,}" if counts else "?",
            "dropped": f"{sum(counts.dropped.values()):,}" if counts else "?",
            "errors": f"{tally.failures:,}",
        }
        for name in cells:
            table.add_column(name, justify="right")
        table.add_row(*cells.values())
        self._live.update(table, refresh=True)
