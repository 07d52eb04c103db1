"""What pages and the API do with recordings: find, change, delete, play."""

import errno
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from functools import partial
from threading import BoundedSemaphore, Lock

from flask import Response, request

from fleet import labels
from fleet.model import Device, Event
from video.build import VideoPackage
from video.day_line import DayLine, day_of, explained
from video.disk_calls import DiskCalls, NotAnswering
from video.joined_mp4 import JoinedMp4
from video.library import Library, Playback
from video.model import MAIN, NAMES, SUB
from video.mp4_boxes import BrokenMp4
from video.outages import CAUSES, UNKNOWN, UNSCHEDULED
from video.recorded import RECORDING, Recording
from video.recording_rows import RecordingFilter
from video.retention import UNDO_TIME
from video.stretches import Stretch
from video.thumbnails import TooBusy
from web.http.auditing import actor_name, note
from web.http.byte_ranges import ranged, wanted_range
from web.http.errors import HttpError
from web.http.live_views import Recheck, connection
from web.http.monitor import current_monitor
from web.http.running_parts import RunningParts
from web.http.shapes.recordings import (
    OURS,
    RecordingChange,
    RecordingJson,
    RecordingQuery,
    recording_json,
    zone_named,
)
from web.http.visible_fleet import VisibleFleet, visible_fleet, with_merged_ids

log = logging.getLogger(__name__)
MEDIA_TYPE = "video/mp4"
MOST_LISTED = 1000
DELETED = "Deleted by a user"
"""Why a part of a day that was recorded is not there."""
MOST_EVENTS = 500
CHUNKS_AT_ONCE = 4 << 20
"""Bytes of one answer to a player: it asks for the next ones when it needs them, so that no thread
waits while it is paused."""
SAME_VIEW = 900.0
"""Seconds within which a person who goes on with the same film adds nothing to the audit log."""
MOST_VIEWS = 2000
MOST_DOWNLOADS = 24
DOWNLOADS = BoundedSemaphore(MOST_DOWNLOADS)
"""Each download has a thread for as long as it takes."""


def library() -> Library:
    return current_monitor().packages.find(VideoPackage).library


# -- who may ---------------------------------------------------------------------------------


def device_of(visible: VisibleFleet, recording: Recording) -> Device | None:
    """The camera of a recording as it is now; None for one that is deleted."""
    fleet = visible.monitor.tracker.fleet()
    return fleet.devices.get(fleet.redirects.get(recording.device, recording.device))


def may(visible: VisibleFleet, action: str, recording: Recording) -> bool:
    """True if the person may do it; recordings of deleted cameras are for those who see all."""
    device = device_of(visible, recording)
    if device is None:
        return not visible.is_limited and visible.may(action)
    return visible.may(action, device)


def recording_for(id: int, action: str, *, is_deleted: bool = False) -> Recording:
    """The recording with that number. Raises HttpError: 404 for one that this person does not
    see, or that is deleted, 403 for one with which this cannot be done."""
    recording, visible = library().find(id), visible_fleet()
    is_there = recording is not None and bool(recording.deleted_at) == is_deleted
    if recording is None or not is_there or not may(visible, "recording.view", recording):
        raise not_found(id)
    if not may(visible, action, recording):
        raise HttpError(
            403,
            "You don't have permission to do this",
            "An administrator can allow it under Settings > Users.",
        )
    return recording


def not_found(id: int) -> HttpError:
    hint = "GET /api/recordings lists the recordings with their numbers."
    return HttpError(404, f"Recording {id} does not exist", hint)


# -- the list --------------------------------------------------------------------------------


def filter_of(query: RecordingQuery, *, is_deleted: bool = False) -> RecordingFilter:
    """The recordings that match, among those that this person may see; of the deleted ones, among
    those that they may restore. Raises NotFound."""
    visible = visible_fleet()
    since, until = query.since, query.until
    if query.day:
        bounds = day_bounds(query.day, zone_named(query.zone))
        since, until = (
            max(since or bounds.start, bounds.start),
            min(until or bounds.end, bounds.end),
        )
    action = "recording.edit" if is_deleted else "recording.view"
    devices = _devices(visible, query.camera, action)
    return RecordingFilter(devices, query.status, since, until, is_deleted)


def _devices(visible: VisibleFleet, camera: int | None, action: str) -> Sequence[int] | None:
    if camera is None and not visible.is_limited:
        return None
    devices = visible.devices().values() if camera is None else [visible.device(str(camera))]
    allowed = [device.id for device in devices if visible.may(action, device)]
    return with_merged_ids(allowed, visible.monitor.redirects)


