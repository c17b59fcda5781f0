"""The codes of errors: each is documented and used, and no other is."""

import ast
import re
from collections.abc import Iterator

from eventscache.server.http.error_codes import ERROR_CODES
from eventscache.server.routes.openapi import document
from tests.support.paths import ROOT

RAISED_BY = {"HttpError": 1, "error_response": 1, "failed_login": 1}
"""By the name of what makes an error: the index of the argument with its code."""


def calls() -> Iterator[tuple[str, ast.expr]]:
    """Yield where an error is made, and the expression of its code."""
    for path in (ROOT / "eventscache" / "server").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
                if name in RAISED_BY:
                    yield f"{path.name}:{node.lineno}", node.args[RAISED_BY[name]]


def test_every_error_in_the_source_has_a_known_code() -> None:
    used = set()
    for place, code in calls():
        if isinstance(code, ast.Constant):
            assert code.value in ERROR_CODES, place
            used.add(code.value)
        else:
            # Only where a code is handed on, so that the type checker knows it.
            assert place.partition(":")[0] in {"auth.py", "responses.py"}, place
    assert used == set(ERROR_CODES)


def test_every_code_is_in_the_openapi_document() -> None:
    assert sorted(document()["components"]["schemas"]["ErrorCode"]["enum"]) == sorted(ERROR_CODES)


def test_every_code_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("### Errors\n")[2].partition("\n### ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \| \d{3} \|", section, re.MULTILINE)) == sorted(ERROR_CODES)
