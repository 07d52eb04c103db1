"""The pages of recordings: the list, and the day of a camera as a line with its player."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request
from pydantic import ValidationError
from werkzeug.wrappers import Response

from fleet import labels
from fleet.model import Device
from fleet.natural_order import natural_key
from video.build import VideoPackage
from video.model import MAIN, NAMES
from video.recorded import RECORDING
from video.retention import size_text
from web.http.actions import recordings
from web.http.actions.recordings import CameraDay, library
from web.http.actions.sharing import create_link
from web.http.authentication import is_local_name
from web.http.authorization import needs
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.recording_links import DAY
from web.http.redirects import own_path
from web.http.shapes.recordings import (
    PartJson,
    PlaybackJson,
    RecordingChange,
    RecordingJson,
    RecordingQuery,
    playback_json,
    playback_url,
    recording_detail,
)
from web.http.visible_fleet import visible_fleet
from web.pages import day_drawing
from web.pages.dates import length_text

bp = Blueprint("recordings_pages", __name__)
PER_PAGE = 50
STATUSES = {"recording": "Recording", "completed": "Completed", "failed": "Failed"}
DELETED = "deleted"
"""The filter for recordings that were deleted and can be restored. No recording has it as status.
"""
MOST_CAMERAS = 500
LINK_LENGTHS = {60: "1 hour", DAY: "1 day", 7 * DAY: "7 days"}
"""For how many minutes a link can work."""
LONGEST_URL = 2000


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a recording whose format changed. `text`: when it plays, and its size."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class ListedRecording:
    """A row of the page. `can_edit`, `can_download`, `can_share`: what this person may do with it.
    `parts`: its files, where there is more than one format and thus more than one file."""

    recording: RecordingJson
    place: str
    length: str
    size: str
    can_edit: bool
    can_download: bool
    can_share: bool
    trouble: str
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class DeletedRecording:
    """A row of the recently deleted ones. `until`: when it can be restored no more."""

    recording: RecordingJson
    length: str
    size: str
    until: datetime


@bp.get("/recordings")
@needs("recording.view")
def index() -> str:
    """Recordings, newest first, by camera, day and status."""
    query, kept = _query()
    rows: Sequence[ListedRecording | DeletedRecording]
    try:
        rows, total = _deleted_rows(query) if kept.get("status") == DELETED else _rows(query)
    except HttpError:
        rows, total = [], 0
    page = query.page or 1
    return render_template(
        "recordings.html",
        rows=rows,
        total=total,
        kept=kept,
        statuses=_statuses(),
        cameras=_cameras(),
        newer=_page_url(kept, page - 1) if page > 1 else "",
        older=_page_url(kept, page + 1) if page * PER_PAGE < total else "",
        deleted=request.args.get("deleted", type=int),
        page_url=_page_url(kept, page),
    )


def _rows(query: RecordingQuery) -> tuple[list[ListedRecording], int]:
    rows, total = recordings.listed(query)
    return [_listed(row) for row in rows], total


def _deleted_rows(query: RecordingQuery) -> tuple[list[DeletedRecording], int]:
    rows, total = recordings.recently_deleted(query)
    return [
        DeletedRecording(row, length_text(row["duration"]), size_text(row["size"]), until)
        for row, until in rows
    ], total


def _statuses() -> dict[str, str]:
    """What the list can be filtered by: deleted recordings for those who can restore some."""
    may_restore = visible_fleet().may("recording.edit")
    return {**STATUSES, DELETED: "Recently deleted"} if may_restore else STATUSES


def _query() -> tuple[RecordingQuery, dict[str, str]]:
    """The filter in the URL; invalid values are left out rather than refused."""
    kept: dict[str, str] = {}
    for name in ("camera", "day", "status"):
        value = request.args.get(name, "")
        try:
            RecordingQuery.model_validate({name: value})
        except ValidationError:
            continue
        kept |= {name: value} if value else {}
    query: dict[str, object] = {**kept}
    if request.args.get("status") == DELETED and DELETED in _statuses():
        kept["status"] = DELETED
    page = max(1, min(request.args.get("page", 1, type=int), 100_000))
    return RecordingQuery.model_validate({**query, "page": page, "per_page": PER_PAGE}), kept


def _page_url(kept: Mapping[str, str], page: int) -> str:
    query = urlencode({**kept, **({"page": page} if page > 1 else {})})
    return f"/recordings?{query}" if query else "/recordings"


def _listed(row: RecordingJson) -> ListedRecording:
    visible = visible_fleet()
    device = visible.devices().get(row["camera"])
    may = visible.may
    query = urlencode({"at": row["started_at"], "stream": row["stream"]})
    return ListedRecording(
        row,
        f"/recordings/{row['camera']}?{query}" if device else "",
        length_text(row["duration"]),
        size_text(row["size"]),
        may("recording.edit", device),
        may("recording.download", device),
        may("recording.share", device),
        _trouble(row),
        _parts(row) if row["formats"] > 1 else (),
    )


def _parts(row: RecordingJson) -> list[Part]:
    """The files of a recording whose format changed, each with when it plays."""
    recording = library().find(row["id"])
    detail = recording_detail(row, library().of_recording(recording)) if recording else None
    return [_part(part) for part in detail["parts"]] if detail else []


def _part(part: PartJson) -> Part:
    start = datetime.fromisoformat(part["starts_at"]).astimezone()
    end = start + timedelta(seconds=part["duration"])
    return Part(part["url"], f"{start:%H:%M:%S} to {end:%H:%M:%S}, {size_text(part['size'])}")


def _trouble(row: RecordingJson) -> str:
    """Why a running recording receives no video, or why one has failed."""
    if row["status"] != RECORDING:
        return row["reason"]
    reason = current_monitor().packages.find(VideoPackage).recorder.trouble(row["camera"])
    return f"No video received: {reason}" if reason else row["reason"]


def _cameras() -> list[tuple[int, str]]:
    """The cameras that have recordings, by name."""
    visible, redirects = visible_fleet(), current_monitor().redirects
    devices = visible.devices()
    numbers = {redirects.get(number, number) for number in library().recorded_devices()}
    seen = [
        devices[number]
        for number in numbers
        if number in devices and visible.may("recording.view", devices[number])
    ]
    names = [(device.id, labels.name_among(device, devices)) for device in seen]
    return sorted(names, key=lambda pair: natural_key(pair[1]))[:MOST_CAMERAS]


# -- what the forms of the list do -----------------------------------------------------------


@bp.post("/recordings/<int:id>/protect")
@needs("recording.edit")
def protect(id: int) -> Response:
    """Protect a recording, or end its protection."""
    recordings.change(id, RecordingChange(protected=request.form.get("protected") == "yes"))
    return redirect(_back(), 303)


@bp.post("/recordings/<int:id>/delete")
@needs("recording.edit")
def delete(id: int) -> Response:
    """Delete a recording; the page that follows offers to restore it."""
    recordings.delete(id)
    back = _back()
    return redirect(f"{back}{'&' if '?' in back else '?'}deleted={id}", 303)


@bp.post("/recordings/<int:id>/restore")
@needs("recording.edit")
def restore(id: int) -> Response:
    """Restore a deleted recording."""
    recordings.restore(id)
    return redirect(_back(), 303)


@bp.get("/recordings/<int:id>/link")
@needs("recording.download")
def link(id: int) -> str:
    """The form that creates a link to a recording, for those who may share it."""
    return _link_page(id)


@bp.post("/recordings/<int:id>/link")
@needs("recording.share")
def make_link(id: int) -> str:
    """Create a link and show it; with script the API does."""
    minutes = request.form.get("minutes", type=int)
    chosen = minutes if minutes in LINK_LENGTHS else DAY
    url, _ends_at = create_link(id, chosen)
    return _link_page(id, chosen, url)


def _link_page(id: int, chosen: int = DAY, url: str = "") -> str:
    row = _listed(recordings.as_json(recordings.recording_for(id, "recording.share")))
    later = [f"{url}&part={number}" for number in range(2, len(row.parts) + 1)]
    return render_template(
        "recording_link.html",
        row=row,
        lengths=LINK_LENGTHS,
        chosen=chosen,
        links=[url, *later] if url else [],
        is_local=is_local_name(request.host),
    )


def _back() -> str:
    """The page from which a form was sent."""
    path = request.form.get("back", "")[:LONGEST_URL]
    return own_path(path) if path.startswith("/recordings") else "/recordings"


# -- the day ---------------------------------------------------------------------------------


@bp.get("/recordings/<key>")
@needs("recording.view")
def day(key: str) -> str:
    """A day of a camera as a line; `at` is the moment that plays."""
    device = visible_fleet().device(key)
    at, stream = _moment(), request.args.get("stream", "")
    chosen = stream if stream in NAMES else None
    shown_day = _day() or (at or current_monitor().clock()).astimezone().date()
    of_day = recordings.camera_day(device, chosen, shown_day, None)
    playing, problem = _playing(device, of_day, at)
    return render_template(
        "recordings_day.html",
        device=device,
        name=labels.name_among(device, visible_fleet().devices()),
        of_day=of_day,
        drawing=day_drawing.drawing(of_day, at),
        missing=[gap for gap in of_day.gaps if day_drawing.is_missing(gap[1])],
        at=at,
        playing=playing,
        problem=problem,
        rows=[_listed(row) for row in of_day.recordings],
        before=_day_url(device, of_day, -1),
        after=_day_url(device, of_day, 1),
        other="sub" if of_day.stream == MAIN else MAIN,
        cameras=_cameras(),
        recorded=length_text(of_day.line.recorded_seconds),
        length_text=length_text,
    )


def _moment() -> datetime | None:
    """The moment in the URL; None without one that is readable."""
    try:
        at = datetime.fromisoformat(request.args.get("at", ""))
        at = at if at.tzinfo else at.astimezone()
        return at.astimezone(UTC) if 1970 < at.year < 9000 else None
    except (ValueError, OverflowError):
        return None


def _day() -> date | None:
    try:
        day = date.fromisoformat(request.args.get("day", ""))
        return day if 1970 < day.year < 9000 else None
    except ValueError:
        return None


def _playing(
    device: Device, of_day: CameraDay, at: datetime | None
) -> tuple[PlaybackJson | None, str]:
    """What plays at the moment of the URL, or why nothing does."""
    if at is None:
        return None, ""
    try:
        playing = recordings.playback(device, of_day.stream, at)
    except HttpError as error:
        return None, str(error)
    url = playback_url(device.id, of_day.stream, playing)
    return playback_json(playing, url, max(at, playing.segment.started_at)), ""


def _day_url(device: Device, of_day: CameraDay, step: int) -> str:
    day = of_day.day + timedelta(days=step)
    return f"/recordings/{device.id}?day={day.isoformat()}&stream={of_day.stream}"
