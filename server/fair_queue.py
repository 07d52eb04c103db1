"""Limits per client address: connections, running requests, large uploads.

A client with a few addresses cannot take everything. The command socket and the proxies
in TRUSTED_PROXIES speak for many people or for the owner: they have no share, their key is None.
"""

import ipaddress
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_key(client: Any, exempt: Sequence[Network]) -> str | None:
    """The address, or the /64 network of an IPv6 address: one customer has all of it."""
    if not isinstance(client, tuple):
        return None
    address = ipaddress.ip_address(str(client[0]).partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if any(address in network for network in exempt):
        return None
    if address.version == 4 or address.is_loopback:
        return str(address)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))


class FairQueue(Generic[T]):
    """Requests that wait for a thread: `most` run at a time, `share` of them of one address.
    Addresses that wait take turns."""

    def __init__(self, most: int, share: int) -> None:
        self._most = most
        self._share = share
        self._waiting: dict[str | None, deque[T]] = {}
        self._running: Counter[str | None] = Counter()

    def add(self, key: str | None, waiting: T) -> None:
        self._waiting.setdefault(key, deque()).append(waiting)

    def remove(self, key: str | None, waiting: T) -> None:
        """Remove a waiting request whose client has gone."""
        self._waiting[key].remove(waiting)
        if not self._waiting[key]:
            del self._waiting[key]

    def acquire(self, key: str | None) -> bool:
        """Take a place without waiting; False if none is free."""
        is_free = self._running.total() < self._most
        if is_free and (key is None or self._running[key] < self._share):
            self._running[key] += 1
            return True
        return False

    def release(self, key: str | None) -> None:
        """Give back the place of a request that has ended."""
        self._running[key] -= 1
        if not self._running[key]:
            del self._running[key]

    def next(self) -> T | None:
        """The next request that can run; None when every place is taken."""
        for key in self._waiting:
            if self.acquire(key):
                waiting = self._waiting.pop(key)
                first = waiting.popleft()
                if waiting:
                    self._waiting[key] = waiting  # behind the others
                return first
        return None
