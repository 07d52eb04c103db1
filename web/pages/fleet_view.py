"""What the fleet page shows, as values for its templates: nothing here decides a rule."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import render_template, request
from markupsafe import Markup
from pydantic import Field, ValidationError

from fleet import labels, shapes, status
from fleet.model import Device, NotFound
from fleet.queries import CAMERAS, STATUSES, DevicePage, select, stores_by_site
from store.sql import Unreachable
from web.http import remedies
from web.http.actions.jobs import auto_scan_job
from web.http.actions.readiness import troubles
from web.http.actions.scans import counts
from web.http.monitor import Monitor
from web.http.shapes.devices import ListQuery
from web.http.visible_fleet import NOT_THERE, visible
from web.pages.bars import Bar, bar
from web.pages.caches import page_caches
from web.pages.rendered_rows import RowSource

FIRST_ROWS = 50
"""Rows on the first page; the script fetches more while a person scrolls."""
PAGE_SIZES = (50, 100, 500)
MAX_WRONG = 5
FILTERS = (
    ("all", "All"),
    ("active", "Active"),
    ("ip_changed", "IP changed"),
    ("silent", "Offline"),
    ("missing", "Missing"),
    ("unknown", "Not checked"),
)
MARKS = {"silent": "offline"}
"""The marks of filters that are not called like their mark."""
OTHER_STATUSES = {
    "online": "Answering",
    "offline": "Offline or not checked",
    "unreachable": "Unreachable",
}
"""What a link from elsewhere may filter by, although the page has no count for it."""
COLUMNS = (
    ("status", "Status"),
    ("name", "Name"),
    ("address", "Address"),
    ("mac", "MAC and serial"),
    ("model", "Model"),
    ("last_seen", "Last seen"),
    ("discoveries", "Found"),
)


class PageQuery(ListQuery):
    """The filter in the URL of the fleet page, worst first when nothing is said."""

    sort: str = Field(
        "status", pattern=r"^-?(id|status|name|address|mac|model|last_seen|discoveries)$"
    )


def kept(arguments: Mapping[str, str]) -> dict[str, str]:
    """Those of a URL's arguments that belong to the filter of the page."""
    return {key: value for key, value in arguments.items() if key in PageQuery.model_fields}


def page_query(arguments: Mapping[str, str] | None = None) -> PageQuery:
    """The filter in the arguments, or in the URL of the request; what does not fit there is left
    out rather than refused."""
    given = kept(request.args if arguments is None else arguments)
    asked = {key: value for key, value in given.items() if value}
    try:
        return PageQuery.model_validate(asked)
    except ValidationError as error:
        bad = {str(one["loc"][0]) for one in error.errors()}
        return PageQuery.model_validate({k: v for k, v in asked.items() if k not in bad})


class Links:
    """Makes URLs with a page's filter and other values; a new filter begins at page one."""

    def __init__(self, arguments: Mapping[str, str]) -> None:
        self.kept = {key: value for key, value in kept(arguments).items() if key != "page"}

    def __call__(self, path: str = "/", **changes: Any) -> str:
        given = {**self.kept, **{key: str(value) for key, value in changes.items()}}
        asked = urlencode({key: value for key, value in given.items() if value})
        return f"{path}?{asked}" if asked else path


