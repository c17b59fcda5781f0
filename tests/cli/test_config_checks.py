"""`eventscache config` runs the checks of `eventscache serve`, and both say the same in one line."""

import json
from pathlib import Path

import pytest

from tests.support.command import run, run_afresh

FILES = {
    "jitsus.yaml": "server: {admin_token: '${env.ADMIN|demo___please_provide_value_in_production___}'}",
    "demo.yaml": "server: {admin_token: ' demo_admin '}",
    "host.yaml": "meta: {storage: {redis: {host: 'redis://:p/hidden@h:1'}}}",
    "typo.yaml": "eventscache: {prot: 1}",
    "key.yaml": "api_keys: ftp://hidden",
}
CASES: list[tuple[list[str], dict[str, str], list[str]]] = [
    (["--host", "0.0.0.0"], {}, ["eventscache.admin_tokens: needed to listen on 0.0.0.0", "openssl rand -hex 32"]),
    (["--host", "::"], {"EVENTSCACHE_ADMIN_TOKENS": "admin_token,a123"}, ["admin_tokens: needed", "counts as none"]),
    (["--host", "0.0.0.0", "--config", "jitsus.yaml"], {}, ["eventscache.admin_tokens: needed", "counts as none"]),
    (["--host", "0.0.0.0", "--config", "demo.yaml"], {}, ["eventscache.admin_tokens: needed", "counts as none"]),
    (["--storage", "mysql://x"], {}, ["--storage: no storage for mysql: URLs; there are memory, redis"]),
    (["--storage", "redis://:p/hidden@h:1"], {}, ["--storage: not a usable Redis URL", "write / as %2F"]),
    ([], {"EVENTSCACHE_STORAGE": "redis://:p#hidden@h:1"}, ["EVENTSCACHE_STORAGE: not a usable", "# as %23"]),
    ([], {"EVENTSCACHE_STORAGE": "redis://:100%hidden@h:1"}, ["EVENTSCACHE_STORAGE: not a usable", "% as %25"]),
    ([], {"REDIS_URL": "sentinel://m:p?hidden@h:1"}, ["REDIS_URL: not a usable Redis URL", "? as %3F"]),
    (["--config", "host.yaml"], {}, ["meta.storage.redis: not a usable Redis URL", "write / as %2F"]),
    (["--workers", "2"], {}, ["eventscache.workers: 2 processes cannot share memory://"]),
    (["--host", "192.0.2.1"], {"SERVER_ADMIN_TOKEN": "x"}, ["eventscache.host: cannot listen on 192.0.2.1"]),
    (["--host", "no.such.host.invalid"], {"SERVER_ADMIN_TOKEN": "x"}, ["eventscache.host: cannot listen on no.such"]),
    (["--config", "typo.yaml"], {}, ["eventscache.prot: unknown setting; did you mean eventscache.port?"]),
    (["--config", "key.yaml"], {}, ["api_keys: the form is not recognised; it must be"]),
    ([], {"EVENTSCACHE_ADMIN_TOKEN": "hidden"}, ["unknown variable; did you mean EVENTSCACHE_ADMIN_TOKENS?"]),
    ([], {"EVENTSCACHE_ADMIN_TOKENS": " , "}, ["EVENTSCACHE_ADMIN_TOKENS: holds no token"]),
    ([], {"AIOHTTP_NO_EXTENSIONS": "1"}, ["unset AIOHTTP_NO_EXTENSIONS"]),
]  # fmt: skip


@pytest.mark.parametrize(("options", "environ", "reasons"), CASES, ids=range(len(CASES)))
def test_both_refuse_with_the_same_line(
    tmp_path: Path, options: list[str], environ: dict[str, str], reasons: list[str]
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    options = [str(tmp_path / option) if option in FILES else option for option in options]
    run_command = run_afresh if "AIOHTTP_NO_EXTENSIONS" in environ else run  # it counts when aiohttp is imported
    served, shown = (run_command(command, *options, **environ) for command in ("serve", "config"))
    code = 1 if "cannot listen" in reasons[0] else 2  # a host may be there at another start
    assert (served.returncode, shown.returncode) == (code, code)
    assert served.stderr == shown.stderr
    assert served.stderr.count("\n") == 1
    assert served.stderr.startswith("eventscache: ")
    for reason in reasons:
        assert reason in served.stderr
    assert "hidden" not in served.stderr + shown.stdout


def said(*options: str, **environ: str) -> list[str]:
    """Return what `eventscache config` logs."""
    shown = run("config", *options, **environ)
    assert shown.returncode == 0, shown.stderr
    return [json.loads(line)["event"] for line in shown.stderr.splitlines()]


REFUSED = "Jitsu's ingestion routes refuse every event: configure api_keys, or set eventscache.open_ingestion"


def test_that_ingestion_is_refused_is_said_at_the_start() -> None:
    open_to_all = {"EVENTSCACHE_HOST": "0.0.0.0", "EVENTSCACHE_ADMIN_TOKENS": "long-and-random"}
    assert said(**open_to_all) == [REFUSED]
    assert said(**open_to_all, EVENTSCACHE_OPEN_INGESTION="true") == []
    assert said(**open_to_all, API_KEYS="key") == []
    assert said() == []


def test_keys_and_tokens_that_do_not_count_are_said_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "eventnative.yaml"
    path.write_text("api_keys: [a, a, {id: x}]\nserver: {auth: [b], admin_token: demo_admin}")
    assert said("--config", str(path)) == [
        "a setting does not count",
        "API key left out or given twice",
        "API key left out or given twice",
        "a token that Jitsu publishes counts as none: set your own in its place",
    ]
