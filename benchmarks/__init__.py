"""Measurements of speed and memory, each a command: `make bench`, or `python -m benchmarks NAME`."""
