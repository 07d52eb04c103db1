"""The fleet by store and site, with the statuses of their devices counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from fleet import labels, status
from fleet.kinds import CAMERAS, shown_as
from fleet.model import Device
from fleet.natural_order import natural_key
from fleet.queries import STATUSES, store_of, stores_by_site

MAX_GROUPS = 1000
MAX_SITES = 400
"""Rows of sites on one page, over all stores."""
MAX_IN_TROUBLE = 10
"""Sites in trouble that a store shows unasked where not all sites fit on the page."""
MAX_OF_STORE = 1000
"""Rows of the one store that was asked for."""


@dataclass(slots=True)
class SiteSummary:
    """Counts of the devices by status, of a store or of a site. Only a store has no `site` of its
    own; its `sites` are places too."""

    store: str
    site: str
    counts: dict[str, int] = field(default_factory=dict)
    sites: "list[SiteSummary]" = field(default_factory=list)
    never_online: int = 0

    @property
    def name(self) -> str:
        return labels.site_name(self.site) or self.store

    def add(self, place: "SiteSummary") -> None:
        for name, number in place.counts.items():
            self.counts[name] = self.counts.get(name, 0) + number
        self.never_online += place.never_online

    def number(self, names: Iterable[str]) -> int:
        return sum(self.counts.get(name, 0) for name in names)

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
        """True if a device does not answer."""
        return not status.DOWN.isdisjoint(self.counts)

    @property
    def outages(self) -> int:
        """The devices that are down and were online before."""
        return self.number(status.DOWN) - self.never_online

    @property
    def trouble(self) -> tuple[int, int]:
        """The place in the order: of what is down as a whole first, then by the number of
        outages; where devices were only never online, after it."""
        if not self.is_down:
            return (3, 0)
        if not self.outages:
            return (2, 0)
        is_whole = self.outages + self.never_online == self.total > 1
        return (0 if is_whole else 1, -self.outages)

    @property
    def worst(self) -> str:
        """The worst status of the devices."""
        return min(self.counts, key=lambda name: status.TABLE[name].rank)

    def link(self, wanted: str = "") -> str:
        """The URL of the fleet page with these devices, all or those of one status."""
        fields = {"store": self.store, "site": self.site, "status": wanted}
        asked = urlencode({key: value for key, value in fields.items() if value})
        return f"/?{asked}" if asked else "/"


def site_summaries(devices: Iterable[Device], statuses: Mapping[int, str]) -> list[SiteSummary]:
    """Each store with its sites, and each site without a store, unordered."""
    kept = [
        device
        for device in devices
        if device.retired_at is None and shown_as(device.kind) in CAMERAS
    ]
    known = stores_by_site(kept)
    counted = Counter(
        (store_of(device, known), device.site, statuses[device.id]) for device in kept
    )
    stores: dict[str, SiteSummary] = {}
    sites: dict[tuple[str, str], SiteSummary] = {}
    for (store, site, name), number in counted.items():
        place = sites.get((store, site))
        if place is None:
            place = sites[store, site] = SiteSummary(store, site)
            if store:
                stores.setdefault(store, SiteSummary(store, "")).sites.append(place)
        place.counts[name] = number
    for device in kept:
        if device.last_seen is None and statuses[device.id] in status.DOWN:
            sites[store_of(device, known), device.site].never_online += 1
    for group in stores.values():
        for place in group.sites:
            group.add(place)
    return [*stores.values(), *(site for site in sites.values() if not site.store)]


def trouble_first(summaries: Iterable[SiteSummary]) -> list[SiteSummary]:
    """The sites sorted: those with trouble first, the worst of them on top, then by name, 2 before
    10; "(no site)" last."""
    return sorted(
        summaries,
        key=lambda site: (*site.trouble, site.name == labels.NO_SITE, natural_key(site.name)),
    )


@dataclass(frozen=True, slots=True)
class SiteGroup:
    """A store or a site without one, as the page draws it: with the sites that have room."""

    place: SiteSummary
    shown: Sequence[SiteSummary] = ()
    is_open: bool = False

    @property
    def hidden(self) -> int:
        return len(self.place.sites) - len(self.shown)


@dataclass(frozen=True, slots=True)
class SitesView:
    """The page. `hidden` groups are counted in `total` but not drawn; `is_any`: there is a
    place at all, found or not."""

    groups: Sequence[SiteGroup]
    total: SiteSummary
    stores: int
    sites: int
    hidden: int
    is_any: bool


def sites_view(summaries: Sequence[SiteSummary], text: str = "", store: str = "") -> SitesView:
    """The view of the places with `text` in their name or a site's, or of one `store`."""
    matches = [site for site in summaries if not store or site.store == store]
    needle = text.strip().casefold()
    if needle:
        matches = [
            site for site in matches if _matches(site, needle) or _matching_sites(site, needle)
        ]
    total = SiteSummary(store, "")
    for site in matches:
        total.add(site)
    return SitesView(
        _groups(trouble_first(matches), needle, store),
        total,
        sum(1 for site in matches if site.store),
        sum(place.name != labels.NO_SITE for site in matches for place in (site.sites or [site])),
        max(0, len(matches) - MAX_GROUPS),
        bool(summaries),
    )


def _matches(place: SiteSummary, needle: str) -> bool:
    return needle in place.name.casefold()


def _matching_sites(place: SiteSummary, needle: str) -> list[SiteSummary]:
    return [site for site in place.sites if _matches(site, needle)]


def _groups(summaries: Sequence[SiteSummary], needle: str, store: str) -> list[SiteGroup]:
    """The groups that fit. Where not all sites do, a store shows some of those in trouble."""
    groups = []
    wanted = [_sites_of(site, needle, store) for site in summaries]
    do_fit = sum(len(sites) for sites in wanted) <= MAX_SITES
    room = MAX_OF_STORE if store else MAX_SITES
    for place, sites in zip(summaries[:MAX_GROUPS], wanted[:MAX_GROUPS], strict=True):
        is_part = len(sites) < len(place.sites)
        if not do_fit and not store:
            sites = [site for site in sites if site.is_down or needle]
        most = room if do_fit or store else min(room, MAX_IN_TROUBLE)
        shown = trouble_first(sites)[:most]
        room -= len(shown)
        groups.append(SiteGroup(place, shown, place.is_down or bool(store) or is_part))
    return groups


def _sites_of(place: SiteSummary, needle: str, store: str) -> list[SiteSummary]:
    """The sites of a place that was found. A single site is shown in the row of its store."""
    if len(place.sites) == 1:
        return []
    if needle and (store or not _matches(place, needle)):
        return _matching_sites(place, needle)
    return place.sites
