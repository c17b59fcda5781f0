"""Every regular expression: none takes longer than its text is long, so nobody stops the server with a short one."""

import ast
import functools
import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "eventscache"

# Why a pattern takes time in proportion to its text. The first three are checked here.
BOUNDED = "nothing in it repeats without a bound"
LAST = "what repeats without a bound is possessive, and nothing comes after it that could fail"
ANCHORED = "tried at one place only; what repeats holds no other repeat, and what follows it cannot be a part of it"
APART = "what repeats is possessive, and begins behind a name and a sign that it cannot hold, so no byte is read twice"
TOKENS = "never fails within a token: it takes whatever follows, or cuts a text that was checked before"
NAMES = "made of the operator's names of fields, without repeats"
OPERANDS = "reads an expression of at most 1,000 characters"
OURS = "reads no text of strangers: only our own, the operator's, Redis's or the interpreter's"

# Each use of a pattern: the module, and the name that the pattern has there or the function that makes it.
WHY = {
    "access.api_keys:_BETWEEN_SECRETS": OURS,
    "access.api_keys:_NO_SECRET": OURS,
    "access.api_keys:_WEB_ADDRESS": OURS,
    "config.jitsu_storage:_HAS_PORT": OURS,
    "config.jitsu_storage:_NO_NAME": OURS,
    "config.known_names:_ABOUT_ACCESS": OURS,
    "config.known_names:_ACCESS_WORDS": OURS,
    "config.known_names:check_names": OURS,
    "config.placeholders:_NAMES_AND_DEFAULT": OURS,
    "config.placeholders:_PLACEHOLDER": OURS,
    "config.replay_targets:_HEADER_NAME": OURS,
    "config.replay_targets:_HEADER_VALUE": OURS,
    "config.replay_targets:_NAME": OURS,
    "config.values:parse_event_path": OURS,
    "config.values:parse_prefix": OURS,
    "config.values:redact_value": OURS,
    "config.values:whole_number.parse": OURS,
    "config.yaml_file:": OURS,
    "config.yaml_file:_OF_YAML": OURS,
    "config.yaml_file:_QUOTED": OURS,
    "config.yaml_file:_reason": OURS,
    "extras.error_message:_CONTROL": BOUNDED,
    "extras.error_message:_END_OF_HOST": BOUNDED,
    "extras.error_message:_HALF": BOUNDED,
    "extras.error_message:_NUMBER_IN_NAME": BOUNDED,
    "extras.error_message:_QUOTE_ENDS": TOKENS,
    "extras.error_message:_TOKEN": TOKENS,
    "ingest.json.go:_GOOD_START_OF_STRING": TOKENS,
    "ingest.json.go:_HALVES": BOUNDED,
    "ingest.json.go:_NOT_UTF8": LAST,
    "ingest.json.go:_STRING": TOKENS,
    "ingest.json.go:_STRING_OR_NO_NUMBER": TOKENS,
    "ingest.json.strict:_STRING": TOKENS,
    "ingest.json.strict:_TOKEN": BOUNDED,
    "ingest.native:_BLANK": BOUNDED,
    "ingest.secret_half:_COLON": ANCHORED,
    "ingest.secret_half:_ID": ANCHORED,
    "ingest.secret_half:_IN_ARRAY": TOKENS,
    "ingest.secret_half:_IN_TEXT": APART,
    "ingest.secret_half:_NAME": BOUNDED,
    "ingest.secret_half:_STRING": TOKENS,
    "live.cursor:_CURSOR": ANCHORED,
    "live.cursor:_PARTS": TOKENS,
    "logs:hide_secrets": OURS,
    "masking.column_pattern:_compiled": NAMES,
    "masking.field_paths:_PART": OURS,
    "masking.ip_addresses:_IPV4": BOUNDED,
    "masking.ip_addresses:_ONE_ADDRESS": ANCHORED,
    "masking.ip_addresses:_RUN": LAST,
    "masking.ip_addresses:_SEPARATORS": LAST,
    "masking.json_fields:_TOKEN": TOKENS,
    "masking.json_fields:_TOKEN_BUT_COLON": TOKENS,
    "masking.mask:_ESCAPED": BOUNDED,
    "masking.mask:_NOT_TEXT": BOUNDED,
    "masking.mask:_name_test": NAMES,
    "query.json_values:_INDEX": BOUNDED,
    "query.field_filter:_ITEM": OPERANDS,
    "query.field_filter:_NUMBER": BOUNDED,
    "query.field_filter:_OPERATOR": OPERANDS,
    "query.field_filter:_STEP": OPERANDS,
    "query.filter:_ESCAPE": BOUNDED,
    "query.filter:_HALF": BOUNDED,
    "query.members:_HALF": BOUNDED,
    "query.members:_PLAIN": LAST,
    "server.http.auth:_FORWARDING": BOUNDED,
    "server.http.auth:_HOST": ANCHORED,
    "server.http.connections:_METHOD": BOUNDED,
    "server.http.connections:_NOT_ASCII": BOUNDED,
    "server.http.connections:_QUOTED": BOUNDED,
    "server.http.extra_parameters:_ID": BOUNDED,
    "server.http.parameters:_BAD_ESCAPE": BOUNDED,
    "server.http.parameters:_DECIMAL": BOUNDED,
    "server.http.parameters:_MEANS_IDS": BOUNDED,
    "server.http.parameters:_NO_LETTER": LAST,
    "server.http.parameters:_WHOLE_NUMBER": BOUNDED,
    "server.http.parameters:_WHOLE_URL": ANCHORED,
    "server.http.shown_path:_HALF": LAST,
    "server.http.shown_path:_PROJECT": LAST,
    "server.jitsu2_record:_ID": BOUNDED,
    "server.jitsu2_record:_WRITE_KEY": TOKENS,
    "server.ingestion.senders:_PLAIN_QUERY": ANCHORED,
    "sources.jitsu_logs.directory:_DATE": BOUNDED,
    "sources.jitsu_logs.file_name:_STAMP": BOUNDED,
    "storage.plugins:storage_class": OURS,
    "sources.jitsu_redis.jitsu2:_ID": BOUNDED,
    "storage.redis.entries:_LOGGED": BOUNDED,
    "storage.redis.driver_errors:_NEVER_SENT": OURS,
    "storage.redis.driver_internals:_BROKE": OURS,
    "storage.redis.driver_errors:_PREFIX": OURS,
    "storage.redis.keys:_UNQUOTED": ANCHORED,
    "storage.redis.refusals:_COMMAND": OURS,
    "storage.redis.refusals:_INSIDE_SCRIPT": OURS,
    "storage.redis.refusals:_NO_DATABASE": OURS,
    "storage.redis.refusals:_UNKNOWN": OURS,
    "storage.redis.url:_BAD_ESCAPE": OURS,
    "storage.redis.url:_DATABASE": OURS,
    "storage.redis.url:_SERVER": OURS,
    "storage.redis.url:_URL": OURS,
    "storage.redis.url:encoding_hint": OURS,
    "stream:_PLAIN_ID": ANCHORED,
    "telemetry.trace_parent:_TRACEPARENT": BOUNDED,
    "tail.sse:_LINE_END": BOUNDED,
    "timestamp:_DURATION": BOUNDED,
    "timestamp:_RFC_3339": BOUNDED,
}
REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}


