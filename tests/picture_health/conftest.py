"""Fixtures of the tests of picture health."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from picture_health.measuring import Measuring
from tests.picture_health.clinic import Clinic
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


@pytest.fixture(scope="module")
def measuring() -> Iterator[Measuring]:
    """The process that measures, one for all tests of a file."""
    made = Measuring()
    yield made
    made.stop()


@pytest.fixture
def clinic(sqlite_engine: Engine, measuring: Measuring) -> Clinic:
    """Cameras of which the first one shows a picture."""
    return Clinic(sqlite_engine, measuring)
