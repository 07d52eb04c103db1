"""Accounts in SQL: read whole at the start, written one change at a time."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, delete, insert, select, update

from accounts import tables
from accounts.model import (
    LEVELS,
    RIGHTS,
    ROLES,
    SCOPES,
    WEEKDAYS,
    Grant,
    Hours,
    Session,
    Token,
    User,
)
from accounts.names import key_of
from fleet.validation import InvalidValue, check
from store.sql import Damaged, metadata, translated_errors

T = TypeVar("T")


CHOICES: dict[str, dict[str, Sequence[str]]] = {
    "users": {"role": ROLES},
    "grants": {"level": LEVELS, "weekdays": WEEKDAYS, "rights": RIGHTS},
    "tokens": {"scope": SCOPES},
    "sessions": {},
}
MISFIT = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
"""What reading a value of another type raises, in SQLAlchemy and here."""


def load(
    engine: Engine, now: datetime
) -> tuple[list[User], list[Grant], list[Session], list[Token]]:
    """Everything that is kept. Sessions that have ended are deleted.

    Raises Damaged for a value that does not fit: who may what must not be guessed.
    """
    with translated_errors(), engine.begin() as connection:
        connection.execute(delete(tables.sessions).where(tables.sessions.c.ends <= now))
        return (
            _all(connection, tables.users, _user),
            _all(connection, tables.grants, _grant),
            _all(connection, tables.sessions, lambda row: Session(**row)),
            _all(connection, tables.tokens, _token),
        )


def _all(connection: Connection, table: Table, made: Callable[[dict[str, Any]], T]) -> list[T]:
    try:
        rows = connection.execute(select(table).order_by(table.c.id)).mappings()
        return [_checked(table, made(dict(row))) for row in rows]
    except MISFIT as error:
        raise Damaged(
            "The SQL database has a value that does not fit: "
            f"{_place(connection, table, made) or table.name}. Correct it, or restore a backup "
            "of the database."
        ) from error


def _checked(table: Table, value: T) -> T:
    """Raises InvalidValue."""
    check(value, table.name)
    for name, allowed in CHOICES[table.name].items():
        given = getattr(value, name)
        if not {*([given] if isinstance(given, str) else given)} <= {*allowed}:
            raise InvalidValue(table.name, name, f"{', '.join(allowed)} are allowed", given)
    return value


def _place(connection: Connection, table: Table, made: Callable[[dict[str, Any]], T]) -> str:
    """The first value that does not fit, by row and column. Never the value: it may be secret."""
    for id in connection.execute(select(table.c.id).order_by(table.c.id)).scalars().all():
        row: dict[str, Any] = {}
        for column in table.columns:
            where = f"{table.name}, row {id}, {column.name}"
            try:
                row[column.name] = connection.execute(
                    select(column).where(table.c.id == id)
                ).scalar_one()
            except MISFIT:
                return where
        try:
            _checked(table, made(row))
        except InvalidValue as error:
            return f"{table.name}, row {id}, {error.name}: {error.why}"
        except MISFIT as error:
            return f"{table.name}, row {id} ({error})"
    return ""


def _user(row: dict[str, Any]) -> User:
    del row["key"]
    return User(**row)


def _grant(row: dict[str, Any]) -> Grant:
    given = {key: row.pop(key) for key in ("hours", "weekdays", "rights")}
    try:
        hours = None if given["hours"] is None else hours_of(given["hours"])
    except (ValueError, TypeError) as error:
        raise InvalidValue("grants", "hours", str(error), given["hours"]) from None
    weekdays, rights = (_list("grants", key, given[key]) for key in ("weekdays", "rights"))
    return Grant(**row, hours=hours, weekdays=weekdays, rights=rights)


def _token(row: dict[str, Any]) -> Token:
    devices = row.pop("devices")
    return Token(**row, devices=None if devices is None else _list("tokens", "devices", devices))


def _list(table: str, column: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise InvalidValue(table, column, "a list is expected", value)
    return tuple(value)


def hours_of(text: str) -> Hours:
    """From "08:00-18:00". Raises ValueError."""
    match = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", text, re.ASCII)
    if match is None:
        raise ValueError("hours look like 08:00-18:00")
    first, second, third, fourth = map(int, match.groups())
    return Hours(time(first, second), time(third, fourth))


def add_user(engine: Engine, **values: Any) -> int:
    return _insert(engine, tables.users, {**values, "key": key_of(values["name"])})


def change_user(
    engine: Engine, id: int, sessions: Sequence[int] = (), tokens: Sequence[int] = (), **values: Any
) -> None:
    """Change a user and end those sessions and tokens: all of it or nothing."""
    with translated_errors(), engine.begin() as connection:
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
    with translated_errors(), engine.begin() as connection:
        _delete(connection, tables.grants, grants)
        for id, devices in tokens.items():
            change = update(tables.tokens).where(tables.tokens.c.id == id)
            connection.execute(change.values(devices=list(devices)))


def add_session(engine: Engine, **values: Any) -> int:
    return _insert(engine, tables.sessions, values)


def add_token(engine: Engine, **values: Any) -> int:
    return _insert(engine, tables.tokens, values)


def used(engine: Engine, times: dict[int, datetime]) -> None:
    """The times at which tokens were last used."""
    with translated_errors(), engine.begin() as connection:
        for id, at in times.items():
            connection.execute(
                update(tables.tokens).where(tables.tokens.c.id == id).values(used=at)
            )


def _insert(engine: Engine, table: Any, values: dict[str, Any]) -> int:
    with translated_errors(), engine.begin() as connection:
        made = connection.execute(insert(table).values(**values)).inserted_primary_key
        assert made is not None
        return int(made[0])


def remove(engine: Engine, table: str, *ids: int) -> None:
    """Delete rows of `users`, `grants`, `sessions` or `tokens` by their numbers.

    With a user goes all that belongs to it.
    """
    with translated_errors(), engine.begin() as connection:
        _delete(connection, metadata.tables[table], ids)


def _delete(connection: Connection, table: Any, ids: Sequence[int]) -> None:
    for id in ids:
        connection.execute(delete(table).where(table.c.id == id))
