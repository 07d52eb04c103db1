"""Fixtures of the tests of stills."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from stills.taking import STREAM
from tests.stills.studio import Studio, jpeg
from tests.store.databases import engine, postgres_engine, server, sqlite_engine, template
from tests.store.disks import disks
from tests.store.postgres import postgres, sql_url

__all__ = [
    "disks",
    "engine",
    "postgres",
    "postgres_engine",
    "server",
    "sql_url",
    "sqlite_engine",
    "template",
]


@pytest.fixture
def studio(sqlite_engine: Engine, tmp_path: Path) -> Studio:
    """Cameras of which the first one has a stream."""
    made = Studio(sqlite_engine, tmp_path)
    made.answers[STREAM, 1] = jpeg()
    return made
