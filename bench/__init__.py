"""Measures the monitor and prints numbers beside their targets: `make bench`."""
