"""The registry of formats: every parser has one signature and one result."""

import importlib
import inspect
import pkgutil

import msgpack
import pytest

from eventscache import ingest
from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.ingest import formats
from eventscache.ingest.limits import Limits
from eventscache.ingest.parsed import Parsed, Parser
from eventscache.stream import Namespace, Stream

STREAM = Stream(Namespace.TOKEN, "key")
RECORD = b'{"original":{"n":1}}'


@pytest.mark.parametrize("content_type", formats.NATIVE)
def test_native_records_are_of_the_default_stream_unless_they_name_another(content_type: str) -> None:
    body = msgpack.packb({"original": b'{"n":1}'}) if content_type.endswith("msgpack") else RECORD
    event = Event.of(STREAM, original=b'{"n":1}')
    assert formats.NATIVE[content_type](body, STREAM, Limits()) == Parsed((), [(STREAM, event)], [], 0, [])


def test_jitsus_bodies_are_originals_of_the_default_stream() -> None:
    parsed = formats.JITSU(b'[{"n":1},{"n":2}]', STREAM, Limits())
    assert ([*parsed.originals], parsed.records, parsed.errors) == ([b'{"n":1}', b'{"n":2}'], (), ())


@pytest.mark.parametrize("parser", formats.PARSERS)
def test_an_empty_body_is_invalid_in_every_format(parser: Parser) -> None:
    with pytest.raises(InvalidEvent):
        parser(b"", STREAM, Limits())


def test_every_parser_is_registered() -> None:
    names = [module.name for module in pkgutil.iter_modules(ingest.__path__, "eventscache.ingest.") if not module.ispkg]
    parsers = {
        value
        for module in map(importlib.import_module, names)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and not name.startswith("_")
        if value.__annotations__.get("return") is Parsed and value.__annotations__.get("body") is bytes
    }
    assert parsers == set(formats.PARSERS)
