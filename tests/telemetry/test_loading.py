"""When OpenTelemetry is loaded, and what is said if it cannot be."""

import subprocess
import sys
from pathlib import Path

import pytest

from eventscache.config import loading
from eventscache.errors import ConfigError
from eventscache.telemetry.loading import is_asked_for
from tests.support.command import clean_environment, run_afresh
from tests.support.otlp_collector import require_opentelemetry
from tests.support.paths import ROOT

ENDPOINT = "http://127.0.0.1:4318"
VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"


def run_without_the_extra(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys\nsys.modules['opentelemetry'] = None\nfrom eventscache.cli.main import main\n"
        f"main({list(arguments)!r})"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=clean_environment(**environ),
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["serve", "config"])
@pytest.mark.parametrize("variable", ["EVENTSCACHE_OTLP_ENDPOINT", VARIABLE])
def test_without_the_extra_the_start_is_refused_in_one_line_that_names_it(command: str, variable: str) -> None:
    finished = run_without_the_extra(command, **{variable: ENDPOINT})
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert "install eventscache[otel]" in finished.stderr


@pytest.mark.slow
@pytest.mark.parametrize("environ", [{}, {VARIABLE: ENDPOINT, "OTEL_SDK_DISABLED": "true"}])
def test_without_the_extra_all_else_works(environ: dict[str, str]) -> None:
    assert run_without_the_extra("config", **environ).returncode == 0


@pytest.mark.slow
def test_what_opentelemetry_does_not_understand_is_an_error_of_one_line() -> None:
    require_opentelemetry()
    finished = run_afresh("config", EVENTSCACHE_OTLP_ENDPOINT=ENDPOINT, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="many")
    assert finished.returncode == 2
    assert "eventscache.otlp.endpoint: a variable of OpenTelemetry cannot be used: OTEL_SPAN_AT" in finished.stderr


@pytest.mark.parametrize(("disabled", "asked"), [("", True), ("false", True), ("true", False), (" TRUE", False)])
def test_opentelemetrys_own_switch_counts(monkeypatch: pytest.MonkeyPatch, disabled: str, asked: bool) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", disabled)
    assert is_asked_for(ENDPOINT) is asked
    assert not is_asked_for("")


def test_our_variable_comes_before_opentelemetrys_and_that_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "eventnative.yaml"
    path.write_text("eventscache: {otlp: {endpoint: 'http://file:1/', trace_ratio: 1}}", encoding="utf-8")
    ours = "EVENTSCACHE_OTLP_ENDPOINT"
    for environ, expected, source in (
        ({}, "http://file:1", "file eventscache.otlp.endpoint"),
        ({VARIABLE: "https://otel:2/x"}, "https://otel:2/x", f"environment {VARIABLE}"),
        ({VARIABLE: "https://otel:2", ours: "http://ours:3"}, "http://ours:3", f"environment {ours}"),
    ):
        loaded = loading.load(path, environ)
        assert (loaded.settings.otlp_endpoint, loaded.sources["otlp_endpoint"]) == (expected, source)
        assert loaded.settings.otlp_trace_ratio == 1.0


@pytest.mark.parametrize(
    "address", ["collector:4317", "grpc://h:1", "http://u:s3cr3t@h:1", "http://h:1?key=s3cr3t", "http://h:1#s3cr3t"]
)
def test_an_endpoint_that_cannot_be_used_is_an_error_without_its_text(address: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{VARIABLE}: ") as error:
        loading.load(None, {VARIABLE: address})
    assert "s3cr3t" not in str(error.value)


@pytest.mark.parametrize("ratio", ["2", "-0.1", "nan", "often", "1e400"])
def test_a_ratio_is_a_number_from_0_to_1(ratio: str) -> None:
    with pytest.raises(ConfigError, match=r"^EVENTSCACHE_OTLP_TRACE_RATIO: must be a number from 0 to 1"):
        loading.load(None, {"EVENTSCACHE_OTLP_TRACE_RATIO": ratio})
