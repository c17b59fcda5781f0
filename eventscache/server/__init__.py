"""HTTP: read a request, ask the cache, answer. Nothing here decides anything about events."""
