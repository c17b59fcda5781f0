"""The list of routes: each module in `routes/` brings its own."""

import importlib
import pkgutil

from eventscache.server import routes
from eventscache.server.routes import mirror, webhooks
from eventscache.server.routing import INGESTION_ROUTES, ROUTES


def test_every_route_module_is_served() -> None:
    names = [module.name for module in pkgutil.iter_modules(routes.__path__)]
    modules = [importlib.import_module(f"eventscache.server.routes.{name}") for name in names]
    declared = {route for module in modules for route in getattr(module, "ROUTES", ())}
    assert len(declared) > len(names)
    assert declared == set(ROUTES)


def test_every_route_by_which_clients_send_is_mirrored() -> None:
    others = {"/api/v1/events/cache", *(path for _, path, _ in (*mirror.ROUTES, *webhooks.ROUTES))}
    posted = {path for method, path, _ in ROUTES if method == "POST" and not path.endswith("/settings")}
    assert posted - others == {path for method, path, _ in INGESTION_ROUTES if method == "POST"}


def test_no_path_and_method_is_declared_twice() -> None:
    assert len({(method, path) for method, path, _ in ROUTES}) == len(ROUTES)
