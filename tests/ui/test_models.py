"""Tables of cases for the modules of the live view that need no page."""

import json
from typing import Any

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


def test_json_keeps_digits_order_and_what_is_repeated() -> None:
    texts = ["1.10", "12345678901234567890", '"\\u0026"', '{"a":1,"a":[2]}', " true", "{", '{"a"}', "1 2", "[1,]", ""]

    parsed = call_each("lib/json.js", "parse", [[text] for text in texts])

    assert [node.get("kind", "") for node in parsed[:5]] == ["number", "number", "string", "object", "boolean"]
    assert [texts[index][node["start"] : node["end"]] for index, node in enumerate(parsed[:5])] == [
        text.strip() for text in texts[:5]
    ]
    assert parsed[2]["value"] == "&"
    assert [key for key, _ in parsed[3]["entries"]] == ["a", "a"]
    assert parsed[5:] == [{"fault": "SyntaxError"}] * 5


SUMMARIES = {
    '{"price":1.10,"event":"buy","event_id":"left out"}': ["event=buy", "price=1.10"],
    '{"user":{"email":"a@b","deep":{"x":1,"deeper":{"y":2}}},"list":[1],"none":null,"empty":""}': [
        "user.email=a@b",
        "user.deep.x=1",
    ],
    '{"odd key":"x","big":12345678901234567890}': ['["odd key"]=x', "big=12345678901234567890"],
    "{" + ",".join(f'"k{number}":{number}' for number in range(9)) + "}": [
        f"k{number}={number}" for number in range(6)
    ],
    "[1]": [],
}


def test_a_summary_has_the_most_useful_fields_with_their_paths_and_exact_values() -> None:
    sources = [[f'{{"destination_id":"d","original":{original}}}'] for original in SUMMARIES]

    rows = [read["row"] for read in call_each("model/event.js", "readEvent", sources)]

    shown = [[f"{pair['path']}={pair['value']}" for pair in row["pairs"] if "path" in pair] for row in rows]
    assert dict(zip(SUMMARIES, shown, strict=True)) == SUMMARIES


def test_a_status_is_chosen_or_left_out() -> None:
    calls = [[chosen, status] for chosen in ("", "error", "-error") for status in ("error", "success", "skip")]

    shown = call_each("model/filter.js", "selects", calls)
    without = call_each("model/filter.js", "without", calls)

    assert shown == [True, True, True, True, False, False, False, True, True]
    assert without == ["-error", "-success", "-skip", "-error", "error", "error", "-error", "skip", "success"]


def test_what_is_replayed_of_a_row_and_what_is_warned_of() -> None:
    events: list[tuple[dict[str, Any], bool]] = [
        ({"destination_id": "d", "original": {}}, False),
        ({"token_id": "k", "original": {}}, True),
        ({"destination_id": "d", "malformed": "{"}, False),
        ({"destination_id": "d", "error": "lost"}, False),
    ]
    rows = [
        [{"source": json.dumps(event), "masked": masked, "stream": "s", "seq": seq, "uid": f"u{seq}"}]
        for seq, (event, masked) in enumerate(events)
    ]

    replays = call_each("model/replay.js", "replayOf", rows)
    (warnings, none) = call_each("model/replay.js", "replayWarnings", [[replays * 2], [replays[:1]]])

    assert [replay["asked"] for replay in replays[:2]] == [
        {"namespace": "destination", "id": "s", "seqs": [0], "uids": ["u0"]},
        {"namespace": "token", "id": "s", "seqs": [1], "uids": ["u1"]},
    ]
    assert [(bool(replay["fault"]), replay["changed"]) for replay in replays] == [
        (False, ""),
        (False, "masked"),
        (False, "not JSON"),
        (True, ""),
    ]
    assert warnings.count("2 events.") == 2
    assert none == ""


def stream(name: str, total: int) -> dict[str, Any]:
    return {"id": name, "total_events": total, "last_active": "then"}


def test_the_history_knows_which_streams_have_more() -> None:
    everything: dict[str, Any] = {"ids": [], "fields": []}
    streams = [stream("a", 3), stream("b", 1)]
    calls: list[Any] = [
        ["beginView", [10]],
        ["add", [{"stream": "a", "seq": 3}]],
        ["add", [{"stream": "b", "seq": 9}]],
        ["streamsWithMore", [everything, streams]],
        ["oldestOf", ["a"]],
        ["add", [{"stream": "a", "seq": 2}]],
        ["add", [{"stream": "a", "seq": 1}]],
        ["streamsWithMore", [everything, streams]],
        ["forget", [{"stream": "a", "seq": 1, "status": "success"}]],
        ["streamsWithMore", [everything, streams]],
        ["oldestOf", ["a"]],
        ["setMore", [streams[0], False]],
        ["streamsWithMore", [everything, streams]],
    ]

    (found,) = call_each("model/history.js", "EventHistory", [calls])

    assert [result for result in found if result is not None] == [[streams[0]], 3, [], [streams[0]], 2, []]


