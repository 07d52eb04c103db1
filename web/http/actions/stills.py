"""What pages and the API do with stills: take, list, show."""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import partial
from math import ceil

from flask import Response, g, request

from fleet import identity, labels
from fleet.channels import SOURCE, STREAM
from fleet.kinds import CAMERA, shown_as
from fleet.model import Device
from fleet.natural_order import natural_key
from fleet.pictures import NotOffered, NotTaken, no_way
from stills.build import StillsPackage
from stills.hours import Hour
from stills.model import Still
from stills.shelf import Shelf
from store.sql import Unreachable
from video.disk_calls import DiskCalls, NotAnswering
from web.http.actions.recordings import RECENT, library
from web.http.auditing import actor_name, note
from web.http.authorization import is_cross_site
from web.http.byte_ranges import attachment, ranged, safe_name
from web.http.camera_waits import waiting_for_camera
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.shapes.stills import (
    StillHourJson,
    StillJson,
    StillQuery,
    moment,
    still_hour_json,
    still_json,
)
from web.http.visible_fleet import VisibleFleet, visible_fleet

MEDIA_TYPE = "image/jpeg"
KEPT = "private, max-age=86400, immutable"
"""How a browser keeps a still: its bytes never change."""
SNAPSHOT = "snapshot"
"""The link of a device with the path of its snapshots."""
PIECE = 1 << 20
LONGEST_NAME = 80
"""Characters of the name of a camera in that of a file."""


def shelf() -> Shelf:
    return current_monitor().packages.find(StillsPackage).shelf


def trouble() -> str:
    """Why stills are deleted before their time or cannot be kept, for those who see everything."""
    package = current_monitor().packages.find(StillsPackage)
    if visible_fleet().is_limited:
        return ""
    return package.keeping.trouble or package.shelf.folder_trouble()


def last_failure(device: Device) -> str:
    """Why the last automatic still of a device could not be taken; empty if it was, or none was
    due yet."""
    return current_monitor().packages.find(StillsPackage).hourly.last_failure(device.id)


def can_be_taken(device: Device) -> bool:
    """True if a way to take a picture of the device is known; only taking one proves it."""
    is_local = any(key.startswith(identity.LOCAL) for key in device.identities)
    is_known = SNAPSHOT in device.links or STREAM in device.links or SOURCE in device.access
    return device.retired_at is None and (is_local or is_known)


def check_can_be_taken(device: Device) -> None:
    """Raise HttpError (409) where no way to take a picture of the device is known."""
    if not can_be_taken(device):
        raise not_taken(no_way())


# -- taking ----------------------------------------------------------------------------------


def take(device: Device) -> Still:
    """Take a still now. Raises HttpError: 409 where no way to do so is known, 503 where it does
    not work now."""
    visible, package = visible_fleet(), current_monitor().packages.find(StillsPackage)
    check_can_be_taken(device)
    try:
        with waiting_for_camera():
            still = package.stills.take(device.id)
    except NotTaken as error:
        raise not_taken(error) from None
    # Taking can last half a minute, in which a right can end.
    if (problem := visible.precondition("still.take", device.id)) is not None:
        raise problem
    if RECENT.is_new(actor_name(), "still.taken", str(device.id)):
        name = labels.name_among(device, visible.devices())
        note("still.taken", f"camera {device.id}", f"Took a still of {name}")
    return still


def not_taken(error: NotTaken) -> HttpError:
    """Why a camera gives no picture: 409 where it cannot, 503 where it does not now."""
    headers = {"Retry-After": str(ceil(error.wait))} if error.wait else None
    hint = error.hint or "Try again in a minute."
    status = 409 if isinstance(error, NotOffered) else 503
    return HttpError(status, error.reason.removesuffix("."), hint, headers)


def take_for_picture(device: Device) -> Still:
    """Take a still for a GET, which an image on a page of another site could send. Raises
    HttpError."""
    if is_cross_site():
        raise HttpError(
            403, "Cross-site request blocked", "Use the pages of Camera Monitor itself."
        )
    if not visible_fleet().may("still.take", device):
        raise HttpError(
            403,
            "You don't have permission to do this",
            "An administrator can allow it under Settings > Users.",
        )
    return take(device)


# -- finding ---------------------------------------------------------------------------------


def newest() -> Mapping[int, Still]:
    """The newest still of each device that has one, by its number; none while the database cannot
    be read. They stay the same during a request."""
    if "newest_stills" not in g:
        try:
            g.newest_stills = shelf().newest_of_all()
        except Unreachable:
            g.newest_stills = {}
    stills: Mapping[int, Still] = g.newest_stills
    return stills


def newest_or_error(device: Device) -> Still:
    """The newest still. Raises HttpError (404) if there is none."""
    still = shelf().newest(device.id)
    if still is None:
        url = f"/api/cameras/{device.id}/stills"
        raise HttpError(404, "There is no still of this camera yet", f"POST {url} takes one.")
    return still


def find(device: Device, id: int) -> Still:
    """The still with that number, of this camera. Raises HttpError (404)."""
    still = shelf().find(device.id, id)
    if still is None:
        raise _not_found(device, id)
    return still


def _not_found(device: Device, id: int) -> HttpError:
    return HttpError(
        404,
        f"Still {id} of this camera does not exist",
        f"GET /api/cameras/{device.id}/stills lists its stills. Old ones are deleted.",
    )


