"""What every test of the audit log may use."""

from tests.store.databases import big, engine, lite, server, template
from tests.store.postgres import postgres, sql_url

__all__ = ["big", "engine", "lite", "postgres", "server", "sql_url", "template"]
