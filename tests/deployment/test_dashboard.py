"""The dashboard for Grafana: it can be imported, shows every metric, and asks for nothing that does not exist."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from eventscache.metrics.definitions import METRICS
from tests.support.alerts import ALERTS
from tests.support.dashboard import DASHBOARD, PANELS, TARGETS
from tests.support.metric_samples import declared_series, labels_of, series_of
from tests.support.promql import Selector, grouping_labels_of, selectors_of
from tests.support.promtool import promtool
from tests.support.sidecar import Start

VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
OF_TARGETS = {"job", "instance"}
EXPRESSIONS = [target["expr"] for target in TARGETS]


def test_the_data_source_and_the_sidecars_are_chosen_by_variables() -> None:
    assert [(variable["name"], variable["type"]) for variable in VARIABLES.values()] == [
        ("datasource", "datasource"),
        ("instance", "query"),
    ]
    (selected,) = selectors_of(VARIABLES["instance"]["query"]["query"].removeprefix("label_values(").split(",")[0])
    assert selected == Selector("eventscache_build_info")
    for one in (VARIABLES["instance"], *PANELS.values(), *TARGETS):
        assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_every_panel_has_a_title_of_its_own_and_says_what_it_shows() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len(PANELS) == sum(panel["type"] != "row" for panel in DASHBOARD["panels"])
    for panel in PANELS.values():
        assert panel["description"].endswith(".")
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    """Return what a panel covers."""
    place = panel["gridPos"]
    assert place["x"] + place["w"] <= 24
    columns, rows = (range(place[at], place[at] + place[size]) for at, size in (("x", "w"), ("y", "h")))
    return {*itertools.product(columns, rows)}


def test_no_panel_covers_another_one() -> None:
    covered = [cells(panel) for panel in DASHBOARD["panels"]]
    assert sum(map(len, covered)) == len(set.union(*covered))


def test_every_metric_is_shown() -> None:
    named = " ".join(EXPRESSIONS)
    assert [metric.name for metric in METRICS if not re.search(rf"\b{metric.name}(_total|_bucket)?\b", named)] == []


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target["expr"])
def test_a_panel_uses_metrics_labels_and_values_that_exist(target: dict[str, Any]) -> None:
    expression = target["expr"]
    known = set(OF_TARGETS)
    for name, matchers in selectors_of(expression):
        labels = labels_of(name)
        known |= labels.keys()
        assert ("instance", "=~", "$instance") in matchers
        for matcher in matchers:
            assert matcher.label == "instance" or labels[matcher.label] >= {*matcher.values}
    grouping = grouping_labels_of(expression)
    assert grouping <= known
    aggregated = re.search(r"\b(sum|min|max|count)\b", expression)
    shown = {*re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])}
    assert shown <= (grouping if aggregated else known)


def test_prometheus_takes_every_expression(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(EXPRESSIONS)
    ]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", "rules.yaml", folder=tmp_path)


async def test_a_running_sidecar_has_every_series_of_the_dashboard_and_the_alerts(start: Start) -> None:
    sidecar = await start()
    await sidecar.record(b'{"destination_id":"d","original":{}}')
    scraped = series_of((await sidecar.get("/metrics")).body.decode())
    used = [one for text in (*EXPRESSIONS, *(rule["expr"] for rule in ALERTS.values())) for one in selectors_of(text)]
    for selector in used:
        found = [labels for name, labels in scraped if name == selector.name]
        assert found or selector.name == "up", selector  # which Prometheus adds, as it does with job and instance
        for matcher in selector.matchers:
            if matcher.label != "instance":
                assert {labels[matcher.label] for labels in found} >= {*matcher.values}
    assert {name for name, _ in declared_series()} == {name for name, _ in scraped}
