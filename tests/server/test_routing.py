"""The list of routes: each module in `routes/` brings its own."""

import importlib
import pkgutil
import re
from typing import NoReturn

import pytest

from eventscache.server import routes
from eventscache.server.routes import mirror, webhooks
from eventscache.server.routing import INGESTION_ROUTES, ROUTES
from tests.support.sidecar import CACHE, Log, Sidecar, Start


def test_every_route_module_is_served() -> None:
    names = [module.name for module in pkgutil.iter_modules(routes.__path__)]
    modules = [importlib.import_module(f"eventscache.server.routes.{name}") for name in names]
    declared = {route for module in modules for route in getattr(module, "ROUTES", ())}
    assert len(declared) > len(names)
    assert declared == set(ROUTES)


def test_every_route_by_which_clients_send_is_mirrored() -> None:
    ours = ("/api/v1/events/cache", "/api/v1/events/assert", "/api/v1/follows", "/api/v1/replay")
    others = {*ours, *(path for _, path, _ in (*mirror.ROUTES, *webhooks.ROUTES))}
    posted = {path for method, path, _ in ROUTES if method == "POST" and not path.endswith("/settings")}
    assert posted - others == {path for method, path, _ in INGESTION_ROUTES if method == "POST"}


def test_no_path_and_method_is_declared_twice() -> None:
    assert len({(method, path) for method, path, _ in ROUTES}) == len(ROUTES)


async def test_options_are_for_ingestion(sidecar: Sidecar) -> None:
    paths = {re.sub(r"\{.*?\}", "x", path) for _, path, _ in ROUTES}
    ingestion = {re.sub(r"\{.*?\}", "x", path) for _, path, _ in INGESTION_ROUTES}
    others = {path for path in paths - ingestion if not path.startswith(("/v1/projects/", "/mirror/"))}
    for path in (*ingestion, *others, "/nothing", "/api/v1/nothing"):
        status = 200 if path in ingestion else 405 if path in others else 404
        assert (await sidecar.ask("OPTIONS", path)).status == status, path


async def test_what_fails_by_a_bug_counts_where_it_brings_events(
    start: Start, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    sidecar = await start(fast_lane=False)  # which would log the bug as well

    def broken(*_: object, **__: object) -> NoReturn:
        raise ZeroDivisionError

    for name in ("offer_originals_in_turns", "fetch_written"):
        monkeypatch.setattr(type(sidecar.cache), name, broken)
    for path in ("/api/v1/p.gif?token=k", f"{CACHE}?ids=k"):
        assert (await sidecar.get(path)).status == 500
    assert (await sidecar.post("/api/v1/event?token=k", b"{}")).status == 500
    assert len(log.faults) == 3
    ledger = sidecar.cache.ledger
    assert (ledger.received, ledger.rejected, ledger.balanced) == (2, 2, True)


async def test_what_is_told_as_counted_is_counted(sidecar: Sidecar, log: Log) -> None:
    websocket = {"Upgrade": "websocket", "Connection": "Upgrade"}
    assert (await sidecar.ask("DELETE", "/api/v1/event?token=key")).status == 405
    assert (await sidecar.get("/api/v1/event?token=key")).status == 405
    assert (await sidecar.get("/api/v1/p.gif?token=key", **websocket)).status == 400
    assert (log.lines, sidecar.cache.ledger.rejected) == ([], 0)
    for _ in range(2):
        assert (await sidecar.ask("PUT", "/api/v1/event?token=key", b"{}")).status == 405
    assert sidecar.cache.ledger.rejected == 2
    (line,) = log.lines
    assert "'kind': 'method_not_allowed'" in line
