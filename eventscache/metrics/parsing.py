"""Reads the values of metrics from Prometheus's text format, as `/metrics` renders them."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families


def parse_metrics(text: str) -> Mapping[str, Mapping[str, float]]:
    """Return for each sample name, such as `eventscache_events_dropped_total`, its values by the value of their label.

    A value without a label stands under the empty string. Raises `ValueError` if the text is
    not in Prometheus's format.
    """
    values: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values.setdefault(sample.name, {})["".join(sample.labels.values())] = sample.value
    return values
