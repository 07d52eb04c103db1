"""SQLite takes any value in any column: what does not fit an account is named, never guessed."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from accounts.model import Hours
from accounts.rights import RULES, may
from store.json_file import CannotOpen
from store.sql import Damaged, default_url, migrate, open_engine
from tests.accounts.people import NOON, add, open_accounts
from tests.home import Clock, Home

Make = Callable[..., Home]
TABLES = ("users", "grants", "sessions", "tokens")
OTHERS: tuple[Any, ...] = (None, 7, -1, 2.5, "x", "", b"\x00", "[]", "{}", '["x"]', '"x"', 2**62)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """One row in each table, with a value in each column."""
    made = open_engine(default_url(tmp_path))
    migrate(made)
    accounts = open_accounts(made, Clock())
    user = add(accounts, "Vera")
    hours = Hours(NOON.time(), (NOON + timedelta(hours=8)).time())
    accounts.grant(user.id, "view", device=1, hours=hours, weekdays=("mon",), rights=("record",))
    accounts.begin_session(user, "browser", "192.0.2.7", "Firefox")
    accounts.add_token(user.id, "script", "read", [1], ends=NOON + timedelta(days=9))
    return made


def file_of(engine: Engine) -> str:
    assert engine.url.database is not None
    return engine.url.database


def columns(path: str, table: str) -> dict[str, Any]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return dict(connection.execute(f"SELECT * FROM {table}").fetchone())


def put(path: str, table: str, column: str, value: Any) -> bool:
    """Whether the database itself takes the value."""
    with closing(sqlite3.connect(path)) as connection, connection:
        try:
            connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
        except sqlite3.IntegrityError:
            return False
        return True


def reopened(engine: Engine) -> Any:
    engine.dispose()
    return open_accounts(engine, Clock())


def widest(accounts: Any) -> set[str]:
    """What anybody of these may do with camera 1, at any hour of a week."""
    people = [accounts.snapshot.person(id) for id in accounts.snapshot.users]
    people += [accounts.snapshot.by_token(id, NOON) for id in accounts.snapshot.tokens]

    class Spot:
        id, site = 1, "here"

    times = [NOON + timedelta(hours=6 * n) for n in range(28)]
    return {
        f"{person.name} {action} {now}"
        for person in people
        if person is not None
        for action in RULES
        for now in times
        if may(person, action, Spot(), now)
    }


@pytest.mark.parametrize("table", TABLES)
def test_a_value_of_another_type_is_named_or_gives_nobody_more(engine: Engine, table: str) -> None:
    path = file_of(engine)
    allowed = widest(reopened(engine))
    refused = 0
    for column, sound in columns(path, table).items():
        for value in OTHERS:
            # A session that seems to have ended is deleted at the start.
            is_deleted = (table, column) == ("sessions", "ends")
            if column == "id" or is_deleted or not put(path, table, column, value):
                continue
            accounts, why = None, ""
            try:
                accounts = reopened(engine)
            except Damaged as error:
                why = str(error)
            if accounts is None:
                refused += 1
                assert f"{table}, row 1, {column}" in why
                assert "pbkdf2" not in why, "a password is never shown"
            else:
                harmless = column in ("name", "device", "site", "sees_all", "devices", "ends")
                assert harmless or widest(accounts) <= allowed, f"{column}: {value!r}"
            put(path, table, column, sound)
    assert refused >= len(columns(path, table))


def test_a_start_is_refused_and_the_value_named(make_home: Make) -> None:
    home = make_home()
    add(home.monitor.authenticator.accounts, "Ada", "admin")
    home.close()
    path = str(home.settings.data_dir / "camera_monitor.db")
    assert put(path, "users", "role", "root")
    with pytest.raises(CannotOpen) as refused:
        home.open()
    assert "users, row 1, role: one of viewer, operator, admin is expected" in str(refused.value)
    home.monitor.tracker.close()
    home.monitor.journal.close()
    assert put(path, "users", "role", "admin")
    home.open()


@pytest.mark.parametrize("column", ["at", "before", "after"])
def test_an_event_that_somebody_broke_stops_no_page(make_home: Make, column: str) -> None:
    home = make_home()
    add_camera(home)
    path = str(home.settings.data_dir / "camera_monitor.db")
    for value in ("x", "[]", 7, json.dumps([1]), None):
        if put(path, "events", column, value):
            assert home.client.get("/").status_code == 200
            assert home.client.get("/cameras/1").status_code == 200
            assert home.client.get("/api/events").status_code in (200, 503)


def add_camera(home: Home) -> None:
    from tests.fleet.reports import A, seen

    home.monitor.tracker.apply([seen(A, at=home.clock())], home.clock())
    home.events()
