"""Rows of the table as HTML, kept for a moment: many pages show the same ones."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from fleet.model import Device

AGE = timedelta(seconds=5)
"""For so long a row may show relative times and an uptime of when it was drawn."""
MOST = 3000

Drawable = tuple[Device, str, str]
"""What a row is drawn from: the device, its status, and what it is behind."""


@dataclass(frozen=True, slots=True)
class Drawing:
    source: Drawable
    at: datetime
    html: str


class Drawn:
    """The rows that were drawn last, by the filter of their page and the device."""

    def __init__(self) -> None:
        self._rows: OrderedDict[Hashable, Drawing] = OrderedDict()
        self._lock = Lock()

    def all(
        self,
        place: Hashable,
        wanted: Sequence[Drawable],
        now: datetime,
        draw: Callable[[Sequence[Drawable]], list[str]],
    ) -> list[str]:
        """A row for each; `draw` makes those that are not there. Of all who want the same at
        once the first one draws, and the others wait for it."""
        found = [self._find(place, one, now) for one in wanted]
        if None not in found:
            return [html or "" for html in found]
        with self._lock:
            found = [self._find(place, one, now) for one in wanted]
            missing = [one for one, html in zip(wanted, found, strict=True) if html is None]
            made = draw(missing) if missing else []
            for source, html in zip(missing, made, strict=True):
                self._keep(place, source, now, html)
        rest = iter(made)
        return [next(rest) if html is None else html for html in found]

    def _find(self, place: Hashable, source: Drawable, now: datetime) -> str | None:
        known = self._rows.get((place, source[0].id))
        if known is None or not timedelta() <= now - known.at < AGE:
            return None
        is_same = known.source[0] is source[0] and known.source[1:] == source[1:]
        return known.html if is_same else None

    def _keep(self, place: Hashable, source: Drawable, now: datetime, html: str) -> None:
        self._rows[place, source[0].id] = Drawing(source, now, html)
        self._rows.move_to_end((place, source[0].id))
        while len(self._rows) > MOST:
            self._rows.popitem(last=False)
