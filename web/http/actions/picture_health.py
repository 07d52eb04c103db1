"""What pages and the API do with picture health: show, check, change, and keep pictures."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Response, request

from fleet import labels
from fleet.model import Device
from fleet.pictures import NotTaken, TakenPicture
from picture_health.build import PictureHealthPackage
from picture_health.camera_health import STATES, CameraHealth
from picture_health.facade import PictureHealth
from web.http.actions import stills
from web.http.actions.recordings import RECENT
from web.http.auditing import actor_name, note
from web.http.byte_ranges import ranged
from web.http.camera_waits import waiting_for_camera
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.shapes.picture_health import (
    HealthJson,
    HealthList,
    HealthQuery,
    health_json,
    health_row,
    settings_json,
)
from web.http.shapes.stills import moment
from web.http.visible_fleet import visible_fleet

TIMEOUT = 30.0
"""Seconds in which a camera has to give a picture."""
EDIT = "health.edit"


def registry() -> PictureHealth:
    return current_monitor().packages.find(PictureHealthPackage).health


def interval_without_own(device: int) -> int:
    """Seconds between two samples of a camera that has no interval of its own; 0: none."""
    return current_monitor().packages.find(PictureHealthPackage).settings.default_of(device)


def name_of(device: Device) -> str:
    return labels.name_among(device, visible_fleet().devices())


# -- seen ------------------------------------------------------------------------------------


def of(device: Device) -> CameraHealth:
    return registry().of(device.id)


def listed(query: HealthQuery) -> HealthList:
    """The cameras that this person sees, by number, with the state of their pictures."""
    visible, every = visible_fleet(), registry().all()
    devices = visible.devices()
    chosen = {id: every[id] for id in sorted(devices) if id in every and _is_shown(devices[id])}
    states = Counter(health.state for health in chosen.values())
    rows = [
        health_row(devices[id], labels.name_among(devices[id], devices), health)
        for id, health in chosen.items()
        if query.state in (None, health.state)
    ]
    return {
        "cameras": rows,
        "count": len(rows),
        "states": {state: states[state] for state in STATES},
    }


def _is_shown(device: Device) -> bool:
    return device.retired_at is None and visible_fleet().may("health.view", device)


def as_json(device: Device, health: CameraHealth) -> HealthJson:
    has_newest = registry().newest_picture(device.id) is not None
    return health_json(device, name_of(device), health, has_newest)


# -- changed ---------------------------------------------------------------------------------


def check(device: Device) -> None:
    """Take a picture now, and judge it. Raises HttpError (409, 503)."""
    stills.check_can_be_taken(device)
    health = of(device)
    if health.state == "off":
        raise HttpError(
            409, health.reason.removesuffix("."), "Turn on picture health of this camera first."
        )
    allow = _allowed(device)
    _taking(device, lambda: registry().check(device.id, TIMEOUT))
    allow()
    if RECENT.is_new(actor_name(), "health.checked", str(device.id)):
        _note("checked", device, "Checked the picture of {}")


def change(device: Device, changes: Mapping[str, Any]) -> None:
    """Change settings. Raises Invalid."""
    before = of(device).settings
    registry().set_settings(device.id, changes)
    after = of(device).settings
    if before != after:
        text = "Changed picture health of {}"
        _note("changed", device, text, settings_json(before), settings_json(after))


def add_reference(device: Device, still: int | None) -> None:
    """Make a still, or a picture taken now, a reference. Raises HttpError and Invalid."""
    picture = _picture_of(device, still) if still is not None else None
    by, allow = actor_name(), _allowed(device)
    _taking(device, lambda: registry().add_reference(device.id, by, picture, allow))
    _note("reference", device, "Set a reference picture of {}")


def expect(device: Device, picture: int | None) -> None:
    """Expect the picture with this number, or the newest one. Raises HttpError and Invalid."""
    by, allow = actor_name(), _allowed(device)
    _taking(device, lambda: registry().expect(device.id, by, picture, allow))
    _note("expected", device, "Set an expected picture of {}")


def remove(device: Device, picture: int) -> None:
    registry().remove_picture(device.id, picture)
    _note("removed", device, "Deleted a reference or expected picture of {}")


def _picture_of(device: Device, id: int) -> TakenPicture:
    """A still as a picture. Raises HttpError (404)."""
    still = stills.find(device, id)
    data = stills.read(still)
    return TakenPicture(data, still.width, still.height, still.taken_at, still.way)


def _allowed(device: Device) -> Callable[[], None]:
    """What raises HttpError once this person may not change picture health of the camera any more.
    Taking a picture can last half a minute, in which a right can end."""
    visible = visible_fleet()

    def allow() -> None:
        if (problem := visible.precondition(EDIT, device.id)) is not None:
            raise problem

    return allow


def _taking(device: Device, act: Callable[[], object]) -> None:
    """Do what takes a picture of the camera first. Raises HttpError (409, 503)."""
    stills.check_can_be_taken(device)
    try:
        with waiting_for_camera():
            act()
    except NotTaken as error:
        raise stills.not_taken(error) from None


def _note(
    action: str,
    device: Device,
    text: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    name = name_of(device)
    note(f"health.{action}", f"camera {device.id}", text.format(name), before, after)


# -- pictures --------------------------------------------------------------------------------


def send(device: Device, id: int) -> Response:
    """A picture that is kept, or the range of it that was asked for. Raises NotFound."""
    kept = registry().picture(device.id, id)
    return _sent(device, kept.data, str(id), moment(kept.at), stills.KEPT)


def send_newest(device: Device) -> Response:
    """The newest sample. Raises HttpError (404)."""
    sample = registry().newest_picture(device.id)
    if sample is None:
        url = f"/api/cameras/{device.id}/picture-health/check"
        raise HttpError(404, "No picture of this camera is kept now", f"POST {url} takes one.")
    at = moment(sample.taken_at)
    return _sent(device, sample.data, at, at, "private, no-cache")


def _sent(device: Device, data: bytes, tag: str, at: str, caching: str) -> Response:
    response, _start = ranged(
        partial(stills.part_of, data), len(data), f"health-{tag}", stills.MEDIA_TYPE
    )
    response.headers["Cache-Control"] = caching
    response.headers["X-Taken-At"] = at
    if request.method != "HEAD":
        note_view(device)
    return response


def note_view(device: Device) -> None:
    """Write to the audit log that somebody looks at the pictures of a camera."""
    if RECENT.is_new(actor_name(), "health", str(device.id)):
        _note("viewed", device, "Viewed picture health of {}")
