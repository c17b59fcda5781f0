"""`eventscache tail` from beginning to end."""

from contextlib import aclosing
from typing import Final

import aiohttp

from eventscache.address import Address
from eventscache.clock import Clock
from eventscache.tail.display import Display
from eventscache.tail.formats import JSON, Format, entry_format, json_format
from eventscache.tail.notices import Notices
from eventscache.tail.output import Output, ReaderLeft
from eventscache.tail.push import Push
from eventscache.tail.query import TailQuery
from eventscache.tail.server import Server

_CONNECT_SECONDS: Final = 10.0


async def run(
    address: Address,
    token: str,
    query: TailQuery,
    output: Output,
    *,
    format_name: str,
    follows: bool = False,
    tells_left_out: bool = False,
    clock: Clock | None = None,
) -> None:
    """Show events; return when the cached ones were shown, or with `follows` when nobody reads the output any more.

    Raises `TailError`.
    """
    notices = Notices(as_json=format_name == JSON)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
    try:
        async with output.watched(), aiohttp.ClientSession(timeout=timeout) as session:
            server = Server(address, token, session)
            display = Display(
                output,
                notices,
                await _format(format_name, output, server),
                query.history,
                follows=follows,
                names_streams=bool(query.ids),
                tells_left_out=tells_left_out,
            )
            push = Push(server, query, notices, reconnects=follows, clock=clock)
            async with aclosing(push.messages()) as pieces:
                async for messages in pieces:
                    for message in messages:
                        display.show(message)
                    output.flush()
                    if display.ready and not follows:
                        return
    except ReaderLeft:
        return


async def _format(name: str, output: Output, server: Server) -> Format:
    return json_format(output) if name == JSON else entry_format(name, output, await server.type_of())
