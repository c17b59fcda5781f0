"""The Helm chart: rendered by Helm's own code, checked against Kubernetes, and its container started."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from eventscache import __version__
from tests.support import kubernetes
from tests.support.command import Process, Serve
from tests.support.kubernetes import of_kind
from tests.support.missing import DEPLOY_TOOLS, module
from tests.support.paths import ROOT
from tests.support.redis_server import HOST, RedisServer

CHART = ROOT / "deploy" / "helm" / "eventscache"
TOKEN = "a-token-of-some-length"
KEY = {"id": "my_key", "client_secret": "my_client_secret"}
REDIS = {"meta": {"storage": {"redis": {"host": "redis"}}}}
FULL = {
    "replicas": 2,
    "config": {"api_keys": [KEY]},
    "storageSecret": "storage",
    "env": {"EVENTSCACHE_MAX_STREAMS": "500"},
    "podMonitor": {"enabled": True},
}


@pytest.fixture
def chart() -> Iterator[Any]:
    with module("helm_python", DEPLOY_TOOLS).Chart.load(str(CHART)) as chart:
        yield chart


def rendered(chart: Any, values: dict[str, Any]) -> list[dict[str, Any]]:
    chart.validate_schema(values)
    texts = chart.render(values, name="demo", namespace="shop").values()
    return [document for text in texts for document in kubernetes.documents(text)]


def test_the_linter_finds_no_fault() -> None:
    found = module("helm_python", DEPLOY_TOOLS).lint(str(CHART))
    assert found["errors"] == []
    assert [message["error"] for message in found["messages"]] == ["icon is recommended"]


def test_it_is_of_the_same_version_as_the_package() -> None:
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert metadata["version"] == metadata["appVersion"] == __version__


@pytest.mark.parametrize("values", [{}, FULL], ids=["defaults", "all values"])
def test_kubernetes_takes_what_it_renders(chart: Any, values: dict[str, Any]) -> None:
    documents = rendered(chart, values)
    for document in documents:
        if document["kind"] != "PodMonitor":  # is none of Kubernetes itself
            kubernetes.check(document)
    kinds = {"Secret", "Deployment", "Service"}
    assert {document["kind"] for document in documents} == kinds | ({"PodMonitor"} if values else set())


def test_what_selects_its_pods_matches_them(chart: Any) -> None:
    documents = rendered(chart, FULL)
    template = of_kind(documents, "Deployment")["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    (port,) = kubernetes.container(of_kind(documents, "Deployment"))["ports"]
    service, monitor = of_kind(documents, "Service")["spec"], of_kind(documents, "PodMonitor")["spec"]
    assert service["selector"].items() <= labels
    assert monitor["selector"]["matchLabels"].items() <= labels
    assert of_kind(documents, "Deployment")["spec"]["selector"]["matchLabels"].items() <= labels
    assert {service["ports"][0]["targetPort"], monitor["podMetricsEndpoints"][0]["port"]} == {port["name"]}


def test_a_misspelt_value_is_an_error(chart: Any) -> None:
    with pytest.raises(module("helm_python", DEPLOY_TOOLS).HelmError, match="replica"):
        rendered(chart, {"replica": 2})


@pytest.mark.parametrize(
    "storage",
    [
        {"storageSecret": "storage"},
        {"config": REDIS},
        {"config": {"eventscache": {"storage": "redis://redis"}}},
        {"env": {"EVENTSCACHE_STORAGE": "redis://redis"}},
    ],
    ids=lambda storage: next(iter(storage)),
)
def test_several_processes_need_a_storage_outside(chart: Any, storage: dict[str, Any]) -> None:
    assert rendered(chart, {"replicas": 2, **storage})
    with pytest.raises(module("helm_python", DEPLOY_TOOLS).HelmError, match="more than one needs storageSecret"):
        rendered(chart, {"replicas": 2})


def test_no_probe_asks_for_the_storage(chart: Any) -> None:
    container = kubernetes.container(of_kind(rendered(chart, FULL), "Deployment"))
    assert {container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")} == {"/livez"}


async def test_its_container_starts_and_answers_the_probes(
    chart: Any, serve: Serve, redis_server: RedisServer, tmp_path: Path
) -> None:
    documents = rendered(chart, FULL)
    deployment, secret = of_kind(documents, "Deployment"), of_kind(documents, "Secret")
    secrets = {
        secret["metadata"]["name"]: kubernetes.content(secret),
        "eventscache-tokens": {"admin_tokens": TOKEN},
        "storage": {"storage": redis_server.storage_url},
    }
    process: Process = serve("--host", HOST, **kubernetes.environ(deployment, secrets, tmp_path))
    container = kubernetes.container(deployment)
    for probe in ("livenessProbe", "readinessProbe"):
        await process.get(container[probe]["httpGet"]["path"])
    await process.post("/api/v1/event?token=my_client_secret", {"n": 1})
    query = "namespace=token&ids=my_key&min=1&wait=30"
    found = await process.get(f"/api/v1/events/cache?{query}", X_Admin_Token=TOKEN)
    assert [event["original"]["n"] for event in found["events"]] == [1]
    assert process.stop() == 0
    assert [line for line in process.log if line["level"] != "info"] == []
