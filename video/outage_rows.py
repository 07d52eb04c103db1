"""Rows of outages. Every function raises Unreachable, and Damaged for a bad value."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, case, delete, insert, or_, select, update

from store.sql import long_write, translated_errors
from video.outages import EVERYTHING, RUNNING, Outage
from video.tables import outages

if TYPE_CHECKING:
    from sqlalchemy import Engine


def add(engine: "Engine", outage: Outage) -> int:
    """Insert an outage and return its number."""
    row = {
        "device": outage.device,
        "stream": outage.stream,
        "began": outage.began,
        "ended": outage.ended,
        "cause": outage.cause,
        "reason": outage.reason[:300].replace("\x00", ""),
    }
    with translated_errors(), engine.begin() as connection:
        return int(connection.execute(insert(outages).returning(outages.c.id), row).scalar_one())


def end(engine: "Engine", id: int, ended: datetime, cause: str = "") -> None:
    """Say when an outage ended, and what its cause was after all."""
    values = {"ended": ended, **({"cause": cause} if cause else {})}
    with translated_errors(), engine.begin() as connection:
        connection.execute(update(outages).where(outages.c.id == id).values(values))


def end_all(engine: "Engine", ended: datetime) -> None:
    """End what lasted when the program was killed, but nothing before it began: the program may
    have noted less lately that it runs."""
    column = outages.c
    change = update(outages).where(column.ended.is_(None))
    at_least = case((column.began > ended, column.began), else_=ended)
    with translated_errors(), engine.begin() as connection:
        connection.execute(change.values(ended=at_least))


def last_running(engine: "Engine") -> datetime | None:
    """When this server was last known to run, before now."""
    query = select(outages.c.ended).where(
        outages.c.device == EVERYTHING, outages.c.cause == RUNNING, outages.c.ended.is_not(None)
    )
    with translated_errors(), engine.connect() as connection:
        query = query.order_by(outages.c.began.desc()).limit(1)
        last: datetime | None = connection.execute(query).scalar()
        return last


def between(
    engine: "Engine", devices: Sequence[int], since: datetime, until: datetime
) -> list[Outage]:
    """The outages of these devices, and of all, that have a part of that time; oldest first."""
    column = outages.c
    query = select(outages).where(
        column.device.in_([*devices, EVERYTHING]),
        column.began < until,
        or_(column.ended.is_(None), column.ended > since),
    )
    return _found(engine, query.order_by(column.began, column.id))


def _found(engine: "Engine", query: Select[Any]) -> list[Outage]:
    with translated_errors(), engine.connect() as connection:
        return [_outage(row) for row in connection.execute(query).mappings()]


def _outage(row: Mapping[Any, Any]) -> Outage:
    return Outage(**row)


def forget(engine: "Engine", until: datetime) -> int:
    """Delete the outages that ended before `until`; their number."""
    with long_write(engine) as connection:
        return int(connection.execute(delete(outages).where(outages.c.ended < until)).rowcount)
