"""HTTP responses are parsed from the pieces in which they arrive."""

import pytest

from eventscache.loadtest.response import Response, ResponseReader

PLAIN = b"HTTP/1.1 202 Accepted\r\ncontent-LENGTH: 2\r\nX: y\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
TRAILERS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\nZ: z\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
CLOSING = b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
OLD = b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"
OLD_KEEP_ALIVE = b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\na"
EXPECTED = {
    PLAIN: Response(202, b"ok", True),
    CHUNKED: Response(200, b"abc0123456789", True),
    TRAILERS: Response(200, b"a", True),
    EMPTY: Response(204, b"", True),
    CLOSING: Response(503, b"", False),
    OLD: Response(200, b"a", False),
    OLD_KEEP_ALIVE: Response(200, b"a", True),
    b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN: Response(202, b"ok", True),
    PLAIN + b"more": Response(202, b"ok", False),
}


@pytest.mark.parametrize("data", EXPECTED)
def test_a_response_is_read_from_one_piece(data: bytes) -> None:
    assert ResponseReader().feed(data) == EXPECTED[data]


@pytest.mark.parametrize("data", [data for data in EXPECTED if not data.endswith(b"more")])
def test_a_response_is_read_byte_by_byte_and_so_is_the_next(data: bytes) -> None:
    reader = ResponseReader()
    for _ in range(2):
        responses = [reader.feed(data[n : n + 1]) for n in range(len(data))]
        assert responses == [None] * (len(data) - 1) + [EXPECTED[data]]


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.1 200 OK\r\n\r\nhalf ") is None
    assert reader.feed(b"whole") is None
    assert reader.end() == Response(200, b"half whole", False)


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\n", PLAIN[:-1], CHUNKED[:-3]])
def test_an_incomplete_response_is_none(data: bytes) -> None:
    reader = ResponseReader()
    assert reader.feed(data) is None
    assert reader.end() is None


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    ],
)
def test_other_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"HTTP|head|invalid literal"):
        ResponseReader().feed(data)
