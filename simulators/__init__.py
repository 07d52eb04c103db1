"""Pretend devices for tests and the demo: each speaks its protocol as its description says."""
