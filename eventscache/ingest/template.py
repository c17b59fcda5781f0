"""A template: members that every event of a body gets, in place of its own of the same names."""

from eventscache.ingest.json import go, strict

Place = tuple[int, int]


class Template:
    """The members of a JSON object, ready to be put into others: the work for an event is that for its own members."""

    def __init__(self, data: bytes) -> None:
        members = {go.text_of(name): b"%b:%b" % (name, value) for name, value in strict.members(data)}
        self._places: dict[str, Place] = {}
        at = 0
        for name, member in members.items():
            self._places[name] = (at, at + len(member))
            at += len(member) + 1
        self._text = b",".join(members.values())

    def merged(self, event: bytes) -> bytes:
        """Return the JSON of an event with these members; its own are in front, in their order."""
        pieces: list[bytes] = []
        replaced: set[Place] = set()
        for name, value in strict.members(event):
            place = self._places.get(go.text_of(name))
            if place is None:
                pieces.append(b"%b:%b" % (name, value))
            elif place not in replaced:
                replaced.add(place)
                pieces.append(self._text[slice(*place)])
        return b"{%b}" % b",".join(pieces + self._without(replaced))

    def _without(self, places: set[Place]) -> list[bytes]:
        """Return the text without some members, in pieces that end before a comma."""
        pieces, at = [], 0
        for start, end in sorted(places):
            if start > at:
                pieces.append(self._text[at : start - 1])
            at = end + 1
        if at < len(self._text):
            pieces.append(self._text[at:])
        return pieces
