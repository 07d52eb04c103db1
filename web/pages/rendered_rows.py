"""Cache of table rows as HTML: many pages show the same ones at the same time."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from fleet.model import Device

AGE = timedelta(seconds=5)
"""How long a row can show relative times and an uptime of when it was rendered."""
MAX_CACHED_ROWS = 3000

RowSource = tuple[Device, *tuple[Any, ...]]
"""What a row is rendered from: the device, and everything else that it shows as the viewer sees
it, such as its status and what it is behind."""


@dataclass(frozen=True, slots=True)
class RenderedRow:
    source: RowSource
    at: datetime
    html: str


class RenderedRows:
    """The rows that were rendered last, by what their page is like and the device."""

    def __init__(self) -> None:
        self._rows: OrderedDict[Hashable, RenderedRow] = OrderedDict()
        self._lock = Lock()

    def html(
        self,
        page_key: Hashable,
        sources: Sequence[RowSource],
        now: datetime,
        render: Callable[[Sequence[RowSource]], list[str]],
    ) -> list[str]:
        """A row for each source; `render` makes those that are not there. Of all who want the
        same at once the first one renders, and the others wait for it."""
        cached = [self._find(page_key, source, now) for source in sources]
        if None not in cached:
            return [html or "" for html in cached]
        with self._lock:
            cached = [self._find(page_key, source, now) for source in sources]
            pairs = zip(sources, cached, strict=True)
            missing = [source for source, html in pairs if html is None]
            rendered = render(missing) if missing else []
            for source, html in zip(missing, rendered, strict=True):
                self._keep(page_key, source, now, html)
        rest = iter(rendered)
        return [next(rest) if html is None else html for html in cached]

    def _find(self, page_key: Hashable, source: RowSource, now: datetime) -> str | None:
        known = self._rows.get((page_key, source[0].id))
        if known is None or not timedelta() <= now - known.at < AGE:
            return None
        is_same = known.source[0] is source[0] and known.source[1:] == source[1:]
        return known.html if is_same else None

    def _keep(self, page_key: Hashable, source: RowSource, now: datetime, html: str) -> None:
        key = (page_key, source[0].id)
        self._rows[key] = RenderedRow(source, now, html)
        self._rows.move_to_end(key)
        while len(self._rows) > MAX_CACHED_ROWS:
            self._rows.popitem(last=False)
