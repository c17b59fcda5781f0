"""Shows what a push brings: events on the output, everything else in words beside it."""

from typing import Any, Final

import msgspec

from eventscache.query.members import decoded
from eventscache.tail.faults import TailError
from eventscache.tail.formats import Format
from eventscache.tail.history import History
from eventscache.tail.notices import Notices
from eventscache.tail.output import Output
from eventscache.tail.sse import Message

_MOST_STREAMS: Final = 100  # that the server follows where none are named


class _Data(msgspec.Struct):
    namespace: str = ""
    id: str = ""
    at_most: int | None = None
    streams: int = 0


_data: Final = msgspec.json.Decoder(_Data).decode


class Display:
    """Shows the newest `history` events in the order of their times, then each event as it comes.

    `ready` is true when the history was shown. `follows`: what comes later is shown too. `names_streams`: the events
    are those of named streams. `tells_left_out`: it says so if not all cached events are among the newest.
    """

    def __init__(
        self,
        output: Output,
        notices: Notices,
        render: Format,
        history: int,
        *,
        follows: bool,
        names_streams: bool,
        tells_left_out: bool,
    ) -> None:
        self.ready = False
        self._output = output
        self._notices = notices
        self._render = render
        self._history = History(history)
        self._most = history
        self._follows = follows
        self._tells_streams = not names_streams
        self._tells_left_out = tells_left_out

    def show(self, message: Message) -> None:
        """Show a message, or nothing if it is of an unknown kind."""
        match message.event:
            case "event" if self.ready:
                self._output.write(self._render(message.data))
            case "event":
                self._history.add(message.data)
            case "ready" if not self.ready:  # it comes again behind what a lost connection missed
                self._show_history()
            case "away" if not self._follows:
                raise TailError("the storage does not answer")
            case kind:
                self._say(kind, decoded(_data, message.data) or _Data())

    def _show_history(self) -> None:
        self.ready = True
        for data in self._history.take():
            self._output.write(self._render(data))
        if self._tells_left_out and self._history.came >= self._most:
            self._note("left_out", f"these are the newest {self._most} events; there may be older ones")

    def _say(self, kind: str, data: _Data) -> None:
        stream = f"{data.namespace} {data.id}"
        named: dict[str, Any] = {"namespace": data.namespace, "id": data.id}
        match kind:
            case "gap" if data.at_most is None:
                words = f"{stream}: the numbers began again, so events from before may be missing"
                self._note("restart", words, **named)
            case "gap":
                words = f"{stream}: at most {data.at_most} events may be missing here"
                self._note("gap", words, **named, at_most=data.at_most)
            case "cleared":
                self._note("cleared", f"{stream}: its events were removed", **named)
            case "away":
                self._note("away", "the storage does not answer; new events are shown when it does")
            case "back":
                self._note("storage_back", "the storage answers again")
            case "counters" if self._tells_streams and data.streams >= _MOST_STREAMS:
                self._tells_streams = False
                words = f"only the {_MOST_STREAMS} streams with the latest events are shown; --id names others"
                self._note("streams", words)

    def _note(self, kind: str, words: str, **fields: Any) -> None:
        self._output.flush()
        self._notices.say(kind, words, **fields)
