"""The template of an error message: what stays the same when the same fault comes again.

Numbers, times, addresses and ids become a word such as `<number>`; what stands in quotes or brackets becomes `…`.
It reads a message once, token by token, so it takes time in proportion to the message, however that is made.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

LONGEST_MESSAGE: Final = 4096
"""How many characters of a message are looked at."""
LONGEST_TEMPLATE: Final = 300
"""How many characters a template has at most."""
_VARIES = "…"
_PLACES = {name: f"<{name}>" for name in ("number", "time", "id", "address", "email")}
_BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HALF = re.compile(r"[\ud800-\udfff]")
# A quote ends where no word goes on, so the apostrophe of "can't" neither begins nor ends a value. A backslash keeps it
# from ending.
_QUOTE_ENDS = {
    "'": re.compile(r"(?<!\\)'(?!\w)"),
    '"': re.compile(r'(?<!\\)"'),
    "`": re.compile(r"`"),
    "“": re.compile(r"”"),
}
# Short words with a space behind them are nothing else, and most of a message: taken together, they take half the time.
# A day may begin a time, and twelve letters may be hexadecimal.
# Only the first names are tried where they do not match in the end, and these have bounds. A word and a number take
# whatever follows.
_TOKEN = re.compile(
    r"""
    (?P<plain>(?<!\w)(?:(?!(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b)[A-Za-z]{1,11}+[ ])++)
    |(?P<url>(?<!\w)[A-Za-z][A-Za-z0-9+]{1,20}+://[^\s"'`<>()\[\]{}]++)
    |(?P<email>(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})
    |(?P<id>(?<!\w)(?:
        [0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}
        |0[xX][0-9a-fA-F]{1,128}
        |(?=\d{0,127}[a-fA-F])[0-9a-fA-F]{12,128}
    )(?!\w))
    |(?P<time>(?<!\w)(?:
        (?:\d{4}-\d\d-\d\d|\d{4}/\d\d/\d\d)(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?
            (?:[ ]?(?:Z|[+-]\d\d:?\d\d))?)?
        |(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?[ ](?:\d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4}|[A-Z][a-z]{2}[ ]\d{1,2})
            [ ]\d\d:\d\d:\d\d(?:[ ][+-]\d{4})?(?:[ ]\d{4})?
        |\d\d:\d\d:\d\d(?:[.,]\d{1,9})?
    )(?:[ ](?:UTC|GMT))?(?!\w))
    |(?P<address>(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?!\.?\w))
    |(?P<number>(?:(?<!\w)[+-])?(?<!\w)\.?\d\w*+(?:(?:[.,]|(?<=[eE])[+-])\d\w*+)*+%?)
    |(?P<word>\w++)
    |(?P<quote>(?<!\w)['"`“])
    |(?P<opens><(?=[\w/!?])|[(\[{])
    |(?P<closes>(?<![\s=-])>|[)\]}])
    """,
    re.VERBOSE,
)
_END_OF_HOST = re.compile(r"[/?#]")
_ID_CHARACTERS = 16
_ID_DIGITS = 3
# The day or the number of a shard at the end of a name, as in events_20201130: a version such as _v2 stays.
_NUMBER_IN_NAME = re.compile(r"(?<=_)\d{4,20}(?![^\W_])")


def template(message: str) -> str:
    """Return a message without what varies, as one line of at most `LONGEST_TEMPLATE` characters of valid Unicode.

    Numbers (with sign and unit), times, ids (UUIDs, hexadecimal and other long mixtures of letters and digits), IPv4
    and e-mail addresses become a word in `<>`. Of a URL its scheme and host stay. What is in quotes or brackets becomes
    `…`. Digits inside a word stay: INT64, utf8. A message of nothing but quotes and brackets keeps what is in them.
    """
    text = _one_line(message[:LONGEST_MESSAGE])
    parts = _Parts()
    parts.take(text, cut=len(message) > LONGEST_MESSAGE)
    if not parts.has_words:
        parts = _Parts(inside=True)
        parts.take(text)
    return "".join(parts.texts)[:LONGEST_TEMPLATE].rstrip()


def _one_line(text: str) -> str:
    return " ".join(_HALF.sub("\ufffd", _CONTROL.sub(" ", text)).split())


class _Opened(NamedTuple):
    closer: str
    at: int  # the place of the opening bracket in the texts


class _Parts:
    """The parts of a template; with `inside` those in quotes and brackets too."""

    def __init__(self, *, inside: bool = False) -> None:
        self.texts: list[str] = []
        self._inside = inside
        self._opened: list[_Opened] = []
        self._awaited: Counter[str] = Counter()

    @property
    def has_words(self) -> bool:
        """Whether something is left that tells one fault from another."""
        return any(character.isalpha() for text in self.texts if text not in _PLACES.values() for character in text)

    def take(self, text: str, *, cut: bool = False) -> None:
        """Add a text; if it was cut, what is open at its end counts as closed."""
        for kind, token in _tokens(text, quotes=not self._inside):
            if kind == "opens" and not self._inside:
                self._open(token)
            elif kind == "closes" and not self._inside:
                self._close(token)
            else:
                self.texts.append(_shown(kind, token))
        if cut and self._opened:
            self.texts[self._opened[0].at + 1 :] = [_VARIES]

    def _open(self, bracket: str) -> None:
        self._opened.append(_Opened(_BRACKETS[bracket], len(self.texts)))
        self._awaited[_BRACKETS[bracket]] += 1
        self.texts.append(bracket)

    def _close(self, bracket: str) -> None:
        if self._awaited[bracket]:
            self.texts[self._forget_until(bracket) + 1 :] = [_VARIES]
        self.texts.append(bracket)

    def _forget_until(self, bracket: str) -> int:
        """Return where the last bracket that this one closes was opened; others in between are a part of the value."""
        while True:
            opened = self._opened.pop()
            self._awaited[opened.closer] -= 1
            if opened.closer == bracket:
                return opened.at


def _tokens(text: str, *, quotes: bool) -> Iterator[tuple[str, str]]:
    """Yield each token and what is between them, with its kind: `value` is what is in quotes, with them."""
    at = 0
    never_end: set[str] = set()  # without it, a text of nothing but opening quotes would be searched again for each
    while found := _TOKEN.search(text, at):
        if found.start() > at:
            yield "", text[at : found.start()]
        kind, token, at = found.lastgroup or "", found[0], found.end()
        if kind == "quote" and quotes and token not in never_end:
            if end := _QUOTE_ENDS[token].search(text, at):
                kind, token, at = "value", text[found.start() : end.end()], end.end()
            else:
                never_end.add(token)
        yield kind, token
    yield "", text[at:]


def _shown(kind: str, token: str) -> str:
    if kind in {"", "plain"}:
        return token
    if kind == "url":
        return _origin(token)
    if kind in {"word", "number"} and _is_id(token):
        return _PLACES["id"]
    if kind == "word":
        return _NUMBER_IN_NAME.sub(_PLACES["number"], token)
    if kind == "value":
        return token[0] + _value(token[1:-1]) + token[-1]
    return _PLACES.get(kind, token)


def _origin(url: str) -> str:
    """Return the scheme and host of a URL, without its password, and the signs that end the sentence it stands in."""
    whole = url.rstrip(".,;:!?")
    scheme, _, rest = whole.partition("://")
    host = _END_OF_HOST.split(rest, maxsplit=1)[0].rpartition("@")[2].partition(":")[0]
    if host.replace(".", "").isdigit():
        host = _PLACES["address"]
    return f"{scheme}://{host}{url[len(whole) :]}"


def _value(text: str) -> str:
    """Return what a quoted text becomes: a URL keeps its host, as Go quotes the URL that a request failed at."""
    found = _TOKEN.match(text)
    return f"{_origin(text)}/{_VARIES}" if found and found.lastgroup == "url" and found.end() == len(text) else _VARIES


def _is_id(word: str) -> bool:
    return (
        len(word) >= _ID_CHARACTERS
        and word.isalnum()
        and not word.isdigit()
        and sum(map(str.isdigit, word)) >= _ID_DIGITS
    )
