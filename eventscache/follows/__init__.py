"""What is followed now, by all sidecars that share a storage."""
