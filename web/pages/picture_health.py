"""The page of picture health of a camera: what is found, its pictures, and its settings."""

from dataclasses import dataclass
from datetime import time
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from pydantic import ValidationError

from fleet import labels
from fleet.model import Device, Refused
from fleet.texts import sentences
from picture_health.camera_health import CameraSettings
from picture_health.camera_settings import MOST_HOURS
from picture_health.facade import MOST_EXPECTED, MOST_REFERENCES
from video.schedule import DAYS
from web.http.actions import picture_health, stills
from web.http.authorization import needs
from web.http.errors import HttpError, page_hint, status_of
from web.http.invalid import wording
from web.http.shapes.picture_health import HealthChange
from web.http.visible_fleet import visible_fleet
from web.pages.dates import length_text
from web.pages.health_view import view_of

bp = Blueprint("picture_health_pages", __name__)
MODES = {
    "auto": "Automatic: on, except for cameras that can turn (PTZ)",
    "on": "On",
    "off": "Off",
}
LEVELS = {
    "low": "Low: obvious faults only, reported later",
    "normal": "Normal",
    "high": "High: weak faults too, reported earlier",
}
INTERVALS = (30, 60, 300, 900, 3600, 86400)
"""Seconds between two samples, of which a person chooses."""
HOURS_FAULTS = {
    "days": "Choose at least one day",
    "starts": "Enter the time at which the expected hours begin, such as 22:00",
    "ends": "Enter the time at which the expected hours end, such as 06:00",
}
"""What is wrong in a line with hours, by its field."""
DONE = {
    "check": "Checked.",
    "normal": "Reference set.",
    "expected": "Saved. Similar pictures are not reported.",
    "remove": "Removed.",
    "repeats": "Saved. This camera is not reported as frozen.",
    "save": "Settings saved.",
}


@dataclass(frozen=True, slots=True)
class HoursLine:
    """A line of the form with hours, by its number; the last one is empty."""

    number: int
    days: tuple[str, ...] = ()
    starts: str = ""
    ends: str = ""


@bp.get("/cameras/<key>/picture-health")
@needs("health.view")
def index(key: str) -> str:
    """The state of the pictures of a camera, with reference, then and now side by side."""
    device = visible_fleet().device(key)
    is_own_link = request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    done = DONE.get(request.args.get("done", ""), "") if is_own_link else ""
    return _page(device, done=done)


@bp.post("/cameras/<key>/picture-health")
@needs("health.edit")
def act(key: str) -> Any:
    """The buttons of the page and its form, without script."""
    device, do = visible_fleet().device(key), request.form.get("do", "")
    try:
        _do(device, do)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        text = HOURS_FAULTS.get(str(first["loc"][-1]), "") if name == "expected_hours" else ""
        fault = {"field": name, "error": text or f"This {wording(first)}", "hint": ""}
        return Response(_page(device, fault=fault), 422)
    except (Refused, HttpError) as error:
        code = error.status if isinstance(error, HttpError) else status_of(error)
        name = "" if isinstance(error, HttpError) else error.field
        fault = {"field": name, "error": error.error, "hint": page_hint(error.hint)}
        problem = "" if do == "save" else sentences(error.error, fault["hint"])
        return Response(_page(device, fault=fault if do == "save" else None, problem=problem), code)
    return redirect(f"/cameras/{device.id}/picture-health?done={do}", 303)


def _do(device: Device, do: str) -> None:
    match do:
        case "check":
            picture_health.check(device)
        case "normal":
            picture_health.add_reference(device, _number("still"))
        case "expected":
            picture_health.expect(device, _number("picture"))
        case "repeats":
            picture_health.change(device, {"repeats": True})
        case "remove":
            picture_health.remove(device, _number("picture") or 0)
        case "save":
            picture_health.change(device, _typed().changes())
        case _:
            raise HttpError(422, "The form cannot do this", "Use one of its buttons.")


def _number(name: str) -> int | None:
    text = request.form.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


# -- the form --------------------------------------------------------------------------------


def _typed() -> HealthChange:
    """The values of the form. Raises ValidationError."""
    form = request.form
    lines = [line for line in _typed_lines() if line.days or line.starts or line.ends]
    return HealthChange.model_validate(
        {
            "mode": form.get("mode", ""),
            "sensitivity": form.get("sensitivity", ""),
            "interval": _number("interval"),
            "repeats": form.get("repeats") == "yes",
            "expected_hours": [
                {"days": [*line.days], "starts": line.starts, "ends": line.ends} for line in lines
            ],
        }
    )


def _typed_lines() -> list[HoursLine]:
    form, numbers = request.form, sorted({*request.form.getlist("line")[: MOST_HOURS + 1]})
    return [
        HoursLine(
            place,
            tuple(form.getlist(f"days-{number}")[:7]),
            form.get(f"starts-{number}", "")[:8],
            form.get(f"ends-{number}", "")[:8],
        )
        for place, number in enumerate(numbers)
    ]


def _kept_lines(settings: CameraSettings) -> list[HoursLine]:
    return [
        HoursLine(
            place, tuple(DAYS[day] for day in hours.days), _clock(hours.starts), _clock(hours.ends)
        )
        for place, hours in enumerate(settings.expected_hours)
    ]


def _clock(at: time) -> str:
    return f"{at:%H:%M}"


def _values(settings: CameraSettings, is_typed: bool) -> dict[str, Any]:
    """What the form shows: the settings, or what was typed."""
    form = request.form
    lines = _typed_lines() if is_typed else _kept_lines(settings)
    if not lines or lines[-1].days:
        lines.append(HoursLine(len(lines)))
    if is_typed:
        names = ("mode", "sensitivity", "interval")
        return {
            **{name: form.get(name, "")[:20] for name in names},
            "repeats": form.get("repeats") == "yes",
            "hours": lines,
        }
    return {
        "mode": settings.mode,
        "sensitivity": settings.sensitivity,
        "interval": str(settings.interval or ""),
        "repeats": settings.repeats,
        "hours": lines,
    }


def _intervals(device: int, settings: CameraSettings) -> dict[str, str]:
    """The intervals to choose from, with that of the camera and that of all."""
    choices = sorted({*INTERVALS, settings.interval or INTERVALS[0]})
    common = picture_health.interval_without_own(device)
    default = f"As set for all ({length_text(common)})" if common else "As set for all (off)"
    return {"": default, **{str(seconds): length_text(seconds) for seconds in choices}}


def _page(
    device: Device, *, fault: dict[str, str] | None = None, problem: str = "", done: str = ""
) -> str:
    visible, view = visible_fleet(), view_of(device)
    settings = view.state.health.settings
    picture_health.note_view(device)
    return render_template(
        "picture_health.html",
        device=device,
        name=labels.name_among(device, visible.devices()),
        view=view,
        values=_values(settings, is_typed=fault is not None),
        modes=MODES,
        levels=LEVELS,
        intervals=_intervals(device.id, settings),
        days=DAYS,
        most_references=MOST_REFERENCES,
        most_expected=MOST_EXPECTED,
        may_edit=visible.may(picture_health.EDIT, device),
        can_be_checked=stills.can_be_taken(device),
        fault=fault,
        problem=problem,
        done=done,
    )
