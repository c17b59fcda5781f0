"""The counters of a process and of all workers, as Prometheus metrics."""
