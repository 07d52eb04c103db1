"""Both databases with the newest tables, empty before each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from store.sql import migrate, open_engine
from tests.store.postgres import Cluster

TABLES = (
    "outages, link_days, schedules, segments, recordings, preferences, audit, tokens, sessions, "
    "grants, users, schedule_plans, camera_plans, stills, missed_stills, still_intervals, "
    "health_settings, health_courses, health_pictures"
)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that was migrated once; copying it is quick."""
    path = tmp_path_factory.mktemp("template") / "monitor.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def server(postgres: Cluster) -> Iterator[Engine]:
    """A database of the server that was migrated once."""
    engine = open_engine(postgres.new_database())
    migrate(engine)
    yield engine
    engine.dispose()


def emptied(server: Engine) -> Engine:
    with server.begin() as connection:
        connection.execute(text(f"TRUNCATE {TABLES} RESTART IDENTITY"))
    return server


@pytest.fixture
def sqlite_engine(template: Path, tmp_path: Path) -> Iterator[Engine]:
    """An SQLite engine with empty tables."""
    shutil.copy(template, tmp_path / "monitor.db")
    engine = open_engine(f"sqlite:///{tmp_path / 'monitor.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(server: Engine) -> Engine:
    """A PostgreSQL engine with empty tables."""
    return emptied(server)


@pytest.fixture(params=["sqlite_engine", "postgres_engine"], ids=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(request.param)
    return engine
