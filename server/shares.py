"""Limits per client address: connections, running requests, large uploads.

A client with a few addresses cannot take everything. The command socket and the proxies
in TRUSTED_PROXIES speak for many people or for the owner: they have no share, `who` is None.
"""

import ipaddress
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def who_shares(client: Any, exempt: Sequence[Network]) -> str | None:
    """The address, or the /64 network of an IPv6 address: one line has all of that."""
    if not isinstance(client, tuple):
        return None
    found = ipaddress.ip_address(str(client[0]).partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    if any(found in network for network in exempt):
        return None
    if found.version == 4 or found.is_loopback:
        return str(found)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))


class Turns(Generic[T]):
    """Requests that wait for a thread: `most` run at a time, `share` of them of one address.
    Addresses that wait take turns."""

    def __init__(self, most: int, share: int) -> None:
        self._most = most
        self._share = share
        self._waiting: dict[str | None, deque[T]] = {}
        self._running: Counter[str | None] = Counter()

    def add(self, who: str | None, waiting: T) -> None:
        self._waiting.setdefault(who, deque()).append(waiting)

    def drop(self, who: str | None, waiting: T) -> None:
        """One that waits will not come."""
        self._waiting[who].remove(waiting)
        if not self._waiting[who]:
            del self._waiting[who]

    def take(self, who: str | None) -> bool:
        """Take a turn now, without waiting; False when there is none."""
        is_free = self._running.total() < self._most
        if is_free and (who is None or self._running[who] < self._share):
            self._running[who] += 1
            return True
        return False

    def done(self, who: str | None) -> None:
        """One that ran has ended."""
        self._running[who] -= 1
        if not self._running[who]:
            del self._running[who]

    def next(self) -> T | None:
        """The request that runs next; None when none can."""
        for who in self._waiting:
            if self.take(who):
                waiting = self._waiting.pop(who)
                found = waiting.popleft()
                if waiting:
                    self._waiting[who] = waiting  # behind the others
                return found
        return None
