"""The snippets of the guide: each is run, is read as configuration, or says that it was not run."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from eventscache.config.loading import load
from tests.support.jitsu_lists import text_of
from tests.support.missing import missing
from tests.support.paths import ROOT
from tests.support.sidecar import Sidecar, Start

PAGE = (ROOT / "docs" / "next-to-jitsu.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
TOKENS = {"YOUR_INGEST_TOKEN": "ingest", "YOUR_ADMIN_TOKEN": "admin"}
EVENT = {"api_key": "secret", "event_type": "pageview", "title": "<Sale> & more \u2028", "price": 1e3}


def snippets(kind: str, *, with_text: str = "") -> list[str]:
    return [text for language, text in SNIPPETS if language == kind and with_text in text]


def yaml_of(text: str) -> Any:
    (found,) = [snippet for snippet in snippets("yaml") if text in snippet]
    return yaml.safe_load(found)


async def events(sidecar: Sidecar, query: str) -> list[dict[str, Any]]:
    answer = await sidecar.get(f"/api/v1/events/cache?{query}", X_Admin_Token="admin")
    found: list[dict[str, Any]] = answer.json["events"][::-1]
    return found


def test_no_snippet_is_left_out() -> None:
    kinds = [language for language, _ in SNIPPETS]
    assert set(kinds) == {"yaml", "sh", "js"}
    assert kinds.count("js") == 1
    assert len([text for text in snippets("yaml") if not text.startswith("# not run\n")]) == 4
    assert all("curl" in text or text.startswith("# not run\n") for text in snippets("sh"))


def test_the_table_names_each_way_and_leads_to_it() -> None:
    ways = re.findall(r"^\| \[(.*?)\]\(#([\w-]+)\) \|", PAGE, re.MULTILINE)
    assert len(ways) == 5
    headings = {
        heading.lower().replace(" ", "-").replace("'", "") for heading in re.findall(r"^#+ (.*)", PAGE, re.MULTILINE)
    }
    assert {way for _, way in ways} <= headings
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= headings  # each link within the page


def test_the_configuration_is_taken(tmp_path: Path) -> None:
    (text,) = snippets("yaml", with_text="ingest_tokens")
    path = tmp_path / "eventnative.yaml"
    path.write_text(f"meta: {{storage: {{redis: {{host: localhost}}}}}}\n{text}", encoding="utf-8")
    environment = {"SIDECAR_ADMIN_TOKEN": "admin", "SIDECAR_INGEST_TOKEN": "ingest"}
    settings = load(path, {**environment}).settings
    assert (settings.admin_tokens, settings.ingest_tokens) == (("admin",), ("ingest",))
    assert [name for name, _ in settings.sources] == ["jitsu_redis"]


def test_lines_that_were_not_run_are_configuration_at_least() -> None:
    marked = [yaml.safe_load(text) for text in snippets("yaml") if text.startswith("# not run\n")]
    envoy, traefik = marked
    routes = envoy["virtual_hosts"][0]["routes"]
    assert routes[0]["route"]["request_mirror_policies"][0]["cluster"] == "eventscache"
    services = traefik["http"]["services"]
    assert services["jitsu-mirrored"]["mirroring"]["mirrors"] == [{"name": "eventscache", "percent": 100}]
    assert {router["service"] for router in traefik["http"]["routers"].values()} <= set(services)
    patterns = [routes[0]["match"]["safe_regex"]["regex"], traefik["http"]["routers"]["events"]["rule"].split("`")[1]]
    for pattern in patterns:
        for path in ("/api/v1/event", "/api/v1/events", "/api/v1/s2s/event", "/api/v1/s2s/events"):
            assert re.fullmatch(pattern, path)
        assert not re.fullmatch(pattern, "/api/v1/events/cache")


@pytest.mark.parametrize("script", snippets("sh", with_text="curl"))
async def test_the_commands_run(start: Start, script: str) -> None:
    if not shutil.which("curl"):
        missing("no curl: apt-get install curl")
    sidecar = await start(admin_tokens=("admin",), ingest_tokens=("ingest",))
    for text, other in {"http://127.0.0.1:8095": sidecar.address, **TOKENS}.items():
        script = script.replace(text, other)
    if "namespace=token" in script:
        script = script.rstrip() + " -H 'X-Admin-Token: admin'\n"
    process = await asyncio.create_subprocess_shell(
        script.replace("curl ", "curl -sS "), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    told, wrong = await process.communicate()
    assert (process.returncode, wrong) == (0, b"")
    assert b'"code"' not in told, told
    await sidecar.cache.queue.drain(20)
    assert sidecar.cache.ledger.rejected == 0
    assert sidecar.cache.ledger.stored == script.count(" -d ") + script.count("},{")


def request_of(config: dict[str, Any], body: str) -> tuple[str, bytes]:
    """Return the path and the body that Jitsu classic sends for an event by a WebHook destination."""
    assert re.match(r"https?://[\w-]+\.[\w.-]+:8095/", config["url"]), "Jitsu takes a host without a dot for a script"
    assert config["method"] == "POST"
    return config["url"].partition(":8095")[2], body.replace("{{json .}}", text_of(EVENT)).encode()


async def test_the_webhook_destination_of_classic_brings_whole_events(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",), ingest_tokens=("ingest",))
    destination = yaml_of("destinations:")["destinations"]["eventscache_hook"]
    assert (destination["type"], destination["mode"]) == ("webhook", "stream")
    config = destination["config"]
    path, body = request_of(config, config["body"])
    assert config["headers"] == {"x-auth-token": "${env.SIDECAR_INGEST_TOKEN}"}
    assert (await sidecar.post(path, body, x_auth_token="ingest")).status == 200
    (event,) = await events(sidecar, "ids=eventscache_hook")
    assert event["original"] == EVENT


async def test_its_other_body_brings_records(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",), ingest_tokens=("ingest",))
    config = yaml_of("destinations:")["destinations"]["eventscache_hook"]["config"]
    path, body = request_of(config, yaml_of("body: '{")["body"])
    assert (await sidecar.post(path, body, x_auth_token="ingest")).status == 200
    (event,) = await events(sidecar, "ids=eventscache_hook")
    assert (event["original"], event["success"]) == (EVENT, {"table": "events"})


async def test_the_webhook_connection_of_jitsu2_brings_events(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",), ingest_tokens=("ingest",))
    config = yaml_of("actor_id")
    path, body = request_of(config, "{{json .}}")
    headers = {}
    for line in config["headers"]:
        name, value = line.split(":")  # Jitsu 2 splits at every colon
        headers[name.replace("-", "_")] = value.strip().replace("YOUR_INGEST_TOKEN", "ingest")
    assert (await sidecar.post(path, body, **headers)).status == 200
    (event,) = await events(sidecar, "ids=my_connection")
    assert event["original"] == EVENT


DRIVER = """
import deliver from "./function.mjs";
const [address, event] = process.argv.slice(2);
const logged = [];
const context = {
  fetch: (url, options) => fetch(url.replace("http://eventscache.local:8095", address), options),
  log: { debug: (text) => logged.push(text) },
  props: { SIDECAR_INGEST_TOKEN: "ingest" },
};
console.log(JSON.stringify([await deliver(JSON.parse(event), context), logged]));
"""


async def run_function(folder: Path, address: str) -> Any:
    if not shutil.which("node"):
        missing("no node: apt-get install nodejs")
    (function,) = snippets("js")
    (folder / "function.mjs").write_text(function, encoding="utf-8")
    (folder / "driver.mjs").write_text(DRIVER, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        "node",
        str(folder / "driver.mjs"),
        address,
        json.dumps(EVENT),
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    )
    told, _ = await process.communicate()
    return json.loads(told)


async def test_the_function_of_jitsu2_brings_events(start: Start, tmp_path: Path) -> None:
    sidecar = await start(admin_tokens=("admin",), ingest_tokens=("ingest",))
    assert await run_function(tmp_path, sidecar.address) == [EVENT, []]
    (event,) = await events(sidecar, "ids=my_connection")
    assert event["original"] == EVENT


async def test_the_function_of_jitsu2_loses_no_event_if_nothing_answers(tmp_path: Path) -> None:
    event, logged = await run_function(tmp_path, "http://127.0.0.1:9")
    assert (event, len(logged)) == (EVENT, 1)
