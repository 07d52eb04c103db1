"""The pages of stills: the contact sheet of the fleet, the newest still and the day of a camera."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, request

from fleet import labels
from fleet.model import DEFAULT_SITE, Device, Invalid
from fleet.natural_order import natural_key
from fleet.status import DOWN
from stills.hours import DUE, FUTURE, MISSED, NONE, Hour, hour_bounds
from stills.model import Still
from video.server_zone import server_zone
from web.http.actions import still_films, still_intervals, stills
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.shapes.stills import FilmJson, film_json
from web.http.visible_fleet import visible_fleet
from web.pages.dates import exact
from web.pages.still_view import ShownStill, newest_shown, shown_still

bp = Blueprint("stills_pages", __name__)
PER_PAGE = 60
INTERVALS = (60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
"""Seconds between two stills that the page offers."""
NEWEST = "These are the newest stills."
"""What is shown instead of a day that cannot be."""
NO_STILL = "No still yet"
TITLES = {FUTURE: "To come", DUE: "Not taken yet", MISSED: "Missed", NONE: "No still"}
"""What is shown of an hour without a still, by its state."""


@dataclass(frozen=True, slots=True)
class ShownHour:
    """An hour of a day as a page has it. `shown`: its still, `others`: more of the same hour;
    `title`: what there is without one, `reason`: why one is missing."""

    number: int
    name: str
    end_name: str
    state: str
    title: str
    reason: str
    url: str
    shown: ShownStill | None = None
    others: Sequence[ShownStill] = ()


@dataclass(frozen=True, slots=True)
class ShownInterval:
    """How often a still is taken by itself, in words, and when the next one is due. `chosen`: the
    one of the `choices` (value, title) that is in force."""

    how_often: str
    next_at: str | None
    chosen: str
    choices: Sequence[tuple[str, str]]
    may_change: bool


@dataclass(frozen=True, slots=True)
class SheetCamera:
    """A camera of the contact sheet, with a still or the reason why there is none."""

    id: int
    name: str
    shown: ShownStill | None
    title: str
    reason: str


# -- one camera ------------------------------------------------------------------------------


@bp.get("/cameras/<key>/stills")
@needs("still.view")
def camera(key: str) -> str:
    """The newest still of a camera, and the hours of a day. The page takes one when it is opened:
    its script does, and without script the picture in it."""
    visible = visible_fleet()
    device, today = visible.device(key), _today()
    problem = _day_problem("This is today.")
    day = _day(request.args) or today
    hours = None if day > today else _hours(device, day)
    newest = newest_shown([device]).get(device.id) if day == today else None
    stills.note_view(device, day)
    return render_template(
        "camera_stills.html",
        device=device,
        name=labels.name_among(device, visible.devices()),
        day=day,
        today=today,
        problem=problem,
        is_today=day == today,
        newest=newest,
        can_be_taken=stills.can_be_taken(device),
        may_take=stills.can_be_taken(device) and visible.may("still.take", device),
        hours=hours,
        taken=sum(hour.shown is not None for hour in hours or ()),
        missed=sum(hour.state == MISSED for hour in hours or ()),
        interval=_interval(device),
        film=None if day > today else _film(device, day),
        before=_before(device, day),
        after=_day_url(device, day + timedelta(days=1)) if day < today else "",
    )


def _today() -> date:
    return current_monitor().clock().astimezone().date()


def _day(fields: Mapping[str, str]) -> date | None:
    """The day in the URL or in a form; None without one that is readable."""
    try:
        day = date.fromisoformat(fields.get("day", ""))
        return day if 1970 <= day.year < 9000 else None
    except ValueError:
        return None


def _day_problem(shown: str) -> str:
    """Why the day in the URL is not shown, and what is `shown` instead; empty if it can be read."""
    text = request.args.get("day", "")
    if not text or _day(request.args):
        return ""
    return f"{text[:40]} is not a date such as {_today().isoformat()}. {shown}"


def _day_url(device: Device, day: date) -> str:
    return f"/cameras/{device.id}/stills?day={day.isoformat()}"


def _before(device: Device, day: date) -> str:
    """The day before, as far back as there is anything to see."""
    first = stills.shelf().first_day(device.id)
    return _day_url(device, day - timedelta(days=1)) if first and first < day else ""


def _hours(device: Device, day: date) -> list[ShownHour]:
    hours = stills.shelf().hours(device.id, day)
    return [_shown_hour(device, number, hour) for number, hour in enumerate(hours)]


def _shown_hour(device: Device, number: int, hour: Hour) -> ShownHour:
    main = stills.main_still(hour)
    shown = shown_still(device, main) if main else None
    others = [shown_still(device, still) for still in hour.stills if still is not main]
    return ShownHour(
        number,
        _clock(hour.starts_at),
        _clock(hour.ends_at),
        hour.state,
        TITLES.get(hour.state, ""),
        hour.reason,
        "",
        shown,
        others,
    )


def _clock(at: datetime) -> str:
    return at.astimezone().strftime("%H:%M")


# -- the time-lapse --------------------------------------------------------------------------


@bp.post("/cameras/<key>/stills/film")
@needs("still.view")
def make_film(key: str) -> Any:
    """Make the time-lapse of a day, or stop making it; with script the API does."""
    device, day = visible_fleet().device(key), _day(request.form) or _today()
    if request.form.get("do") == "cancel":
        still_films.cancel(device, day)
    else:
        still_films.make(device, day)
    return redirect(f"{_day_url(device, day)}#day-film", 303)


def _film(device: Device, day: date) -> FilmJson | None:
    """The time-lapse of a day; None for one without stills."""
    state = still_films.films().state(device.id, day)
    return film_json(state, device.id, day) if state.total else None


# -- the interval ----------------------------------------------------------------------------


@bp.post("/cameras/<key>/stills/interval")
@needs("still.edit")
def set_interval(key: str) -> Any:
    """Set how often stills of a camera are taken automatically."""
    device, text = visible_fleet().device(key), request.form.get("interval", "")
    if text and not text.isdecimal():
        raise Invalid("The interval is not a number of seconds", "Choose one of the list.")
    still_intervals.change(device, int(text[:9]) if text else None)
    return redirect(f"/cameras/{device.id}/stills", 303)


def _interval(device: Device) -> ShownInterval:
    known = still_intervals.as_json(device)
    own, default = known["own"], known["default"]
    lengths = {*INTERVALS, *([own] if own else ())}
    return ShownInterval(
        still_intervals.in_words(known["interval"]),
        known["next_at"],
        "" if own is None else str(own),
        (
            ("", f"Default ({still_intervals.in_words(default)})"),
            ("0", "Never"),
            *((str(each), _capitalized(each)) for each in sorted(lengths)),
        ),
        visible_fleet().may("still.edit", device),
    )


def _capitalized(seconds: int) -> str:
    return still_intervals.in_words(seconds).capitalize()


# -- the contact sheet -----------------------------------------------------------------------


@bp.get("/stills")
@needs("still.view")
def sheet() -> str:
    """The newest still of each camera, or those of all cameras of the same hour."""
    day, today, site = _day(request.args), _today(), request.args.get("site", "")
    problem = _day_problem(NEWEST)
    if "newest" in request.args and day == today:
        day = None
    if day and day > today:
        problem, day = f"{day.isoformat()} has not begun. {NEWEST}", None
    links = _hour_links(day or today, site)
    hour = _chosen(links) if day else None
    every = stills.cameras()
    sites = sorted({device.site for device in every}, key=_site_order)
    chosen = [device for device in every if site in ("", device.site)]
    page = max(1, min(request.args.get("page", 1, type=int), 10_000))
    shown = chosen[(page - 1) * PER_PAGE : page * PER_PAGE]
    kept = {"day": day.isoformat(), "hour": str(hour.number)} if day and hour else {}
    return render_template(
        "stills.html",
        cameras=_in_hour(shown, day, hour.number) if day and hour else _newest(shown),
        hour=hour,
        hours=links,
        day=day or today,
        today=today,
        day_query=f"?day={day}" if day else "",
        site=site,
        sites=sites,
        problem=problem,
        trouble=stills.trouble(),
        before=_beside(links, hour, -1),
        after=_beside(links, hour, 1),
        newer=_sheet_url(kept, site, page - 1) if page > 1 else "",
        older=_sheet_url(kept, site, page + 1) if page * PER_PAGE < len(chosen) else "",
    )


def _site_order(site: str) -> tuple[bool, object]:
    return site == DEFAULT_SITE, natural_key(site)


def _newest(devices: Sequence[Device]) -> list[SheetCamera]:
    newest = stills.newest()
    return [
        _sheet_camera(device, still, *(("", "") if still else _why_none(device)))
        for device in devices
        for still in [newest.get(device.id)]
    ]


def _why_none(device: Device) -> tuple[str, str]:
    """What is shown instead of the still of a device that has none yet, and what prevented it."""
    status = visible_fleet().statuses()[1].get(device.id, "")
    if status in DOWN:
        since = f" since {exact(device.since)}" if device.since else ""
        return NO_STILL, f"{status.capitalize()}{since}"
    if reason := stills.last_failure(device):
        return NO_STILL, reason
    due = still_intervals.as_json(device)["next_at"]
    if due is None:
        return "No automatic stills", ""
    return f"First still due at {_clock(datetime.fromisoformat(due))}", ""


def _sheet_camera(device: Device, still: Still | None, title: str, reason: str = "") -> SheetCamera:
    name = labels.name_among(device, visible_fleet().devices())
    shown = shown_still(device, still) if still else None
    return SheetCamera(device.id, name, shown, title, reason)


def _in_hour(devices: Sequence[Device], day: date, number: int) -> list[SheetCamera]:
    """Each camera with its still of the hour with this number."""
    hours = stills.shelf().hour_of_each([device.id for device in devices], day, number)
    shown = []
    for device in devices:
        hour = hours[device.id]
        title = TITLES.get(hour.state, "")
        shown.append(_sheet_camera(device, stills.main_still(hour), title, hour.reason))
    return shown


def _hour_links(day: date, site: str) -> list[ShownHour]:
    """The hours of a day that have begun. A day on which the clocks change has 23 or 25."""
    now = current_monitor().clock()
    links = []
    for number, (start, end) in enumerate(hour_bounds(day, ZoneInfo(server_zone()))):
        if start > now:
            break
        url = _sheet_url({"day": day.isoformat(), "hour": str(number)}, site, 1)
        links.append(ShownHour(number, _clock(start), _clock(end), "", "", "", url))
    return links


def _chosen(links: Sequence[ShownHour]) -> ShownHour | None:
    """The hour of the URL, or the last one that has begun."""
    number = request.args.get("hour", len(links) - 1, type=int)
    return links[min(max(number, 0), len(links) - 1)] if links else None


def _beside(links: Sequence[ShownHour], hour: ShownHour | None, step: int) -> str:
    """The hour before or after the shown one, of the same day."""
    number = hour.number + step if hour else -1
    return links[number].url if 0 <= number < len(links) else ""


def _sheet_url(kept: dict[str, str], site: str, page: int) -> str:
    more = {"site": site} if site else {}
    paged = {"page": str(page)} if page > 1 else {}
    query = urlencode({**kept, **more, **paged})
    return f"/stills?{query}" if query else "/stills"
