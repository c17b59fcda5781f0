"""Loads OpenTelemetry where the settings ask for it. Nothing else imports it: the start of all others is not slower."""

import os
from typing import TYPE_CHECKING

from eventscache.errors import ConfigError

if TYPE_CHECKING:
    from eventscache.telemetry.telemetry import Telemetry

_DISABLED = "OTEL_SDK_DISABLED"


def is_asked_for(endpoint: str) -> bool:
    """Whether there is an endpoint, and OpenTelemetry's own variable OTEL_SDK_DISABLED does not say true."""
    return bool(endpoint) and os.environ.get(_DISABLED, "").strip().lower() != "true"


def load_telemetry() -> "type[Telemetry]":
    """Return the class that sends traces and metrics. Raises `ConfigError` if the extra is not installed."""
    try:
        from eventscache.telemetry.telemetry import Telemetry  # noqa: PLC0415 - an optional extra
    except ImportError as fault:
        raise ConfigError(
            "eventscache.otlp.endpoint: OpenTelemetry is not installed: install eventscache[otel], or unset this and "
            f"OTEL_EXPORTER_OTLP_ENDPOINT, or set {_DISABLED}=true ({fault})"
        ) from None
    return Telemetry
