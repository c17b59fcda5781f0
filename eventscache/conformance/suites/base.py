"""What all suites share: the storage to test, its clock and its options."""

import secrets
from typing import Any

import msgspec

from eventscache.conformance.events import numbered, success
from eventscache.conformance.manual_clock import ManualClock
from eventscache.conformance.writer import DEFAULT_QUOTA, Writer
from eventscache.storage.base import Storage
from eventscache.storage.messages import Decision, Quota
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Stream

MINUTE_US = DEFAULT_QUOTA.window_us
INTERVAL_US = MINUTE_US // DEFAULT_QUOTA.size
"""In which the bucket of the default quota gets one token."""


class SuiteBase:
    """A suite of promises over one backend; each `test_...` of its subclasses is one promise."""

    prefix = "eventscache:scratch"
    """What the prefixes of the scratch data begin with."""

    clock: ManualClock

    def storage(self, options: StorageOptions) -> Storage:
        """Return a closed and empty storage; `options.prefix` keeps it apart from others that share its data."""
        raise NotImplementedError

    def setup_method(self) -> None:
        """Give each promise its own clock."""
        self.clock = ManualClock()

    def options(self, **changes: Any) -> StorageOptions:
        """Return the options for a storage: the clock, a scratch prefix, and a timeout for a slow machine."""
        prefix = f"{self.prefix}-{secrets.token_hex(6)}"
        return msgspec.structs.replace(StorageOptions(prefix=prefix, now=self.clock, timeout_seconds=60), **changes)

    def writer(self, storage: Storage, stream_id: str = "key", quota: Quota = DEFAULT_QUOTA) -> Writer:
        """Return a writer for a stream of the namespace `token`."""
        return Writer(storage, Stream(Namespace.TOKEN, stream_id), quota)

    async def decide(self, writer: Writer, count: int) -> Decision:
        """Offer that many successful events and return the decision of `all`."""
        admission = await writer.insert(success(*numbered(count)))
        assert admission.all is not None
        return admission.all
