"""Fixtures of the tests of the audit log."""

from tests.store.databases import big, engine, lite, server, template
from tests.store.postgres import postgres, sql_url

__all__ = ["big", "engine", "lite", "postgres", "server", "sql_url", "template"]
