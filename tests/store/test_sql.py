"""The SQL engine on both databases: tables from nothing, times in UTC, errors in words."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Column, Engine, Integer, MetaData, Table, inspect, select, text

from store.sql import (
    MIGRATIONS,
    Unreachable,
    UtcDateTime,
    default_url,
    metadata,
    migrate,
    open_engine,
    translated_errors,
)
from tests.home import ROOT, free_port
from tests.store.disks import Disks
from tests.store.postgres import PASSWORD, Cluster


@pytest.fixture
def engine(sql_url: str) -> Iterator[Engine]:
    made = open_engine(sql_url)
    yield made
    made.dispose()


def tables(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names())


# -- migrations ------------------------------------------------------------------------------


def test_migrations_make_every_table_from_nothing(engine: Engine) -> None:
    import fleet.history.event_rows  # noqa: F401  (its table registers)
    import stills.tables  # noqa: F401  (its tables register)
    import video.tables  # noqa: F401  (its tables register)

    assert tables(engine) == set()
    migrate(engine)
    assert tables(engine) == {*metadata.tables, "alembic_version"}


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO events (sequence, at, kind, text, before, after)"
                " VALUES (1, '2026-03-01', 'k', 't', '{}', '{}')"
            )
        )
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM events")).scalar() == 1


def test_what_the_migrations_make_is_what_the_code_expects(engine: Engine) -> None:
    import fleet.history.event_rows  # noqa: F401  (its table registers)

    migrate(engine)
    with engine.connect() as connection:
        for table in metadata.tables.values():
            made = {
                column["name"]: column for column in inspect(connection).get_columns(table.name)
            }
            assert made.keys() == set(table.columns.keys())
            for column in table.columns:
                assert made[column.name]["nullable"] == column.nullable, column
            key = inspect(connection).get_pk_constraint(table.name)["constrained_columns"]
            assert key == [column.name for column in table.primary_key]


def test_the_last_numbered_file_is_the_head(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    assert revision == max(path.stem[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def test_tables_of_a_newer_program_are_refused_in_words(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unreachable, match="newer") as refused:
        migrate(engine)
    assert "\n" not in str(refused.value)


def test_migrations_need_nothing_of_ours(tmp_path: Path) -> None:
    """They run from a folder where our code is not, with a name that Alembic finds hard."""
    copied = tmp_path / "50% done" / "migrations"
    copied.parent.mkdir()
    subprocess.run(["cp", "-r", str(MIGRATIONS), str(copied)], check=True)
    code = (
        "import sys; sys.path[:] = [p for p in sys.path if p != sys.argv[3]]\n"
        "from alembic import command; from alembic.config import Config\n"
        "from sqlalchemy import create_engine\n"
        "config = Config()\n"
        "config.set_main_option('script_location', sys.argv[1].replace('%', '%%'))\n"
        "with create_engine(sys.argv[2]).begin() as connection:\n"
        "    config.attributes['connection'] = connection\n"
        "    command.upgrade(config, 'head')\n"
        "    command.downgrade(config, 'base')\n"
        "    command.upgrade(config, 'head')\n"
        "ours = {'app', 'fleet', 'store', 'web', 'settings'} & set(sys.modules)\n"
        "assert not ours, ours\n"
    )
    url = f"sqlite:///{tmp_path / 'alone.db'}"
    command = [sys.executable, "-c", code, str(copied), url, str(ROOT)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "alone.db") as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert {"events", "events_by_device", "events_by_kind", "events_by_time"} <= names


def test_half_a_migration_is_none(engine: Engine) -> None:
    """A table of the same name is in the way: nothing is done, and it is said."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE events (x integer)"))
    with pytest.raises(Unreachable, match="events"):
        migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE events"))
    migrate(engine)
    assert "events" in tables(engine)


def test_a_grant_from_before_stores_is_kept(engine: Engine) -> None:
    """It is for its site, and for no store."""
    _upgrade(engine, "0007")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO users (id, key, name, password, role, sees_all, created, last_address)"
                " VALUES (1, 'vera', 'Vera', '-', 'viewer', false, '2026-03-01 12:00:00', '')"
            )
        )
        connection.execute(
            text(
                'INSERT INTO grants ("user", level, site, weekdays, rights)'
                " VALUES (1, 'view', 'north', '[]', '[]')"
            )
        )
    migrate(engine)
    with engine.connect() as connection:
        rows = connection.execute(text('SELECT "user", level, site, store FROM grants')).all()
    assert [tuple(row) for row in rows] == [(1, "view", "north", None)]


