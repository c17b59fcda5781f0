"""What Go's `encoding/json` takes, read byte by byte: slow, and written without a look at the readers under test."""

WHITE_SPACE = b" \t\r\n"
DIGITS = b"0123456789"
HEX = b"0123456789abcdefABCDEF"
NAMED = {7: r"\a", 8: r"\b", 9: r"\t", 10: r"\n", 11: r"\v", 12: r"\f", 13: r"\r", ord("'"): r"\'", ord("\\"): r"\\"}


class GoFault(Exception):
    """The words of Go for what is wrong."""


def go_end(data: bytes) -> int:
    """Return where the value ends that begins with the first byte; raise `GoFault`."""
    return _Reader(data).value(0)


def go_text(data: bytes) -> str:
    """Return the characters of bytes: U+FFFD for each byte that begins none (`utf8.DecodeRune`)."""
    found, at = [], 0
    while at < len(data):
        for length in (1, 2, 3, 4):
            try:
                found.append(data[at : at + length].decode("utf-8"))
                at += length
                break
            except UnicodeDecodeError:
                continue
        else:
            found.append("\ufffd")
            at += 1
    return "".join(found)


def _named(byte: int) -> str:
    if byte in NAMED:
        return f"'{NAMED[byte]}'"
    if byte < 0x20 or byte == 0x7F:
        return f"'\\x{byte:02x}'"
    if 0x80 <= byte <= 0xA0 or byte == 0xAD:
        return f"'\\u{byte:04x}'"
    return f"'{chr(byte)}'"


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def byte(self, at: int) -> int:
        if at >= len(self.data):
            raise GoFault("unexpected EOF")
        return self.data[at]

    def fail(self, at: int, what: str) -> GoFault:
        return GoFault(f"invalid character {_named(self.byte(at))} {what}")

    def space(self, at: int) -> int:
        while self.byte(at) in WHITE_SPACE:
            at += 1
        return at

    def value(self, at: int) -> int:
        at = self.space(at)
        first = self.byte(at)
        if first == ord("{"):
            return self.object(at + 1)
        if first == ord("["):
            return self.array(at + 1)
        if first == ord('"'):
            return self.string(at + 1)
        for word in (b"true", b"false", b"null"):
            if first == word[0]:
                for index in range(1, len(word)):
                    if self.byte(at + index) != word[index]:
                        what = f"in literal {word.decode()} (expecting '{chr(word[index])}')"
                        raise self.fail(at + index, what)
                return at + len(word)
        if first == ord("-") or first in DIGITS:
            return self.number(at)
        raise self.fail(at, "looking for beginning of value")

    def object(self, at: int) -> int:
        at = self.space(at)
        if self.byte(at) == ord("}"):
            return at + 1
        while True:
            at = self.space(at)
            if self.byte(at) != ord('"'):
                raise self.fail(at, "looking for beginning of object key string")
            at = self.space(self.string(at + 1))
            if self.byte(at) != ord(":"):
                raise self.fail(at, "after object key")
            at = self.space(self.value(at + 1))
            if self.byte(at) == ord("}"):
                return at + 1
            if self.byte(at) != ord(","):
                raise self.fail(at, "after object key:value pair")
            at += 1

    def array(self, at: int) -> int:
        at = self.space(at)
        if self.byte(at) == ord("]"):
            return at + 1
        while True:
            at = self.space(self.value(at))
            if self.byte(at) == ord("]"):
                return at + 1
            if self.byte(at) != ord(","):
                raise self.fail(at, "after array element")
            at += 1

    def string(self, at: int) -> int:
        while (byte := self.byte(at)) != ord('"'):
            at += 1
            if byte < 0x20:
                raise self.fail(at - 1, "in string literal")
            if byte == ord("\\"):
                if self.byte(at) == ord("u"):
                    for index in range(1, 5):
                        if self.byte(at + index) not in HEX:
                            raise self.fail(at + index, "in \\u hexadecimal character escape")
                    at += 4
                elif self.byte(at) not in b'"\\/bfnrt':
                    raise self.fail(at, "in string escape code")
                at += 1
        return at + 1

    def digits(self, at: int, what: str) -> int:
        if self.byte(at) not in DIGITS:
            raise self.fail(at, what)
        while self.byte(at) in DIGITS:
            at += 1
        return at

    def number(self, at: int) -> int:
        if self.byte(at) == ord("-"):
            at += 1
        at = at + 1 if self.byte(at) == ord("0") else self.digits(at, "in numeric literal")
        if self.byte(at) == ord("."):
            at = self.digits(at + 1, "after decimal point in numeric literal")
        if self.byte(at) in b"eE":
            at += 1 + (self.byte(at + 1) in b"+-")
            at = self.digits(at, "in exponent of numeric literal")
        return at
