"""All suites in one class."""

from eventscache.conformance.suites.checkpoints import CheckpointSuite
from eventscache.conformance.suites.clearing import ClearingSuite
from eventscache.conformance.suites.concurrency import ConcurrencySuite
from eventscache.conformance.suites.extras import ExtrasSuite
from eventscache.conformance.suites.idempotence import IdempotenceSuite
from eventscache.conformance.suites.limiter import LimiterSuite
from eventscache.conformance.suites.reading import ReadingSuite
from eventscache.conformance.suites.streams import StreamsSuite


class Conformance(
    ReadingSuite,
    LimiterSuite,
    IdempotenceSuite,
    ConcurrencySuite,
    StreamsSuite,
    ClearingSuite,
    ExtrasSuite,
    CheckpointSuite,
):
    """The promises of `eventscache.storage.base.Storage`.

    They never wait, but for the end of a lease: time is `StorageOptions.now`. `eventscache.testing` makes them a pytest
    suite, and `eventscache storage verify` runs them against a live backend.
    """


def promise_names(*, extras: bool = True) -> list[str]:
    """Return the names of all `test_...` methods, suite by suite, in the order of their definition.

    Without `extras` those are left out that a storage without extra collections does not make.
    """
    suites = [suite for suite in Conformance.__mro__ if extras or suite is not ExtrasSuite]
    return [name for suite in suites for name in vars(suite) if name.startswith("test_")]
