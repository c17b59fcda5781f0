"""The alerts that the settings ask for."""

from eventscache.access.some_streams import SomeStreams
from eventscache.alerts.alerts import Alerts
from eventscache.alerts.rules import Rules
from eventscache.clock import Clock
from eventscache.config.settings import Settings
from eventscache.storage.base import Storage
from eventscache.stream import ALL_STREAMS, Namespace


def configured_alerts(settings: Settings, storage: Storage, clock: Clock | None = None) -> Alerts | None:
    """Return what sends alerts, or None if there is no webhook, or if the cache is disabled."""
    if not settings.alerts_webhook or not settings.enabled:
        return None
    namespaces = settings.alerts_namespaces or tuple(Namespace)
    rules = Rules(
        new_error_group=settings.alerts_new_error_group,
        error_share=settings.alerts_error_share,
        error_share_min_events=settings.alerts_error_share_min_events,
        silent_minutes=settings.alerts_silent_minutes,
        streams=SomeStreams(settings.alerts_ids, namespaces) if settings.alerts_ids else ALL_STREAMS,
        namespaces=namespaces,
    )
    return Alerts(
        storage, settings.alerts_webhook, rules, style=settings.alerts_format, link=settings.alerts_link, clock=clock
    )
