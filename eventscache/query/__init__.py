"""Which cached events a reader means."""
