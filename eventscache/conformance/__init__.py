"""The promises of the storage contract, as suites that run over any backend."""
