"""How the events of a request are taken."""

from aiohttp import web

from eventscache.ingest.limits import BatchTooLarge
from eventscache.ingest.parsed import Parser
from eventscache.server.context import Context
from eventscache.server.http.body import MalformedBody
from eventscache.server.http.responses import HttpError
from eventscache.server.ingestion.senders import Sender
from eventscache.server.rejections import keep_malformed, reject_unread


def take_whole(context: Context, body: bytes, sender: Sender, parser: Parser) -> bool:
    """Take the originals that a parser finds in a plain body, if that can be done at once; else return False.

    Raises `InvalidEvent` for a body that cannot be parsed. Nothing is counted then, and nothing if it returns False.
    """
    parsed = context.bodies.parse_whole(body, parser, sender.stream, sender.half)
    return parsed is not None and context.cache.offer_originals_at_once(
        sender.stream, parsed.originals, sender.producer, sender.scope
    )


async def take_body(context: Context, request: web.BaseRequest, sender: Sender, parser: Parser) -> None:
    """Take the originals that a parser finds in a body.

    Raises `HttpError` for a body that is not read, which is counted, and for one that cannot be parsed, which is kept.
    A full queue is counted, and changes no response: the cache must not slow down Jitsu.
    """
    cache = context.cache
    try:
        parsed = context.bodies.parse_at_once(request, parser, sender.stream, sender.half)  # a coroutine costs 1 %
        if parsed is None:
            parsed = await context.bodies.parse(request, parser, sender.stream, sender.half)
    except (HttpError, BatchTooLarge) as fault:
        raise reject_unread(cache, fault) from None
    except MalformedBody as fault:
        max_bytes = min(context.limits.max_malformed_bytes, context.limits.max_event_bytes)
        await keep_malformed(
            cache,
            sender.stream,
            fault.body,
            str(fault),
            sender.producer,
            max_bytes=max_bytes,
            half=sender.half,
            scope=sender.scope,
        )
        raise HttpError(400, "malformed_body", f"Error parsing events body: {fault}") from None
    await cache.offer_originals_in_turns(sender.stream, parsed.originals, sender.producer, sender.scope)
