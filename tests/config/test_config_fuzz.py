"""Whatever the file, the environment and the URLs are: an error of one line that names a key, and nobody let in."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import structlog
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from eventscache.access.api_keys import ApiKeys
from eventscache.access.loopback import is_loopback
from eventscache.access.tokens import PUBLISHED_TOKENS
from eventscache.config.loading import LoadedSettings, load
from eventscache.config.settings import DEFINITIONS
from eventscache.errors import ConfigError
from eventscache.logs import visible
from eventscache.server.http.auth import Access
from eventscache.server.startup_checks import check_access, check_storage
from tests.support.fuzz import fuzz

OLDER = ("server.auth", "server.s2s_auth", "server.api_keys", "configurator.base_url", "configurator.admin_token")
REDIS = tuple(
    f"meta.storage.redis.{name}"
    for name in ("host", "port", "password", "database", "tls_skip_verify", "sentinel_master_name")
)
KEYS = (*(key for definition in DEFINITIONS.values() for key in definition.keys), *OLDER, *REDIS)
NAMES_A_KEY = re.compile(
    r"(?:eventscache|server|meta|configurator|api|redis_url|.*eventnative\.yaml).*: ", re.IGNORECASE
)

_WORDS = """
tok demo_admin ${env.A} ${env.A|} ${env.A|env.B|x} ${env. ${x} a,b true 0 127.0.0.1 0.0.0.0 ::1 h:1 memory:// redis://h
redis://:p/w@h rediss://h sentinel://m:p@a,b:1 unix:///s redis://h:99999 redis+cluster://h/1 http://h/keys https://
ftp://h file:///k /k { {"tokens":["a"]} []
"""
words = st.sampled_from(["", " ", *_WORDS.split()])
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words, words, st.text(max_size=12))
inner_names = st.one_of(
    st.sampled_from(["id", "client_secret", "tokens", "host", "size", "a.b", "Cache"]), st.text(max_size=4)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(inner_names, inner, max_size=3), max_leaves=6
)
names = st.one_of(
    st.sampled_from(KEYS),
    st.sampled_from(KEYS).map(str.upper),
    st.sampled_from(["server", "eventscache", "meta", "API_KEY"]),
)


@st.composite
def sections(draw: st.DrawFn) -> dict[str, Any]:
    """A file: some keys with dots, others as sections."""
    content: dict[str, Any] = {}
    for name, value in draw(st.dictionaries(names, values, max_size=5)).items():
        if draw(st.booleans()):
            content[name] = value
            continue
        section = content
        *parents, last = name.split(".")
        for parent in parents:
            section = section.setdefault(parent, {})
            if not isinstance(section, dict):
                break
        else:
            section[last] = value
    return content


variables = st.sampled_from([key.upper().replace(".", "_") for key in KEYS] + ["REDIS_URL", "A", "B"])
environments = st.dictionaries(
    variables, st.one_of(words, st.text(st.characters(exclude_characters="\0"), max_size=8)), max_size=4
)
texts = st.one_of(
    sections().map(lambda content: yaml.safe_dump(content, allow_unicode=True)),
    sections().map(json.dumps),
    st.text(max_size=40),
    st.text("{}[]:,&*!|>'\"%@`\n\t -#?abc1.$", max_size=40),
)


def try_to_start(text: str, environ: dict[str, str]) -> LoadedSettings | None:
    """Load and check as `serve` does, but for what this machine lacks; return None after a proper error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "eventnative.yaml"
        path.write_text(text, encoding="utf-8", errors="replace")
        try:
            loaded = load(path, environ, {})
            check_access(loaded.settings)
            check_storage(loaded)
        except ConfigError as fault:
            message = str(fault)
            assert message == visible(message)
            assert NAMES_A_KEY.match(message), message
            return None
    return loaded


@fuzz
@given(texts, environments)
@example("eventscache.host: 0.0.0.0\nserver.admin_token: ' demo_admin '", {})
@example("eventscache: {host: 0.0.0.0, admin_tokens: ['${env.A|}']}", {"A": ""})
@example("api_keys: {tokens: []}", {})
def test_fuzz_no_configuration_raises_anything_else_or_lets_anybody_in(text: str, environ: dict[str, str]) -> None:
    loaded = try_to_start(text, environ)
    if not loaded:
        return
    settings = loaded.settings
    rows = str(loaded.rows())
    assert "client_secret" not in rows
    with structlog.testing.capture_logs():
        admins = Access(settings).admins  # raises if it would be open off loopback
    assert admins.configured or is_loopback(settings.host)
    for token in ("", " ", "${env.A}", *PUBLISHED_TOKENS):
        if token not in settings.all_admin_tokens or token in PUBLISHED_TOKENS:
            assert not admins.match([token])
    keys = ApiKeys(settings.api_keys)
    assert keys.client("") is None
    assert keys.configured == (loaded.sources["api_keys"] != "default")
