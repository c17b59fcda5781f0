"""Measurements of the sidecar against what people would otherwise use. Nothing here is installed."""
