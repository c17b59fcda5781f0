"""The last events of every Jitsu API key and destination, exactly rate-limited, as a sidecar."""

__version__ = "0.1.0"
