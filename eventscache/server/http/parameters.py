"""Query parameters: read by name and type, and decoded when they are read, so that no other one matters."""

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from urllib.parse import unquote_to_bytes

from eventscache.errors import InvalidEvent
from eventscache.query.event_type import TypeOf
from eventscache.query.field_filter import MOST_FIELDS, FieldFilter, parse_field_filter
from eventscache.query.filter import EventFilter
from eventscache.server.http.request_head import RequestHead
from eventscache.server.http.responses import HttpError
from eventscache.stream import Namespace, Status, Stream, check_id
from eventscache.timestamp import parse_time

_NO_LETTER = re.compile(r"[^a-z]++")
# Names by which the ids of streams may be meant: Jitsu's older ones, and misspelt ones. Only their letters count.
_MEANS_IDS = re.compile(
    r"(?:destination|token|stream|source|key|apikey)?ids?|idss|idds|iids|idz|isd|destinations?|streams?|tokens"
)
_WHOLE_URL = re.compile(r"https?://([^/?#@]*)(?=[/?#]|$)", re.IGNORECASE)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SHOWN_CHARACTERS = 100  # of a name that is not known
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


class Parameters:
    """The parameters of one query string. Each method that reads one raises `HttpError` for a wrong value."""

    def __init__(self, raw: str) -> None:
        self._pairs = [(_name(name), value) for name, value in _raw_pairs(raw)]

    @property
    def names(self) -> list[str]:
        """The names of all parameters in their order, as they were sent where they cannot be decoded."""
        return [name for name, _ in self._pairs]

    def all(self, name: str) -> list[str]:
        """Return all values of a parameter that may be repeated."""
        return [_decode(value, name) for key, value in self._pairs if key == name]

    def require_known(self, known: Collection[str]) -> None:
        """Raise `HttpError` for a parameter that is not among the known ones."""
        for name in self.names:
            if name not in known:
                shown = name[:_SHOWN_CHARACTERS]
                similar = "ids" if _may_mean_ids(shown) else next(iter(get_close_matches(shown, known, 1)), "")
                hint = f"did you mean {similar}?" if similar in known else f"known are {', '.join(known)}"
                raise _invalid(f"the parameter {shown!a} is not known, and nothing was done; {hint}")

    def one(self, name: str) -> str | None:
        """Return the value of a parameter that may occur once."""
        values = self.all(name)
        if len(values) > 1:
            raise _invalid(f"{name} is given more than once; give it once")
        return values[0] if values else None

    def namespace(self) -> Namespace:
        """Return the namespace, by default that of destinations, as in Jitsu."""
        value = self.one("namespace") or Namespace.DESTINATION
        if value not in set(Namespace):
            raise _invalid(f"namespace query parameter can be only 'token' or 'destination'. Current value: {value}")
        return Namespace(value)

    def status(self) -> Status | None:
        """Return the status that is asked for, if there is one."""
        return self._statuses()[0]

    def _statuses(self) -> tuple[Status | None, Status | None]:
        """Return the status that is asked for, and the one that is left out: at most one of them is given."""
        value = self.one("status")
        if not value:
            return None, None
        name = value.removeprefix("-")
        if name not in set(Status):
            known = '"error", "success", "skip"'
            raise _invalid(f"status query parameter can be only {known} or not specified. Current value: {value}")
        return (Status(name), None) if name == value else (None, Status(name))

    def event_filter(self, type_of: TypeOf) -> EventFilter | None:
        """Return the filter that `start`, `end`, `type`, `q` and `field` make, and a status that is left out.

        Return None if none of them is given.
        """
        given = (self.time("start"), self.time("end"), self.one("type") or "", self.one("q") or "")
        rest = (self._fields(), self._statuses()[1])
        return None if (given, rest) == ((None, None, "", ""), ((), None)) else EventFilter(*given, type_of, *rest)

    def _fields(self) -> tuple[FieldFilter, ...]:
        expressions = [text for text in self.all("field") if text]
        if len(expressions) > MOST_FIELDS:
            raise _invalid(f"field is given {len(expressions)} times; at most {MOST_FIELDS} are allowed")
        try:
            return tuple(map(parse_field_filter, expressions))
        except ValueError as fault:
            raise _invalid(f"field: {fault}") from None

    def whole_number(self, name: str, least: int = 0, most: int | None = None) -> int | None:
        """Return a parameter that is a plain decimal number, or None if it is absent or empty."""
        value = self.one(name)
        if not value:
            return None
        if not _WHOLE_NUMBER.fullmatch(value) or int(value) < least or (most is not None and int(value) > most):
            bound = "" if most is None else f" to {most}"
            raise _invalid(f"{name} must be a whole number from {least}{bound}")
        return int(value)

    def seconds(self, name: str, most: int) -> float:
        """Return a parameter that is a decimal number of seconds, 0 if it is absent or empty."""
        value = self.one(name) or "0"
        if not _DECIMAL.fullmatch(value) or float(value) > most:
            raise _invalid(f"{name} must be a number of seconds from 0 to {most}, such as 2.5")
        return float(value)

    def time(self, name: str) -> int | None:
        """Return a time in Unix microseconds, or None if it is absent or empty."""
        value = self.one(name)
        if not value:
            return None
        try:
            return parse_time(value)
        except (ValueError, OverflowError):
            raise _invalid(
                f"{name} must be a time such as 2020-11-30T21:48:12.754000Z, or milliseconds since 1970"
            ) from None

    def choice(self, name: str, *choices: str) -> str:
        """Return a parameter that is one of `choices`, or the first of them if it is absent or empty."""
        value = self.one(name) or choices[0]
        if value not in choices:
            raise _invalid(f"{name} can be only {' or '.join(choice for choice in choices if choice)}")
        return value

    def ids(self, max_ids: int, max_id_bytes: int) -> list[str] | None:
        """Return the ids of `ids`, each once; None if the parameter is absent.

        Another name by which it may be meant is a fault: without `ids`, all streams would be read.
        """
        for name in self.names:
            if name != "ids" and _may_mean_ids(name):
                shown = ascii(name[:_SHOWN_CHARACTERS])
                raise _invalid(f"the parameter {shown} is not known; name streams by ids, separated by commas")
        values = self.all("ids")
        if not values:
            return None
        ids = list(dict.fromkeys(part for value in values for part in value.split(",") if part))
        if len(ids) > max_ids:
            raise _invalid(f"{len(ids)} ids are too many; at most {max_ids} are allowed (eventscache.max_ids)")
        for text in ids:
            _checked_id(text, max_id_bytes)
        return ids

    def stream(self, max_id_bytes: int) -> Stream | None:
        """Return the stream that `namespace` and `id` name, if there is an id."""
        namespace = self.namespace()
        text = self.stream_id("id", max_id_bytes)
        return Stream(namespace, text) if text else None

    def stream_id(self, name: str, max_id_bytes: int) -> str | None:
        """Return a parameter that is the id of a stream, or None if it is absent or empty."""
        text = self.one(name)
        return _checked_id(text, max_id_bytes) if text else None


