"""Query parameters: decoded strictly, and read by name and type."""

import re
from urllib.parse import unquote_to_bytes

from aiohttp import web

from eventscache.errors import InvalidEvent
from eventscache.query.filter import EventFilter
from eventscache.server.http.responses import HttpError
from eventscache.stream import Namespace, Status, Stream, check_id
from eventscache.timestamp import parse_time

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


class Parameters:
    """The parameters of one query string. Each method that reads one raises `HttpError` for a wrong value."""

    def __init__(self, raw: str) -> None:
        self.pairs: list[tuple[str, str]] = []
        for part in raw.split("&"):
            if part:
                name, _, value = part.partition("=")
                self.pairs.append((_decode(name), _decode(value)))

    def all(self, name: str) -> list[str]:
        """Return all values of a parameter that may be repeated."""
        return [value for key, value in self.pairs if key == name]

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
        """Return the status filter, if there is one."""
        value = self.one("status")
        if not value:
            return None
        if value not in set(Status):
            known = '"error", "success", "skip"'
            raise _invalid(f"status query parameter can be only {known} or not specified. Current value: {value}")
        return Status(value)

    def event_filter(self) -> EventFilter | None:
        """Return the filter that `start`, `end`, `type` and `q` make, or None if none of them is given."""
        event_filter = EventFilter(self.time("start"), self.time("end"), self.one("type") or "", self.one("q") or "")
        return None if event_filter == EventFilter() else event_filter

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
        """Return the ids of `ids`, each once; None if the parameter is absent."""
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
        text = self.one("id")
        namespace = self.namespace()
        return Stream(namespace, _checked_id(text, max_id_bytes)) if text else None


def _checked_id(text: str, max_id_bytes: int) -> str:
    """Return a valid id; raise `HttpError` for another one."""
    try:
        return check_id(text, max_id_bytes)
    except InvalidEvent as fault:
        raise _invalid(str(fault)) from None


def _invalid(message: str) -> HttpError:
    return HttpError(400, "invalid_parameter", message)


def _decode(text: str) -> str:
    if "%" not in text and "+" not in text and text.isascii():
        return text
    if _BAD_ESCAPE.search(text):
        raise _invalid("the query holds a % that starts no escape")
    try:
        # The HTTP parser gives bytes that are not UTF-8 as surrogates.
        return unquote_to_bytes(text.replace("+", " ").encode(errors="surrogateescape")).decode()
    except UnicodeError:
        raise _invalid("the query is not valid UTF-8") from None


def raw_query(request: web.BaseRequest) -> str:
    """Return the query string as it was sent."""
    return request.raw_path.partition("?")[2].partition("#")[0]


def parameters(request: web.BaseRequest) -> Parameters:
    """Return the parameters of a request."""
    return Parameters(raw_query(request))
