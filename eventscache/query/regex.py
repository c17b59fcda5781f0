"""Regular expressions of strangers: RE2 searches in time in proportion to the text, whatever the expression.

It is the package `google-re2`, of the extra `regex`. Python's own `re` may take centuries for a short expression.
"""

from collections.abc import Callable

_MOST_CHARACTERS = 1000
_MOST_MEMORY_BYTES = 1024 * 1024
_OPTIONS = "ims"


def searcher(expression: str, options: str = "") -> Callable[[str], bool]:
    """Return a function that tells whether an expression is found anywhere in a text.

    Of the options `i` ignores case, `m` lets `^` and `$` match at lines, `s` lets `.` match line ends. Raises
    `ValueError` for an expression that RE2 does not know, such as one with a look-ahead or a back-reference, and if the
    extra is not installed.
    """
    if len(expression) > _MOST_CHARACTERS:
        raise ValueError(f"a regular expression has at most {_MOST_CHARACTERS} characters")
    if not set(options) <= set(_OPTIONS):
        raise ValueError(f'the options of a regular expression are among "{_OPTIONS}"')
    search = _compiled(f"(?{options}){expression}" if options else expression)
    return lambda text: search(_sendable(text)) is not None


def _compiled(expression: str) -> Callable[[str], object]:
    try:
        import re2  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise ValueError("regular expressions need RE2: install eventscache[regex]") from None
    limits = re2.Options()
    limits.max_mem = _MOST_MEMORY_BYTES
    limits.log_errors = False
    try:
        search: Callable[[str], object] = re2.compile(_sendable(expression), limits).search
    except re2.error as fault:
        reason = fault.args[0]
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"not a regular expression of RE2: {text}") from None
    return search


def _sendable(text: str) -> str:
    """Return a text without halves of surrogate pairs, which RE2 does not take."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
