"""The telemetry that the settings ask for."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from eventscache.config.settings import Settings
from eventscache.errors import ConfigError
from eventscache.metrics.snapshot import MetricsSnapshot
from eventscache.server.supervisor import Worker
from eventscache.telemetry.loading import is_asked_for, load_telemetry

if TYPE_CHECKING:
    from eventscache.telemetry.telemetry import Telemetry


def check_telemetry(settings: Settings) -> None:
    """Raise `ConfigError` if the settings ask for telemetry that cannot be had. Nothing is sent."""
    configured_telemetry(settings, None, MetricsSnapshot)


def configured_telemetry(
    settings: Settings, worker: Worker | None, take_snapshot: Callable[[], MetricsSnapshot]
) -> "Telemetry | None":
    """Return what sends traces and metrics of this process, or None if the settings do not ask for it.

    Raises `ConfigError` if OpenTelemetry is not installed, or does not understand one of its variables.
    """
    if not is_asked_for(settings.otlp_endpoint):
        return None
    try:
        return load_telemetry()(
            settings.otlp_endpoint,
            take_snapshot,
            trace_ratio=settings.otlp_trace_ratio,
            interval_seconds=settings.otlp_interval_ms / 1000,
            worker=worker.number if worker else None,
        )
    except ValueError as fault:
        raise ConfigError(f"eventscache.otlp.endpoint: a variable of OpenTelemetry cannot be used: {fault}") from None
