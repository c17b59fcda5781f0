"""Parsers: from the bytes of a body to the events of streams, one module per format."""
