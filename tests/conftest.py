import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import hypothesis
import pytest
import structlog

import eventscache.testing  # noqa: F401 - first, so that its asserts explain themselves
from eventscache.server.routes.static_files import StaticFile
from tests.support import distribution
from tests.support.certificates import Certificates
from tests.support.fault_proxy import FaultProxy
from tests.support.missing import missing
from tests.support.redis_cluster import Cluster
from tests.support.redis_sentinel import SentinelTrio
from tests.support.redis_server import (
    NEWEST,
    NONE_INSTALLED,
    SERVERS,
    RedisServer,
    binary_of,
    free_port,
    has_tls,
    short_folder,
)

pytest_plugins = [
    "tests.support.command",
    "tests.support.otlp_collector",
    "tests.support.sidecar",
    "tests.support.trial",
]

hypothesis.settings.register_profile("thorough", deadline=None, derandomize=False, print_blob=True)
hypothesis.settings.load_profile("thorough")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    distribution.mark(items)
    if hasattr(config, "workerinput"):
        distribution.sort(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False
    scheduling = LoadScopeScheduling(config, log)
    scheduling._split_scope = distribution.group_of
    return scheduling


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what a test's command did to the logging of this process: its standard error is closed by now."""
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    root.handlers[:] = before
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _pages_compressed_once() -> Iterator[None]:
    """Keep what a server makes of the live view's files at its start: more than a thousand are started here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StaticFile, "of", staticmethod(functools.cache(StaticFile.of)))
        yield


@pytest.fixture(scope="session")
def redis_servers() -> Iterator[dict[str, RedisServer]]:
    """A running Redis of each version that is installed here."""
    binary_of(NEWEST)
    with contextlib.ExitStack() as stack:
        yield {
            version: stack.enter_context(RedisServer(binary, stack.enter_context(short_folder())))
            for version, binary in SERVERS.items()
        }


@pytest.fixture
def redis_server(redis_servers: dict[str, RedisServer]) -> RedisServer:
    """The newest of them: what a test asks of Redis by way of the storage, an older one answers alike."""
    return redis_servers[NEWEST]


@pytest.fixture(params=sorted(SERVERS) or [NONE_INSTALLED])
def each_redis_server(request: pytest.FixtureRequest, redis_servers: dict[str, RedisServer]) -> RedisServer:
    """Each of them in turn, where versions may differ: in what scripts may do, and in what the driver meets."""
    return redis_servers[request.param]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def emptied(server: RedisServer) -> RedisServer:
    """Bring a server back to what it was at its first start."""
    server.thaw()
    if not server.runs:
        server.start()
    server.ask("FLUSHALL")
    return server


@pytest.fixture(scope="session")
def _tcp_redis() -> Iterator[RedisServer]:
    binary = binary_of(NEWEST)
    with short_folder() as folder, RedisServer(binary, folder, port=free_port()) as server:
        yield server


@pytest.fixture
def tcp_redis(_tcp_redis: RedisServer) -> RedisServer:
    """An empty Redis on a port, which a test may kill or freeze."""
    return emptied(_tcp_redis)


@pytest.fixture(scope="session")
def _tls_redis(certificates: Certificates) -> Iterator[RedisServer]:
    binary = binary_of(NEWEST)
    if not has_tls(binary):
        missing(f"redis-server {NEWEST} was built without TLS")
    with (
        short_folder() as folder,
        RedisServer(binary, folder, port=free_port(), certificates=certificates) as server,
    ):
        yield server


@pytest.fixture
def tls_redis(_tls_redis: RedisServer) -> RedisServer:
    """An empty Redis on a port that speaks TLS only, with a certificate of `certificates`."""
    return emptied(_tls_redis)


@pytest.fixture(scope="session")
def _sentinel_trio() -> Iterator[SentinelTrio]:
    binary = binary_of(NEWEST)
    with short_folder() as folder, SentinelTrio(binary, folder) as trio:
        yield trio


@pytest.fixture
def sentinel_trio(_sentinel_trio: SentinelTrio) -> SentinelTrio:
    """A healthy master with a replica and three Sentinels, empty; any of them may be killed or frozen."""
    _sentinel_trio.heal()
    _sentinel_trio.master().ask("FLUSHALL")
    return _sentinel_trio


@pytest.fixture(scope="session")
def _redis_clusters() -> Iterator[Callable[[str], Cluster]]:
    with contextlib.ExitStack() as stack:

        @functools.cache
        def running(version: str) -> Cluster:
            binary = binary_of(version)
            return stack.enter_context(Cluster(binary, stack.enter_context(short_folder())))

        yield running


@pytest.fixture
def redis_cluster(request: pytest.FixtureRequest, _redis_clusters: Callable[[str], Cluster]) -> Cluster:
    """A healthy cluster of three, empty, of the newest version or of the one given as an indirect parameter."""
    cluster = _redis_clusters(getattr(request, "param", NEWEST))
    cluster.heal()
    return cluster


@pytest.fixture
async def fault_proxy(tcp_redis: RedisServer) -> AsyncIterator[FaultProxy]:
    """A proxy in front of `tcp_redis`."""
    async with FaultProxy(tcp_redis) as proxy:
        yield proxy
