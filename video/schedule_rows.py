"""Rows of schedules. Every function raises Unreachable, and Damaged for a bad value."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from store.sql import translated_errors
from video import plan_rows
from video.schedule import Schedule
from video.schedule_json import as_json, of_json, with_tuples
from video.tables import schedules

if TYPE_CHECKING:
    from sqlalchemy import Engine

FIELDS = tuple(field.name for field in fields(Schedule) if field.name != "id")


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule, and what is known of its changes. `by`: who created it. `revision` grows by one
    with each change; `previous` is the schedule before the last one, None for one that is new."""

    schedule: Schedule
    by: str
    created_at: datetime
    changed_at: datetime
    revision: int = 1
    previous: Schedule | None = None
    deleted_at: datetime | None = None

    @property
    def id(self) -> int:
        return self.schedule.id


def load(engine: "Engine") -> list[StoredSchedule]:
    """All schedules by number, also deleted ones that can be restored."""
    query = select(schedules).order_by(schedules.c.id)
    with translated_errors(), engine.connect() as connection:
        return [_stored(row) for row in connection.execute(query).mappings()]


def add(engine: "Engine", stored: StoredSchedule) -> int:
    """Insert a schedule and return its number."""
    query = insert(schedules).returning(schedules.c.id)
    with translated_errors(), engine.begin() as connection:
        id = int(connection.execute(query, _row(stored)).scalar_one())
        plan_rows.keep(connection, replace(stored.schedule, id=id), stored.created_at, False)
        return id


def save(engine: "Engine", stored: StoredSchedule, now: datetime) -> None:
    """Write a schedule in place of the one with its number; what it said until now is kept."""
    query = update(schedules).where(schedules.c.id == stored.id)
    with translated_errors(), engine.begin() as connection:
        connection.execute(query.values(**_row(stored)))
        plan_rows.keep(connection, stored.schedule, now, stored.deleted_at is not None)


def remove_deleted(engine: "Engine", before: datetime) -> int:
    """Remove for good what was deleted before that time; how many."""
    query = delete(schedules).where(schedules.c.deleted_at < before)
    with translated_errors(), engine.begin() as connection:
        return connection.execute(query).rowcount


def _row(stored: StoredSchedule) -> dict[str, Any]:
    values = asdict(stored.schedule)
    del values["id"]
    return {
        **values,
        "devices": list(stored.schedule.devices),
        "days": list(stored.schedule.days),
        "by": stored.by[:80],
        "created_at": stored.created_at,
        "changed_at": stored.changed_at,
        "revision": stored.revision,
        "previous": as_json(stored.previous) if stored.previous else None,
        "deleted_at": stored.deleted_at,
    }


def _stored(row: Mapping[Any, Any]) -> StoredSchedule:
    values = {name: row[name] for name in FIELDS}
    schedule = Schedule(row["id"], **with_tuples(values))
    return StoredSchedule(
        schedule,
        row["by"],
        row["created_at"],
        row["changed_at"],
        row["revision"],
        of_json(row["id"], row["previous"]) if row["previous"] else None,
        row["deleted_at"],
    )
