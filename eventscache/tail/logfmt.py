"""The format logfmt: `name=value` pairs, with quotation marks and escapes of JSON where a value needs them."""

import msgspec

from eventscache.tail.entry import Entry
from eventscache.tail.entry_format import EntryFormat
from eventscache.tail.shown_text import escape_json


class LogfmtFormat(EntryFormat):
    """All that an entry has but its JSON; what it does not have is left out."""

    def lines(self, entry: Entry) -> str:
        """Return one line."""
        pairs = {
            "time": entry.timestamp,
            "status": entry.status,
            "namespace": entry.namespace,
            "id": entry.stream,
            "type": entry.event_type,
            "event_id": entry.event_id,
            "seq": str(entry.seq),
            "uid": entry.uid,
            "attempt": "" if entry.attempt is None else str(entry.attempt),
            "response_status": "" if entry.response_status is None else str(entry.response_status),
            "error": entry.error,
            "skip": entry.skip,
            "malformed": entry.malformed,
            "summary": entry.summary,
        }
        return " ".join(f"{name}={_value(text)}" for name, text in pairs.items() if text)


def _value(text: str) -> str:
    plain = text.isprintable() and not any(each in '"=\\' or each.isspace() for each in text)
    return text if plain else escape_json(msgspec.json.encode(text).decode()).replace("\t", "\\t")
