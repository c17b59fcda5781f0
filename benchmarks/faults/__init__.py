"""What faults cost: latencies, recovery and memory of a sidecar under load while its Redis fails."""
