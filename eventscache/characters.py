"""Characters that nobody sees, or that reorder or break the text around them.

A text with one of them can look like another text, and in a log it can forge or colour a line. Stream ids, log lines
and the page (in `ui/`) follow the same rule: all characters of these Unicode categories, and no others.
"""

import unicodedata
from typing import Final

INVISIBLE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's control and format characters, surrogates, and line and paragraph separators."""


def is_invisible(character: str) -> bool:
    """Whether a character is of one of these categories."""
    return unicodedata.category(character) in INVISIBLE_CATEGORIES