def _checked_id(text: str, max_id_bytes: int) -> str:
    """Return a valid id; raise `HttpError` for another one."""
    try:
        return check_id(text, max_id_bytes)
    except InvalidEvent as fault:
        raise _invalid(str(fault)) from None


def _invalid(message: str) -> HttpError:
    return HttpError(400, "invalid_parameter", message)


def _may_mean_ids(name: str) -> bool:
    return len(name) <= _SHOWN_CHARACTERS and bool(_MEANS_IDS.fullmatch(_NO_LETTER.sub("", name.lower())))


def _raw_pairs(raw: str) -> Iterator[tuple[str, str]]:
    for part in raw.split("&"):
        if part:
            name, _, value = part.partition("=")
            yield name, value


def pairs_as_in_go(raw: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a query as Jitsu reads it: one with a bad escape or a semicolon is left out.

    Bytes that are not UTF-8 are surrogates.
    """
    for name, value in _raw_pairs(raw):
        if not (";" in name or ";" in value or _BAD_ESCAPE.search(name) or _BAD_ESCAPE.search(value)):
            yield _unquoted(name).decode(errors="surrogateescape"), _unquoted(value).decode(errors="surrogateescape")


def _name(text: str) -> str:
    """Return a decoded name; one that cannot be decoded is the name of no parameter, and stays as it is."""
    if "%" not in text and "+" not in text:
        return text
    try:
        return text if _BAD_ESCAPE.search(text) else _unquoted(text).decode()
    except UnicodeError:
        return text


def _decode(text: str, name: str) -> str:
    """Return the decoded value of a parameter."""
    if "%" not in text and "+" not in text and text.isascii():
        return text
    if _BAD_ESCAPE.search(text):
        raise _invalid(f"{name} holds a % that starts no escape; write %25 for a % itself")
    try:
        return _unquoted(text).decode()
    except UnicodeError:
        raise _invalid(f"{name} is not valid UTF-8") from None


def _unquoted(text: str) -> bytes:
    # The HTTP parser gives bytes that are not UTF-8 as surrogates.
    return unquote_to_bytes(text.replace("+", " ").encode(errors="surrogateescape"))


def path_of(target: str) -> str:
    """Return the path of a request's target, which may be a whole URL without a user; empty for another target."""
    found = _WHOLE_URL.match(target)
    path = (target[found.end() :] if found else target).partition("?")[0]
    return path or "/" if found else (path if path.startswith("/") else "")


def path_parts(request: RequestHead) -> list[str]:
    """Return the decoded parts of a request's path; raise `HttpError` if one cannot be decoded."""
    parts = path_of(request.raw_path).split("/")[1:]
    return [_decode(part.replace("+", "%2B"), "the path") for part in parts]  # a plus is itself in a path


def authority_of(target: str) -> str | None:
    """Return host and port of a target that is a whole URL, and None for a target that is a path."""
    found = _WHOLE_URL.match(target)
    return found[1] if found else None


def raw_query(request: RequestHead) -> str:
    """Return the query string as it was sent."""
    return request.raw_path.partition("?")[2].partition("#")[0]


def parameters(request: RequestHead) -> Parameters:
    """Return the parameters of a request."""
    return Parameters(raw_query(request))
