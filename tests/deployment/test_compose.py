"""The Compose file: its form, and what its services do together, each run on this machine."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from tests.support import nginx
from tests.support.command import EVENTSCACHE, Process, clean_environment
from tests.support.dockerfile import instructions
from tests.support.jitsu_server import OK, JitsuServer
from tests.support.missing import DEPLOY_TOOLS, missing, module
from tests.support.paths import ROOT
from tests.support.readme import nginx_lines
from tests.support.redis_server import HOST, RedisServer, free_port, short_folder

FOLDER = ROOT / "deploy" / "compose"
TEXT = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, Any] = yaml.safe_load(TEXT)["services"]
NGINX_CONF = (FOLDER / "nginx.conf").read_text(encoding="utf-8")
TOKEN = "a-token-of-some-length"


def test_it_has_the_form_of_compose_files() -> None:
    compose = module("compose_spec", DEPLOY_TOOLS)
    # The checker does not know this word of Docker's.
    compose.PyCompose.from_yaml(TEXT.replace("host-gateway", HOST)).validate()
    with pytest.raises(ValueError, match="read_onyl"):
        compose.PyCompose.from_yaml(TEXT.replace("host-gateway", HOST).replace("read_only", "read_onyl"))


def test_the_files_that_it_names_are_there() -> None:
    build = SERVICES["eventscache"]["build"]
    assert (FOLDER / build["context"] / build["dockerfile"]).samefile(ROOT / "deploy" / "Dockerfile")
    mounted = [volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert len(mounted) == 2
    assert all((FOLDER / path).exists() for path in mounted)
    assert (FOLDER / "config").is_dir(), "a file that is mounted by itself is not seen when it is replaced"
    assert "./config" in mounted


def test_nginx_has_the_lines_of_the_readme() -> None:
    comment, _, lines = NGINX_CONF.partition("\n")
    assert comment.startswith("#")
    assert lines == nginx_lines()


def settings(folder: Path, redis: RedisServer, port: int) -> dict[str, str]:
    """Return the variables of the image and of the service, for files and servers of this machine."""
    (folder / "admin_tokens").write_text(TOKEN, encoding="utf-8")
    places = {
        "/etc/eventscache/eventnative.yaml": str(FOLDER / "config" / "eventnative.yaml"),
        "/etc/eventscache/admin_tokens": str(folder / "admin_tokens"),
        "redis://redis:6379/0": redis.storage_url,
        "8095": str(port),
    }
    image = [word for line in instructions(ROOT / "deploy" / "Dockerfile") if line.name == "ENV" for word in line.words]
    given = dict(word.split("=", 1) for word in image if word.startswith("EVENTSCACHE_"))
    given |= SERVICES["eventscache"]["environment"]
    assert set(places) <= set(given.values())
    return {name: places.get(value, value) for name, value in given.items()}


async def test_an_event_reaches_jitsu_and_the_sidecar(tcp_redis: RedisServer, tmp_path: Path) -> None:
    if not nginx.BINARY:
        missing("no nginx: apt-get install nginx-light")
    jitsu, jitsu_port, port = JitsuServer(), free_port(), free_port()
    await jitsu.runner.setup()
    await web.TCPSite(jitsu.runner, HOST, jitsu_port).start()
    addresses = {"http://jitsu:8001": f"http://{HOST}:{jitsu_port}", "127.0.0.1:8095": f"{HOST}:{port}"}
    environ = clean_environment(**settings(tmp_path, tcp_redis, port))
    with (
        Process([*EVENTSCACHE, "serve"], environ) as sidecar,
        short_folder() as folder,
        nginx.Nginx(folder, NGINX_CONF, addresses) as proxy,
    ):
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{proxy.url}/api/v1/event?token=my_client_secret", json={"n": 1}) as answer,
        ):
            assert (answer.status, await answer.text()) == (200, OK)
        query = "namespace=token&ids=my_key&min=1&wait=30"
        found = await sidecar.get(f"/api/v1/events/cache?{query}", X_Admin_Token=TOKEN)
    await jitsu.runner.cleanup()

    assert [event["original"]["n"] for event in found["events"]] == [1]
    assert jitsu.received == {"/api/v1/event": 1}
