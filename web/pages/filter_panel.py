"""The filter panel: the values that exist for each filter of the list, with their counts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask import Blueprint, render_template, request

from fleet import networks
from fleet.facets import FACETS, count_facets
from fleet.kinds import CAMERAS
from fleet.natural_order import natural_key
from fleet.queries import select
from web.http.authorization import needs
from web.http.selection import within_attention
from web.http.visible_fleet import stores_of, visible_fleet
from web.pages.filter_titles import TITLES, value_titles
from web.pages.fleet_view import PageQuery, links, page_query

bp = Blueprint("filter_panel_pages", __name__)
MAX_VALUES = 100
"""Values of one filter that the panel shows at once; typing finds the others."""


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of a filter: a link that chooses it, or removes it when it is chosen already."""

    title: str
    count: int
    url: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class FacetView:
    """A filter and the values that are shown; `hidden` others match too."""

    title: str
    choices: Sequence[FacetValue]
    hidden: int


@bp.get("/filters")
@needs("device.list")
def index() -> str:
    """The panel as a page of its own; the script shows it over the list."""
    query, text = page_query(), request.args.get("find", "").strip()[:100]
    devices, statuses = snapshot = visible_fleet().statuses()
    stores = stores_of(devices)
    devices = within_attention(devices, query, snapshot)
    wanted = replace(query.filter(), page=None, per_page=None, sort="")
    facets = count_facets(devices, statuses, wanted, CAMERAS, stores, snapshot[0])
    if network := _typed_network(text):
        typed = replace(wanted, network=network)
        facets["network"][network] = select(
            devices.values(), statuses, typed, CAMERAS, stores, snapshot[0]
        ).total
    views = (_facet_view(name, facets[name], query, text) for name in FACETS)
    return render_template(
        "filters.html",
        facets=[view for view in views if view.choices],
        total=select(devices.values(), statuses, wanted, CAMERAS, stores, snapshot[0]).total,
        text=text,
        link=links(),
    )


def _typed_network(text: str) -> str:
    """The network that a person typed, which may span several of those that exist; empty for
    another text."""
    try:
        return networks.canonical(text)
    except ValueError:
        return ""


def _facet_view(name: str, counts: Counter[str], query: PageQuery, text: str) -> FacetView:
    chosen, titles, link = getattr(query, name), value_titles(name), links()
    needle = _typed_network(text) or text.casefold()
    values = {value: titles.get(value, value) for value in (*counts, *filter(None, (chosen,)))}
    matches = sorted(
        (value for value, title in values.items() if needle in title.casefold()),
        key=lambda value: (value != chosen, natural_key(values[value])),
    )
    choices = [
        FacetValue(
            values[value],
            counts[value],
            link(**{name: "" if value == chosen else value}),
            value == chosen,
        )
        for value in matches[:MAX_VALUES]
    ]
    return FacetView(TITLES[name], choices, len(matches) - len(choices))
