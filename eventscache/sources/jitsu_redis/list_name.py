"""The names of Jitsu's lists: `events_cache:{namespace}#{id}`, and with `:error` at the end those of errors."""

from typing import Final, NamedTuple

from eventscache.errors import InvalidEvent
from eventscache.stream import Namespace, Stream, check_id

PATTERN: Final = "events_cache:*"
_PREFIX: Final = "events_cache:"
_ERROR: Final = ":error"
_NAMESPACES: Final = {namespace.value: namespace for namespace in Namespace}


class ListName(NamedTuple):
    """What a key holds: the entries of a stream, or its errors.

    An id can end in `:error` itself: then `whole` is the stream that the key is the list of all entries of, if it is
    not the list of errors of `stream`. Its entries decide.
    """

    stream: Stream
    errors: bool
    whole: Stream | None = None


def parse_list_name(key: bytes, max_id_bytes: int) -> ListName | None:
    """Return what a key of Redis holds; None if Jitsu has no such lists, or if its id is not one of ours."""
    try:
        text = key.decode()
        namespace, separator, stream_id = text.removeprefix(_PREFIX).partition("#")
        if not (text.startswith(_PREFIX) and separator and namespace in _NAMESPACES):
            return None
        whole = Stream(_NAMESPACES[namespace], check_id(stream_id, max_id_bytes))
        if not stream_id.endswith(_ERROR) or stream_id == _ERROR:
            return ListName(whole, errors=False)
        return ListName(Stream(whole.namespace, stream_id.removesuffix(_ERROR)), errors=True, whole=whole)
    except (UnicodeDecodeError, InvalidEvent):
        return None
