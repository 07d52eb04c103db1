"""Fixtures of the tests of streams and recordings."""

from tests.store.databases import engine, postgres_engine, server, sqlite_engine, template
from tests.store.postgres import postgres, sql_url

__all__ = [
    "engine",
    "postgres",
    "postgres_engine",
    "server",
    "sql_url",
    "sqlite_engine",
    "template",
]
