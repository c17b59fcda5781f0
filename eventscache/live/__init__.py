"""The live view: what is new in streams, polled once for all subscribers."""
