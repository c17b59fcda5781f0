"""What is new in streams, polled once for all who listen."""
