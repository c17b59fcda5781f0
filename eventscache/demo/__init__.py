"""A shop that does not exist, and its traffic: something to look at before Jitsu is connected."""