def links() -> Links:
    """Those of the page that is asked for."""
    return Links(request.args)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the table as HTML, and the list that they are cut from."""

    html: Markup
    listing: DevicePage


def rows(here: Monitor, query: PageQuery) -> Rows:
    """The page of the list that the URL names, else the first rows of it."""
    size = query.per_page or FIRST_ROWS
    paged = query.model_copy(update={"page": query.page or 1, "per_page": size})
    devices, statuses = visible().statuses()
    found = select(devices.values(), statuses, paged.filter(), CAMERAS)
    return _rows(here, found.devices, found, (devices, statuses))


def stretch(here: Monitor, query: PageQuery, offset: int, limit: int) -> Rows:
    """A stretch of the whole list, for one who scrolls."""
    devices, statuses = visible().statuses()
    found = select(devices.values(), statuses, _unpaged(query).filter(), CAMERAS)
    return _rows(here, found.devices[offset : offset + limit], found, (devices, statuses))


def _unpaged(query: PageQuery, **changes: Any) -> PageQuery:
    return query.model_copy(update={"page": None, "per_page": None, **changes})


def rows_of(here: Monitor, query: PageQuery, ids: Sequence[int], link: Links | None = None) -> Rows:
    """The rows of some devices that changed, but for those that left the list by it."""
    devices, statuses = visible().statuses()
    known = [devices[id] for id in ids if id in devices]
    stores = stores_by_site(devices.values()) if query.store else {}
    found = select(known, statuses, _unpaged(query).filter(), CAMERAS, stores)
    return _rows(here, found.devices, found, (devices, statuses), link)


Snapshot = tuple[Mapping[int, Device], Mapping[int, str]]
"""Devices and their statuses, read together: what one has, the other has."""


def _rows(
    here: Monitor,
    shown: Sequence[Device],
    listing: DevicePage,
    snapshot: Snapshot,
    link: Links | None = None,
) -> Rows:
    """Rows that are drawn already for somebody with the same filter are not drawn again."""
    devices, statuses = snapshot
    now, link = here.clock(), link or links()
    place = tuple(link.kept.items())
    marks = [(one, statuses[one.id], behind(one, devices, statuses)) for one in shown]

    def draw(missing: Sequence[RowSource]) -> list[str]:
        known, rules = bars(here, [mark[0] for mark in missing]), here.rules()
        return [
            render_template(
                "parts/row.html",
                row=shapes.row(device, word, now, rules),
                behind=why,
                bar=known.get(device.id),
                link=link,
            )
            for device, word, why in missing
        ]

    drawn = page_caches().rows.html(place, marks, now, draw)
    return Rows(Markup("\n".join(drawn)), listing)  # nosec B704  of the template


def bars(here: Monitor, devices: Sequence[Device]) -> dict[int, Bar]:
    """The uptime bars; none while the journal cannot be read."""
    try:
        found = here.journal.uptimes(devices, here.clock())
    except Unreachable:
        return {}
    return {id: bar(one) for id, one in found.items()}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong now: with which camera, what, since when."""

    id: int
    name: str
    mark: str
    text: str
    since: str | None


def wrong_now(here: Monitor) -> list[Wrong]:
    """All that is wrong now, newest first: cameras that are down, then what was found."""
    devices, statuses = visible().statuses()
    now, rules = here.clock(), here.rules()
    found = []
    for device in devices.values():
        word = statuses[device.id]
        is_down = word in status.DOWN
        if device.retired_at or device.kind not in CAMERAS:
            continue
        if not (is_down or device.findings):
            continue
        row = shapes.row(device, word, now, rules)
        if is_down:
            why = behind(device, devices, statuses) or row["reason"] or remedies.of_status(row)
            text = f"{word.lower()}: {why}"
            found.append(Wrong(device.id, row["camera_name"], word.lower(), text, row["since"]))
        else:
            newest = max(row["findings"], key=lambda one: one["since"])
            found.append(
                Wrong(device.id, row["camera_name"], "finding", newest["text"], newest["since"])
            )
    return sorted(found, key=lambda one: one.since or "", reverse=True)


SAID = {
    status.OFFLINE: "is offline",
    status.MISSING: "is missing",
    status.UNREACHABLE: "cannot be reached",
}


def behind(device: Device, devices: Mapping[int, Device], statuses: Mapping[int, str]) -> str:
    """Why an unreachable camera is so: the highest thing above it that is down, as far up as
    `devices` goes. What is down below that is so because of it. Empty for others."""
    if statuses[device.id] != status.UNREACHABLE:
        return ""
    found, seen, parent = None, {device.id}, devices.get(device.parent or 0)
    while parent is not None and parent.id not in seen:
        seen.add(parent.id)
        if parent.retired_at is None and statuses[parent.id] in SAID:
            found = parent
        parent = devices.get(parent.parent or 0)
    return f"behind {labels.name(found)}, which {SAID[statuses[found.id]]}" if found else ""


