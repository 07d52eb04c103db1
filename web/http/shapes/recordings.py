"""Recordings as JSON: the list, one of them, a day, what plays."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NotRequired
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator
from typing_extensions import TypedDict

from fleet.model import Event
from fleet.shapes import Time, iso
from video.day_line import DayLine
from video.joined_mp4 import JoinedMp4
from video.library import Playback, RecordingRow
from video.stretches import Stretch
from web.http.payloads import Moment, Query, Strict
from web.http.recording_links import DAY, MOST_MINUTES

OURS, CCTV = "/api/recordings", "/v0/api/cctv/recordings"
LONGEST_SPAN = timedelta(hours=25)
StreamName = Literal["main", "sub"]


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of this name; None without a name, for that of this server. Raises ValueError."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("a time zone such as Europe/Berlin") from None


class ZoneQuery(Query):
    """The zone of a day."""

    zone: str = Field(
        "", max_length=60, description="Such as Europe/Berlin; by default this server's."
    )

    @field_validator("zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        zone_named(name)
        return name


class RecordingQuery(ZoneQuery):
    """Which recordings, newest first. Those of a day or a time are all that overlap it."""

    camera: int | None = Field(None, ge=1, le=2**31 - 1)
    status: Literal["", "recording", "completed", "failed"] = ""
    day: date | None = None
    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")
    page: int | None = Field(None, ge=1, le=100_000)
    per_page: int = Field(100, ge=1, le=500)


class DayQuery(ZoneQuery):
    """Which stream, and the zone of the day."""

    stream: StreamName | None = Field(None, description="By default the one with more recordings.")


class MomentQuery(Query):
    """A moment of a stream."""

    at: Moment
    stream: StreamName = "main"


class SpanQuery(Query):
    """A time of a stream, a day at the most."""

    since: Moment = Field(alias="from")
    until: Moment = Field(alias="to")
    stream: StreamName = "main"

    @model_validator(mode="after")
    def _is_a_day_at_most(self) -> "SpanQuery":
        if not timedelta() < self.until - self.since <= LONGEST_SPAN:
            raise ValueError("to: a moment after from, a day later at the most")
        return self


class PartQuery(Query):
    """Which part of a recording whose format changed."""

    part: int = Field(1, ge=1, le=10_000)


class LinkQuery(Query):
    """The signed values of a link, as it was created."""

    until: int = Field(ge=0, le=2**40)
    user: int = Field(ge=0, le=2**31 - 1)
    token: int = Field(0, ge=0, le=2**31 - 1)
    signature: str = Field(pattern=r"^[0-9a-f]{64}$")
    part: int = Field(1, ge=1, le=10_000)


class RecordingChange(Strict):
    """The fields to change; the others keep their values."""

    name: str | None = Field(None, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")
    protected: bool | None = None


class LinkBody(Strict):
    """How long a link is valid."""

    minutes: int = Field(60, ge=1, le=MOST_MINUTES, description=f"{DAY} is a day.")


class RecordingJson(TypedDict):
    """A recording. `duration` in seconds, `size` in bytes; `status` is recording, completed or
    failed, with its `reason`. `resolution` and what follows are null until a picture was recorded.
    `formats`: more than one if the camera changed its format meanwhile; the download is then in
    parts."""

    id: int
    name: str
    camera: int
    camera_name: str
    stream: str
    kind: str
    schedule: int | None
    status: str
    reason: str
    started_at: Time
    ended_at: Time | None
    due_until: Time | None
    duration: float
    size: int
    resolution: str | None
    width: int | None
    height: int | None
    frame_rate: float | None
    codec: str | None
    audio: str | None
    formats: int
    quality: str
    protected: bool
    by: str
    notes: list[str]
    url: str
    thumbnail: str


class PartJson(TypedDict):
    """A file to download: `from` is a moment of the clock, `duration` in seconds."""

    url: str
    size: int
    duration: float
    starts_at: Time


class RecordingDetail(RecordingJson):
    """A recording with its files, one for each format."""

    parts: list[PartJson]


class RecordingList(TypedDict):
    recordings: list[RecordingJson]
    count: int
    total: int
    page: NotRequired[int]
    per_page: NotRequired[int]


class RecordingSaved(TypedDict):
    success: bool
    recording: RecordingJson


class RecordingDeleted(TypedDict):
    """`restore`: where a POST undoes it, until the files are deleted."""

    success: bool
    message: str
    restore: str


class LinkJson(TypedDict):
    """A link that plays without a login until it ends."""

    url: str
    ends_at: Time


class StretchJson(TypedDict):
    """A time, and its length in seconds."""

    start: Time
    end: Time
    seconds: float


class DayGapJson(StretchJson):
    """A time without a recording, with its cause in words."""

    cause: str


class HourJson(TypedDict):
    at: Time
    name: str


class DayEventJson(TypedDict):
    at: Time
    kind: str
    text: str


class DayJson(TypedDict):
    """A day of a camera: 23, 24 or 25 `hours`, what is `present`, and `gaps` up to now."""

    camera: int
    stream: str
    date: str
    zone: str
    start: Time
    end: Time
    hours: list[HourJson]
    recorded_seconds: float
    present: list[StretchJson]
    gaps: list[DayGapJson]
    recordings: list[RecordingJson]
    events: list[DayEventJson]


class PieceJson(TypedDict):
    """What plays without a gap: the moment `at` is at `position` seconds of the file."""

    at: Time
    position: float
    seconds: float


class PlaybackJson(TypedDict):
    """A file that plays a moment, which is at `position` seconds of it. Gaps take no time in it:
    `pieces` says which moment is where. `type`: for `canPlayType`; null if it is unknown."""

    url: str
    at: Time
    position: float
    duration: float
    type: str | None
    codec: str
    pieces: list[PieceJson]


# -- building ------------------------------------------------------------------------------


def recording_json(
    row: RecordingRow, camera: int, camera_name: str, base: str = OURS
) -> RecordingJson:
    recording, content = row.recording, row.content
    newest = content.newest
    slash = "/" if base == CCTV else ""
    return {
        "id": recording.id,
        "name": recording.name,
        "camera": camera,
        "camera_name": camera_name,
        "stream": recording.stream,
        "kind": recording.kind,
        "schedule": recording.schedule,
        "status": recording.status,
        "reason": recording.reason,
        "started_at": recording.started_at.isoformat(),
        "ended_at": iso(recording.ended_at),
        "due_until": iso(recording.due_until),
        "duration": round(content.seconds, 1),
        "size": content.size,
        "resolution": f"{newest.width}x{newest.height}" if newest else None,
        "width": newest.width if newest else None,
        "height": newest.height if newest else None,
        "frame_rate": newest.rate if newest else None,
        "codec": newest.codec if newest else None,
        "audio": newest.audio or None if newest else None,
        "formats": content.formats,
        "quality": recording.quality,
        "protected": recording.protected,
        "by": recording.by,
        "notes": list(newest.notes) if newest else [],
        "url": f"{base}/{recording.id}/download{slash}",
        "thumbnail": f"{OURS}/{recording.id}/thumbnail.jpg",
    }


def recording_detail(body: RecordingJson, parts: Sequence[JoinedMp4]) -> RecordingDetail:
    rows = [_part_json(body["url"], number, part) for number, part in enumerate(parts, 1)]
    return {**body, "parts": rows}


def _part_json(url: str, number: int, part: JoinedMp4) -> PartJson:
    return {
        "url": url if number == 1 else f"{url}?part={number}",
        "size": part.size,
        "duration": round(part.duration, 3),
        "starts_at": _moment(part.pieces[0].at),
    }


def _moment(at: float) -> Time:
    return datetime.fromtimestamp(at, UTC).isoformat()


def recording_list(
    rows: Sequence[RecordingJson], total: int, query: RecordingQuery
) -> RecordingList:
    body: RecordingList = {"recordings": [*rows], "count": len(rows), "total": total}
    if query.page is not None:
        body |= {"page": query.page, "per_page": query.per_page}
    return body


def recording_saved(recording: RecordingJson) -> RecordingSaved:
    return {"success": True, "recording": recording}


def recording_deleted(id: int) -> RecordingDeleted:
    restore = f"{OURS}/{id}/restore"
    return {"success": True, "message": "Recording deleted", "restore": restore}


def link_json(url: str, ends_at: datetime) -> LinkJson:
    return {"url": url, "ends_at": ends_at.isoformat()}


def _stretch(stretch: Stretch) -> StretchJson:
    return {
        "start": stretch.start.isoformat(),
        "end": stretch.end.isoformat(),
        "seconds": round(stretch.seconds, 3),
    }


def _event(event: Event) -> DayEventJson:
    return {"at": event.at.isoformat(), "kind": event.kind, "text": event.text}


def day_json(
    camera: int,
    stream: str,
    day: date,
    line: DayLine,
    zone: str,
    gaps: Sequence[tuple[Stretch, str]],
    recordings: Sequence[RecordingJson],
    events: Sequence[Event],
) -> DayJson:
    """`gaps`: what is missing, each with its cause."""
    return {
        "camera": camera,
        "stream": stream,
        "date": day.isoformat(),
        "zone": zone,
        "start": line.day.start.isoformat(),
        "end": line.day.end.isoformat(),
        "hours": [{"at": mark.at.isoformat(), "name": mark.name} for mark in line.hours],
        "recorded_seconds": round(line.recorded_seconds, 1),
        "present": [_stretch(stretch) for stretch in line.present],
        "gaps": [{**_stretch(stretch), "cause": cause} for stretch, cause in gaps],
        "recordings": [*recordings],
        "events": [_event(event) for event in events],
    }


def playback_url(camera: int, stream: str, playback: Playback) -> str:
    times = f"from={_utc(playback.since)}&to={_utc(playback.until)}"
    return f"/api/cameras/{camera}/playback.mp4?{times}&stream={stream}"


def _utc(at: datetime) -> str:
    """A moment in a URL."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def playback_json(playback: Playback, url: str, at: datetime) -> PlaybackJson:
    file = playback.segment
    return {
        "url": url,
        "at": at.isoformat(),
        "position": round(playback.position, 3),
        "duration": round(playback.joined.duration, 3),
        "type": f'video/mp4; codecs="{file.codecs}"' if file.codecs else None,
        "codec": file.codec,
        "pieces": [
            {
                "at": _moment(piece.at),
                "position": round(piece.position, 3),
                "seconds": round(piece.duration, 3),
            }
            for piece in playback.joined.pieces
        ],
    }
