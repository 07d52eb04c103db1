"""Rows of recordings. Every function raises Unreachable, and Damaged for a bad value."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, delete, insert, or_, select, update

from store.sql import translated_errors
from video.recorded import RECORDING, Recording
from video.tables import recordings

if TYPE_CHECKING:
    from sqlalchemy import Engine


def add(engine: "Engine", recording: Recording) -> int:
    """Insert a recording and return its number."""
    query = insert(recordings).returning(recordings.c.id)
    with translated_errors(), engine.begin() as connection:
        return int(connection.execute(query, _row(recording)).scalar_one())


def change(engine: "Engine", id: int, **changes: Any) -> None:
    """Change some fields of a recording, by their names in `Recording`."""
    if "reason" in changes:
        changes["reason"] = changes["reason"][:300]
    with translated_errors(), engine.begin() as connection:
        connection.execute(update(recordings).where(recordings.c.id == id).values(**changes))


def _row(recording: Recording) -> dict[str, Any]:
    row = asdict(recording)
    del row["id"]
    shortened = {"name": recording.name[:200], "reason": recording.reason[:300]}
    return {**row, **shortened, "by": recording.by[:80]}


def _recording(row: Mapping[Any, Any]) -> Recording:
    return Recording(**row)


def _found(engine: "Engine", query: Select[Any]) -> list[Recording]:
    with translated_errors(), engine.connect() as connection:
        return [_recording(row) for row in connection.execute(query).mappings()]


def find(engine: "Engine", id: int) -> Recording | None:
    """The recording with that number, also one that is deleted."""
    return next(iter(_found(engine, select(recordings).where(recordings.c.id == id))), None)


def unfinished(engine: "Engine") -> list[Recording]:
    """The recordings that run, or ran when the program was killed, the oldest first."""
    query = select(recordings).where(recordings.c.status == RECORDING)
    return _found(engine, query.order_by(recordings.c.id))


def listed(
    engine: "Engine",
    *,
    devices: Sequence[int] | None = None,
    kind: str = "",
    status: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    with_deleted: bool = False,
    limit: int = 100,
    offset: int = 0,
) -> list[Recording]:
    """Find matching recordings, the newest first. Those of a time are all that overlap it."""
    column = recordings.c
    query = select(recordings)
    if devices is not None:
        query = query.where(column.device.in_(devices))
    if kind:
        query = query.where(column.kind == kind)
    if status:
        query = query.where(column.status == status)
    if since:
        query = query.where(or_(column.ended_at.is_(None), column.ended_at > since))
    if until:
        query = query.where(column.started_at < until)
    if not with_deleted:
        query = query.where(column.deleted_at.is_(None))
    query = query.order_by(column.started_at.desc(), column.id.desc())
    return _found(engine, query.limit(limit).offset(offset))


def newest(engine: "Engine", device: int) -> Recording | None:
    """The recording of a device that started last, without deleted ones."""
    return next(iter(listed(engine, devices=[device], limit=1)), None)


def remove(engine: "Engine", id: int) -> None:
    """Delete the row."""
    with translated_errors(), engine.begin() as connection:
        connection.execute(delete(recordings).where(recordings.c.id == id))
