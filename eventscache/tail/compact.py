"""The shortest format: one line for each event, cut to the width of the terminal."""

from typing import Final

from eventscache.logs import visible
from eventscache.tail.entry import Entry
from eventscache.tail.entry_format import EntryFormat, local_time, shown
from eventscache.tail.shown_text import fit
from eventscache.tail.summary import cut

_LONGEST_TEXT: Final = 200
_FEWEST_COLUMNS: Final = 20
_LONGEST_STATUS: Final = len("malformed")


class CompactFormat(EntryFormat):
    """The time of the day, the status, the stream, the type, and what is most telling."""

    def lines(self, entry: Entry) -> str:
        """Return one line."""
        time = local_time(entry.timestamp)
        moment = time.strftime("%H:%M:%S") if time else fit(shown(entry.timestamp), 8)
        status = self._coloured(f"{entry.status:<{_LONGEST_STATUS}}", entry.status)
        stream, event_type, words = (cut(text, _LONGEST_TEXT) for text in (entry.stream, entry.event_type, entry.words))
        rest = f"{shown(stream)} {shown(event_type)} {visible(words)}".rstrip()
        if self._output.columns:
            rest = fit(rest, max(_FEWEST_COLUMNS, self._output.columns - len(moment) - _LONGEST_STATUS - 2))
        return f"{self._dimmed(moment)} {status} {rest}"
