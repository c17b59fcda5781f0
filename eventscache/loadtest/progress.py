"""The progress of a load test, shown on a terminal."""

from time import perf_counter

from eventscache.errors import ConfigError
from eventscache.loadtest.ledger import LedgerCounts
from eventscache.loadtest.request_counts import RequestCounts

try:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text
except ImportError:
    raise ConfigError("bench needs more packages: install eventscache[bench]") from None


class ProgressTable:
    """A table of our counts and the server's, drawn again in place. A context manager."""

    def __init__(self, url: str, requests: RequestCounts, console: Console | None = None) -> None:
        self._url = url
        self._requests = requests
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._began = self._last = perf_counter()
        self._answered = 0

    def __enter__(self) -> "ProgressTable":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, ledger: LedgerCounts | None) -> None:
        """Draw; `ledger` is the growth of the server's counts since the start, None if they could not be read."""
        now, requests = perf_counter(), self._requests
        rate = (requests.answered - self._answered) / max(now - self._last, 1e-9)
        self._last, self._answered = now, requests.answered
        table = Table(title=Text(f"{self._url}, {now - self._began:.0f} s"), title_justify="left")
        cells = {
            "answers/s": f"{rate:,.0f}",
            **{f"{name} ms": f"{value:,.2f}" for name, value in requests.latency.summary().items()},
            "stored": f"{ledger.stored:,}" if ledger else "?",
            "limited": f"{ledger.limited:,}" if ledger else "?",
            "dropped": f"{ledger.all_dropped:,}" if ledger else "?",
            "errors": f"{requests.failures:,}",
        }
        for name in cells:
            table.add_column(name, justify="right")
        table.add_row(*cells.values())
        self._live.update(table, refresh=True)
