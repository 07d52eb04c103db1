"""The pages of stills: the contact sheet of the fleet, the newest still and the day of a camera."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from math import ceil
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request

from fleet import labels
from fleet.kinds import CAMERA, shown_as
from fleet.model import DEFAULT_SITE, Device
from fleet.natural_order import natural_key
from stills.hours import DUE, FUTURE, MISSED, NONE, ONE_HOUR, Hour, day_bounds
from stills.model import Still
from video.server_zone import server_zone
from web.http.actions import stills
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet
from web.pages.still_view import ShownStill, main_still, newest_shown, shown_still

bp = Blueprint("stills_pages", __name__)
PER_PAGE = 60
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
    day = _day() or today
    hours = None if day > today else _hours(device, day)
    newest = newest_shown([device]).get(device.id) if day == today else None
    stills.note_view(device, day)
    return render_template(
        "camera_stills.html",
        device=device,
        name=labels.name_among(device, visible.devices()),
        day=day,
        today=today,
        is_today=day == today,
        newest=newest,
        can_be_taken=stills.can_be_taken(device),
        may_take=stills.can_be_taken(device) and visible.may("still.take", device),
        hours=hours,
        taken=sum(hour.shown is not None for hour in hours or ()),
        missed=sum(hour.state == MISSED for hour in hours or ()),
        before=_day_url(device, day - timedelta(days=1)),
        after=_day_url(device, day + timedelta(days=1)) if day < today else "",
    )


def _today() -> date:
    return current_monitor().clock().astimezone().date()


def _day() -> date | None:
    """The day in the URL; None without one that is readable."""
    try:
        day = date.fromisoformat(request.args.get("day", ""))
        return day if 1970 <= day.year < 9000 else None
    except ValueError:
        return None


def _day_url(device: Device, day: date) -> str:
    return f"/cameras/{device.id}/stills?day={day.isoformat()}"


def _hours(device: Device, day: date) -> list[ShownHour]:
    hours = stills.shelf().hours(device.id, day)
    return [_shown_hour(device, number, hour) for number, hour in enumerate(hours)]


def _shown_hour(device: Device, number: int, hour: Hour) -> ShownHour:
    main = main_still(hour)
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


# -- the contact sheet -----------------------------------------------------------------------


@bp.get("/stills")
@needs("still.view")
def sheet() -> str:
    """The newest still of each camera, or those of all cameras of the same hour."""
    day, today, site = _day(), _today(), request.args.get("site", "")
    problem = ""
    if day and day > today:
        problem, day = f"{day.isoformat()} has not begun. These are the newest stills.", None
    links = _hour_links(day or today, site)
    hour = _chosen(links) if day else None
    every = _cameras()
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


def _cameras() -> list[Device]:
    """The cameras of the sheet, by name: those that can give stills, and that this person sees."""
    visible = visible_fleet()
    devices = visible.devices()
    shown = [
        device
        for device in devices.values()
        if device.retired_at is None
        and shown_as(device.kind) == CAMERA
        and stills.can_be_taken(device)
        and visible.may("still.view", device)
    ]
    return sorted(shown, key=lambda device: natural_key(labels.name_among(device, devices)))


def _newest(devices: Sequence[Device]) -> list[SheetCamera]:
    newest = stills.newest()
    return [_sheet_camera(device, newest.get(device.id), "No still yet") for device in devices]


def _sheet_camera(device: Device, still: Still | None, title: str, reason: str = "") -> SheetCamera:
    name = labels.name_among(device, visible_fleet().devices())
    shown = shown_still(device, still) if still else None
    return SheetCamera(device.id, name, shown, title, reason)


def _in_hour(devices: Sequence[Device], day: date, number: int) -> list[SheetCamera]:
    """Each camera with its still of the hour with this number."""
    shown = []
    for device in devices:
        hour = stills.shelf().hours(device.id, day)[number]
        title = TITLES.get(hour.state, "")
        shown.append(_sheet_camera(device, main_still(hour), title, hour.reason))
    return shown


def _hour_links(day: date, site: str) -> list[ShownHour]:
    """The hours of a day that have begun. A day on which the clocks change has 23 or 25."""
    now = current_monitor().clock()
    links = []
    for number, (start, end) in enumerate(_hours_of(day)):
        if start > now:
            break
        url = _sheet_url({"day": day.isoformat(), "hour": str(number)}, site, 1)
        links.append(ShownHour(number, _clock(start), _clock(end), "", "", "", url))
    return links


def _hours_of(day: date) -> list[tuple[datetime, datetime]]:
    """The hours of a day in the zone of this server, as `Shelf.hours` has them."""
    begin, end = day_bounds(day, ZoneInfo(server_zone()))
    count = ceil((end - begin) / ONE_HOUR)
    starts = [begin + number * ONE_HOUR for number in range(count)]
    return list(pairwise([*starts, end]))


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