def day_bounds(day: date, zone: tzinfo | None) -> Stretch:
    """The day in a zone. Raises HttpError (422) for one at the end of times."""
    try:
        return day_of(day, zone)
    except (OverflowError, ValueError, OSError):
        raise HttpError(422, "day: a day between 1970 and 9000", "Choose another day.") from None


def listed(query: RecordingQuery, base: str = OURS) -> tuple[list[RecordingJson], int]:
    """The rows of a list, and how many there are in all."""
    limit = query.per_page if query.page else MOST_LISTED
    offset = query.per_page * (query.page - 1) if query.page else 0
    rows, total = library().page(filter_of(query), limit, offset)
    name = Names(visible_fleet())
    return [recording_json(row, *name.of(row.recording), base) for row in rows], total


def recently_deleted(query: RecordingQuery) -> tuple[list[tuple[RecordingJson, datetime]], int]:
    """The deleted recordings that this person may restore, as `listed`, each with the time from
    which it cannot be restored any more."""
    if not visible_fleet().may("recording.edit"):
        return [], 0
    page = query.page or 1
    wanted = filter_of(query, is_deleted=True)
    rows, total = library().page(wanted, query.per_page, query.per_page * (page - 1))
    name = Names(visible_fleet())
    return [
        (recording_json(row, *name.of(row.recording)), row.recording.deleted_at + UNDO_TIME)
        for row in rows
        if row.recording.deleted_at
    ], total


@dataclass(frozen=True, slots=True)
class Names:
    """The numbers and names of cameras as one person sees them."""

    visible: VisibleFleet

    def of(self, recording: Recording) -> tuple[int, str]:
        device, devices = device_of(self.visible, recording), self.visible.devices()
        if device is None or device.id not in devices:
            return recording.device, f"Deleted camera {recording.device}"
        return device.id, labels.name_among(devices[device.id], devices)


def as_json(recording: Recording, base: str = OURS) -> RecordingJson:
    row = library().row(recording)
    return recording_json(row, *Names(visible_fleet()).of(recording), base)


# -- changes ---------------------------------------------------------------------------------


def change(id: int, given: RecordingChange) -> Recording:
    """Rename or protect a recording. Raises HttpError."""
    recording = recording_for(id, "recording.edit")
    changes = given.model_dump(exclude_none=True)
    if changes:
        library().change(id, **changes)
        before = {name: getattr(recording, name) for name in changes}
        _note("recording.changed", recording, "Changed the recording", before, changes)
    return recording_for(id, "recording.edit")


def delete(id: int) -> Recording:
    """Delete a recording; `restore` undoes it. Raises HttpError (409) for one that runs or is
    protected."""
    recording = recording_for(id, "recording.edit")
    if recording.status == RECORDING:
        raise HttpError(409, "This recording is running", "Stop it first.")
    if recording.protected:
        raise HttpError(409, "This recording is protected", "Remove its protection first.")
    library().delete(id)
    _note("recording.deleted", recording, "Deleted the recording")
    return recording


def restore(id: int) -> Recording:
    """Restore a deleted recording. Raises HttpError (404) once its files are gone."""
    recording = recording_for(id, "recording.edit", is_deleted=True)
    library().restore(id)
    _note("recording.restored", recording, "Restored the recording")
    return recording_for(id, "recording.edit")


def _note(
    action: str,
    recording: Recording,
    text: str,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    by: str = "",
) -> None:
    about = f"camera {recording.device}"
    full = f"{text} {recording.id} ({recording.name or 'without a name'})"
    note(action, about, full, before, after, by)


def note_by_hand(action: str, device: Device, text: str, recording: Recording) -> None:
    """Note in the audit log that a person started or stopped a recording."""
    note(action, labels.name(device), text, after={"recording": recording.id})


# -- playing and downloading -----------------------------------------------------------------


@dataclass(slots=True)
class RecentViews:
    """Who saw what a moment ago, so that a player that asks for a film piece by piece is written
    to the audit log once."""

    _seen: "OrderedDict[tuple[str, ...], float]" = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def is_new(self, *view: str) -> bool:
        """True unless this was asked within the last minutes; then it is asked now."""
        now = time.monotonic()
        with self._lock:
            last = self._seen.pop(view, None)
            self._seen[view] = now
            while len(self._seen) > MOST_VIEWS:
                self._seen.popitem(last=False)
        return last is None or now - last > SAME_VIEW


