"""What the clean-up reads of the index. Every function raises Unreachable, and Damaged for a bad
value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from store.sql import translated_errors
from video.retention import (
    BELIEVABLE_FROM,
    UNDO_TIME,
    DeviceUse,
    Limits,
    RecordingRange,
    StoredSegment,
)
from video.segment_rows import LONGEST
from video.tables import recordings, segments

if TYPE_CHECKING:
    from sqlalchemy import Engine

PART = 500
"""The most files that are read for one reason."""
MAX_DELETED = 50
"""Deleted recordings that are looked at in one clean-up."""
DAY = timedelta(days=1)
FAR = datetime(9999, 1, 1, tzinfo=UTC)
SHORTEST_SAMPLE = timedelta(hours=1)
"""A rate is known when a camera has been recorded for so long."""
OVERLAPS = and_(
    recordings.c.device == segments.c.device,
    recordings.c.stream == segments.c.stream,
    recordings.c.started_at < segments.c.ended_at,
    or_(recordings.c.ended_at.is_(None), recordings.c.ended_at > segments.c.started_at),
)
"""A recording covers a part of a file, as `RecordingRange.covers` says."""
MAY_GO = and_(
    segments.c.closed.is_(True),
    segments.c.protected.is_(False),
    ~exists().where(OVERLAPS, recordings.c.protected.is_(True), recordings.c.deleted_at.is_(None)),
)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Files that may be deleted. `has_more`: the index may have more of them. `discarded`: the
    numbers of the recordings that people deleted, once there are no more."""

    files: list[StoredSegment]
    has_more: bool
    discarded: list[int]


def candidates(
    engine: "Engine", now: datetime, limits: Limits, *, by_age: bool, part: int = 0
) -> Candidates:
    """The oldest files that may be deleted now, and with `by_age` those older than the retention
    and those of deleted recordings; up to `part` of each, PART by default."""
    column, most = segments.c, part or PART
    parts = [_files(engine, column.started_at >= BELIEVABLE_FROM, most)]
    if len(parts[0]) < most:
        parts.append(_files(engine, column.started_at < BELIEVABLE_FROM, most))
    deleted: list[RecordingRange] = []
    if by_age:
        parts += [_files(engine, condition, most) for condition in _too_old(now, limits)]
        deleted = _deleted(engine, now)
        if deleted:
            parts.append(_files(engine, or_(*(_within(each) for each in deleted)), most))
    known = {segment.id: segment for files in parts for segment in files}
    has_more = any(len(files) == most for files in parts)
    return Candidates(list(known.values()), has_more, [each.id for each in deleted])


def _too_old(now: datetime, limits: Limits) -> Iterator[ColumnElement[bool]]:
    column, own = segments.c, limits.days_of or {}
    for device, days in own.items():
        yield and_(column.device == device, _ended_before(now - days * DAY))
    yield and_(column.device.not_in(list(own)), _ended_before(now - limits.days * DAY))


def _ended_before(time: datetime) -> ColumnElement[bool]:
    # The index covers started_at alone.
    return and_(segments.c.started_at < time, segments.c.ended_at < time)


def _within(each: RecordingRange) -> ColumnElement[bool]:
    """The files that a recording covers."""
    column = segments.c
    return and_(
        column.device == each.device,
        column.stream == each.stream,
        column.started_at > each.started_at - LONGEST,
        column.started_at < (each.ended_at or FAR),
        column.ended_at > each.started_at,
    )


def _deleted(engine: "Engine", now: datetime) -> list[RecordingRange]:
    """The first recordings whose time to undo their deletion is over."""
    query = select(recordings).where(recordings.c.deleted_at <= now - UNDO_TIME)
    return _ranges(engine, query.order_by(recordings.c.id).limit(MAX_DELETED))


def _files(engine: "Engine", condition: ColumnElement[bool], most: int) -> list[StoredSegment]:
    """The oldest files that may go and fulfil the condition."""
    query = select(segments).where(MAY_GO, condition)
    query = query.order_by(segments.c.started_at, segments.c.id).limit(most)
    with translated_errors(), engine.connect() as connection:
        return [_segment(row) for row in connection.execute(query).mappings()]


def _segment(row: Mapping[Any, Any]) -> StoredSegment:
    return StoredSegment(
        id=row["id"],
        device=row["device"],
        stream=row["stream"],
        name=row["file"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        size=row["size"],
        is_open=not row["closed"],
        is_protected=row["protected"],
    )


def ranges(engine: "Engine", files: Sequence[StoredSegment]) -> list[RecordingRange]:
    """The recordings that cover any of these files."""
    column = recordings.c
    if not files:
        return []
    query = select(recordings).where(
        column.device.in_({each.device for each in files}),
        column.started_at < max(each.ended_at for each in files),
        or_(column.ended_at.is_(None), column.ended_at > min(each.started_at for each in files)),
    )
    return _ranges(engine, query)


def _ranges(engine: "Engine", query: Select[Any]) -> list[RecordingRange]:
    names = ("device", "stream", "started_at", "ended_at", "protected", "deleted_at", "id")
    with translated_errors(), engine.connect() as connection:
        rows = connection.execute(query).mappings()
        return [RecordingRange(*(row[name] for name in names)) for row in rows]


def has_files(engine: "Engine", each: RecordingRange) -> bool:
    """True if there is a file of this recording."""
    with translated_errors(), engine.connect() as connection:
        query = select(segments.c.id).where(_within(each)).limit(1)
        return connection.execute(query).first() is not None


def uses(engine: "Engine", now: datetime) -> list[DeviceUse]:
    """What the recordings of each camera take."""
    column = segments.c
    recent = func.sum(column.size).filter(column.ended_at > now - DAY)
    oldest = func.min(column.started_at).filter(column.started_at >= BELIEVABLE_FROM)
    query = select(column.device, func.sum(column.size), recent, oldest)
    query = query.group_by(column.device).order_by(column.device)
    with translated_errors(), engine.connect() as connection:
        return [_use(row, now) for row in connection.execute(query)]


def _use(row: Any, now: datetime) -> DeviceUse:
    device, size, recent, oldest = row
    length = min(now - oldest, DAY) if oldest else timedelta()
    rate = int(recent) / (length / DAY) if recent and length >= SHORTEST_SAMPLE else 0.0
    return DeviceUse(device, int(size), rate, oldest)
