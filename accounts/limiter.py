"""Limit login attempts by account and by address."""

import ipaddress
import time
from collections.abc import Callable
from functools import cache, cached_property
from threading import Lock
from typing import TYPE_CHECKING

from accounts import names

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.storage import MemoryStorage
    from limits.strategies import MovingWindowRateLimiter

MAX_WAIT = 300
MAX_KEYS = 10_000


@cache
def per_account() -> "RateLimitItem":
    """Tries of an account within five minutes."""
    from limits import RateLimitItemPerMinute

    return RateLimitItemPerMinute(10, 5)


@cache
def per_address() -> "RateLimitItem":
    """Tries from an address, or from an IPv6 network, within five minutes."""
    from limits import RateLimitItemPerMinute

    return RateLimitItemPerMinute(60, 5)


class Limiter:
    """Counter of login attempts by account and by address; a success clears its account. The
    library is loaded for the first attempt."""

    def __init__(self) -> None:
        self._lock = Lock()

    @cached_property
    def _storage(self) -> "MemoryStorage":
        from limits.storage import MemoryStorage

        return MemoryStorage()

    @cached_property
    def _limiter(self) -> "MovingWindowRateLimiter":
        from limits.strategies import MovingWindowRateLimiter

        return MovingWindowRateLimiter(self._storage)

    def wait(self, name: str, address: str) -> int:
        """Count one attempt and return 0 if it is allowed, else the seconds to wait."""
        with self._lock:
            self._make_room()
            return self._seconds(self._limiter.hit, name, address)

    def seconds_left(self, name: str, address: str) -> int:
        """The seconds that the next attempt would have to wait; counts nothing."""
        with self._lock:
            return self._seconds(self._limiter.test, name, address)

    def _seconds(self, try_limit: Callable[..., bool], name: str, address: str) -> int:
        keys = (
            (per_address(), "address", _network_of(address)),
            (per_account(), "account", names.key_of(name)),
        )
        for limit, kind, key in keys:
            if not try_limit(limit, kind, key):
                stats = self._limiter.get_window_stats(limit, kind, key)
                return min(max(1, int(stats.reset_time - time.time()) + 1), MAX_WAIT)
        return 0

    def _make_room(self) -> None:
        """Forget the half of the keys with the fewest attempts: the library keeps all for ever."""
        if len(self._storage.events) < MAX_KEYS:
            return
        tries = {key: len(times) for key, times in self._storage.events.copy().items()}
        for key in sorted(tries, key=tries.__getitem__)[: MAX_KEYS // 2]:
            self._clear(key)

    def succeeded(self, name: str) -> None:
        with self._lock:
            self._clear(per_account().key_for("account", names.key_of(name)))

    def _clear(self, key: str) -> None:
        with self._storage.locks[key]:  # the library's own thread tidies up under it
            self._storage.clear(key)


def _network_of(address: str) -> str:
    """The /64 network of an IPv6 address: one owner has all of its addresses."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:60]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
