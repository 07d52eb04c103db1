"""The values that the templates of the fleet page show."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import render_template, request
from markupsafe import Markup, escape
from pydantic import Field, ValidationError

from fleet import labels, recorder_list, shapes
from fleet.kinds import CAMERAS
from fleet.model import Device
from fleet.queries import SORTS, STATUSES, DevicePage, select, store_of
from store.sql import Unreachable
from web.http import columns
from web.http.actions.jobs import auto_scan_job
from web.http.actions.readiness import not_ready_reasons
from web.http.actions.scans import fleet_stats
from web.http.monitor import Monitor
from web.http.selection import Snapshot, selected, unpaged, within_attention
from web.http.shapes.devices import ListQuery
from web.http.shapes.scans import scan_row
from web.http.visible_fleet import stores_of, visible_fleet
from web.pages import filter_titles
from web.pages.attention_view import attention_view
from web.pages.caches import page_caches
from web.pages.filter_titles import FILTERS
from web.pages.nouns import DEVICE_NOUN, current_noun
from web.pages.outages import parent_outage
from web.pages.rendered_rows import RowSource
from web.pages.still_view import newest_shown
from web.pages.uptime_bars import Bar, bar
from web.pages.watching import watching

FIRST_ROWS = 50
"""Rows on the first page; the script fetches more while a person scrolls."""
PAGE_SIZES = (50, 100, 500)
FILTER_OF_PAGE = token_hex(16)
"""What a cached row has in its links for the query string of the page. No text of a device can
have it."""
HIDDEN_AT_ZERO = ("unreachable", "unknown")
"""Filters that are shown while something matches them, or while they are chosen."""
FILTER_MARKS = {"not_responding": "offline"}
"""The marks of filters that are not called like their mark."""


class PageQuery(ListQuery):
    """The filter in the URL of the fleet page, worst first by default."""

    sort: str = Field("status", pattern=f"^-?({'|'.join(SORTS)})$")


def filter_arguments(arguments: Mapping[str, str]) -> dict[str, str]:
    """The arguments of a URL that belong to the filter of the page."""
    return {key: value for key, value in arguments.items() if key in PageQuery.model_fields}


def fitting_arguments(arguments: Mapping[str, str]) -> dict[str, str]:
    """The arguments of the filter with a value that fits; the page leaves out the others."""
    values = {key: value for key, value in filter_arguments(arguments).items() if value}
    try:
        PageQuery.model_validate(values)
    except ValidationError as error:
        bad = {str(error_detail["loc"][0]) for error_detail in error.errors()}
        return {key: value for key, value in values.items() if key not in bad}
    return values


def page_query(arguments: Mapping[str, str] | None = None) -> PageQuery:
    """The filter in the arguments, or in the URL of the request; what does not fit there is left
    out rather than refused."""
    given = request.args if arguments is None else arguments
    return PageQuery.model_validate(fitting_arguments(given))


class Links:
    """The URLs of a page with its filter and other values; a new filter begins at page one."""

    def __init__(self, arguments: Mapping[str, str]) -> None:
        self.kept = {
            key: value for key, value in fitting_arguments(arguments).items() if key != "page"
        }

    def __call__(self, path: str = "/", **changes: Any) -> str:
        given = {**self.kept, **{key: str(value) for key, value in changes.items()}}
        query = urlencode({key: value for key, value in given.items() if value})
        return f"{path}?{query}" if query else path


def links() -> Links:
    """The links of the page that is asked for."""
    return Links(request.args)


def list_url(query_string: str) -> str:
    """The list with the filter of this query string; nothing else in it is kept."""
    return Links(dict(parse_qsl(query_string.lstrip("?"))))()


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the table as HTML, and the list that they are cut from."""

    html: Markup
    page: DevicePage
    columns: tuple[str, ...]


