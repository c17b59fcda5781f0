"""Micro-benchmarks of single steps of the insert and read paths: `make bench-micro`."""