def top(here: Monitor, query: PageQuery, link: Links) -> dict[str, Any]:
    """Everything above the table: what is wrong, the scan, the counts."""
    wrong = wrong_now(here)
    scan = here.scanner.progress()
    return {
        "query": query,
        "wrong": wrong[:MAX_WRONG],
        "wrong_count": len(wrong),
        "stats": counts(),
        "filters": filters(here, query),
        "marks": MARKS,
        "removable": removable(query, link),
        "retired_count": retired_count(here, query),
        "link": link,
        "scan": scan.plain() if scan else None,
        "last": visible().last_scan(),
        "auto": auto_scan_job(),
        "notices": notices(here),
    }


def filters(here: Monitor, query: PageQuery) -> list[tuple[str, str, int]]:
    """(status, word, how many): the counts are of what the search finds, so that each agrees
    with the list that it leads to."""
    devices, statuses = visible().statuses()
    every = _unpaged(query, status="all", findings=False, retired=False, sort="")
    found = select(devices.values(), statuses, every.filter(), CAMERAS).devices
    number = Counter(statuses[device.id] for device in found)
    counted = [(key, word, sum(number[one] for one in STATUSES[key])) for key, word in FILTERS]
    if not number[status.UNKNOWN] and query.status != "unknown":
        counted = [one for one in counted if one[0] != "unknown"]
    return [*counted, ("finding", "Findings", sum(1 for device in found if device.findings))]


def removable(query: PageQuery, link: Links) -> list[tuple[str, str, str]]:
    """(what, which, the link without it) of each filter that has no count of its own."""
    chosen = (
        ("status", "Status", OTHER_STATUSES.get(query.status, "")),
        ("kind", "Kind", query.kind or ""),
        ("store", "Store", query.store),
        ("site", "Site", query.site),
    )
    return [(what, which, link(**{key: ""})) for key, what, which in chosen if which]


def retired_count(here: Monitor, query: PageQuery) -> int:
    """How many of those that the search finds are retired."""
    devices, statuses = visible().statuses()
    every = _unpaged(query, status="all", findings=False, retired=True, sort="")
    return select(devices.values(), statuses, every.filter(), CAMERAS).total


def notices(here: Monitor) -> list[str]:
    """What a person must know before anything else."""
    if visible().is_limited:
        return []
    down = here.tracker.down()
    asked = [f"{scope} cannot be asked: {one['reason']}" for scope, one in down.items()]
    tracker = here.tracker
    told = (tracker.damage, tracker.replaced, tracker.file.foreign, here.trusted.doubt())
    file = [text for text in told if text]
    return [*file, *troubles(here, here.disk.renewed()), *fullness(here), *asked]


def fullness(here: Monitor) -> list[str]:
    """That new devices find no place, if so."""
    full = here.tracker.fleet().state.get("full")
    if not full:
        return []
    said = full if isinstance(full, dict) else {}
    refused, gave_way = said.get("refused", 0), said.get("gave_way", 0)
    return [
        f"The fleet is full. New devices not added: {refused}. Devices seen only briefly that were "
        f"replaced: {gave_way}. Delete devices that are not yours under Settings, Clean-up."
    ]


def page_numbers(listing: DevicePage) -> list[int]:
    """The page numbers worth a link: the first, the last, and those around this one."""
    at = listing.page or 1
    near = {1, listing.pages, *range(at - 2, at + 3)}
    return sorted(page for page in near if 1 <= page <= listing.pages)


def detail(here: Monitor, device: Device) -> dict[str, Any]:
    """One camera with all that is known of it. Raises NotFound when it has just gone."""
    devices, statuses = visible().statuses()
    # Since the URL was read, the device can have been deleted or merged into another one.
    if device.id not in devices:
        raise NotFound(f"There is no camera {device.id}", NOT_THERE)
    device = devices[device.id]
    row = shapes.detail(device, statuses[device.id], here.clock(), here.rules())
    try:
        events = visible().events(device=device.id, limit=50)
    except Unreachable:
        events = []
    parent = devices.get(device.parent) if device.parent else None
    return {
        "row": row,
        "events": events,
        "bar": bars(here, [device]).get(device.id),
        "may_edit": visible().may("device.edit", device),
        "behind": behind(device, devices, statuses),
        "parent": shapes.row(parent, statuses[parent.id], here.clock(), here.rules())
        if parent
        else None,
        "advice": remedies,
        "link": links(),
    }
