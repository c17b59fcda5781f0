"""The sidecar with one change: events that are read are parsed and encoded again, instead of splicing stored bytes.

python -m benchmarks.reencode serve --port 0
"""

import json
from typing import Any

from eventscache.cache import splicing
from eventscache.cli.main import main
from eventscache.event import Event


def to_json(self: Event, sequence: int) -> bytes:
    """Return the same as `Event.to_json`, by parsing and encoding."""
    value: dict[str, Any] = {}
    if self.malformed:
        value["malformed"] = self.malformed
    for name in ("original", "success"):
        if packed := getattr(self, name):
            value[name] = json.loads(packed)
    for name in ("error", "skip", "timestamp", "uid"):
        if text := getattr(self, name):
            value[name] = text
    value |= {"destination_id": self.destination_id, "token_id": self.token_id, "seq": sequence}
    return json.dumps(value).encode()


if __name__ == "__main__":
    Event.to_json = to_json  # type: ignore[method-assign]
    splicing.splice = splicing.splice_objects
    main()