PREFIXES = [
    (["shop.bigquery", "shop.postgres", "shop.slack"], "shop."),
    (["p1.prod_a", "p1.prod_b", "p1.prod_a"], "p1.prod_"),
    (["shop.one", "other"], ""),
    (["one.two"], ""),
    (["one.two", "one.two"], ""),
    (["one.", "one.two"], ""),
    (["one.two.", "one.two.three"], "one."),
    (["ab/c", "ab/d"], ""),
    (["pageview", "pagehide"], ""),
    (["user_identify", "", "user_group"], "user_"),
    (["a b-\ud83d\ude00", "a b-\ud83d\ude01"], "a b-"),
    ([], ""),
]


def test_what_texts_share_is_cut_at_a_separator_and_leaves_each_of_them_something() -> None:
    found = call_each("model/common_prefix.js", "commonPrefix", [[texts] for texts, _ in PREFIXES])

    assert found == [prefix for _, prefix in PREFIXES]
    for (texts, _), prefix in zip(PREFIXES, found, strict=True):
        assert all(len(text) > len(prefix) for text in texts if text)


COLUMNS: dict[str, list[str]] = {
    "col=user.email&col=-id": ["-id", "user.email"],
    "col=-id&col=-id&col=a&col=a": ["-id", "a"],
    "col=items%5B0%5D.sku&col=%5B%22odd+key%22%5D.x": ["items[0].sku", '["odd key"].x'],
    "col=-status&col=-time&col=-&col=": [],
    "col=a+b&col=%3D&col=a..b&col=__proto__&col=1": ["__proto__"],
    f"col={'a' * 200}&col={'b' * 201}": ["a" * 200],
    "&".join(f"col=c{number}" for number in range(12)): [f"c{number}" for number in range(10)],
}


def test_the_address_has_the_columns_and_what_is_none_is_left_out() -> None:
    read = call_each("model/filter.js", "fromHash", [[f"#{fragment}"] for fragment in COLUMNS])
    written = call_each("model/filter.js", "toHash", [[each] for each in read])
    again = call_each("model/filter.js", "fromHash", [[each] for each in written])

    assert [each["columns"] for each in read] == list(COLUMNS.values())
    assert [each["columns"] for each in again] == list(COLUMNS.values())


def test_a_column_has_values_as_received() -> None:
    original = '{"price":1.10,"big":12345678901234567890,"text":"\\u0026 ","none":null,"list":[1, 2],"__proto__":"own"}'
    source = f'{{"original":{original},"success":{{"price":2,"table":"events"}}}}'
    paths = ["price", "big", "text", "none", "list", "list[1]", "__proto__", "table", "gone", "toString", "text.length"]

    (found,) = call_each("model/columns.js", "valuesAt", [[{"source": source}, paths]])

    assert [value and (value["raw"], value["text"]) for value in found] == [
        ("1.10", "1.10"),
        ("12345678901234567890", "12345678901234567890"),
        ('"\\u0026 "', "& "),
        ("null", "null"),
        ("[1, 2]", "[1, 2]"),
        ("2", "2"),
        ('"own"', "own"),
        ('"events"', "events"),
        None,
        None,
        None,
    ]


def entry(key: str, status: str = "success", event: str = "e", stream: str = "a") -> dict[str, Any]:
    return {"key": key, "status": status, "eventId": event, "stream": stream, "time": int(key)}


def test_the_entries_of_one_event_are_folded_into_one_row() -> None:
    gap = {"key": "gap 1", "status": "gap", "stream": "a"}
    alone = [entry("6", event=""), entry("5", event="")]
    rows = [entry("9"), entry("8", "error", "f"), gap, entry("7", "error", stream="b"), *alone]
    rows += [entry("4", stream="b"), entry("3", "error"), entry("2", "malformed", stream="0")]

    ((folded, again),) = call_each("model/fold.js", "Folding", [[["fold", [rows]], ["fold", [rows]]]])

    assert again == folded
    assert [row["key"] for row in folded] == ["event\ne", "event\nf", "gap 1", "6", "5"]
    # The last entries of two destinations are errors: the newer one is opened. An error that was retried is not one.
    assert (folded[0]["lead"]["key"], folded[0]["status"], folded[0]["time"]) == ("7", "error", 9)
    assert [[one["key"] for one in mark] for mark in folded[0]["marks"]] == [["2"], ["9", "3"], ["7", "4"]]
    assert folded[2] == gap
    assert [len(row["marks"]) for row in folded[3:]] == [1, 1]
