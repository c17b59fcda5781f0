"""What is logged of the storage's answers."""

from collections.abc import Callable

import structlog

from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageError
from eventscache.storage.messages import Admission, Batch, Quota

_log = structlog.get_logger()

_LOG_AGAIN_US = 10 * MICROSECONDS
_MAX_LOGGED_QUOTAS = 10


class StorageLog:
    """Logs when the state of the storage changes, and not each answer unless it `debugs`: the ledger counts events."""

    __slots__ = ("_error", "_log_again_us", "_now_us", "_other_quotas", "_quota", "debugs", "storage_available")

    def __init__(self, quota: Quota, now_us: Callable[[], int]) -> None:
        self.storage_available = True
        self.debugs = False  # whether each answer is logged
        self._quota = quota
        self._now_us = now_us
        self._error, self._log_again_us = "", 0
        self._other_quotas: set[Quota] = set()

    def answer(self, batch: Batch, answer: Admission | Exception, sent_us: int) -> None:
        """Log what became of a batch, while debugging."""
        if isinstance(answer, Exception):
            outcome: dict[str, object] = {"fault": str(answer)}
        else:
            collections = (("all", answer.all), ("error", answer.error))
            outcome = {f"admitted_{name}": decision.admitted for name, decision in collections if decision}
        _log.info(
            "batch",
            namespace=batch.stream.namespace,
            id=batch.stream.id,
            number=batch.number,
            offered=len(batch.offers),
            surplus=batch.all.surplus,
            duration_ms=(self._now_us() - sent_us) / 1000,
            **outcome,
        )

    def unavailable(self, reason: str) -> None:
        """Log that the storage does not answer, unless that is known."""
        if self.storage_available:
            self.storage_available = False
            _log.warning("storage unavailable", reason=reason)

    def available(self) -> None:
        """Log that the storage answers, unless that is known."""
        if not self.storage_available:
            self.storage_available = True
            _log.info("storage available again")

    def error(self, fault: Exception) -> None:
        """Log an error of the storage; while it stays the same, only every ten seconds."""
        if not isinstance(fault, StorageError):
            _log.error("unexpected storage error, batch dropped", exc_info=fault)
            return
        reason, now_us = str(fault), self._now_us()
        if reason != self._error or now_us >= self._log_again_us:
            self._error, self._log_again_us = reason, now_us + _LOG_AGAIN_US
            _log.error("storage error, batch dropped", reason=reason)

    def stale(self, writer: str) -> None:
        """Log that the storage has a later batch of this writer, whose id must be its own."""
        _log.error("stale batch dropped", writer=writer)

    def other_quota(self, other: Quota) -> None:
        """Log once that another process uses another quota; so for at most ten quotas."""
        if other not in self._other_quotas and len(self._other_quotas) < _MAX_LOGGED_QUOTAS:
            self._other_quotas.add(other)
            _log.warning(
                "another sidecar uses a different size or time window",
                size=self._quota.size,
                window_us=self._quota.window_us,
                other_size=other.size,
                other_window_us=other.window_us,
            )
