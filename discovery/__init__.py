"""Scheduling and scanning: the scan engine, the due queue and the job scheduler."""