def _upgrade(engine: Engine, revision: str) -> None:
    """Make the tables as a program of this revision had them."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


# -- times -----------------------------------------------------------------------------------

INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize("zone", [UTC, INDIA])
def test_a_time_comes_back_in_utc(engine: Engine, zone: timezone) -> None:
    """Whatever zone it came in, and whatever the server thinks is local."""
    times = Table(
        "times", MetaData(), Column("id", Integer, primary_key=True), Column("at", UtcDateTime)
    )
    at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=zone)
    times.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(times.insert(), [{"id": 1, "at": at}, {"id": 2, "at": None}])
        read = connection.execute(select(times.c.at).order_by(times.c.id)).scalars().all()
    assert read == [at, None]
    assert read[0].utcoffset() == timedelta(0)


# -- engines and errors ----------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite", "mysql://u:p@h/d", "oracle://h"])
def test_a_url_that_does_not_fit_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        open_engine(url)
    assert "u:p" not in str(refused.value)


def test_the_old_name_of_postgresql_works_too(postgres: Cluster) -> None:
    url = postgres.new_database().replace("postgresql://", "postgres://")
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()


def test_the_default_is_sqlite_in_the_data_folder_durable_and_readable_meanwhile(
    tmp_path: Path,
) -> None:
    engine = open_engine(default_url(tmp_path))
    with engine.connect() as connection:
        settings = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    engine.dispose()
    assert settings == ["wal", 2, 1]
    assert (tmp_path / "camera_monitor.db").exists()


def test_a_server_that_is_down_is_said_without_the_password() -> None:
    engine = open_engine(f"postgresql://tester:{PASSWORD}@127.0.0.1:{free_port()}/monitor")
    with pytest.raises(Unreachable, match="Connection refused") as refused:
        migrate(engine)
    assert PASSWORD not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert PASSWORD not in repr(engine)


def test_a_wrong_password_is_said_without_it(postgres: Cluster) -> None:
    url = postgres.new_database().replace(PASSWORD, "wr0ng-SourceState")
    engine = open_engine(url)
    with pytest.raises(Unreachable, match="password authentication failed") as refused:
        migrate(engine)
    assert "wr0ng-SourceState" not in str(refused.value)


def test_a_connection_that_the_server_cut_is_made_anew(postgres: Cluster) -> None:
    engine = open_engine(postgres.new_database())
    migrate(engine)
    postgres.stop()
    with pytest.raises(Unreachable):
        migrate(engine)
    postgres.start()
    migrate(engine)
    engine.dispose()


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "camera_monitor.db"
    path.write_bytes(b"this is not SQLite at all" * 100)
    engine = open_engine(f"sqlite:///{path}")
    with pytest.raises(Unreachable, match="not a database"):
        migrate(engine)
    engine.dispose()


def test_a_folder_that_cannot_be_written_is_said(disks: Disks, tmp_path: Path) -> None:
    disk = disks.small(tmp_path / "data")
    disk.lock()
    engine = open_engine(default_url(disk.folder))
    with pytest.raises(Unreachable):
        migrate(engine)
    engine.dispose()


def test_a_pool_without_a_free_connection_is_said(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for one without end."""
    monkeypatch.setattr(engine.pool, "_timeout", 0.1)
    with ExitStack() as held:
        for _ in range(15):
            held.enter_context(engine.connect())
        with pytest.raises(Unreachable, match="is busy: every connection"):
            migrate(engine)
    migrate(engine)


def test_a_statement_is_not_in_the_error_that_people_read(engine: Engine) -> None:
    with pytest.raises(Unreachable) as refused, translated_errors(), engine.connect() as connection:
        connection.execute(text("SELECT :secret FROM nowhere"), {"secret": "hunter2"})
    assert "hunter2" not in str(refused.value)
    assert "SELECT" not in str(refused.value)
