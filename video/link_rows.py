"""Rows of the quality of links. Every function raises Unreachable, and Damaged for a bad value."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import case, delete, insert, select, update

from store.sql import long_write, translated_errors
from video.link_quality import LinkDay
from video.tables import link_days

if TYPE_CHECKING:
    from sqlalchemy import Engine

SUMS = ("seconds", "frames", "bytes", "lost", "reconnects", "stalls")


def add(engine: "Engine", days: Sequence[LinkDay]) -> None:
    """Add what streams did to the rows of their days, all in one transaction."""
    column = link_days.c
    with translated_errors(), engine.begin() as connection:
        for each in days:
            distance = each.longest_key_distance
            values = {name: column[name] + getattr(each, name) for name in SUMS}
            values["longest_key_distance"] = case(
                (column.longest_key_distance < distance, distance),
                else_=column.longest_key_distance,
            )
            change = update(link_days).where(
                column.device == each.device, column.stream == each.stream, column.day == each.day
            )
            if not connection.execute(change.values(values)).rowcount:
                connection.execute(insert(link_days), asdict(each))


def since(engine: "Engine", device: int, first: date) -> list[LinkDay]:
    """The days of a device from `first` on, the oldest first."""
    column = link_days.c
    query = select(link_days).where(column.device == device, column.day >= first)
    with translated_errors(), engine.connect() as connection:
        rows = connection.execute(query.order_by(column.stream, column.day)).mappings()
        return [LinkDay(**row) for row in rows]


def forget(engine: "Engine", before: date) -> int:
    """Delete the days before this one; their number."""
    with long_write(engine) as connection:
        return int(connection.execute(delete(link_days).where(link_days.c.day < before)).rowcount)
