"""Make the time-lapse of a day of a camera, and play it."""

import os
from contextlib import ExitStack
from datetime import date
from functools import partial

from flask import Response, request

from fleet import labels
from fleet.model import Device
from stills.build import StillsPackage
from stills.files import opened
from stills.film import MAKING, Busy, Films, FilmState
from stills.film_files import Film
from stills.film_making import NotMade
from video.disk_calls import DiskCalls, NotAnswering
from web.http.actions import stills
from web.http.actions.recordings import CHUNKS_AT_ONCE, guarded, library
from web.http.byte_ranges import attachment, ranged, safe_name
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet

MEDIA_TYPE = "video/mp4"


def films() -> Films:
    return current_monitor().packages.find(StillsPackage).films


def make(device: Device, day: date) -> FilmState:
    """Begin to make it, unless it is there. Raises HttpError: 409 where there is nothing to
    make it of, or while another one of the camera is made, 503 for too many; and Invalid."""
    try:
        return films().make(device.id, day)
    except NotMade as error:
        raise HttpError(409, error.reason.removesuffix("."), error.hint) from None
    except Busy as error:
        status = 409 if error.is_same_camera else 503
        headers = {"Retry-After": "60"}
        raise HttpError(status, error.reason.removesuffix("."), error.hint, headers) from None


def cancel(device: Device, day: date) -> FilmState:
    """Stop making it. Raises Invalid."""
    films().cancel(device.id, day)
    return films().state(device.id, day)


def send(device: Device, day: date) -> Response:
    """The film, or the range of it that was asked for. Raises HttpError: 404 before it was made,
    503 while it is; Invalid and NotAnswering."""
    state, calls = films().state(device.id, day), library().calls
    film = state.film
    if state.state == MAKING:
        text = f"The time-lapse of {day} is being made: {state.done} of {state.total} stills"
        raise HttpError(503, text, "Try again in a moment.", {"Retry-After": "2"})
    with ExitStack() as unsent:
        file = None if film is None else _opened(calls, film)
        if film is None or file is None:
            url = f"/api/cameras/{device.id}/stills/film"
            raise HttpError(404, f"There is no time-lapse of {day}", f"POST {url} makes one.")
        unsent.callback(os.close, file)
        read = partial(stills.pieces, calls, file)
        size = os.fstat(file).st_size
        response, _start = ranged(read, size, _etag(film), MEDIA_TYPE, CHUNKS_AT_ONCE)
        response.call_on_close(unsent.pop_all().close)
    response.headers["Cache-Control"] = "private, no-cache, no-transform"
    name = labels.name_among(device, visible_fleet().devices())[: stills.LONGEST_NAME]
    disposition = attachment(safe_name(name, f" {day}.mp4"))
    response.headers["Content-Disposition"] = disposition.replace("attachment", "inline", 1)
    if request.method != "HEAD":
        stills.note_view(device, day)
    return guarded(response, partial(stills.may_still, visible_fleet(), [device.id]))


def _opened(calls: DiskCalls, film: Film) -> int | None:
    """The descriptor of its file; None where there is none any more. Raises NotAnswering."""
    try:
        return calls.ask(partial(opened, film.path), discard=os.close)
    except NotAnswering:
        raise
    except OSError:
        return None


def _etag(film: Film) -> str:
    return f"{film.digest}-{film.frames}-{film.size}"
