"""Cache of page headers as messages: made once for all pages that show the same, once a second."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock

MIN_AGE = 1.0
"""Seconds between two headers of the same kind."""
MAX_AGE = 15.0
"""Seconds for which a header is good while nothing happens."""
MAX_HEADERS = 200


@dataclass(frozen=True, slots=True)
class Header:
    """A rendered header. `position`: that of the broadcaster before; `at`: monotonic time."""

    position: int
    at: float
    data: bytes


@dataclass(slots=True)
class HeaderCache:
    """The newest header of each kind."""

    clock: Callable[[], float] = time.monotonic
    _known: "OrderedDict[Hashable, Header]" = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def newest(self, kind: Hashable, position: int, make: Callable[[], tuple[int, bytes]]) -> bytes:
        """A header with all that happened up to `position`; empty while the last one, which does
        not have it, is too new. `make` gives the position of the broadcaster and the message."""
        with self._lock:
            known, now = self._known.get(kind), self.clock()
            if known and known.position >= position and now - known.at < MAX_AGE:
                return known.data
            if known and now - known.at < MIN_AGE:
                return b""
            made_at, data = make()
            self._known[kind] = Header(made_at, now, data)
            self._known.move_to_end(kind)
            while len(self._known) > MAX_HEADERS:
                self._known.popitem(last=False)
            return data
