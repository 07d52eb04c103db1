"""Download stills as a ZIP file: those of some days of a camera, or of all cameras of one hour."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from zoneinfo import ZoneInfo

from flask import Response, request

from fleet import labels
from fleet.model import Device
from stills.archive import MOST_BYTES, MOST_STILLS, Entry, archive, entries_of, size_of
from stills.model import Still
from video.disk_calls import NotAnswering
from video.retention import size_text
from video.server_zone import server_zone
from web.http.actions import stills
from web.http.actions.recordings import RECENT, guarded, library
from web.http.auditing import actor_name, note
from web.http.byte_ranges import attachment, safe_name
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.shapes.stills import ArchiveQuery
from web.http.visible_fleet import visible_fleet

MEDIA_TYPE = "application/zip"


def of_days(device: Device, query: ArchiveQuery) -> Response:
    """The stills of a camera from one day to another one. Raises HttpError and Invalid."""
    first, last = query.day, query.until or query.day
    if last < first:
        raise HttpError(422, "until is earlier than day", "Swap the two days.")
    chosen = stills.shelf().of_days(device.id, first, last, MOST_STILLS + 1)
    days = f"{first}" if first == last else f"{first} to {last}"
    name = labels.name_among(device, visible_fleet().devices())
    response = _sent(chosen, {device.id: device}, f"{name[: stills.LONGEST_NAME]} stills {days}")
    _note(f"camera {device.id}", f"Downloaded the stills of {name} of {days}", days)
    return response


def of_hour(devices: Sequence[Device], day: date, number: int) -> Response:
    """One still of each camera of the same hour: the one that was due, or else the first. Raises
    HttpError and Invalid."""
    ids = [device.id for device in devices]
    try:
        hours = stills.shelf().hour_of_each(ids, day, number)
    except IndexError:
        raise HttpError(422, f"hour: {day} has fewer hours", "Use a smaller number.") from None
    chosen = [still for id in ids if (still := stills.main_still(hours[id]))]
    at = next(iter(hours.values())).starts_at.astimezone() if hours else None
    text = f"{at:%Y-%m-%d %H-%M}" if at else f"{day}"
    response = _sent(chosen, {device.id: device for device in devices}, f"Stills {text}")
    _note("stills", f"Downloaded the stills of {len(chosen)} cameras of {text}", text)
    return response


def _sent(chosen: Sequence[Still], devices: Mapping[int, Device], name: str) -> Response:
    """The file as a download. Raises HttpError: 404 without stills, 422 where they are too many."""
    if not chosen:
        raise HttpError(404, "There are no stills of this time", "Choose another day.")
    if len(chosen) > MOST_STILLS:
        raise _too_large(f"more than {MOST_STILLS} stills")
    visible = visible_fleet()
    everything, redirects = visible.devices(), current_monitor().redirects

    def name_of(still: Still) -> str:
        device = devices[redirects.get(still.device, still.device)]
        return safe_name(labels.name_among(device, everything)[: stills.LONGEST_NAME], "")

    entries = entries_of(chosen, name_of, ZoneInfo(server_zone()))
    size = size_of(entries)
    if size > MOST_BYTES:
        raise _too_large(size_text(size))
    response = Response(_pieces(entries), content_type=MEDIA_TYPE)
    response.headers["Content-Length"] = str(size)
    response.headers["Accept-Ranges"] = "none"
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Content-Disposition"] = attachment(safe_name(name, ".zip"))
    return guarded(response, partial(stills.may_still, visible, list(devices)))


def _too_large(what: str) -> HttpError:
    most = f"{MOST_STILLS} stills and {size_text(MOST_BYTES)}"
    return HttpError(
        422,
        f"These are {what}, and one ZIP file has at most {most}",
        "Choose fewer days.",
    )


def _pieces(entries: Sequence[Entry]) -> Iterator[bytes]:
    if request.method == "HEAD":
        return iter(())
    calls, files = library().calls, stills.shelf().files

    def read(still: Still) -> bytes | None:
        try:
            return calls.read(partial(files.read, still))
        except NotAnswering:
            raise
        except OSError:
            return None

    return archive(entries, read)


def _note(about: str, text: str, key: str) -> None:
    if request.method != "HEAD" and RECENT.is_new(actor_name(), "stills.zip", about, key):
        note("still.downloaded", about, text)