def listed(device: Device, query: StillQuery) -> tuple[list[StillJson], list[StillHourJson] | None]:
    """The stills of a camera, newest first, and the hours of the day that is asked for. Raises
    Invalid."""
    if query.day is None:
        rows = shelf().latest(device.id, query.limit)
        return [as_json(device, still) for still in rows], None
    rows = shelf().of_day(device.id, query.day)[::-1][: query.limit]
    hours = [still_hour_json(hour) for hour in shelf().hours(device.id, query.day)]
    return [as_json(device, still) for still in rows], hours


def main_still(hour: Hour) -> Still | None:
    """The still shown for an hour: the one that was due in it, or else its first one."""
    due = (still for still in hour.stills if still.slot is not None)
    return next(due, None) or next(iter(hour.stills), None)


def as_json(device: Device, still: Still) -> StillJson:
    name = labels.name_among(device, visible_fleet().devices())
    return still_json(still, device.id, name)


def cameras() -> list[Device]:
    """The cameras of the contact sheet, by name: those that can give stills or have some, and
    whose stills this person sees."""
    visible = visible_fleet()
    devices, kept = visible.devices(), newest()
    shown = [
        device
        for device in devices.values()
        if device.retired_at is None
        and shown_as(device.kind) == CAMERA
        and (can_be_taken(device) or device.id in kept)
        and visible.may("still.view", device)
    ]
    return sorted(shown, key=lambda device: natural_key(labels.name_among(device, devices)))


def may_still(visible: VisibleFleet, ids: Sequence[int]) -> bool:
    """True while the person may see the stills of all these cameras."""
    # Asked from the thread of the watchdog, which serves no request.
    now, fleet = visible.refreshed(), visible.monitor.tracker.fleet()
    known = (fleet.devices.get(fleet.redirects.get(id, id)) for id in ids)
    return now is not None and all(each and now.may("still.view", each) for each in known)


# -- showing ---------------------------------------------------------------------------------


def send(device: Device, still: Still, size: str, caching: str) -> Response:
    """A still, or the range of it that was asked for. Raises HttpError (404) where its file is
    gone, and NotAnswering."""
    if size == "thumbnail":
        response = _thumbnail(still)
    else:
        response = _picture(still)
    response.headers["Cache-Control"] = caching
    response.headers["X-Taken-At"] = moment(still.taken_at)
    response.headers["Content-Disposition"] = _disposition(device, still)
    if size == "full" and request.method != "HEAD":
        note_view(device, still.taken_at.astimezone().date())
    return response


def _thumbnail(still: Still) -> Response:
    data = library().calls.read(partial(shelf().thumbnail, still))
    if data is None:
        raise _unreadable(still)
    return ranged(partial(part_of, data), len(data), f"{still.id}-thumbnail", MEDIA_TYPE)[0]


def part_of(data: bytes, start: int, end: int) -> Iterator[bytes]:
    yield data[start:end]


def _picture(still: Still) -> Response:
    """The file in pieces: many slow clients of large pictures do not keep them all in memory."""
    calls = library().calls
    with ExitStack() as opened:
        with _as_unreadable(still):
            file = calls.ask(partial(shelf().opened, still), discard=os.close)
        opened.callback(os.close, file)
        read = partial(pieces, calls, file)
        response, _start = ranged(read, os.fstat(file).st_size, f"{still.id}-full", MEDIA_TYPE)
        response.call_on_close(opened.pop_all().close)
    return response


def pieces(calls: DiskCalls, file: int, start: int, end: int) -> Iterator[bytes]:
    """The bytes of an open file; an end of the connection where the disk does not give them all.
    Raises ConnectionResetError."""
    while start < end:
        size = min(PIECE, end - start)
        try:
            piece = calls.read(partial(os.pread, file, size, start))
        except OSError as error:
            raise ConnectionResetError(errno.ECONNRESET, str(error)) from error
        if not piece:
            raise ConnectionResetError(errno.ECONNRESET, "the file became shorter")
        start += len(piece)
        yield piece


def read(still: Still) -> bytes:
    """Its picture. Raises HttpError (404) where its file is gone, and NotAnswering."""
    with _as_unreadable(still):
        return library().calls.read(partial(shelf().files.read, still))


@contextmanager
def _as_unreadable(still: Still) -> Iterator[None]:
    try:
        yield
    except NotAnswering:
        raise
    except OSError:
        raise _unreadable(still) from None


def _unreadable(still: Still) -> HttpError:
    return HttpError(404, f"The file of still {still.id} cannot be read", "Choose another one.")


def _disposition(device: Device, still: Still) -> str:
    """The name under which a browser saves it: that of the camera, and the time on this server."""
    name = labels.name_among(device, visible_fleet().devices())[:LONGEST_NAME]
    moment = f" {still.taken_at.astimezone():%F %H-%M-%S}.jpg"
    return attachment(safe_name(name, moment)).replace("attachment", "inline", 1)


def note_view(device: Device, day: date) -> None:
    """Write to the audit log that somebody looks at the stills of a day."""
    if RECENT.is_new(actor_name(), "stills", str(device.id), day.isoformat()):
        name = labels.name_among(device, visible_fleet().devices())
        note("still.viewed", f"camera {device.id}", f"Looked at stills of {name} of {day}")
