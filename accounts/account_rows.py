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
CONVERSION_ERRORS = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
"""Errors of reading a value of another type, in SQLAlchemy and in this module."""


def load(
    engine: Engine, now: datetime
) -> tuple[list[User], list[Grant], list[Session], list[Token]]:
    """Load all accounts. Sessions that have ended are deleted.

    Raises Damaged for an invalid value: permissions must not be guessed.
    """
    with translated_errors(), engine.begin() as connection:
        connection.execute(delete(tables.sessions).where(tables.sessions.c.ends <= now))
        return (
            _load_rows(connection, tables.users, _user),
            _load_rows(connection, tables.grants, _grant),
            _load_rows(connection, tables.sessions, lambda row: Session(**row)),
            _load_rows(connection, tables.tokens, _token),
        )


def _load_rows(
    connection: Connection, table: Table, build: Callable[[dict[str, Any]], T]
) -> list[T]:
    try:
        rows = connection.execute(select(table).order_by(table.c.id)).mappings()
        return [_checked(table, build(dict(row))) for row in rows]
    except CONVERSION_ERRORS as error:
        raise Damaged(
            "The SQL database contains an invalid value: "
            f"{_damaged_row(connection, table, build) or table.name}. Correct it, or restore "
            "a backup of the database"
        ) from error


def _checked(table: Table, value: T) -> T:
    """Check the row read from `table`, and return it. Raises InvalidValue."""
    check(value, table.name)
    for name, allowed in CHOICES[table.name].items():
        given = getattr(value, name)
        if not {*([given] if isinstance(given, str) else given)} <= {*allowed}:
            raise InvalidValue(table.name, name, f"one of {', '.join(allowed)} is expected", given)
    return value


def _damaged_row(connection: Connection, table: Table, build: Callable[[dict[str, Any]], T]) -> str:
    """Locate the first invalid value, by row and column. The value itself may be secret."""
    for id in connection.execute(select(table.c.id).order_by(table.c.id)).scalars().all():
        row: dict[str, Any] = {}
        for column in table.columns:
            where = f"{table.name}, row {id}, {column.name}"
            try:
                row[column.name] = connection.execute(
                    select(column).where(table.c.id == id)
                ).scalar_one()
            except CONVERSION_ERRORS:
                return where
        try:
            _checked(table, build(row))
        except InvalidValue as error:
            return f"{table.name}, row {id}, {error.name}: {error.reason}"
        except CONVERSION_ERRORS as error:
            return f"{table.name}, row {id} ({error})"
    return ""


def _user(row: dict[str, Any]) -> User:
    del row["key"]
    return User(**row)


def _grant(row: dict[str, Any]) -> Grant:
    columns = {key: row.pop(key) for key in ("hours", "weekdays", "rights")}
    try:
        hours = None if columns["hours"] is None else parse_hours(columns["hours"])
    except (ValueError, TypeError) as error:
        raise InvalidValue("grants", "hours", str(error), columns["hours"]) from None
    weekdays, rights = (_tuple_of("grants", key, columns[key]) for key in ("weekdays", "rights"))
    return Grant(**row, hours=hours, weekdays=weekdays, rights=rights)


def _token(row: dict[str, Any]) -> Token:
    devices = row.pop("devices")
    return Token(
        **row, devices=None if devices is None else _tuple_of("tokens", "devices", devices)
    )


def _tuple_of(table: str, column: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise InvalidValue(table, column, "a list is expected", value)
    return tuple(value)


def parse_hours(text: str) -> Hours:
    """Parse "08:00-18:00". Raises ValueError."""
    match = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", text, re.ASCII)
    if match is None:
        raise ValueError("hours such as 08:00-18:00 are expected")
    start_hour, start_minute, end_hour, end_minute = map(int, match.groups())
    return Hours(time(start_hour, start_minute), time(end_hour, end_minute))


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


def add_grants(engine: Engine, grants: Sequence[Grant]) -> list[int]:
    """Add the grants, all of them or none, and return their numbers."""
    with translated_errors(), engine.begin() as connection:
        return [_insert_row(connection, tables.grants, _grant_row(grant)) for grant in grants]


def _grant_row(grant: Grant) -> dict[str, Any]:
    return {
        "user": grant.user,
        "level": grant.level,
        "device": grant.device,
        "site": grant.site,
        "hours": str(grant.hours) if grant.hours else None,
        "weekdays": list(grant.weekdays),
        "rights": list(grant.rights),
        "store": grant.store,
    }


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


def save_last_uses(engine: Engine, times: dict[int, datetime]) -> None:
    """Write the times at which tokens were last used."""
    with translated_errors(), engine.begin() as connection:
        for id, at in times.items():
            connection.execute(
                update(tables.tokens).where(tables.tokens.c.id == id).values(used=at)
            )


def _insert(engine: Engine, table: Any, values: dict[str, Any]) -> int:
    with translated_errors(), engine.begin() as connection:
        return _insert_row(connection, table, values)


def _insert_row(connection: Connection, table: Any, values: dict[str, Any]) -> int:
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def remove(engine: Engine, table: str, *ids: int) -> None:
    """Delete rows of `users`, `grants`, `sessions` or `tokens` by their numbers.

    With a user goes all that belongs to it.
    """
    with translated_errors(), engine.begin() as connection:
        _delete(connection, metadata.tables[table], ids)


def _delete(connection: Connection, table: Any, ids: Sequence[int]) -> None:
    for id in ids:
        connection.execute(delete(table).where(table.c.id == id))
