"""The names of the keys that are followed: which stream they belong to, and whether they hold its errors only."""

from typing import Final, NamedTuple

from eventscache.errors import InvalidEvent
from eventscache.stream import Namespace, Stream, check_id

LISTS: Final = "events_cache:*"
"""Jitsu classic: `events_cache:{namespace}#{id}`, and with `:error` at the end those of errors."""
LOGS: Final = "events_log:*"
"""Jitsu 2: `events_log:{type}.{level}#{actor}`."""
_ERROR: Final = ":error"
_NAMESPACES: Final = {namespace.value: namespace for namespace in Namespace}
_LOG_TYPES: Final = {
    "incoming": Namespace.TOKEN,
    "bulker_stream": Namespace.DESTINATION,
    "bulker_batch": Namespace.DESTINATION,
}
_LEVELS: Final = {"all": False, "error": True}


class KeyName(NamedTuple):
    """What a key holds: the entries of a stream, or its errors.

    An id can end in `:error` itself: then `whole` is the stream that the key is the list of all entries of, if it is
    not the list of errors of `stream`. Its entries decide. `kind` is the type of a log of Jitsu 2.
    """

    stream: Stream
    errors: bool
    whole: Stream | None = None
    kind: str = ""


def parse_list_name(key: bytes, max_id_bytes: int) -> KeyName | None:
    """Return what a list of Jitsu classic holds; None if it has no such lists, or if the id is not one of ours."""
    namespace, stream_id = _parts(key, "events_cache:")
    if namespace not in _NAMESPACES:
        return None
    whole = _stream(_NAMESPACES[namespace], stream_id, max_id_bytes)
    if whole is None:
        return None
    if not stream_id.endswith(_ERROR) or stream_id == _ERROR:
        return KeyName(whole, errors=False)
    return KeyName(Stream(whole.namespace, stream_id.removesuffix(_ERROR)), errors=True, whole=whole)


def parse_log_name(key: bytes, max_id_bytes: int) -> KeyName | None:
    """Return what a log of Jitsu 2 holds; None if it has no such logs, or if the actor is no id of ours."""
    name, actor = _parts(key, "events_log:")
    kind, _, level = name.partition(".")
    if kind not in _LOG_TYPES or level not in _LEVELS:
        return None
    stream = _stream(_LOG_TYPES[kind], actor, max_id_bytes)
    return KeyName(stream, errors=_LEVELS[level], kind=kind) if stream else None


def _parts(key: bytes, prefix: str) -> tuple[str, str]:
    """Return what stands before the first # and after it, both empty for another key."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return "", ""
    before, separator, after = text.removeprefix(prefix).partition("#")
    return (before, after) if separator and text.startswith(prefix) else ("", "")


def _stream(namespace: Namespace, stream_id: str, max_id_bytes: int) -> Stream | None:
    try:
        return Stream(namespace, check_id(stream_id, max_id_bytes))
    except InvalidEvent:
        return None