@functools.cache
def trees() -> list[tuple[str, ast.Module]]:
    return [
        (".".join(path.relative_to(PACKAGE).with_suffix("").parts), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def uses(node: ast.AST, name: str) -> Iterator[str]:
    """Yield the names under which patterns are made or used."""
    for child in ast.iter_child_nodes(node):
        inner = name
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{name}.{child.name}".removeprefix(".")
        elif isinstance(child, ast.Assign | ast.AnnAssign) and not name:
            target = child.target if isinstance(child, ast.AnnAssign) else child.targets[0]
            inner = next((part.id for part in ast.walk(target) if isinstance(part, ast.Name)), "")
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr != "escape":
            called = child.func.value
            if isinstance(called, ast.Name) and called.id == "re":
                yield inner
        yield from uses(child, inner)


def compiled(key: str) -> re.Pattern[Any]:
    module, _, name = key.partition(":")
    pattern = getattr(importlib.import_module(f"eventscache.{module}"), name)
    assert isinstance(pattern, re.Pattern)
    return pattern


def unbounded(items: Any, *, last: bool = True) -> Iterator[tuple[str, bool, Any]]:
    """Yield each repeat without a bound: its kind, whether nothing comes after it, and what it repeats."""
    for index, (operation, argument) in enumerate(items):
        kind = str(operation)
        at_end = last and index == len(items) - 1
        if kind in REPEATS:
            least, most, inner = argument
            if str(most) == "MAXREPEAT":
                yield kind, at_end, inner
            yield from unbounded(inner, last=at_end and (least, most) in {(0, 1), (1, 1)})
        elif kind == "SUBPATTERN":
            yield from unbounded(argument[-1], last=at_end)
        elif kind == "BRANCH":
            for branch in argument[1]:
                yield from unbounded(branch, last=at_end)
        elif kind in {"ASSERT", "ASSERT_NOT"}:
            yield from unbounded(argument[1], last=False)
        elif kind == "ATOMIC_GROUP":
            yield from unbounded(argument, last=at_end)


def repeats_of(pattern: re.Pattern[Any]) -> list[tuple[str, bool, Any]]:
    parsed = re._parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
    return [*unbounded(parsed)]


def keys(*reasons: str) -> list[str]:
    return [key for key, reason in WHY.items() if reason in reasons]


def test_every_regular_expression_is_in_the_table() -> None:
    found = {f"{module}:{name}" for module, tree in trees() for name in uses(tree, "")}
    assert found == set(WHY), "say in WHY why a new pattern is linear in its text, and remove what is gone"


def test_patterns_are_made_by_the_module_re_under_its_own_name() -> None:
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.module not in {"re", "regex"}, module
            elif isinstance(node, ast.Import):
                assert all(alias.name != "regex" and (alias.name != "re" or not alias.asname) for alias in node.names)


@pytest.mark.parametrize("key", keys(BOUNDED))
def test_a_bounded_pattern_has_a_bound_for_each_repeat(key: str) -> None:
    assert repeats_of(compiled(key)) == []


@pytest.mark.parametrize("key", keys(LAST))
def test_a_pattern_that_ends_with_its_repeat_gives_nothing_back(key: str) -> None:
    for kind, at_end, inner in repeats_of(compiled(key)):
        assert kind == "POSSESSIVE_REPEAT"
        assert at_end
        assert not [*unbounded(inner)]


@pytest.mark.parametrize("key", keys(ANCHORED))
def test_an_anchored_pattern_is_tried_at_one_place_and_has_no_repeat_in_a_repeat(key: str) -> None:
    for _, _, inner in repeats_of(compiled(key)):
        assert not [*unbounded(inner)]
    module, _, name = key.partition(":")
    called = {
        node.attr
        for node in ast.walk(dict(trees())[module])
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }
    assert called
    assert called <= {"fullmatch", "match"}


@pytest.mark.parametrize("pattern", ["a+b", "(?:a+)+", "a++b", "(?=a*)", "(?:ab*+){2}"])
def test_the_checks_find_patterns_that_may_take_long(pattern: str) -> None:
    found = repeats_of(re.compile(pattern))
    assert found
    assert not all(kind == "POSSESSIVE_REPEAT" and at_end for kind, at_end, _ in found)
