"""What the coverage reads of the index, in few columns: a month of a camera has 9,000 files.
Every function raises Unreachable, and Damaged for a bad value."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import or_, select

from store.sql import translated_errors
from video.segment_rows import LONGEST
from video.tables import segments

if TYPE_CHECKING:
    from sqlalchemy import Engine


class IndexedFile(NamedTuple):
    """A file as the index has it."""

    id: int
    device: int
    name: str
    start: datetime
    end: datetime
    size: int
    header: int
    is_closed: bool
    is_damaged: bool


def files(
    engine: "Engine", devices: Sequence[int], since: datetime, until: datetime
) -> list[IndexedFile]:
    """The files of these devices, of both streams, that have a part of that time; oldest first."""
    column = segments.c
    query = select(
        column.id,
        column.device,
        column.file,
        column.started_at,
        column.ended_at,
        column.size,
        column.header,
        column.closed,
        column.damaged != "",
    ).where(
        column.device.in_(devices),
        column.stream.in_(("main", "sub")),
        # The index covers started_at alone.
        column.started_at > since - LONGEST,
        column.started_at < until,
        or_(column.ended_at > since, column.closed.is_(False)),
    )
    with translated_errors(), engine.connect() as connection:
        rows = connection.execute(query.order_by(column.started_at, column.id))
        return [IndexedFile(*row) for row in rows]
