"""The forms of `api_keys`, as Jitsu takes them; what is no form of it is never a secret."""

import contextlib
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscache.access.api_keys import ApiKey, ApiKeys, KeyList, parse_api_keys, parse_listed
from eventscache.access.scalars import scalar_text
from eventscache.config.loading import load
from eventscache.errors import ConfigError
from tests.support.fuzz import fuzz


def derived(secrets: str) -> str:
    return hashlib.md5(secrets.encode()).hexdigest()


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        ("k1", ["k1"]),
        (" k1 , k2,", ["k1", "k2"]),
        ("k1 k2\nk3", ["k1", "k2", "k3"]),
        (123, ["123"]),
        (["k1", 12, 1.5], ["k1", "12", "1.5"]),
        (["k1", {"client_secret": 7}], ["k1", "7"]),
        ('["k1", "k2"]', ["k1", "k2"]),
        ('{"tokens": ["k1"]}', ["k1"]),
        (' {"Tokens": [{"Client_Secret": "k1"}]} ', ["k1"]),
        ({"tokens": ["k1"]}, ["k1"]),
        ({"client_secret": "k1"}, ["k1"]),
        (['{"tokens": ["k1", "k2"]}'], ["k1", "k2"]),
        ([{"client_secret": " k1\n"}], ["k1"]),
    ],
)
def test_secrets_are_taken_from_each_form(value: Any, secrets: list[str]) -> None:
    listed = parse_api_keys(value)
    assert [key.client_secret for key in listed.keys] == secrets
    assert listed.faults == ()


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("http://h/keys?a=1,2", "http://h/keys?a=1,2"),
        ("https://user:pw@h:1/keys", "https://user:pw@h:1/keys"),
        (["http://h/keys"], "http://h/keys"),
        ("file:///keys.json", "file:///keys.json"),
        ("file://keys.json", "file://keys.json"),
        ("/etc/jitsu/keys.json", "file:///etc/jitsu/keys.json"),
    ],
)
def test_an_address_or_an_absolute_path_is_where_the_keys_are(value: Any, url: str) -> None:
    assert parse_api_keys(value) == KeyList(url=url)


@pytest.mark.parametrize(
    "value",
    [
        *("ftp://h/keys", "s3://keys", "htp://h", "http:/h", "https:h", "file://", "./keys", "../keys", "~/keys"),
        *("{", "[", '{"tokens"}', "[k1, k2]", "${HOME}", "keys.yaml", "k1,https://h"),
        *("http://", "http://h:x/", "http://a b/", "http://h\n/"),
        *({"site": "secret"}, {"tokens": 5}, {"tokens": "k1"}, True, 1e400, float("nan"), {"id": "k1"}, ",", " "),
    ],
)  # fmt: skip
def test_a_form_that_is_not_recognised_is_an_error_and_no_secret(value: Any) -> None:
    with pytest.raises(ConfigError) as fault:
        parse_api_keys(value)
    assert "secret" not in str(fault.value).replace("secrets", "")


@pytest.mark.parametrize("value", ['{"tokens": []}', {"tokens": None}, {}, "[]", "{}"])
def test_an_empty_list_of_keys_lets_nobody_send(value: Any) -> None:
    listed = parse_api_keys(value)
    assert listed.keys == ()
    assert listed.faults
    assert ApiKeys(listed).configured


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"id": "k"}, "entry 1 has neither client_secret nor server_secret"),
        ({"id": "k", "client_secret": " "}, "entry 1 has neither"),
        ({"id": "a,b", "client_secret": "x"}, "entry 1: the id holds a comma"),
        ({"id": "a\nb", "client_secret": "x"}, "entry 1: the id holds the invisible character U+000A"),
        ({"id": "a" * 513, "client_secret": "x"}, "entry 1: the id has 513 bytes; at most 512"),
        ({"id": ["k"], "client_secret": "x"}, "entry 1: id must be a string"),
        ({"client_secret": True}, "entry 1: client_secret must be a string"),
        ({"client_secret": "x", "origins": {"a": 1}}, "entry 1: origins must be a list"),
        ({"client_secret": "x", "origins": [["a"]]}, "entry 1: origins must be a list"),
        ("http://h/keys", "entry 1 is no secret; an address"),
        (None, "entry 1 is neither a secret nor an object"),
        ([], "entry 1 is neither"),
    ],
)
def test_a_broken_key_costs_that_key_alone(broken: Any, reason: str) -> None:
    listed = parse_api_keys(["first", broken, "last"])
    assert [key.client_secret for key in listed.keys] == ["first", "last"]
    [fault] = listed.faults
    assert fault.startswith(reason)


