"""The way of events to the storage: buffered, sent, retried, accounted for."""
