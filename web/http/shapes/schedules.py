"""Schedules as JSON."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from typing_extensions import TypedDict

from fleet.shapes import Time, enum_schema, iso, pattern_schema
from video.recorded import QUALITIES
from video.schedule import DAYS, KINDS, Schedule
from video.schedule_check import MAX_DEVICES
from video.schedule_rows import StoredSchedule
from web.http.payloads import OneOf, Query, SentBack, Strict

LONGEST_NAME = 200
"""Characters that a request may have; the check of a schedule says how many a name has."""
CLOCK = r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"


def _time(value: Any) -> Any:
    """A time of day, or for a one-time schedule a date and time. Raises ValueError."""
    if isinstance(value, time | datetime) or value is None:
        return value
    text = str(value).strip() if isinstance(value, str) else ""
    try:
        if len(text) in (5, 8) and text[2] == ":":
            return time.fromisoformat(text)
        if text[4:5] == "-" and text[10:11] in ("T", " "):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("must be a time of day such as 18:00 or 18:00:00")


def _date(value: Any) -> Any:
    """A date. Raises ValueError."""
    if isinstance(value, date) or value is None:
        return value
    if not isinstance(value, str) or len(value) != 10:
        raise ValueError("must be a date such as 2026-11-27")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a date such as 2026-11-27") from None


def _day(value: Any) -> Any:
    """The name of a day, also in short. Raises ValueError."""
    text = value.strip().lower() if isinstance(value, str) else ""
    names = [day for day in DAYS if text in (day, day[:3])]
    if not names:
        raise ValueError("must be the name of a day such as monday")
    return names[0]


def _kind(value: Any) -> Any:
    return value.strip().lower().replace("-", "_") if isinstance(value, str) else value


TypedTime = Annotated[time | datetime, BeforeValidator(_time), pattern_schema(CLOCK)]
TypedDate = Annotated[
    date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})
]
Day = Annotated[str, BeforeValidator(_day), enum_schema(DAYS)]
Kind = Annotated[str, OneOf(KINDS), BeforeValidator(_kind)]
CameraKey = Annotated[int, Field(ge=1, le=2**31 - 1)] | Annotated[str, Field(max_length=60)]


class ScheduleFields(SentBack, Strict):
    """A schedule. `camera` is the number or the MAC of one camera, `cameras` is a list of them.
    Times and dates are those of a clock in `timezone`. An end that is not later than the start is
    on the next day. Other fields of a response can be sent back; they have no effect."""

    name: str | None = Field(None, max_length=LONGEST_NAME)
    camera: CameraKey | None = None
    cameras: list[CameraKey] | None = Field(None, max_length=MAX_DEVICES)
    schedule_type: Kind | None = None
    start_time: TypedTime | None = None
    end_time: TypedTime | None = None
    days_of_week: list[Day] | None = Field(None, max_length=7)
    start_date: TypedDate | None = None
    end_date: TypedDate | None = None
    timezone: str | None = Field(
        None, max_length=64, description="An IANA name; by default that of this server."
    )
    is_active: bool | None = None
    record_quality: Annotated[str, OneOf(QUALITIES)] | None = Field(
        None, description="null: the quality that each camera has."
    )

    @classmethod
    def shown(cls) -> Collection[str]:
        return SavedSchedule.__annotations__


class UndoChange(Strict):
    """The `revision` of the change to undo."""

    revision: int = Field(ge=1, le=2**31 - 1)


class ScheduleQuery(Query):
    """A page of the list; without `page` it is complete. `camera`: only those of this camera."""

    page: int | None = Field(None, ge=1, le=1_000_000)
    per_page: int = Field(100, ge=1, le=1000)
    camera: str = Field("", max_length=60, description="The number or the MAC of a camera.")


class ScheduleRow(TypedDict):
    """A schedule. `camera` is the first of `cameras`; both leave out cameras that the user cannot
    see. `due_until` and `next_run` are null where there is no end or no other start."""

    id: int
    name: str
    camera: int | None
    camera_name: str
    cameras: list[int]
    schedule_type: Annotated[str, enum_schema(KINDS)]
    start_time: str | None
    end_time: str | None
    days_of_week: list[Annotated[str, enum_schema(DAYS)]]
    start_date: str | None
    end_date: str | None
    timezone: str
    is_active: bool
    record_quality: str | None
    is_due: bool
    due_until: Time | None
    next_run: Time | None
    shares_with: list[int]
    created_by: str
    created_at: Time
    updated_at: Time
    revision: int


class SavedSchedule(ScheduleRow):
    """A schedule that was saved. `warnings`: the parts of the request that have no effect."""

    warnings: list[str]


class ScheduleDeleted(TypedDict):
    """A schedule that was deleted. Undo it with `revision`."""

    success: bool
    message: str
    id: int
    revision: int


@dataclass(frozen=True, slots=True)
class ScheduleItem:
    """A schedule as a person sees it: its cameras by number and name, the schedules with which it
    shares a recording, and its times from now on."""

    stored: StoredSchedule
    cameras: Mapping[int, str]
    shares_with: Sequence[Schedule]
    is_due: bool
    due_until: datetime | None
    next_run: datetime | None
    hidden: int = 0


def schedule_row(item: ScheduleItem) -> ScheduleRow:
    schedule, stored = item.stored.schedule, item.stored
    first = next(iter(item.cameras), None)
    return {
        "id": schedule.id,
        "name": schedule.name,
        "camera": first,
        "camera_name": item.cameras[first] if first is not None else "",
        "cameras": [*item.cameras],
        "schedule_type": schedule.kind,
        "start_time": iso_part(schedule.start_time),
        "end_time": iso_part(schedule.end_time),
        "days_of_week": [*schedule.days],
        "start_date": iso_part(schedule.start_date),
        "end_date": iso_part(schedule.end_date),
        "timezone": schedule.zone,
        "is_active": schedule.is_active,
        "record_quality": schedule.quality,
        "is_due": item.is_due,
        "due_until": iso(item.due_until),
        "next_run": iso(item.next_run),
        "shares_with": [other.id for other in item.shares_with],
        "created_by": stored.by,
        "created_at": stored.created_at.isoformat(),
        "updated_at": stored.changed_at.isoformat(),
        "revision": stored.revision,
    }


def saved_schedule(item: ScheduleItem, warnings: Sequence[str]) -> SavedSchedule:
    return {**schedule_row(item), "warnings": [*warnings]}


def schedule_deleted(stored: StoredSchedule) -> ScheduleDeleted:
    return {
        "success": True,
        "message": f"{stored.schedule.name} was deleted",
        "id": stored.id,
        "revision": stored.revision,
    }


def iso_part(value: time | date | None) -> str | None:
    """A time of day with seconds, or a date."""
    return None if value is None else value.isoformat()


def audit_values(schedule: Schedule) -> dict[str, Any]:
    """The values of a schedule for the audit log."""
    return {
        "name": schedule.name,
        "cameras": [*schedule.devices],
        "type": schedule.kind,
        "times": f"{iso_part(schedule.start_time)} to {iso_part(schedule.end_time)}",
        "days": [*schedule.days],
        "dates": f"{iso_part(schedule.start_date)} to {iso_part(schedule.end_date)}",
        "timezone": schedule.zone,
        "active": schedule.is_active,
        "quality": schedule.quality,
    }
