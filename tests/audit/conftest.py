"""Fixtures of the tests of the audit log."""

from tests.store.databases import engine, postgres_engine, server, sqlite_engine, template
from tests.store.postgres import postgres, sql_url

__all__ = [
    "postgres_engine",
    "engine",
    "sqlite_engine",
    "postgres",
    "server",
    "sql_url",
    "template",
]