def test_of_two_keys_with_one_secret_the_later_counts_as_in_jitsu_and_nothing_else_is_lost() -> None:
    listed = parse_api_keys(
        [
            {"id": "one", "client_secret": "same", "server_secret": "s1"},
            {"id": "two", "client_secret": "same", "server_secret": "s2"},
        ]
    )
    keys = ApiKeys(listed)
    ids = [key and key.id for key in (keys.client("same"), keys.server("s1"), keys.server("s2"))]
    assert ids == ["two", "one", "two"]
    assert listed.faults == ("two keys have one client_secret: two counts for it, not one",)
    assert parse_api_keys(["a", "a"]).keys[-1] == ApiKey(derived("a"), "a")


def test_one_text_as_both_secrets_of_a_key_is_no_fault() -> None:
    assert parse_api_keys([{"id": "k", "client_secret": "x", "server_secret": "x"}]).faults == ()


def test_an_id_is_derived_from_the_secrets_before_they_are_trimmed_as_in_jitsu() -> None:
    [key] = parse_api_keys([{"client_secret": " a ", "server_secret": "b"}]).keys
    assert key == ApiKey(derived(" a b"), "a", "b")


def test_origins_are_a_list_or_a_text_and_an_empty_one_allows_nothing() -> None:
    entries = [
        {"client_secret": "x", "origins": origins} for origins in (None, "", [], "a.com, b.com", ["a.com", ""], [""])
    ]
    origins = [key.origins for key in parse_listed(entries).keys]
    assert origins == [(), (), (), ("a.com", "b.com"), ("a.com", ""), ("",)]
    assert not parse_listed(entries).keys[-1].allows("https://a.com")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (-5, "-5"), (2**64 - 1, "18446744073709551615"), (2**64, "18446744073709552000"),
        (1.0, "1"), (1.5, "1.5"), (1e22, "10000000000000000000000"), (1e-7, "0.0000001"),
    ],
)  # fmt: skip
def test_a_number_is_the_text_that_go_makes_of_it(number: float, text: str) -> None:
    assert scalar_text(number) == text


OLDER = [
    ({"server": {"auth": ["a"]}}, ["a"], []),
    ({"server": {"auth": "a,b"}}, ["a", "b"], []),
    ({"server": {"auth": "a", "s2s_auth": ["b", "c"]}}, ["a"], ["b", "c"]),
    ({"server": {"s2s_auth": "b"}}, [], ["b"]),
    ({"api_keys": ["k"], "server": {"auth": "a"}}, ["k"], []),
    ({"api_keys": ["k"], "server": {"api_keys": "a", "s2s_auth": 5}}, ["a"], ["5"]),
    ({"api_keys": "", "server": {"auth": "a"}}, ["a"], []),
    ({"api_keys": [], "server": {"auth": "a"}}, ["a"], []),
]


@pytest.mark.parametrize(("content", "clients", "servers"), OLDER)
def test_older_names_still_count(
    tmp_path: Any, content: dict[str, Any], clients: list[str], servers: list[str]
) -> None:
    path = tmp_path / "eventnative.json"
    path.write_text(json.dumps(content))
    loaded = load(path, {}, {})
    keys = loaded.settings.api_keys.keys
    assert [key.client_secret for key in keys if key.client_secret] == clients
    assert [key.server_secret for key in keys if key.server_secret] == servers
    assert len(loaded.warnings) == (len(content.get("api_keys") or ()) > 0 and "server" in content)


def test_the_environment_counts_before_the_file_under_whatever_name(tmp_path: Any) -> None:
    (tmp_path / "a.yaml").write_text("server: {api_keys: [file]}\nconfigurator: {base_url: 'http://h'}")
    loaded = load(tmp_path / "a.yaml", {"SERVER_AUTH": "variable"}, {})
    assert [key.client_secret for key in loaded.settings.api_keys.keys] == ["variable"]
    assert loaded.sources["api_keys"] == "environment SERVER_AUTH"
    loaded = load(None, {"CONFIGURATOR_BASE_URL": "http://h/", "CONFIGURATOR_ADMIN_TOKEN": "t"}, {})
    assert loaded.settings.api_keys == KeyList(url="http://h/api/v1/apikeys?token=t")


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["tokens", "id", "client_secret", "SERVER_SECRET", "origins", "x"]), inner, max_size=4
    ), max_leaves=12,
)  # fmt: skip


@fuzz
@given(values)
def test_fuzz_whatever_the_keys_are_they_are_configured_or_an_error_of_one_line(value: Any) -> None:
    listed = KeyList(faults=("an error",))
    with contextlib.suppress(ConfigError):
        listed = parse_api_keys(value)
    assert all(fault.isprintable() for fault in listed.faults)
    keys = ApiKeys(listed)
    assert keys.configured
    assert keys.client("") is None
    assert keys.server("") is None
    if not isinstance(value, dict | list):
        assert not any("://" in key.client_secret for key in listed.keys)