def rows(monitor: Monitor, query: PageQuery, position: int = 0) -> Rows:
    """The page of the list that the URL names, else the one with the row at `position`."""
    size = query.per_page or FIRST_ROWS
    paged = query.model_copy(update={"page": query.page or position // size + 1, "per_page": size})
    snapshot = visible_fleet().statuses()
    page = selected(paged, snapshot)
    return _rows(monitor, page.devices, page, snapshot, columns.shown_columns())


def position(query: PageQuery, device: Device) -> int | None:
    """The place of the device in the whole list, from 0; None if the filter leaves it out."""
    matches = whole_list(query, visible_fleet().statuses())
    return next((place for place, match in enumerate(matches) if match.id == device.id), None)


def row_range(monitor: Monitor, query: PageQuery, offset: int, limit: int) -> Rows:
    """A range of rows of the whole list, for scrolling."""
    snapshot = visible_fleet().statuses()
    page = selected(unpaged(query), snapshot)
    devices = page.devices[offset : offset + limit]
    return _rows(monitor, devices, page, snapshot, columns_of(request.args.get("columns", "")))


def whole_list(query: PageQuery, snapshot: Snapshot) -> Sequence[Device]:
    """Every device of the list, over all its pages."""
    return selected(unpaged(query), snapshot).devices


def columns_of(given: str) -> tuple[str, ...]:
    """The columns that an open page names, else those that it would have now."""
    return columns.parsed(given.split(",")) if given else columns.shown_columns()


def changed_rows(
    monitor: Monitor,
    query: PageQuery,
    ids: Sequence[int],
    shown: tuple[str, ...],
    link: Links | None = None,
) -> Rows:
    """The rows of some devices that changed, but for those that left the list by it."""
    devices, statuses = visible_fleet().statuses()
    changed = {id: devices[id] for id in ids if id in devices}
    known = within_attention(changed, query, (devices, statuses))
    stores = stores_of(devices) if query.store else {}
    page = select(known.values(), statuses, unpaged(query).filter(), CAMERAS, stores, devices)
    return _rows(monitor, page.devices, page, (devices, statuses), shown, link)


def _rows(
    monitor: Monitor,
    shown: Sequence[Device],
    page: DevicePage,
    snapshot: Snapshot,
    keys: tuple[str, ...],
    link: Links | None = None,
) -> Rows:
    """Render the rows, but for those that were rendered for the same page a moment ago, whatever
    its filter was: that is only in the links, and put into them at the end."""
    now, link = monitor.clock(), link or links()
    may_edit, is_mixed = visible_fleet().may("device.edit"), current_noun() == DEVICE_NOUN
    page_key = (keys, may_edit, is_mixed)
    sources = _row_sources(shown, snapshot, keys)

    def render(missing: Sequence[RowSource]) -> list[str]:
        bars = uptime_bars(monitor, [source[0] for source in missing]) if "bar" in keys else {}
        rules = monitor.rules()
        return [
            render_template(
                "parts/row.html",
                row=shapes.row(device, device_status, now, rules, snapshot[0]),
                columns=keys,
                behind=why,
                bar=bars.get(device.id),
                store=store,
                parents=parents,
                still=still,
                may_edit=may_edit,
                is_listed=recorder_list.key_of(device) is not None,
                is_named=device.name is not None,
                is_mixed=is_mixed,
                filter_of_page=FILTER_OF_PAGE,
            )
            for device, device_status, why, store, parents, still, _name in missing
        ]

    rendered = "\n".join(page_caches().rows.html(page_key, sources, now, render))
    html = rendered.replace(FILTER_OF_PAGE, escape(link("")))
    return Rows(Markup(html), page, keys)  # nosec B704  of the template


def _row_sources(
    shown: Sequence[Device], snapshot: Snapshot, keys: tuple[str, ...]
) -> list[RowSource]:
    """What the rows with these columns show. It includes the store and the parents as the viewer
    sees them: two viewers of one device can see different ones."""
    devices, statuses = snapshot
    stores = stores_of(devices) if "store" in keys else None
    stills = newest_shown(shown) if "still" in keys else {}
    return [
        (
            device,
            statuses[device.id],
            parent_outage(device, devices, statuses),
            "" if stores is None else store_of(device, stores),
            tuple(labels.name_among(devices[id], devices) for id in device.parents if id in devices)
            if "parent" in keys
            else (),
            stills.get(device.id),
            labels.name_among(device, devices),
        )
        for device in shown
    ]


def uptime_bars(monitor: Monitor, devices: Sequence[Device]) -> dict[int, Bar]:
    """The uptime bars; none while the journal cannot be read."""
    try:
        uptimes = monitor.journal.uptimes(devices, monitor.clock())
    except Unreachable:
        return {}
    return {id: bar(uptime) for id, uptime in uptimes.items()}


def header(monitor: Monitor, query: PageQuery, link: Links) -> dict[str, Any]:
    """Everything above the table: what is wrong, the scan, the counts."""
    snapshot = visible_fleet().statuses()
    scan, watch = monitor.scanner.progress(), watching(monitor, snapshot)
    return {
        "query": query,
        "attention": attention_view(monitor, snapshot),
        "stats": fleet_stats(),
        "filters": filters(query, snapshot, watch.census.is_list_only),
        "filter_marks": FILTER_MARKS,
        "active_filters": active_filters(query, link),
        "filter_sentence": filter_titles.sentence(query),
        "retired_count": retired_count(query, snapshot),
        "link": link,
        "scan": scan_row(scan) if scan else None,
        "last": visible_fleet().last_scan(),
        "auto": auto_scan_job(),
        "watch": watch,
        "notices": notices(monitor),
    }


def _every(query: PageQuery, **changes: Any) -> PageQuery:
    """The query with the search, but without the filters that have a count of their own."""
    nothing = {"status": "all", "findings": False, "attention": "", "retired": False, "sort": ""}
    return unpaged(query, **{**nothing, **changes})


def filters(query: PageQuery, snapshot: Snapshot, is_list_only: bool) -> list[tuple[str, str, int]]:
    """(status, title, count) of each filter. The counts include only matches of the search."""
    matches, statuses = selected(_every(query), snapshot).devices, snapshot[1]
    number = Counter(statuses[device.id] for device in matches)
    counted = [(key, label, sum(number[name] for name in STATUSES[key])) for key, label in FILTERS]
    findings = ("finding", "Findings", sum(1 for device in matches if device.findings))
    # A recorder of the workbook has no address of its own, and is offline for however long.
    hidden = (*HIDDEN_AT_ZERO, "ip_changed", "missing") if is_list_only else HIDDEN_AT_ZERO
    return [
        (key, label, count)
        for key, label, count in [*counted, findings]
        if count or key not in hidden or key == query.status
    ]


def active_filters(query: PageQuery, link: Links) -> list[tuple[str, str, str]]:
    """(name, value, link without it) of each active filter that has no count of its own."""
    return [
        (part.title, part.value, link(**{part.key: ""}))
        for part in filter_titles.described(query)
        if not part.is_counted
    ]


def retired_count(query: PageQuery, snapshot: Snapshot) -> int:
    """The number of retired devices that the search finds."""
    return selected(_every(query, retired=True), snapshot).total


def _scope_title(monitor: Monitor, scope: str) -> str:
    """The title of a source, and the part of it that is meant, such as an interface."""
    name, _, part = scope.partition(":")
    source = monitor.scanner.sources.get(name)
    title = source.title if source else name
    return f"{title} ({part})" if part else title


def notices(monitor: Monitor) -> list[str]:
    """The notices at the head of the page."""
    if visible_fleet().is_limited:
        return []
    down = monitor.tracker.down()
    asked = [
        f"{_scope_title(monitor, scope)} cannot be checked: {state['reason']}"
        for scope, state in down.items()
    ]
    tracker = monitor.tracker
    warnings = (
        tracker.damage,
        tracker.replaced,
        tracker.store.foreign_change,
        monitor.secrets.key_loss(),
        monitor.trusted.distrust_reason(),
    )
    file = [text for text in warnings if text]
    return [
        *file,
        *not_ready_reasons(monitor, monitor.disk.current()),
        *capacity_notice(monitor),
        *asked,
    ]


def capacity_notice(monitor: Monitor) -> list[str]:
    """The notice that the fleet is full, if so."""
    full = monitor.tracker.fleet().state.get("full")
    if not full:
        return []
    counts = full if isinstance(full, dict) else {}
    refused, gave_way = counts.get("refused", 0), counts.get("gave_way", 0)
    return [
        f"The fleet is full. New devices not added: {refused}. Devices seen only briefly and "
        f"replaced: {gave_way}. Delete devices that are not yours under Settings > Cleanup."
    ]


def page_numbers(devices: DevicePage) -> list[int]:
    """The page numbers worth a link: the first, the last, and those around this one."""
    current = devices.page or 1
    near = {1, devices.pages, *range(current - 2, current + 3)}
    return sorted(page for page in near if 1 <= page <= devices.pages)
