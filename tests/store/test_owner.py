"""One program for one SQL database: a second one is refused until the first ends."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from store.database import Database
from store.owner import InUse
from store.sql import Unreachable
from tests.home import Running, until
from tests.store.postgres import Cluster


def test_a_second_program_is_refused_until_the_first_one_ends(sql_url: str) -> None:
    first, second = Database(sql_url), Database(sql_url)
    first.open()
    with pytest.raises(InUse) as refused:
        second.open()
    assert f"on {socket.gethostname()}, process {os.getpid()}" in str(refused.value)
    assert "since 20" in str(refused.value)
    first.close()
    second.open()
    second.close()


def test_a_restart_waits_for_the_lock_of_the_program_that_is_just_ending(
    postgres: Cluster,
) -> None:
    """PostgreSQL ends a session, and frees its lock, a moment after the connection closes."""
    url = postgres.new_database()
    first, second = Database(url), Database(url)
    first.open()
    with ThreadPoolExecutor(1) as pool, psycopg.connect(url, autocommit=True) as watch:
        opening = pool.submit(second.open)
        until(lambda: _number_waiting(watch) == 1, what="the second one waits for the lock")
        first.close()
        opening.result(30)
    second.close()


def _number_waiting(connection: psycopg.Connection) -> int:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_two_programs_on_two_databases_do_not_meet(postgres: Cluster, tmp_path: Path) -> None:
    """Nor in two schemas of one database."""
    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA other")
    urls = (
        *(url, postgres.new_database(), f"{url}?options=-csearch_path%3Dother"),
        *(f"sqlite:///{tmp_path / 'a.db'}", f"sqlite:///{tmp_path / 'b.db'}"),
    )
    databases = [Database(url) for url in urls]
    for database in databases:
        database.open()
    for database in databases:
        database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_second_server_is_refused_at_the_start_and_takes_over_after_a_kill(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    first, second = (Running(folder, DATABASE_URL=url) for folder in folders)
    try:
        first.start()
        assert second.spawn().wait(30) == 3
        (sentence,) = second.text().splitlines()
        assert "in use by another Camera Monitor" in sentence
        assert "process " in sentence
        assert "set DATABASE_URL to another database" in sentence
        assert "s3cret" not in sentence
        assert first.get("/readyz").status == 200
        first.kill()
        second.start()
    finally:
        for server in (first, second):
            if server.process is not None and server.process.poll() is None:
                server.kill()


def test_a_lock_that_was_lost_is_taken_again_and_one_that_another_took_is_not(
    postgres: Cluster,
) -> None:
    url = postgres.new_database()
    first, second = Database(url), Database(url)
    first.open()
    first.watch()

    def cut() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'camera-monitor%'"
            )

    cut()
    until(first.retry, what="it is taken again")
    with pytest.raises(InUse):
        second.open()
    cut()
    until(lambda: _opens(second), what="the other one is quicker")
    assert not first.retry()
    assert "in use by another Camera Monitor" in first.outage
    assert "start this one again" in first.outage
    with pytest.raises(Unreachable, match="in use by another"):
        first._lock_database()
    second.close()
    assert not first.retry(), "what both numbered cannot be told apart"
    first.close()


def _opens(database: Database) -> bool:
    try:
        database.open()
    except InUse:
        return False
    return True
