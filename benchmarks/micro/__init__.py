"""Micro-benchmarks, one step of the insert and read paths each: `make bench-micro`."""
