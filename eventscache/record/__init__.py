"""The record: what became lately of events that are not in the cache, in this process."""
