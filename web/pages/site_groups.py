"""The fleet by place: stores, their sites, and how the devices of each stand."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fleet import status
from fleet.model import Device
from fleet.queries import CAMERAS, STATUSES, WORST_FIRST, store_of, stores_by_site

MAX_GROUPS = 1000
MAX_SITES = 400
"""Rows of sites on one page, over all stores."""
MAX_BY_ITSELF = 10
"""Sites in trouble that a store shows unasked where not all sites fit on the page."""
MAX_OF_ONE = 1000
"""Rows of the one store that was asked for."""


@dataclass(slots=True)
class Place:
    """A store, or a site in it or in none: how many of its devices have which status. Only a
    store has no `site` of its own; its `sites` are places too."""

    store: str
    site: str
    counts: dict[str, int] = field(default_factory=dict)
    sites: "list[Place]" = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.site or self.store

    def add(self, counts: Mapping[str, int]) -> None:
        for word, number in counts.items():
            self.counts[word] = self.counts.get(word, 0) + number

    def number(self, words: Iterable[str]) -> int:
        return sum(self.counts.get(word, 0) for word in words)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def up(self) -> int:
        return self.number(status.UP)

    @property
    def silent(self) -> int:
        return self.number(STATUSES["silent"])

    @property
    def missing(self) -> int:
        return self.number(STATUSES["missing"])

    @property
    def unknown(self) -> int:
        return self.number(STATUSES["unknown"])

    @property
    def is_down(self) -> bool:
        """Something here does not answer: this is where somebody is needed."""
        return not status.DOWN.isdisjoint(self.counts)

    @property
    def worst(self) -> str:
        """The worst status that a device here has."""
        return min(self.counts, key=WORST_FIRST.__getitem__)

    def link(self, wanted: str = "") -> str:
        """Where the fleet page lists these devices, all or those of one status."""
        fields = {"store": self.store, "site": self.site, "status": wanted}
        asked = urlencode({key: value for key, value in fields.items() if value})
        return f"/?{asked}" if asked else "/"


def places(devices: Iterable[Device], statuses: Mapping[int, str]) -> list[Place]:
    """Each store with its sites, and each site that stands in no store, in no order."""
    kept = [one for one in devices if one.retired_at is None and one.kind in CAMERAS]
    known = stores_by_site(kept)
    counted = Counter((store_of(one, known), one.site, statuses[one.id]) for one in kept)
    stores: dict[str, Place] = {}
    sites: dict[tuple[str, str], Place] = {}
    for (store, site, word), number in counted.items():
        place = sites.get((store, site))
        if place is None:
            place = sites[store, site] = Place(store, site)
            if store:
                stores.setdefault(store, Place(store, "")).sites.append(place)
        place.counts[word] = number
    for group in stores.values():
        for place in group.sites:
            group.add(place.counts)
    return [*stores.values(), *(one for one in sites.values() if not one.store)]


def in_order(found: Iterable[Place]) -> list[Place]:
    """Those with trouble first, then by name; 2 stands before 10."""
    return sorted(found, key=lambda one: (not one.is_down, _natural(one.name)))


def _natural(name: str) -> list[Any]:
    # Python refuses to read numbers of thousands of digits.
    parts = re.split(r"([0-9]{1,18})", name.casefold())
    return [int(one) if place % 2 else one for place, one in enumerate(parts)]


@dataclass(frozen=True, slots=True)
class Group:
    """A store or a site without one, as the page draws it: with the sites that have room."""

    place: Place
    shown: Sequence[Place] = ()
    is_open: bool = False

    @property
    def hidden(self) -> int:
        return len(self.place.sites) - len(self.shown)


@dataclass(frozen=True, slots=True)
class View:
    """The page. `hidden` groups are counted in `total` but not drawn; `is_any`: there is a
    place at all, found or not."""

    groups: Sequence[Group]
    total: Place
    stores: int
    sites: int
    hidden: int
    is_any: bool


def view(every: Sequence[Place], text: str = "", store: str = "") -> View:
    """What was asked for: places whose name, or a site of whose, has `text`; one `store`."""
    found = [one for one in every if not store or one.store == store]
    needle = text.strip().casefold()
    if needle:
        found = [one for one in found if _has(one, needle) or _within(one, needle)]
    total = Place(store, "")
    for one in found:
        total.add(one.counts)
    return View(
        _groups(in_order(found), needle, store),
        total,
        sum(1 for one in found if one.store),
        sum(len(one.sites) or 1 for one in found),
        max(0, len(found) - MAX_GROUPS),
        bool(every),
    )


def _has(place: Place, needle: str) -> bool:
    return needle in place.name.casefold()


def _within(place: Place, needle: str) -> list[Place]:
    return [one for one in place.sites if _has(one, needle)]


def _groups(found: Sequence[Place], needle: str, store: str) -> list[Group]:
    """As many as there is room for. Where not all sites fit, a store shows some in trouble."""
    groups = []
    wanted = [_wanted(one, needle, store) for one in found]
    do_fit = sum(len(sites) for sites in wanted) <= MAX_SITES
    room = MAX_OF_ONE if store else MAX_SITES
    for place, sites in zip(found[:MAX_GROUPS], wanted[:MAX_GROUPS], strict=True):
        is_part = len(sites) < len(place.sites)
        if not do_fit and not store:
            sites = [one for one in sites if one.is_down or needle]
        most = room if do_fit or store else min(room, MAX_BY_ITSELF)
        shown = in_order(sites)[:most]
        room -= len(shown)
        groups.append(Group(place, shown, place.is_down or bool(store) or is_part))
    return groups


def _wanted(place: Place, needle: str, store: str) -> list[Place]:
    """The sites of a place that was found. One site alone stands in the row of its store."""
    if len(place.sites) == 1:
        return []
    if needle and (store or not _has(place, needle)):
        return _within(place, needle)
    return place.sites
