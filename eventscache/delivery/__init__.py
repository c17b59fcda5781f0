"""How events reach the storage: buffered per stream, sent in batches, retried, and counted.

A `Batch` is what the storage gets. An `OutgoingBatch` is what it is built from; it remembers whose events it holds. An
`InFlightBatch` is an outgoing batch with its number and its deadline. `Retries` send it again while it has no answer.
"""
