"""What should have been recorded, the disk of the recordings, and links to cameras, as JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from fleet.shapes import Time
from video.cleaning import Storage
from video.coverage import CameraCoverage
from video.gaps import Gap
from video.link_quality import LinkDay, judgement
from video.outages import CAUSES
from video.retention import DaysKept
from web.http.payloads import Moment, Query

LONGEST = timedelta(days=31)
DEFAULT = timedelta(days=7)


class CoverageQuery(Query):
    """Which time, 31 days at the most and the last 7 by default, and which camera."""

    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")
    camera: int | None = Field(None, ge=1, le=2**31 - 1)

    @model_validator(mode="after")
    def _is_a_month_at_most(self) -> "CoverageQuery":
        if self.since and self.until and not timedelta() < self.until - self.since <= LONGEST:
            raise ValueError("to: a moment after from, 31 days later at the most")
        return self


class GapJson(TypedDict):
    """A stretch that is missing. `cause` is a key, `title` its name for people; `reason` is what
    the camera or the disk said."""

    start: Time
    end: Time
    seconds: float
    cause: str
    title: str
    reason: str


class CoverageRow(TypedDict):
    """A camera. Hours of the scheduled time; `share` is null where nothing is scheduled, and
    `kept_days` for a camera without recordings."""

    camera: int
    camera_name: str
    expected_hours: float
    present_hours: float
    share: float | None
    gaps: list[GapJson]
    unscheduled: list[GapJson]
    files: int
    opened: int
    damaged: int
    required_days: int
    kept_days: float | None


class CoverageJson(TypedDict):
    start: Time
    end: Time
    cameras: list[CoverageRow]


class DaysJson(TypedDict):
    """How long the recordings of a camera are kept: days that are required, that are there, and
    that there will be at the present rate."""

    camera: int
    camera_name: str
    required_days: int
    kept_days: float
    expected_days: float
    bytes: int


class NextJson(TypedDict):
    """The file that is deleted next when space is needed, by its camera and beginning."""

    camera: int
    camera_name: str
    started_at: Time


class StorageJson(TypedDict):
    """The disk of the recordings, in bytes; null where it cannot be reached. `full_at` is when
    recordings begin to be deleted before their time, null where there is room for all. `trouble`
    is why nothing can be recorded, or empty."""

    path: str
    total: int | None
    free: int | None
    kept_free: int
    limit: int | None
    recordings: int
    bytes_per_day: float
    full_at: Time | None
    next_deleted: NextJson | None
    trouble: str
    cameras: list[DaysJson]


class LinkDayJson(TypedDict):
    """A day of a stream. Rates are means of the time in which it was read."""

    day: str
    seconds: float
    frames_per_second: float
    bits_per_second: float
    lost_packets: int
    reconnects: int
    stalls: int
    longest_key_distance: float


class LinkStreamJson(TypedDict):
    stream: str
    judgement: str
    days: list[LinkDayJson]


class LinkQualityJson(TypedDict):
    camera: int
    streams: list[LinkStreamJson]


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def coverage_json(start: datetime, end: datetime, rows: list[CoverageRow]) -> CoverageJson:
    return {"start": _time(start), "end": _time(end), "cameras": rows}


def coverage_row(
    report: CameraCoverage, name: str, days: DaysKept | None, required: int
) -> CoverageRow:
    coverage = report.coverage
    return {
        "camera": report.device,
        "camera_name": name,
        "expected_hours": round(coverage.expected / 3600, 3),
        "present_hours": round(coverage.present / 3600, 3),
        "share": None if coverage.share is None else round(coverage.share, 5),
        "gaps": [_gap(gap) for gap in coverage.gaps],
        "unscheduled": [_gap(gap) for gap in coverage.unscheduled],
        "files": report.files,
        "opened": report.checked,
        "damaged": report.damaged,
        "required_days": required,
        "kept_days": round(days.kept, 2) if days else None,
    }


def _gap(gap: Gap) -> GapJson:
    return {
        "start": _time(gap.start),
        "end": _time(gap.end),
        "seconds": round(gap.seconds, 3),
        "cause": gap.cause,
        "title": CAUSES[gap.cause],
        "reason": gap.reason,
    }


def storage_json(storage: Storage, names: Mapping[int, str], *, is_limited: bool) -> StorageJson:
    """The disk, with the cameras that have names; the path is for those who see all."""
    foreseen, disk = storage.forecast, storage.disk
    sizes = {use.device: use.size for use in storage.uses}
    days = foreseen.days if foreseen else ()
    return {
        "path": "" if is_limited else str(storage.path),
        "total": disk.total if disk else None,
        "free": disk.free if disk else None,
        "kept_free": storage.kept_free,
        "limit": storage.max_bytes or None,
        "recordings": sum(sizes.values()),
        "bytes_per_day": round(foreseen.bytes_per_day) if foreseen else 0,
        "full_at": _time(foreseen.full_at) if foreseen and foreseen.full_at else None,
        "next_deleted": _next(storage, names),
        "trouble": "" if is_limited else storage.trouble,
        "cameras": [_days(each, names, sizes) for each in days if each.device in names],
    }


def _next(storage: Storage, names: Mapping[int, str]) -> NextJson | None:
    oldest = storage.oldest
    if oldest is None or oldest.device not in names:
        return None
    return {
        "camera": oldest.device,
        "camera_name": names[oldest.device],
        "started_at": _time(oldest.started_at),
    }


def _days(days: DaysKept, names: Mapping[int, str], sizes: Mapping[int, int]) -> DaysJson:
    return {
        "camera": days.device,
        "camera_name": names[days.device],
        "required_days": days.required,
        "kept_days": round(days.kept, 2),
        "expected_days": round(days.expected, 2),
        "bytes": sizes.get(days.device, 0),
    }


def link_quality_json(camera: int, days: Sequence[LinkDay]) -> LinkQualityJson:
    streams = sorted({day.stream for day in days})
    by_stream = {name: [day for day in days if day.stream == name] for name in streams}
    return {
        "camera": camera,
        "streams": [
            {"stream": name, "judgement": judgement(own), "days": [_link_day(day) for day in own]}
            for name, own in by_stream.items()
        ],
    }


def _link_day(day: LinkDay) -> LinkDayJson:
    return {
        "day": day.day.isoformat(),
        "seconds": round(day.seconds, 1),
        "frames_per_second": round(day.frame_rate, 2),
        "bits_per_second": round(day.bit_rate),
        "lost_packets": day.lost,
        "reconnects": day.reconnects,
        "stalls": day.stalls,
        "longest_key_distance": round(day.longest_key_distance, 2),
    }