RECENT = RecentViews()


RUNNING = RunningParts()


def part_of(recording: Recording, part: int, person: str) -> JoinedMp4:
    """One file of a recording. One that still runs ends with what is on the disk at the first
    request; what this person asks for further ranges is of the same file. Raises HttpError (404).
    """
    wanted = wanted_range()
    if wanted and (known := RUNNING.going_on(recording.id, part, person, *wanted)):
        return known
    parts = library().of_recording(recording)
    if recording.ended_at is None and part <= len(parts):
        RUNNING.keep(recording.id, part, person, parts[part - 1])
    if part > len(parts):
        hint = "Its files may have been deleted because of their age, or for space."
        if parts:
            hint = f"It has {len(parts)} parts."
        raise HttpError(404, f"Recording {recording.id} has no file to download", hint)
    return parts[part - 1]


def send(joined: JoinedMp4, most: int | None = None) -> Response:
    """A joined file, or the range of it that was asked for."""
    calls = library().calls
    calls.check()
    read = partial(_read_or_hang_up, calls, joined, request.path)
    response, _start = ranged(read, joined.size, joined.etag, MEDIA_TYPE, most)
    response.headers["Cache-Control"] = "private, no-cache, no-transform"
    return response


def _read_or_hang_up(
    calls: DiskCalls, joined: JoinedMp4, path: str, start: int, end: int
) -> Iterator[bytes]:
    """The bytes; where a file is gone meanwhile, or its disk does not answer, an end of the
    connection by which the client sees that some are missing. Raises ConnectionResetError, which
    the server logs no traceback of."""
    pieces = joined.read(start, end)
    try:
        while piece := calls.read(lambda: next(pieces, b"")):
            yield piece
    except (BrokenMp4, NotAnswering) as error:
        # Most often it was deleted because of its age, or for space.
        log.warning("%s has ended early: a file of it cannot be read. %s.", path, error)
        raise ConnectionResetError(errno.ECONNRESET, str(error)) from error


def send_whole(joined: JoinedMp4, may_go_on: Callable[[], bool]) -> Response:
    """The same for a download, which can take hours: it keeps no other request waiting, and ends
    when it may not go on. Raises HttpError (503) when there are too many."""
    return guarded(send(joined), may_go_on)


def guarded(response: Response, may_go_on: Callable[[], bool]) -> Response:
    """The same response as a download: a slow client keeps no other request waiting and is cut
    off at last, and it ends when it may not go on. Raises HttpError (503) when there are too many.
    """
    if request.method == "HEAD" or response.status_code not in (200, 206):
        return response
    if not DOWNLOADS.acquire(blocking=False):
        busy = f"{MOST_DOWNLOADS} downloads are running"
        raise HttpError(503, busy, "Try again when others have finished.", {"Retry-After": "60"})
    line, chunks = connection(), response.response
    line.leave_queue()
    line.keep_newest()  # else the kernel sends megabytes on to a slow client that may not go on
    guarded = current_monitor().watchdog.guard(iter(chunks), line.sock, Recheck(may_go_on))  # type: ignore[arg-type]
    response.response = guarded
    response.call_on_close(DOWNLOADS.release)
    return response


def may_still(visible: VisibleFleet, recording: Recording) -> bool:
    """True while the person may download the recording, which is not deleted."""
    # Asked from the thread of the watchdog too, which serves no request.
    now = visible.refreshed()
    current = visible.monitor.packages.find(VideoPackage).library.find(recording.id)
    if now is None or current is None or current.deleted_at is not None:
        return False
    return may(now, "recording.download", current)


def note_download(recording: Recording, part: int, by: str = "") -> None:
    """Write a download to the audit log, once for all its ranges."""
    if request.method == "HEAD" or not RECENT.is_new(
        by or actor_name(), "download", str(recording.id), str(part)
    ):
        return
    text = "Downloaded the recording" if not by else "Played by a link the recording"
    _note("recording.downloaded", recording, text, by=by)


def note_playback(device: Device, stream: str, since: datetime) -> None:
    """Write to the audit log that somebody looks at what was recorded."""
    hour = since.astimezone().replace(minute=0, second=0, microsecond=0)
    if request.method != "HEAD" and RECENT.is_new(
        actor_name(), "playback", str(device.id), stream, hour.isoformat()
    ):
        name = labels.name_among(device, visible_fleet().devices())
        text = f"Played the recordings of {name} ({stream}) from {since.astimezone():%F %H:%M}"
        note("recording.viewed", f"camera {device.id}", text)


