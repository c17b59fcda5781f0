"""What a backend's author subclasses: the conformance suite of the storage contract, and a clock for tests.

    class TestMyStorage(StorageConformance):
        def storage(self, options):
            return MyStorage.from_url("mine://...", options)

The suite needs pytest and pytest-asyncio.
"""

import pytest

pytest.register_assert_rewrite("eventscache.conformance.suite")

from eventscache.conformance.suite import (  # noqa: E402 - once its asserts explain themselves
    Conformance,
    ManualClock,
    Writer,
    error,
    numbered,
    payloads,
    success,
)

__all__ = ["ManualClock", "StorageConformance", "Writer", "error", "numbered", "payloads", "success"]


@pytest.mark.asyncio
class StorageConformance(Conformance):
    """The promises of `eventscache.storage.base.Storage`, one test each."""
