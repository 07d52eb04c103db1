"""The names under which people know filters and their values, and the one way to describe them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fleet import labels, status
from fleet.attention import ALL
from fleet.model import DEFAULT_SITE
from web.http import remedies
from web.http.columns import BY_KEY
from web.http.monitor import current_monitor
from web.http.shapes.devices import ListQuery
from web.http.visible_fleet import visible_fleet
from web.pages.attention_view import ATTENTION_TITLES

TITLES = {
    "finding": "Finding",
    "tag": "Tag",
    "model": "Model",
    "store": "Store",
    "site": "Site",
    "network": "Network",
    "source": "Source",
}
"""The filters that are chosen in the filter panel."""


def value_titles(name: str) -> Mapping[str, str]:
    """{value: title} of the values of a filter that people know by another name."""
    if name == "site":
        return {DEFAULT_SITE: labels.NO_SITE}
    if name == "finding":
        return {kind: title for kind, (title, _remedy) in remedies.FINDING_REMEDIES.items()}
    if name == "source":
        sources = current_monitor().scanner.sources.values()
        return {"workbook": "Workbook", **{source.name: source.title for source in sources}}
    return {}


def value_title(name: str, value: str) -> str:
    return value_titles(name).get(value, value)


FILTERS = (
    ("all", "All"),
    ("active", "Active"),
    ("ip_changed", "IP changed"),
    ("not_responding", "Offline"),
    ("unreachable", "Unreachable"),
    ("missing", "Missing"),
    ("unknown", "Not checked"),
)
OTHER_STATUSES = {
    **{name.lower(): entry.title for name, entry in status.TABLE.items()},
    "online": "Online",
    "offline": "Offline, unreachable or not checked",
    "silent": "Offline or unreachable",
}
for _filter, _title in FILTERS:
    OTHER_STATUSES.pop(_filter, None)
"""What a link from elsewhere may filter by, although the page has no count for it."""
DEFAULT_SORTS = ("", "status")


@dataclass(frozen=True, slots=True)
class FilterPart:
    """One filter of a list. `text` is its place in a sentence; `is_counted`: the page shows it
    beside its count or field, so that it needs no chip."""

    key: str
    title: str
    value: str
    text: str
    is_counted: bool = False


def described(query: ListQuery) -> list[FilterPart]:
    """Every filter of the query, and its order where that is not the default."""
    return [part for part in _parts(query) if part.value]


def sentence(query: ListQuery) -> str:
    """Such as `“gate”, status Offline, tag lobby`."""
    return ", ".join(part.text for part in described(query) if part.key != "sort")


def _parts(query: ListQuery) -> Iterator[FilterPart]:
    yield FilterPart("q", "Search", query.q, f"“{query.q}”", is_counted=True)
    shown = {key: title for key, title in FILTERS if key != "all"}
    state = shown.get(query.status) or OTHER_STATUSES.get(query.status, "")
    yield FilterPart("status", "Status", state, f"status {state}", query.status in shown)
    finding = "yes" if query.findings else ""
    yield FilterPart("findings", "Finding", finding, "with a finding", is_counted=True)
    need = ATTENTION_TITLES.get(query.attention, "")
    part = "" if query.attention == ALL else f" ({need})"
    yield FilterPart("attention", "Needs attention", need, f"needs attention{part}")
    retired = "yes" if query.retired else ""
    yield FilterPart("retired", "Retired", retired, "only retired", is_counted=True)
    yield FilterPart("kind", "Kind", query.kind or "", f"kind {query.kind}")
    chosen = query.credentials and current_monitor().tracker.fleet().credentials.get(
        query.credentials
    )
    name = chosen.name if chosen else query.credentials
    yield FilterPart("credentials", "Credential set", name, f"credential set {name}")
    for key, title in TITLES.items():
        value = value_title(key, getattr(query, key))
        yield FilterPart(key, title, value, f"{title.lower()} {value}")
    recorder = _recorder(query.channels_of)
    yield FilterPart("channels_of", "Channels of", recorder, f"channels of {recorder}")
    order = _order(query.sort)
    yield FilterPart("sort", "Order", order, f"sorted by {order}", is_counted=True)


def _recorder(id: int | None) -> str:
    """The name of a recorder that the viewer sees, else its number; empty for no filter."""
    if id is None:
        return ""
    device = visible_fleet().devices().get(id)
    return labels.name(device) if device else f"device {id}"


def _order(sort: str) -> str:
    key = sort.lstrip("-")
    if sort in DEFAULT_SORTS:
        return ""
    title = BY_KEY[key].title if key in BY_KEY else key.replace("_", " ")
    return f"{title} (descending)" if sort.startswith("-") else title
