"""The promises of the storage contract, as a suite that runs over any backend."""
