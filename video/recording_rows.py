"""Rows of recordings. Every function raises Unreachable, and Damaged for a bad value."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, delete, func, insert, or_, select, update

from store.sql import translated_errors
from video.recorded import RECORDING, Recording
from video.tables import recordings

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True, slots=True)
class RecordingFilter:
    """Which recordings. `devices`: None for those of all. Those of a time are all that overlap
    it."""

    devices: Sequence[int] | None = None
    status: str = ""
    since: datetime | None = None
    until: datetime | None = None
    is_deleted: bool = False


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


def count(engine: "Engine", wanted: RecordingFilter) -> int:
    """The number of matching recordings."""
    query = _matching(select(func.count()).select_from(recordings), wanted)
    with translated_errors(), engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def page(engine: "Engine", wanted: RecordingFilter, limit: int, offset: int = 0) -> list[Recording]:
    """The matching recordings, the newest first."""
    query = _matching(select(recordings), wanted)
    query = query.order_by(recordings.c.started_at.desc(), recordings.c.id.desc())
    return _found(engine, query.limit(limit).offset(offset))


def _matching(query: Select[Any], wanted: RecordingFilter) -> Select[Any]:
    column = recordings.c
    if wanted.devices is not None:
        query = query.where(column.device.in_(wanted.devices))
    if wanted.status:
        query = query.where(column.status == wanted.status)
    if wanted.since:
        query = query.where(or_(column.ended_at.is_(None), column.ended_at > wanted.since))
    if wanted.until:
        query = query.where(column.started_at < wanted.until)
    is_deleted = column.deleted_at.is_not(None)
    return query.where(is_deleted if wanted.is_deleted else ~is_deleted)


def newest(engine: "Engine", device: int) -> Recording | None:
    """The recording of a device that started last, without deleted ones."""
    return next(iter(page(engine, RecordingFilter([device]), 1)), None)


def remove(engine: "Engine", ids: Sequence[int]) -> None:
    """Delete these rows."""
    with translated_errors(), engine.begin() as connection:
        connection.execute(delete(recordings).where(recordings.c.id.in_(list(ids))))
