"""The inbox of scanned ranges in SQL: one row for each address at a site; and the newest scan."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    Column,
    Integer,
    Select,
    String,
    Table,
    UniqueConstraint,
    delete,
    insert,
    select,
)

from store.sql import UtcDateTime, metadata, translated_errors

if TYPE_CHECKING:
    from sqlalchemy import Engine

MAX_ENTRIES = 10_000
PART = 500
"""Rows of one statement."""

entries = Table(
    "range_inbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", String(60), nullable=False),
    Column("address", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("answer", JSON, nullable=False),
    UniqueConstraint("site", "address", name="range_inbox_place"),
)

scans = Table(
    "range_scan",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scan", JSON, nullable=False),
)
"""One row, if any."""


def load_scan(engine: "Engine") -> Mapping[str, Any] | None:
    """The newest scan, if any. Raises Unreachable."""
    with translated_errors(), engine.begin() as connection:
        return connection.execute(select(scans.c.scan)).scalars().first()


def load(engine: "Engine") -> Sequence[Any]:
    """All rows, the newest first. Raises Unreachable."""
    wanted: Select[Any] = select(entries).order_by(entries.c.at.desc(), entries.c.id)
    with translated_errors(), engine.begin() as connection:
        return connection.execute(wanted.limit(MAX_ENTRIES)).all()


def save(
    engine: "Engine",
    site: str,
    answers: Mapping[str, Mapping[str, Any]],
    at: datetime,
    scan: Mapping[str, Any] | None = None,
) -> None:
    """Store answers by their addresses, in place of older ones, and the newest scan. Beyond
    MAX_ENTRIES the oldest rows are deleted. Raises Unreachable."""
    addresses = [*answers]
    with translated_errors(), engine.begin() as connection:
        if scan is not None:
            connection.execute(delete(scans))
            connection.execute(insert(scans), {"id": 1, "scan": dict(scan)})
        for first in range(0, len(addresses), PART):
            part = addresses[first : first + PART]
            is_there = (entries.c.site == site) & entries.c.address.in_(part)
            connection.execute(delete(entries).where(is_there))
            rows = [
                {"site": site, "address": address, "at": at, "answer": dict(answers[address])}
                for address in part
            ]
            connection.execute(insert(entries), rows)
        newest: Select[Any] = select(entries.c.id).order_by(entries.c.at.desc(), entries.c.id)
        oldest = connection.execute(newest.offset(MAX_ENTRIES)).scalars().all()
        for first in range(0, len(oldest), PART):
            part_of_oldest = oldest[first : first + PART]
            connection.execute(delete(entries).where(entries.c.id.in_(part_of_oldest)))


def remove(engine: "Engine", ids: Sequence[int]) -> None:
    """Delete these rows. Raises Unreachable."""
    with translated_errors(), engine.begin() as connection:
        for first in range(0, len(ids), PART):
            part = ids[first : first + PART]
            connection.execute(delete(entries).where(entries.c.id.in_(part)))
