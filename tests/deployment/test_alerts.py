"""The alerts for Prometheus: each fires on its fault, and none does while all is well."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.alerts import ALERTS, FILE
from tests.support.metric_samples import labels_of
from tests.support.paths import ROOT
from tests.support.promql import grouping_labels_of, selectors_of
from tests.support.promtool import promtool
from tests.support.simulated_series import INSTANCES, Change, Counter, Gauge, Written, simulated_series

OF_PROMETHEUS = {"up"}
OF_TARGETS = {"job", "instance"}
MINUTE, LATER, END = 60, 90, 120
DAY = 24 * 60

B = 'instance="b:8095"'
LOST = [f'eventscache_events_dropped_total{{reason="{reason}"}}' for reason in ("storage_unavailable", "unconfirmed")]
NO_EVENTS = dict.fromkeys(
    [f"eventscache_events_{what}_total" for what in ("received", "stored", "limited", "rejected")], Counter(0)
)


def slow(name: str, more: str = "") -> dict[str, Change]:
    """Make one in twenty of the times of a histogram longer than its last bound."""
    bounds = labels_of(f"{name}_bucket")["le"]
    return {
        f'{name}_bucket{{{B},le="{bound}"{more}}}': Counter(100 if bound == "+Inf" else 95) for bound in sorted(bounds)
    }


class Fault(NamedTuple):
    """What changes at a minute, and which alerts fire at some minutes; by default half an hour later."""

    changes: Mapping[str, Change]
    fires: set[str] | Mapping[int, set[str]]
    gone: Sequence[str] = ()
    minute: int = MINUTE
    end: int = END

    @property
    def firing(self) -> Mapping[int, set[str]]:
        """The names of the alerts that fire, by minute; none does before the change."""
        expected = {LATER - MINUTE + self.minute: self.fires} if isinstance(self.fires, set) else self.fires
        return {self.minute - 1: set(), **expected}


FAULTS = {
    "all is well": Fault({}, {5: set(), LATER: set(), DAY + 59: set()}, minute=DAY, end=DAY + 60),
    "one is down": Fault({f"up{{{B}}}": Gauge(0)}, {"EventscacheDown"}, gone=["b:8095"]),
    "one is down for two minutes": Fault(
        {f"up{{{B}}}": Written("0 0 1x60")}, {MINUTE + minute: set() for minute in range(6)}
    ),
    "all are down": Fault({"up": Gauge(0)}, {"EventscacheDown"}, gone=INSTANCES),
    "all were removed": Fault({"up": Written("stale")}, {"EventscacheAbsent"}, gone=INSTANCES),
    "another job is down, too": Fault({f"up{{{B}}}": Written("stale")}, set(), gone=["b:8095"]),
    "one restarts again and again": Fault(
        {f"eventscache_loop_lag_seconds_count{{{B}}}": Written("0+600x2 0+600x3 0+600x2 0+600x60")},
        {MINUTE + 9: {"EventscacheRestarting"}, LATER: set()},
    ),
    "one was restarted with fewer workers": Fault(
        {
            f"eventscache_loop_lag_seconds_count{{{B}}}": Written("0+600x60"),
            f"eventscache_processes{{{B}}}": Gauge(1),
        },
        set(),
    ),
    "a worker is missing": Fault({f"eventscache_processes{{{B}}}": Gauge(1)}, {"EventscacheWorkerMissing"}),
    "a worker dies again and again": Fault(
        {f"eventscache_processes{{{B}}}": Written("1 2 2 " * 20)}, {"EventscacheWorkerMissing"}
    ),
    "a worker died once": Fault({f"eventscache_processes{{{B}}}": Written("1 2x60")}, set()),
    "the storage takes nothing": Fault(
        {
            f"eventscache_storage_up{{{B}}}": Gauge(0),
            f"eventscache_storage_refusing{{{B}}}": Gauge(1),
            f'eventscache_storage_errors_total{{{B},operation="insert",kind="refused"}}': Counter(240),
        },
        {"EventscacheStorageUnavailable", "EventscacheStorageRefuses"},
    ),
    "the storage is away": Fault(
        {
            "eventscache_storage_up": Gauge(0),
            "eventscache_storage_breakers_open": Gauge(2),
            'eventscache_storage_errors_total{kind="unavailable"}': Counter(240),
            **dict.fromkeys(LOST, Counter(3000)),
        },
        {
            "EventscacheStorageUnavailable",
            "EventscacheBreakerOpen",
            "EventscacheManyEventsDropped",
            "EventscacheEventsDropped",
            "EventscacheUnconfirmed",
        },
    ),
    "the storage was away, and no event came since": Fault({"eventscache_storage_up": Gauge(0)}, set()),
    "a short outage, and no event since": Fault(
        {
            f"eventscache_storage_up{{{B}}}": Gauge(0),
            f"eventscache_storage_breakers_open{{{B}}}": Written("1 0x60"),
            f'eventscache_storage_errors_total{{{B},operation="insert",kind="unavailable"}}': Written("0 240x60"),
        },
        {MINUTE + minute: set() for minute in range(10)},
    ),
    "a server of the storage is away": Fault(
        {f"eventscache_storage_breakers_open{{{B}}}": Gauge(1)}, {"EventscacheBreakerOpen"}
    ),
    "the storage refuses": Fault({f"eventscache_storage_refusing{{{B}}}": Gauge(1)}, {"EventscacheStorageRefuses"}),
    "reads fail": Fault(
        {f'eventscache_storage_errors_total{{{B},operation="read",kind="error"}}': Counter(2)}, {"EventscacheReadsFail"}
    ),
    "inserts are slow": Fault(slow("eventscache_storage_seconds", ',operation="insert"'), {"EventscacheStorageSlow"}),
    "many events are dropped": Fault(
        {f'eventscache_events_dropped_total{{{B},reason="queue_full"}}': Counter(600)},
        {"EventscacheManyEventsDropped", "EventscacheEventsDropped"},
    ),
    **{
        f"some events were dropped: {reason}": Fault(
            {f'eventscache_events_dropped_total{{{B},reason="{reason}"}}': Counter(0, once=3)},
            {MINUTE + 5: {"EventscacheEventsDropped"}, LATER: set()},
        )
        for reason in ("queue_full", "storage_unavailable", "storage_error", "worker_died", "shutdown")
    },
    "some events are not confirmed": Fault(
        {f'eventscache_events_dropped_total{{{B},reason="unconfirmed"}}': Counter(0, once=3)},
        {MINUTE + 5: {"EventscacheUnconfirmed"}, LATER: set()},
    ),
    **{
        f"new streams are dropped: {reason}": Fault(
            {f'eventscache_events_dropped_total{{{B},reason="{reason}"}}': Counter(10)},
            {"EventscacheNewStreamsDropped"},
        )
        for reason in ("max_streams", "new_streams")
    },
    "the cache is off": Fault({'eventscache_events_dropped_total{reason="disabled"}': Counter(6000)}, set()),
    "the queue is nearly full": Fault(
        {f"eventscache_queue_bytes{{{B}}}": Gauge(30_000_000)}, {"EventscacheQueueFilling"}
    ),
    "events are late": Fault(slow("eventscache_freshness_seconds"), {"EventscacheNotFresh"}),
    "much is rejected": Fault({f"eventscache_events_rejected_total{{{B}}}": Counter(1200)}, {"EventscacheRejecting"}),
    "of few events, one is rejected now and then": Fault(
        {
            f"eventscache_events_received_total{{{B}}}": Counter(1),
            f"eventscache_events_rejected_total{{{B}}}": Counter(0.5),
        },
        set(),
    ),
    "entries are unreadable": Fault(
        {f"eventscache_events_unreadable_total{{{B}}}": Counter(1)}, {"EventscacheUnreadable"}
    ),
    "no events come": Fault(NO_EVENTS, {DAY + 59: set(), DAY + 75: {"EventscacheNoEvents"}}, minute=DAY, end=DAY + 100),
    "no events come to one of two": Fault(
        {f"{name}{{{B}}}": change for name, change in NO_EVENTS.items()}, {DAY + 75: set()}, minute=DAY, end=DAY + 100
    ),
    "no process follows the source": Fault(
        {"eventscache_source_following": Gauge(0)}, {"EventscacheSourceNotFollowed"}
    ),
    "another sidecar follows": Fault(
        {
            'eventscache_source_following{instance="a:8095",source="jitsu_redis"}': Gauge(0),
            f'eventscache_source_following{{{B},source="jitsu_redis"}}': Gauge(1),
        },
        set(),
    ),
    "a place was never reached": Fault(
        {f'eventscache_source_errors_total{{{B},source="jitsu_logs",kind="unavailable"}}': Counter(12)},
        {"EventscacheSourceNotFollowed"},
    ),
    "entries were gone before they were read": Fault(
        {'eventscache_source_errors_total{instance="a:8095",source="jitsu_redis",kind="gap"}': Counter(0, once=1)},
        {MINUTE + 5: {"EventscacheSourceErrors"}, LATER: set()},
    ),
    "a source is behind": Fault(
        {'eventscache_source_lag_seconds{instance="a:8095",source="jitsu_redis"}': Gauge(4000)},
        {"EventscacheSourceLagging"},
    ),
    "a source has nothing new": Fault(
        {"eventscache_source_entries_total": Counter(0)},
        {DAY + 59: set(), DAY + 75: {"EventscacheSourceSilent"}},
        minute=DAY,
        end=DAY + 100,
    ),
    "the loop is late": Fault(slow("eventscache_loop_lag_seconds"), {"EventscacheLoopLag"}),
    "memory grows": Fault({f"eventscache_resident_memory_bytes{{{B}}}": Gauge(1e9)}, {"EventscacheMemoryHigh"}),
    "connections grow": Fault({f"eventscache_connections{{{B}}}": Gauge(1900)}, {"EventscacheConnectionsHigh"}),
}


def test_what_an_expression_reads_is_found() -> None:
    expression = 'sum by (a) (rate(x_total{b=~"c|d", e!="{f"}[5m])) / on (g) group_left (h) y > 0.1 and z offset 1d'
    x, y, z = selectors_of(expression)
    assert [(matcher.label, matcher.operator, matcher.values) for matcher in x.matchers] == [
        ("b", "=~", ["c", "d"]),
        ("e", "!=", ["{f"]),
    ]
    assert (x.name, y, z) == ("x_total", ("y", ()), ("z", ()))
    assert grouping_labels_of(expression) == {"a", "g", "h"}


def test_the_rules_are_valid() -> None:
    said = promtool("check", "rules", "--lint-fatal", str(FILE), folder=ROOT)
    assert f"{len(ALERTS)} rules found" in said


def test_the_configuration_in_the_documentation_is_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (configuration,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "prometheus.yml").write_text(configuration, encoding="utf-8")
    shutil.copy(FILE, tmp_path)
    said = promtool("check", "config", "prometheus.yml", folder=tmp_path)
    assert f"{len(ALERTS)} rules found" in said


def promtool_test(fault: Fault) -> dict[str, Any]:
    """Return a test that asks which alerts fire. It does not compare their texts, which promtool has checked."""
    return {
        "interval": "1m",
        "input_series": simulated_series(fault.changes, fault.minute, fault.end, fault.gone),
        "promql_expr_test": [
            {
                "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)],
            }
            for minute, names in fault.firing.items()
        ],
    }


@pytest.mark.parametrize("name", FAULTS)
def test_exactly_the_alerts_of_a_fault_fire(name: str, tmp_path: Path) -> None:
    tests = {"rule_files": [str(FILE)], "evaluation_interval": "1m", "tests": [promtool_test(FAULTS[name])]}
    (tmp_path / "test.yaml").write_text(json.dumps(tests), encoding="utf-8")
    promtool("test", "rules", "test.yaml", folder=tmp_path)


def test_every_alert_has_a_fault_on_which_it_fires() -> None:
    assert set.union(*(names for fault in FAULTS.values() for names in fault.firing.values())) == ALERTS.keys()


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_an_alert_uses_metrics_labels_and_values_that_exist(alert: dict[str, Any]) -> None:
    known = set(OF_TARGETS)
    for name, matchers in selectors_of(alert["expr"]):
        labels = {} if name in OF_PROMETHEUS else labels_of(name)
        known |= labels.keys()
        for matcher in matchers:
            assert labels[matcher.label] >= {*matcher.values}
    assert grouping_labels_of(alert["expr"]) <= known
    texts = "".join(alert["annotations"].values())
    assert all(label in {*known} for label in label_names(texts))


def label_names(texts: str) -> list[str]:
    """Return the labels that the templates of an alert show."""
    return [part.split()[0].rstrip("}") for part in texts.split("$labels.")[1:]]


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_an_alert_says_how_urgent_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook"}
    assert alert["annotations"]["runbook"] == f"docs/runbook.md#{alert['alert'].lower()}"
