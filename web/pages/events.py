"""The page of all events of the fleet: filtered, page by page, complete without script."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, render_template, request

from fleet import labels
from fleet.edit import acts
from fleet.edit.acts import Act
from fleet.kinds import CAMERAS
from fleet.model import DEFAULT_SITE
from fleet.natural_order import natural_key
from fleet.queries import DeviceFilter, select
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.shapes.devices import MAX_BULK
from web.http.visible_fleet import visible_fleet
from web.pages import event_groups
from web.pages.nouns import current_noun

bp = Blueprint("events_pages", __name__)
PER_PAGE = 100
MAX_READS = 5
"""Questions to the journal for one page, as an edit of many devices is one line of it."""
MAX_NAMES = 200
"""Devices that the line of such an edit names."""
PERIODS = (
    ("1h", "Last hour"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
)
LENGTHS = {"h": 1, "d": 24}
FIELDS = ("kind", "device", "q", "site", "within", "since", "until", "before")


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The filter in the URL; an empty text is no filter. `since` and `until` are in the zone of
    this server where they name none, as a browser without script sends them. What does not fit is
    left out."""

    kind: str = ""
    device: int | None = None
    q: str = ""
    site: str = ""
    within: str = ""
    since: str = ""
    until: str = ""
    before: int | None = None

    @property
    def is_active(self) -> bool:
        return self != EventFilter(before=self.before)

    def url(self, **changes: Any) -> str:
        """The URL of the page with this filter and other values."""
        given = {name: getattr(self, name) for name in FIELDS} | changes
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/events?{query}" if query else "/events"

    def begin(self, now: datetime) -> datetime | None:
        """The time from which on events are wanted."""
        times = [local_time(self.since)] if self.since else []
        if self.within:
            hours = int(self.within[:-1]) * LENGTHS[self.within[-1]]
            times.append(now - timedelta(hours=hours))
        return max(times, default=None)

    def end(self) -> datetime | None:
        return local_time(self.until) if self.until else None


def event_filter() -> EventFilter:
    """The filter in the URL of the request."""
    given = {name: request.args.get(name, "").strip()[:200] for name in FIELDS}
    return EventFilter(
        kind=given["kind"] if given["kind"] in event_groups.KINDS else "",
        device=_positive_number(given["device"], 9),
        q=given["q"],
        site=given["site"],
        within=given["within"] if given["within"] in dict(PERIODS) else "",
        since=given["since"] if _is_time(given["since"]) else "",
        until=given["until"] if _is_time(given["until"]) else "",
        before=_positive_number(given["before"], 18),
    )


def _positive_number(text: str, digits: int) -> int | None:
    return int(text) or None if text.isdecimal() and len(text) <= digits else None


def _is_time(text: str) -> bool:
    try:
        return 1970 < datetime.fromisoformat(text).year < 9000
    except ValueError:
        return False


def local_time(text: str) -> datetime:
    """The time of a field, in the zone of this server where it names none."""
    return datetime.fromisoformat(text).astimezone()


@bp.get("/events")
@needs("event.view")
def events() -> str:
    """All events, newest first."""
    devices = visible_fleet().devices()
    wanted = event_filter()
    sites = {device.site for device in devices.values()} - {DEFAULT_SITE}
    number = wanted.device or 0
    chosen = devices.get(current_monitor().redirects.get(number, number))
    return render_template(
        "events.html",
        groups=[group for group in event_groups.GROUPS if _is_offered(group.key)],
        periods=PERIODS,
        sites=sorted(sites, key=natural_key),
        local_time=local_time,
        chosen=f"Device {labels.name_among(chosen, devices)}" if chosen else "Deleted device",
        **_list(wanted),
    )


@bp.get("/parts/events")
@needs("event.view")
def events_part() -> str:
    """The list of events, for a refresh."""
    return render_template("parts/events.html", **_list(event_filter()))


def _is_offered(group: str) -> bool:
    """False for the group without devices, of which a limited person sees nothing."""
    return group != "system" or not visible_fleet().is_limited


def _list(wanted: EventFilter) -> dict[str, Any]:
    """The events of the filter by day. Raises store.sql.Unreachable."""
    page, older = _acts(wanted)
    devices, redirects = visible_fleet().devices(), current_monitor().redirects
    return {
        "query": wanted,
        "days": [(day, list(acts)) for day, acts in groupby(page, _day)],
        "older": older,
        "newest": page[0].first.sequence if page else 0,
        "devices": devices,
        "redirects": redirects,
        "act_text": act_text,
        "name_of": partial(labels.name_among, devices=devices),
        "most_names": MAX_NAMES,
    }


def _acts(wanted: EventFilter) -> tuple[list[Act], int | None]:
    """One page of acts, and the number before which older events are. An edit of many devices is
    on one page with all its events, and the page goes on after it."""
    given = {
        "kinds": event_groups.chosen_kinds(wanted.kind),
        "devices": _devices(wanted),
        "since": wanted.begin(current_monitor().clock()),
        "until": wanted.end(),
    }
    page, before = list[Act](), wanted.before
    for _ in range(MAX_READS):
        matches = visible_fleet().events(**given, before=before, limit=PER_PAGE + 1)
        groups = list(acts.folded(matches[:PER_PAGE]))
        if len(matches) <= PER_PAGE:
            return page + groups, None
        groups[-1] = _whole(groups[-1], given)
        page += groups
        before = groups[-1].events[-1].sequence
        if len(page) >= PER_PAGE // 2:
            break
    return page, before


def _whole(act: Act, given: dict[str, Any]) -> Act:
    """The act with those of its events that did not fit on the page."""
    if act.first.kind not in acts.WHOLE:
        return act
    moment = {"since": act.first.at, "until": act.first.at + timedelta(microseconds=1)}
    # No sequence of the act lies between those of others: one write made it.
    rest = visible_fleet().events(
        **{**given, **moment}, before=act.events[-1].sequence, limit=MAX_BULK
    )
    return next(acts.folded([*act.events, *rest]))


def _day(act: Act) -> Any:
    return act.first.at.astimezone().date()


def act_text(act: Act) -> str:
    """The act as a sentence, with the noun of the fleet."""
    return acts.text(act.events, current_noun().counted(len(act.events)))


def _devices(wanted: EventFilter) -> set[int] | None:
    """The numbers of the devices whose events are wanted; None for all, and for none at all."""
    if wanted.device:
        return {current_monitor().redirects.get(wanted.device, wanted.device)}
    if not (wanted.q or wanted.site):
        return None
    devices, statuses = visible_fleet().statuses()
    filters = [
        DeviceFilter(q=wanted.q, site=wanted.site, retired=retired) for retired in (False, True)
    ]
    return {
        device.id
        for each in filters
        for device in select(devices.values(), statuses, each, CAMERAS).devices
    }
