"""Rows of picture health. Every function raises Unreachable, and Damaged for a bad value."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, time
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Select, delete, insert, select, update

from picture_health.camera_health import CameraSettings, KeptPicture
from picture_health.expected_hours import ExpectedHours
from picture_health.judging import Course
from picture_health.model import Measures, Reference, is_descriptor
from picture_health.tables import health_courses, health_pictures, health_settings
from store.sql import translated_errors

if TYPE_CHECKING:
    from sqlalchemy import Engine

EVIDENCE = "evidence"
LONGEST_BY = 120
MOST_ENDED = 100
"""Pictures of findings that ended, of one camera."""


class StoredCourse(NamedTuple):
    """The course of a camera, and when it was sampled last."""

    course: Course
    sampled_at: datetime


# -- settings -----------------------------------------------------------------------------


def settings(engine: "Engine") -> dict[int, CameraSettings]:
    """The settings of each camera for which a person changed them."""
    with translated_errors(), engine.connect() as connection:
        rows = connection.execute(select(health_settings)).mappings()
        return {row["device"]: _settings(row) for row in rows}


def set_settings(engine: "Engine", device: int, values: CameraSettings) -> None:
    """Keep the settings of a camera."""
    row = asdict(values) | {"device": device, "expected_hours": hours_json(values.expected_hours)}
    with translated_errors(), engine.begin() as connection:
        connection.execute(delete(health_settings).where(health_settings.c.device == device))
        connection.execute(insert(health_settings), row)


def hours_json(hours: Iterable[ExpectedHours]) -> list[dict[str, Any]]:
    """Hours as JSON: days, starts and ends."""
    return [
        {"days": [*each.days], "starts": f"{each.starts:%H:%M}", "ends": f"{each.ends:%H:%M}"}
        for each in hours
    ]


def _settings(row: Mapping[Any, Any]) -> CameraSettings:
    values = {key: value for key, value in row.items() if key != "device"}
    hours = tuple(
        ExpectedHours(tuple(each["days"]), _time(each["starts"]), _time(each["ends"]))
        for each in values["expected_hours"]
    )
    return CameraSettings(**{**values, "expected_hours": hours})


def _time(text: str) -> time:
    return time.fromisoformat(text)


# -- courses ------------------------------------------------------------------------------


def courses(engine: "Engine") -> dict[int, StoredCourse]:
    """The course of each camera; its health is unknown until the next sample."""
    with translated_errors(), engine.connect() as connection:
        rows = connection.execute(select(health_courses)).mappings()
        return {row["device"]: _course(row) for row in rows}


def _course(row: Mapping[Any, Any]) -> StoredCourse:
    course = Course(
        findings=frozenset(row["findings"]),
        showing=row["showing"],
        clear=row["clear"],
        anchor=row["anchor"] if is_descriptor(row["anchor"]) else b"",
    )
    return StoredCourse(course, row["sampled_at"])


def keep_courses(engine: "Engine", changed: Mapping[int, StoredCourse]) -> None:
    """Write the courses of these cameras."""
    rows = [
        {
            "device": device,
            "sampled_at": stored.sampled_at,
            "findings": sorted(stored.course.findings),
            "showing": dict(stored.course.showing),
            "clear": dict(stored.course.clear),
            "anchor": stored.course.anchor,
        }
        for device, stored in changed.items()
    ]
    if not rows:
        return
    column = health_courses.c.device
    with translated_errors(), engine.begin() as connection:
        connection.execute(delete(health_courses).where(column.in_(list(changed))))
        connection.execute(insert(health_courses), rows)


# -- pictures -----------------------------------------------------------------------------


def add_picture(engine: "Engine", picture: KeptPicture) -> int:
    """Insert a picture and return its number."""
    row = asdict(picture)
    del row["id"]
    row |= row.pop("measured")
    row["by"] = picture.by[:LONGEST_BY].replace("\x00", "")
    with translated_errors(), engine.begin() as connection:
        statement = insert(health_pictures).returning(health_pictures.c.id)
        return int(connection.execute(statement, row).scalar_one())


def pictures(engine: "Engine") -> list[KeptPicture]:
    """All pictures in use, in the order in which they were kept, without their data."""
    column = health_pictures.c
    columns = [each for each in column if each.name not in ("data", "ended_at")]
    query = select(*columns).where(column.ended_at.is_(None)).order_by(column.id)
    return _pictures(engine, query)


def picture(engine: "Engine", devices: Collection[int], id: int) -> KeptPicture | None:
    """The picture with that number and its data, if it is of one of these devices."""
    column = health_pictures.c
    columns = [each for each in column if each.name != "ended_at"]
    query = select(*columns).where(column.id == id, column.device.in_(devices))
    return next(iter(_pictures(engine, query)), None)


def _pictures(engine: "Engine", query: Select[Any]) -> list[KeptPicture]:
    with translated_errors(), engine.connect() as connection:
        return [_picture(row) for row in connection.execute(query).mappings()]


def _picture(row: Mapping[Any, Any]) -> KeptPicture:
    values = dict(row)
    measured = Reference(Measures(**values.pop("measures")), values.pop("descriptor"))
    return KeptPicture(**values, measured=measured)


def set_measured(engine: "Engine", id: int, measured: Reference) -> None:
    """Write how a picture is described now."""
    change = update(health_pictures).where(health_pictures.c.id == id)
    with translated_errors(), engine.begin() as connection:
        connection.execute(change.values(asdict(measured)))


def remove_pictures(engine: "Engine", ids: Collection[int]) -> None:
    """Delete these pictures."""
    with translated_errors(), engine.begin() as connection:
        connection.execute(delete(health_pictures).where(health_pictures.c.id.in_(ids)))


def end_evidence(engine: "Engine", ids: Collection[int], at: datetime) -> None:
    """Note that the findings ended that these pictures raised. Of each camera the newest ones are
    kept: one whose picture comes and goes does not fill the disk."""
    column = health_pictures.c
    ended = column.id.in_(ids)
    devices = select(column.device).where(ended).distinct()
    with translated_errors(), engine.begin() as connection:
        connection.execute(update(health_pictures).where(ended).values(ended_at=at))
        for device in list(connection.execute(devices).scalars()):
            of_device = (column.device == device) & column.ended_at.is_not(None)
            kept = select(column.id).where(of_device).order_by(column.id.desc()).limit(MOST_ENDED)
            connection.execute(delete(health_pictures).where(of_device, column.id.not_in(kept)))


# -- deleting -----------------------------------------------------------------------------


def forget_evidence(engine: "Engine", until: datetime, now: datetime) -> int:
    """Delete the pictures of findings that ended before `until`; their number. Those that ended
    after `now`, by a clock that was wrong, count as ended now."""
    column = health_pictures.c.ended_at
    old = delete(health_pictures).where(column < until)
    with translated_errors(), engine.begin() as connection:
        connection.execute(update(health_pictures).where(column > now).values(ended_at=now))
        return int(connection.execute(old).rowcount)


def devices(engine: "Engine") -> set[int]:
    """The devices that have rows."""
    with translated_errors(), engine.connect() as connection:
        tables = (health_settings, health_courses, health_pictures)
        return {
            device
            for table in tables
            for device in connection.execute(select(table.c.device).distinct()).scalars()
        }


def remove_devices(engine: "Engine", numbers: Sequence[int]) -> None:
    """Delete all rows of these devices."""
    with translated_errors(), engine.begin() as connection:
        for table in (health_settings, health_courses, health_pictures):
            connection.execute(delete(table).where(table.c.device.in_(numbers)))
