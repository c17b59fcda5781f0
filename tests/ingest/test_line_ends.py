import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscache.errors import InvalidEvent
from eventscache.ingest.form import FormFile
from eventscache.ingest.line_ends import LineEnds

BOUNDARY = b"xyz"
HEAD = b'Content-Disposition: form-data; name="file"; filename="f"'


def form(content: bytes, line_end: bytes = b"\n") -> bytes:
    other = b'Content-Disposition: form-data; name="other"'
    lines = (b"--xyz", other, b"", b"1", b"--xyz", HEAD, b"Content-Type: text/plain", b"", content, b"--xyz--", b"")
    return line_end.join(lines)


def content_of(sent: bytes, piece_bytes: int) -> bytes:
    file = FormFile("multipart/form-data; boundary=xyz", "file")
    content = b"".join(file.feed(sent[at : at + piece_bytes]) for at in range(0, len(sent), piece_bytes))
    file.end()
    return content


@given(
    st.lists(st.sampled_from([b"\n", b"\r", b"--xy", b"--xyz", b"-", b"a", b"\0\xff"])).map(b"".join),
    st.integers(1, 200),
)
def test_content_stays_as_it_is_in_pieces_of_any_size(content: bytes, piece_bytes: int) -> None:
    for line_end in (b"\n", b"\r\n"):
        ends_part = any(
            line_end + b"--xyz" + after in line_end + content + line_end for after in (b"\r", b"\n", b"-", b" ", b"\t")
        )
        if not ends_part:
            assert content_of(form(content, line_end), piece_bytes) == content


def test_a_form_may_end_without_a_line_end() -> None:
    assert content_of(form(b'{"n":1}\n{"n":2}').removesuffix(b"\n"), 5) == b'{"n":1}\n{"n":2}'


def test_a_form_whose_first_line_is_as_it_should_be_stays_as_it_is() -> None:
    sent = b"--xyz\r\n" + form(b"a\n--xyz\nb")
    assert LineEnds(BOUNDARY).feed(sent) == sent


def test_what_only_begins_like_the_boundary_is_content() -> None:
    assert content_of(form(b"a\n--xyzw\n--xy"), 1) == b"a\n--xyzw\n--xy"


def test_blanks_after_the_boundary_are_no_content() -> None:
    assert content_of(form(b"a").replace(b"--xyz\n", b"--xyz \t\n").replace(b"--xyz \t\n", b"--xyz\n", 1), 3) == b"a"


def test_a_line_of_a_head_is_bounded() -> None:
    with pytest.raises(InvalidEvent, match="message too large"):
        LineEnds(BOUNDARY).feed(b"--xyz\n" + b"a" * 20_000)
