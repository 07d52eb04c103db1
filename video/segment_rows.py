"""Rows of the recorded files. Every function raises Unreachable, and Damaged for a bad value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Select, delete, func, insert, select, update

from store.sql import translated_errors
from video.model import NAMES
from video.recorded import Segment
from video.tables import segments

if TYPE_CHECKING:
    from sqlalchemy import Engine

PART = 500
"""Rows of one statement."""
LONGEST = timedelta(days=1)
"""No file is longer: one ends at the first key frame after five minutes."""


def add(engine: "Engine", segment: Segment) -> int:
    """Insert a file and return the number of its row."""
    row = _row(segment)
    with translated_errors(), engine.begin() as connection:
        return int(connection.execute(insert(segments).returning(segments.c.id), row).scalar_one())


def save(engine: "Engine", changed: Sequence[Segment]) -> None:
    """Write what a file holds now, for rows that exist, all in one transaction."""
    with translated_errors(), engine.begin() as connection:
        for segment in changed:
            row = _row(segment)
            # A person or the clean-up can have protected it meanwhile.
            del row["protected"]
            connection.execute(update(segments).where(segments.c.id == segment.id), row)


def _row(segment: Segment) -> dict[str, Any]:
    row = asdict(segment)
    del row["id"]
    return {**row, "notes": list(segment.notes), "damaged": segment.damaged[:200]}


def _segment(row: Mapping[Any, Any]) -> Segment:
    return Segment(**{**row, "notes": tuple(row["notes"])})


def _found(engine: "Engine", query: Select[Any]) -> list[Segment]:
    with translated_errors(), engine.connect() as connection:
        return [_segment(row) for row in connection.execute(query).mappings()]


def find(engine: "Engine", id: int) -> Segment | None:
    """The file with that number, if any."""
    return next(iter(_found(engine, select(segments).where(segments.c.id == id))), None)


def between(
    engine: "Engine", device: int, stream: str | None, since: datetime, until: datetime
) -> list[Segment]:
    """The files of a device that hold something of that time, the oldest first.

    `stream` None: those of both streams. Damaged ones are among them.
    """
    column = segments.c
    query = select(segments).where(
        column.device == device,
        column.stream.in_(NAMES if stream is None else (stream,)),
        # The index covers started_at alone.
        column.started_at > since - LONGEST,
        column.started_at < until,
        column.ended_at > since,
    )
    return _found(engine, query.order_by(column.started_at, column.id))


def unclosed(engine: "Engine") -> list[Segment]:
    """The files that grow, or grew when the program was killed."""
    return _found(engine, select(segments).where(segments.c.closed.is_(False)))


def number_of(engine: "Engine", device: int, file: str) -> int | None:
    """The number of the row of a file, if it has one."""
    query = select(segments.c.id).where(segments.c.device == device, segments.c.file == file)
    with translated_errors(), engine.connect() as connection:
        return connection.execute(query).scalar()


class Known(NamedTuple):
    """The row of a file, and why it cannot be played."""

    id: int
    damaged: str


def known(engine: "Engine", device: int) -> dict[str, Known]:
    """All files of a device by their names."""
    query = select(segments.c.file, segments.c.id, segments.c.damaged)
    query = query.where(segments.c.device == device)
    with translated_errors(), engine.connect() as connection:
        return {file: Known(id, damaged) for file, id, damaged in connection.execute(query)}


def devices(engine: "Engine") -> frozenset[int]:
    """The devices that have files."""
    with translated_errors(), engine.connect() as connection:
        return frozenset(connection.execute(select(segments.c.device).distinct()).scalars())


def total_size(engine: "Engine") -> int:
    """Bytes of all files."""
    with translated_errors(), engine.connect() as connection:
        return int(connection.execute(select(func.sum(segments.c.size))).scalar() or 0)


def mark_damaged(engine: "Engine", ids: Sequence[int], damaged: str) -> None:
    """Say why these files cannot be played; empty if they can. Their rows are closed."""
    for part in _parts(ids):
        change = update(segments).where(segments.c.id.in_(part))
        with translated_errors(), engine.begin() as connection:
            connection.execute(change.values(damaged=damaged[:200], closed=True))


def protect(engine: "Engine", ids: Sequence[int], protected: bool) -> None:
    """Protect these files from being deleted for their age or for space, or no longer."""
    for part in _parts(ids):
        change = update(segments).where(segments.c.id.in_(part)).values(protected=protected)
        with translated_errors(), engine.begin() as connection:
            connection.execute(change)


def remove(engine: "Engine", ids: Sequence[int]) -> None:
    """Delete the rows; the files are deleted by the caller, first."""
    for part in _parts(ids):
        with translated_errors(), engine.begin() as connection:
            connection.execute(delete(segments).where(segments.c.id.in_(part)))


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[first : first + PART] for first in range(0, len(ids), PART))
