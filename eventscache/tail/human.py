"""The format for people: a line for each event in columns, and below it why it failed or was skipped."""

from collections.abc import Iterator
from typing import Final

from eventscache.logs import visible
from eventscache.tail.entry import Entry
from eventscache.tail.entry_format import NOTHING, EntryFormat, local_time, shown
from eventscache.tail.output import Output
from eventscache.tail.shown_text import columns_of, fit, pad
from eventscache.tail.summary import cut

_TIME: Final = "%m-%d %H:%M:%S.%f"
_TIME_COLUMNS: Final = len("11-23 21:18:53.893")
_STATUS_COLUMNS: Final = len("malformed")
_MOST_COLUMNS: Final = (24, 20, 36)  # of stream, type and event id
_LONGEST_NAME: Final = 200
_LONGEST_TEXT: Final = 2000
_FEWEST_COLUMNS: Final = 20


class HumanFormat(EntryFormat):
    """Columns grow with what is in them, up to a bound."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._columns = [1, 1, 1]

    def lines(self, entry: Entry) -> str:
        """Return one line, and a line for each reason."""
        return "\n".join([self._first_line(entry), *self._reasons(entry)])

    def _first_line(self, entry: Entry) -> str:
        time = local_time(entry.timestamp)
        moment = time.strftime(_TIME)[:-3] if time else fit(shown(entry.timestamp), _TIME_COLUMNS)
        texts = [shown(cut(text, _LONGEST_NAME)) for text in (entry.stream, entry.event_type, entry.event_id)]
        if self._output.columns:
            texts = [fit(text, most) for text, most in zip(texts, _MOST_COLUMNS, strict=True)]
        self._columns = [
            max(known, min(columns_of(text), most))
            for known, text, most in zip(self._columns, texts, _MOST_COLUMNS, strict=True)
        ]
        before = "  ".join(pad(text, columns) for text, columns in zip(texts, self._columns, strict=True))
        words = visible(cut(entry.summary or entry.malformed or NOTHING, _LONGEST_TEXT))
        status = self._coloured(pad(entry.status, _STATUS_COLUMNS), entry.status)
        rest = f"{before}  {words}"
        if self._output.columns:
            taken = len(moment) + _STATUS_COLUMNS + 4
            rest = fit(rest, max(_FEWEST_COLUMNS, self._output.columns - taken))
        return f"{self._dimmed(moment)}  {status}  {rest}"

    def _reasons(self, entry: Entry) -> Iterator[str]:
        attempt = f"attempt {entry.attempt}, " if entry.attempt is not None else ""
        answer = f"HTTP {entry.response_status}, " if entry.response_status is not None else ""
        if entry.error:
            words = f"    {attempt}{answer}error: {visible(cut(entry.error, _LONGEST_TEXT))}"
            yield self._coloured(words, "error")
        if entry.skip:
            yield self._coloured(f"    {attempt}{answer}skipped: {visible(cut(entry.skip, _LONGEST_TEXT))}", "skip")
