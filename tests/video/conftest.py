"""Fixtures of the tests of streams and recordings."""

from tests.store.databases import engine, postgres_engine, server, sqlite_engine, template
from tests.store.disks import disks
from tests.store.postgres import postgres, sql_url
from tests.video.recorded_clips import clip, recorded

__all__ = [
    "clip",
    "disks",
    "engine",
    "postgres",
    "postgres_engine",
    "recorded",
    "server",
    "sql_url",
    "sqlite_engine",
    "template",
]
