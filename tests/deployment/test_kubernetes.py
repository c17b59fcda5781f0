"""The manifest of a pod with Jitsu and the sidecar: checked against Kubernetes, and its container started."""

import json
from pathlib import Path

import pytest

from tests.support import kubernetes
from tests.support.command import Serve
from tests.support.jitsu_lists import JitsuLists
from tests.support.kubernetes import of_kind
from tests.support.paths import ROOT
from tests.support.redis_server import HOST, RedisServer

DOCUMENTS = kubernetes.documents((ROOT / "deploy" / "kubernetes" / "sidecar.yaml").read_text(encoding="utf-8"))
TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["kind"])
def test_kubernetes_takes_it(document: dict[str, object]) -> None:
    kubernetes.check(document)


def test_the_service_leads_to_ports_of_the_pod() -> None:
    template, service = of_kind(DOCUMENTS, "Deployment")["spec"]["template"], of_kind(DOCUMENTS, "Service")["spec"]
    assert service["selector"].items() <= template["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for one in template["spec"]["containers"] for port in one["ports"]}
    assert {port["targetPort"]: port["port"] for port in service["ports"]} == ports


async def test_the_sidecar_starts_and_follows_jitsus_redis(
    serve: Serve, tcp_redis: RedisServer, tmp_path: Path
) -> None:
    deployment = of_kind(DOCUMENTS, "Deployment")
    jitsus_file = json.dumps({"meta": {"storage": {"redis": {"host": HOST, "port": tcp_redis.port}}}})
    secrets = {"jitsu-config": {"eventnative.yaml": jitsus_file}, "eventscache-tokens": {"admin_tokens": TOKEN}}
    JitsuLists(tcp_redis).destination("my_destination", original={"n": 1}, error="refused")
    process = serve("--host", HOST, **kubernetes.environ(deployment, secrets, tmp_path))
    await process.get(kubernetes.container(deployment)["livenessProbe"]["httpGet"]["path"])
    query = "ids=my_destination&min=1&wait=30"
    found = await process.get(f"/api/v1/events/cache?{query}", X_Admin_Token=TOKEN)
    assert [event["error"] for event in found["events"]] == ["refused"]


def test_the_sidecar_does_not_make_the_pod_unready() -> None:
    assert "readinessProbe" not in kubernetes.container(of_kind(DOCUMENTS, "Deployment"))
