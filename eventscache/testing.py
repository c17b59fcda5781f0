"""For the tests of a backend: the conformance suite of the storage contract, and a clock, a writer and events.

    class TestMyStorage(StorageConformance):
        def storage(self, options):
            return MyStorage.from_url("mine://...", options)

The suite needs pytest and pytest-asyncio.
"""

import pytest

pytest.register_assert_rewrite("eventscache.conformance.suites")  # with all modules in it

from eventscache.conformance.events import error, numbered, payloads, success  # noqa: E402 - after the line above
from eventscache.conformance.manual_clock import ManualClock  # noqa: E402
from eventscache.conformance.suites.conformance import Conformance  # noqa: E402
from eventscache.conformance.writer import Writer  # noqa: E402

__all__ = ["ManualClock", "StorageConformance", "Writer", "error", "numbered", "payloads", "success"]


@pytest.mark.asyncio
class StorageConformance(Conformance):
    """The promises of `eventscache.storage.base.Storage`, one test each."""
