"""A shop that does not exist, and its traffic: data to look at before Jitsu is connected."""