def devices_behind(device: Device) -> list[int]:
    """The number of a camera, and of the records that became part of it."""
    return with_merged_ids([device.id], current_monitor().redirects)


def playback(device: Device, stream: str, at: datetime) -> Playback:
    """What plays at a moment. Raises HttpError (404) if nothing does within a day after it."""
    playing = library().playback(devices_behind(device), stream, at)
    if playing is None:
        raise HttpError(
            404,
            "Nothing was recorded at this time or in the 24 hours after it",
            "Choose another moment, or the other stream.",
        )
    return playing


def thumbnail(picture: bytes | None) -> Response:
    """A picture that a browser may keep. Raises HttpError (404) without one."""
    if picture is None:
        raise HttpError(404, "There is no picture", "The files cannot be read or are gone.")
    response = Response(picture, mimetype="image/jpeg")
    response.headers["Cache-Control"] = "private, max-age=86400"
    return response


def picture(devices: Sequence[int], stream: str, since: datetime, until: datetime) -> bytes | None:
    """A small picture of a time. Raises HttpError (503) when too many are being made."""
    try:
        return library().thumbnail(devices, stream, since, until)
    except TooBusy:
        busy = "Too many pictures are being made"
        raise HttpError(503, busy, "Try again.", {"Retry-After": "5"}) from None


def recording_picture(recording: Recording) -> bytes | None:
    until = recording.ended_at or current_monitor().clock()
    return picture((recording.device,), recording.stream, recording.started_at, until)


# -- a day -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CameraDay:
    """A day of one stream of a camera. `gaps`: what is missing, each with its cause.
    `has_other`: something of the other stream was recorded."""

    device: Device
    stream: str
    day: date
    line: DayLine
    gaps: Sequence[tuple[Stretch, str]]
    recordings: Sequence[RecordingJson]
    events: Sequence[Event]
    has_other: bool


def camera_day(device: Device, stream: str | None, day: date, zone: tzinfo | None) -> CameraDay:
    """A day of a camera; without a stream, of the one that has more of it. Raises HttpError."""
    day_bounds(day, zone)
    lines = {name: library().day(devices_behind(device), name, day, zone) for name in NAMES}
    if stream is None:
        is_sub = lines[SUB].recorded_seconds > lines[MAIN].recorded_seconds
        stream = SUB if is_sub else MAIN
    line = lines[stream]
    bounds = line.day
    wanted = RecordingFilter(devices_behind(device), since=bounds.start, until=bounds.end)
    rows, _total = library().page(wanted, MOST_LISTED)
    name = Names(visible_fleet())
    recordings = [recording_json(row, *name.of(row.recording)) for row in rows]
    causes = [*_causes(device, bounds), *_deleted(device, bounds)]
    gaps = explained(line.missing, causes, CAUSES[UNKNOWN])
    has_other = any(lines[name].present for name in NAMES if name != stream)
    return CameraDay(
        device, stream, day, line, gaps, recordings, _events(device, bounds), has_other
    )


def _deleted(device: Device, day: Stretch) -> list[tuple[Stretch, str]]:
    """The parts of a day whose recordings were deleted and can be restored."""
    wanted = RecordingFilter(devices_behind(device), "", day.start, day.end, is_deleted=True)
    rows, _total = library().page(wanted, MOST_LISTED)
    return [
        (Stretch(row.recording.started_at, row.recording.ended_at), DELETED)
        for row in rows
        if row.recording.ended_at
    ]


def _causes(device: Device, day: Stretch) -> list[tuple[Stretch, str]]:
    """Why parts of a day were not recorded, and which were not to be."""
    keeping = current_monitor().packages.find(VideoPackage).keeping
    reports = keeping.coverage.report(devices_behind(device), day.start, day.end)
    gaps = [
        gap for report in reports for gap in (*report.coverage.gaps, *report.coverage.unscheduled)
    ]
    if not reports:
        return [(day, CAUSES[UNSCHEDULED])]
    return [
        (Stretch(gap.start, gap.end), ": ".join(filter(None, (CAUSES[gap.cause], gap.reason))))
        for gap in gaps
    ]


def _events(device: Device, day: Stretch) -> Sequence[Event]:
    visible = visible_fleet()
    if not visible.may("event.view", device):
        return ()
    return visible.events(device=device.id, since=day.start, until=day.end, limit=MOST_EVENTS)
