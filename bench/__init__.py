"""Measures the house and prints numbers beside their targets: `make bench`."""
