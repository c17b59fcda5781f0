"""Traces of requests and all metrics, sent to an OpenTelemetry collector by OTLP.

Only `loading` may be imported where OpenTelemetry is not asked for: it imports the rest when it is.
"""
