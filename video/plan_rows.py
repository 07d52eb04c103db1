"""Rows of plans: what each schedule said, and which cameras were recorded always or retired, at
each time. Every function raises Unreachable, and Damaged for a bad value."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import ColumnElement, Table, delete, insert, or_, select, update

from store.sql import long_write, translated_errors
from video.schedule import Schedule
from video.schedule_json import as_json, of_json
from video.stretches import Stretch
from video.tables import camera_plans, schedule_plans

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

ALWAYS, RETIRED = "always", "retired"
"""What is kept of a camera: it is recorded always; it is retired, and not recorded at all."""


class Plan(NamedTuple):
    """What a schedule said in a time; `valid` lies inside the time that was asked for."""

    schedule: Schedule
    valid: Stretch


class CameraPlan(NamedTuple):
    """What is true of a camera since `since`; `kind` is ALWAYS or RETIRED."""

    device: int
    kind: str
    since: datetime


def keep(connection: "Connection", schedule: Schedule, at: datetime, is_deleted: bool) -> None:
    """Note what a schedule says from `at` on, in the transaction that writes the schedule."""
    column = schedule_plans.c
    is_newest = (column.schedule == schedule.id) & column.valid_until.is_(None)
    plan = None if is_deleted else as_json(schedule)
    newest = connection.execute(select(column.plan).where(is_newest)).scalar()
    if plan == newest:
        return
    connection.execute(update(schedule_plans).where(is_newest).values(valid_until=at))
    if plan is not None:
        row = {"schedule": schedule.id, "valid_from": at, "plan": plan}
        connection.execute(insert(schedule_plans), row)


def plans(engine: "Engine", since: datetime, until: datetime) -> list[Plan]:
    """What schedules said in that time, also those that are deleted by now."""
    column = schedule_plans.c
    query = select(schedule_plans).where(*_overlaps(schedule_plans, since, until))
    with translated_errors(), engine.connect() as connection:
        rows = connection.execute(query.order_by(column.schedule, column.id)).mappings().all()
    return [
        Plan(
            of_json(row["schedule"], row["plan"]),
            _inside(row["valid_from"], row["valid_until"], since, until),
        )
        for row in rows
    ]


def camera_times(
    engine: "Engine", kind: str, devices: Sequence[int], since: datetime, until: datetime
) -> dict[int, list[Stretch]]:
    """When these cameras were of that kind, in that time."""
    column = camera_plans.c
    query = select(column.device, column.valid_from, column.valid_until).where(
        column.kind == kind,
        column.device.in_(devices),
        *_overlaps(camera_plans, since, until),
    )
    times: dict[int, list[Stretch]] = {}
    with translated_errors(), engine.connect() as connection:
        for device, start, end in connection.execute(query):
            times.setdefault(device, []).append(_inside(start, end, since, until))
    return times


def _overlaps(table: Table, since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a row was valid for a part of that time."""
    column = table.c
    is_late_enough = or_(column.valid_until.is_(None), column.valid_until > since)
    return (column.valid_from < until, is_late_enough)


def _inside(start: datetime, end: datetime | None, since: datetime, until: datetime) -> Stretch:
    return Stretch(max(start, since), min(end or until, until))


def current_cameras(engine: "Engine") -> set[tuple[int, str]]:
    """The cameras, each with its kind, of which that is still true."""
    column = camera_plans.c
    query = select(column.device, column.kind).where(column.valid_until.is_(None))
    with translated_errors(), engine.connect() as connection:
        return {(device, kind) for device, kind in connection.execute(query)}


def change_cameras(
    engine: "Engine",
    begun: Iterable[CameraPlan],
    ended: Iterable[tuple[int, str]],
    at: datetime,
) -> None:
    """Note what is true of cameras from now on, and what is not any more."""
    column = camera_plans.c
    rows = [{"device": plan.device, "kind": plan.kind, "valid_from": plan.since} for plan in begun]
    with translated_errors(), engine.begin() as connection:
        for device, kind in ended:
            is_this = (column.device == device) & (column.kind == kind)
            is_newest = is_this & column.valid_until.is_(None)
            connection.execute(update(camera_plans).where(is_newest).values(valid_until=at))
        if rows:
            connection.execute(insert(camera_plans), rows)


def forget(engine: "Engine", until: datetime) -> int:
    """Delete what was valid until then at the latest; the number of rows."""
    with long_write(engine) as connection:
        return sum(
            connection.execute(delete(table).where(table.c.valid_until < until)).rowcount
            for table in (schedule_plans, camera_plans)
        )
