"""Tables of cases for the modules of the live view that need no page."""

import json

from tests.support.page_modules import call_each
from tests.support.paths import ROOT

# What the server reads as well: `tests/query/test_field_filter.py` has the same cases.
FIELD_FILTERS = json.loads((ROOT / "tests/query/field_filters.json").read_text(encoding="utf-8"))


def test_an_expression_is_read_as_the_server_reads_it() -> None:
    fields = call_each("model/field.js", "parseField", [[expression] for expression, _ in FIELD_FILTERS])
    paths = iter(call_each("lib/path.js", "readPath", [[field["path"]] for field in fields if field]))

    read = [
        field and [field["negated"], [str(key) for key in next(paths)["keys"]], field["op"], field["values"]]
        for field in fields
    ]

    assert dict(zip((case for case, _ in FIELD_FILTERS), read, strict=True)) == dict(FIELD_FILTERS)


def test_a_filter_is_written_so_that_it_is_read_as_the_same() -> None:
    odd = ["", " x", "x ", "(a)", '"', '"a"', "a,b", "(a", "a)", "-1", "= x", "\ud83d", "\n", "\u0085", "x\u202ey"]
    values = [*([value] for value in odd), odd]
    fields = [
        {"negated": negated, "path": 'a["b c"]', "op": op, "values": each}
        for each in values
        for op in ("=", "!=", "~")
        for negated in (False, True)
    ]

    written = call_each("model/field.js", "writeField", [[field] for field in fields])

    assert call_each("model/field.js", "parseField", [[text] for text in written]) == fields


def test_values_are_compared_as_people_see_them() -> None:
    before = [["a", r'"\u0026"'], ["b", "1.10"], ["c", '"7"'], ["old", r'"\u041f!"'], ["gone", "true"], ["d", '"x"']]
    after = [["a", '"&"'], ["b", "1.1"], ["c", "7"], ["new", '"П!"'], ["more", "null"], ["d", '"y"']]

    (found,) = call_each("model/diff.js", "compare", [[before, after]])

    assert found == {
        "same": [["a", '"&"']],
        "changed": [["b", "1.10", "1.1"], ["d", '"x"', '"y"']],
        "retyped": [["c", '"7"', "7"]],
        "renamed": [["old", "new", '"П!"']],
        "added": [["more", "null"]],
        "left": [["gone", "true"]],
    }
