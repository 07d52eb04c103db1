"""Accounts in SQL: read whole at the start, written one change at a time."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from accounts import tables
from accounts.model import Grant, Hours, Session, Token, User
from accounts.names import key_of
from store.sql import metadata, saying_why


def load(
    engine: Engine, now: datetime
) -> tuple[list[User], list[Grant], list[Session], list[Token]]:
    """Everything that is kept. Sessions that have ended are deleted."""
    with saying_why(), engine.begin() as connection:
        connection.execute(delete(tables.sessions).where(tables.sessions.c.ends <= now))
        return (
            [_user(row) for row in _all(connection, tables.users)],
            [_grant(row) for row in _all(connection, tables.grants)],
            [Session(**row) for row in _all(connection, tables.sessions)],
            [_token(row) for row in _all(connection, tables.tokens)],
        )


def _all(connection: Connection, table: Any) -> list[dict[str, Any]]:
    found = connection.execute(select(table).order_by(table.c.id))
    return [dict(row) for row in found.mappings()]


def _user(row: dict[str, Any]) -> User:
    del row["key"]
    return User(**row)


def _grant(row: dict[str, Any]) -> Grant:
    hours = hours_of(row.pop("hours")) if row["hours"] else row.pop("hours")
    weekdays, rights = tuple(row.pop("weekdays")), tuple(row.pop("rights"))
    return Grant(**row, hours=hours, weekdays=weekdays, rights=rights)


def _token(row: dict[str, Any]) -> Token:
    devices = row.pop("devices")
    return Token(**row, devices=None if devices is None else tuple(devices))


def hours_of(text: str) -> Hours:
    """From "08:00-18:00". Raises ValueError."""
    found = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", text, re.ASCII)
    if found is None:
        raise ValueError("hours look like 08:00-18:00")
    first, second, third, fourth = map(int, found.groups())
    return Hours(time(first, second), time(third, fourth))


def add_user(engine: Engine, **values: Any) -> int:
    return _insert(engine, tables.users, {**values, "key": key_of(values["name"])})


def change_user(
    engine: Engine, id: int, sessions: Sequence[int] = (), tokens: Sequence[int] = (), **values: Any
) -> None:
    """Change a user and end those sessions and tokens: all of it or nothing."""
    with saying_why(), engine.begin() as connection:
        connection.execute(update(tables.users).where(tables.users.c.id == id).values(**values))
        _delete(connection, tables.sessions, sessions)
        _delete(connection, tables.tokens, tokens)


def add_grant(engine: Engine, **values: Any) -> int:
    hours = values.pop("hours")
    row = {
        **values,
        "hours": str(hours) if hours else None,
        "weekdays": list(values["weekdays"]),
        "rights": list(values["rights"]),
    }
    return _insert(engine, tables.grants, row)


def forget_devices(
    engine: Engine, grants: Sequence[int], tokens: Mapping[int, Sequence[int]]
) -> None:
    """Delete the grants, and give each token its new list of devices: all of it or nothing."""
    with saying_why(), engine.begin() as connection:
        _delete(connection, tables.grants, grants)
        for id, devices in tokens.items():
            change = update(tables.tokens).where(tables.tokens.c.id == id)
            connection.execute(change.values(devices=list(devices)))


def add_session(engine: Engine, **values: Any) -> int:
    return _insert(engine, tables.sessions, values)


def add_token(engine: Engine, **values: Any) -> int:
    return _insert(engine, tables.tokens, values)


def used(engine: Engine, times: dict[int, datetime]) -> None:
    """When tokens were last used."""
    with saying_why(), engine.begin() as connection:
        for id, at in times.items():
            connection.execute(
                update(tables.tokens).where(tables.tokens.c.id == id).values(used=at)
            )


def _insert(engine: Engine, table: Any, values: dict[str, Any]) -> int:
    with saying_why(), engine.begin() as connection:
        made = connection.execute(insert(table).values(**values)).inserted_primary_key
        assert made is not None
        return int(made[0])


def remove(engine: Engine, table: str, *ids: int) -> None:
    """Delete rows of `users`, `grants`, `sessions` or `tokens` by their numbers.

    With a user goes all that belongs to it.
    """
    with saying_why(), engine.begin() as connection:
        _delete(connection, metadata.tables[table], ids)


def _delete(connection: Connection, table: Any, ids: Sequence[int]) -> None:
    for id in ids:
        connection.execute(delete(table).where(table.c.id == id))
