"""How events reach the storage: buffered per stream, sent in batches, retried, and counted."""
