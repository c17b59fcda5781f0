"""Forms of `multipart/form-data` for tests."""

BOUNDARY = b"----boundary9f3"
FORM = f"multipart/form-data; boundary={BOUNDARY.decode()}"
HEAD = b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n'
END = b"--" + BOUNDARY + b"--\r\n"


def part(content: bytes, name: bytes = b"file", file_name: bytes = b"events.log") -> bytes:
    """Return a part of a form; without a file name it is a plain field."""
    named = b'; filename="%b"' % file_name if file_name else b""
    return HEAD % (BOUNDARY, name, named) + content + b"\r\n"


def form(content: bytes) -> bytes:
    """Return a form with a file."""
    return part(content) + END
