"""What the page shows of the inbox: filtered, one page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.range_inbox import InboxItem

ALL, NEW, LISTED = "", "new", "listed"
PER_PAGE = 200


@dataclass(frozen=True, slots=True)
class InboxPage:
    """A page of the items that pass the filter. `counts`: the items by filter."""

    items: Sequence[InboxItem]
    show: str
    number: int
    pages: int
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return self.counts[self.show]

    def link(self, number: int = 1, show: str | None = None) -> str:
        """The address of a page of it."""
        wanted = {"show": self.show if show is None else show, "page": number if number > 1 else ""}
        query = "&".join(f"{name}={value}" for name, value in wanted.items() if value)
        return f"/scan-range?{query}" if query else "/scan-range"


def filtered(rows: Sequence[InboxItem], show: str) -> Sequence[InboxItem]:
    """The items that are not in the list yet, those that are, or all."""
    if show == NEW:
        return [row for row in rows if row.device is None]
    if show == LISTED:
        return [row for row in rows if row.device is not None]
    return rows


def page_of(rows: Sequence[InboxItem], show: str, number: str) -> InboxPage:
    """The page with this number, or the nearest one."""
    show = show if show in (NEW, LISTED) else ALL
    counts = {each: len(filtered(rows, each)) for each in (ALL, NEW, LISTED)}
    pages = max(1, -(-counts[show] // PER_PAGE))
    wanted = int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else 1
    at = min(max(wanted, 1), pages)
    part = filtered(rows, show)[(at - 1) * PER_PAGE : at * PER_PAGE]
    return InboxPage(part, show, at, pages, counts)
