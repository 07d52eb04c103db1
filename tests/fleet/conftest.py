"""Disks and databases for these tests."""

from tests.store.disks import disks
from tests.store.postgres import postgres, sql_url

__all__ = ["disks", "postgres", "sql_url"]
