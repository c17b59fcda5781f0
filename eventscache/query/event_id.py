"""The event id, by which the entries of one event are joined."""

import msgspec

from eventscache.event import Event
from eventscache.query.members import decoded, name_or_number, text_of

_NOTHING = msgspec.Raw()


class _Context(msgspec.Struct):
    event_id: msgspec.Raw = _NOTHING


class _Ids(msgspec.Struct):
    """The places of the event id, and the `body` of what Jitsu 2 logs of an incoming event."""

    eventn_ctx: msgspec.Raw = _NOTHING
    eventn_ctx_flat: msgspec.Raw = msgspec.field(default=_NOTHING, name="eventn_ctx.event_id")
    eventn_ctx_event_id: msgspec.Raw = _NOTHING
    event_id: msgspec.Raw = _NOTHING
    messageId: msgspec.Raw = _NOTHING  # noqa: N815 - Segment's name, and Jitsu 2's
    message_id: msgspec.Raw = _NOTHING
    body: msgspec.Raw = _NOTHING


_ids = msgspec.json.Decoder(_Ids).decode
_context = msgspec.json.Decoder(_Context).decode


def event_id(event: Event) -> str:
    """Return the event id, or an empty text if there is none.

    It is the first that is not empty of `eventn_ctx.event_id`, `eventn_ctx_event_id`, `event_id` (Jitsu's places, in
    Jitsu's order), `messageId` (Segment's, and Jitsu 2's), `message_id` (its column in Jitsu 2), then of the same in an
    object or text `body` (Jitsu 2's log of incoming events). A number counts as the text it is written with. An event
    that Jitsu could not process is `malformed`, and may be valid JSON all the same. Broken JSON has no id.
    """
    return _event_id(event.original or event.malformed.encode(errors="replace"))


def _event_id(data: bytes, *, with_body: bool = True) -> str:
    ids = decoded(_ids, data) if data else None
    if ids is None:
        return ""
    context = decoded(_context, ids.eventn_ctx) if ids.eventn_ctx != _NOTHING else None
    for value in (
        context.event_id if context else _NOTHING,
        ids.eventn_ctx_flat,
        ids.eventn_ctx_event_id,
        ids.event_id,
        ids.messageId,
        ids.message_id,
    ):
        if value != _NOTHING and (found := name_or_number(value)):
            return found
    body = bytes(ids.body) if with_body else b""
    if body.startswith(b'"'):
        body = (text_of(body) or "").encode(errors="replace")
    return _event_id(body, with_body=False) if body.startswith(b"{") else ""
