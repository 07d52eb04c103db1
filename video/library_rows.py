"""Questions about recordings that the pages ask. Every function raises Unreachable."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Float, String, cast, distinct, func, select

from store.sql import translated_errors
from video.recorded import Recording, Segment
from video.segment_rows import LONGEST
from video.tables import recordings, segments

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True, slots=True)
class Content:
    """What the files of a recording hold: `seconds` and `size` in sum, and the newest file.
    `formats`: how many there are among them, of picture and sound."""

    files: int = 0
    formats: int = 0
    seconds: float = 0.0
    size: int = 0
    newest: Segment | None = None


def contents(engine: "Engine", wanted: Sequence[Recording], now: datetime) -> list[Content]:
    """What the files of each of these recordings hold, without damaged ones.

    A file that is only partly in a recording counts with that part.
    """
    with translated_errors(), engine.connect() as connection:
        seconds = _seconds(engine.dialect.name)
        return [_content(connection, recording, now, seconds) for recording in wanted]


def _seconds(dialect: str) -> ColumnElement[float]:
    """How long a file lasts, in the database's own arithmetic."""
    column = segments.c
    if dialect == "sqlite":
        days = func.julianday(column.ended_at) - func.julianday(column.started_at)
        return cast(days * 86400.0, Float)
    return cast(func.extract("epoch", column.ended_at - column.started_at), Float)


def _content(
    connection: Any, recording: Recording, now: datetime, seconds: ColumnElement[float]
) -> Content:
    column = segments.c
    end = recording.ended_at or now
    where = (
        column.device == recording.device,
        column.stream == recording.stream,
        column.started_at > recording.started_at - LONGEST,
        column.started_at < end,
        column.ended_at > recording.started_at,
        column.damaged == "",
    )
    form = column.codec + ":" + column.audio + ":" + cast(column.width, String)
    formats = func.count(distinct(form + "x" + cast(column.height, String)))
    sums = (func.count(), formats, func.sum(seconds), func.sum(column.size))
    ends = (func.min(column.started_at), func.max(column.ended_at))
    sums_of = select(*sums, *ends).where(*where)
    files, forms, whole, size, first, last = connection.execute(sums_of).one()
    if not files:
        return Content()
    outside = max(recording.started_at - first, timedelta()) + max(last - end, timedelta())
    inside = max(0.0, float(whole) - outside.total_seconds())
    share = inside / whole if whole else 0.0
    query = select(segments).where(*where, column.width > 0)
    row = connection.execute(query.order_by(column.started_at.desc()).limit(1)).mappings().first()
    newest = Segment(**{**row, "notes": tuple(row["notes"])}) if row else None
    return Content(int(files), int(forms), inside, round(int(size) * share), newest)


def devices(engine: "Engine") -> frozenset[int]:
    """The devices that have recordings."""
    query = select(recordings.c.device).where(recordings.c.deleted_at.is_(None)).distinct()
    with translated_errors(), engine.connect() as connection:
        return frozenset(connection.execute(query).scalars())


def segment_numbers(engine: "Engine") -> frozenset[int]:
    """The numbers of all files."""
    with translated_errors(), engine.connect() as connection:
        return frozenset(connection.execute(select(segments.c.id)).scalars())
