"""The table of scopes that were asked on each day: without it no uptime is known."""

from collections.abc import Iterable
from datetime import date

from sqlalchemy import Column, Date, Engine, String, Table, delete, select

from store.sql import insert_of, metadata, translated_errors

asked_days = Table(
    "asked_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("scope", String(120), primary_key=True),
)


def add(engine: Engine, day: date, scopes: Iterable[str]) -> None:
    """Note that the scopes were asked on the day."""
    insert = insert_of(engine.dialect)
    rows = [{"day": day, "scope": scope[:120]} for scope in scopes]
    with translated_errors(), engine.begin() as connection:
        connection.execute(insert(asked_days).on_conflict_do_nothing(), rows)


def since(engine: Engine, day: date) -> dict[date, set[str]]:
    """The scopes that were asked, by day."""
    asked: dict[date, set[str]] = {}
    with translated_errors(), engine.connect() as connection:
        for row in connection.execute(select(asked_days).where(asked_days.c.day >= day)):
            asked.setdefault(row.day, set()).add(row.scope)
    return asked


def forget(engine: Engine, until: date) -> None:
    with translated_errors(), engine.begin() as connection:
        connection.execute(delete(asked_days).where(asked_days.c.day < until))
