"""Who is at an address, without a login: the endpoint reference by WS-Discovery, the MAC in it, and
the MAC in the kernel's ARP table.

None of it is more than anybody on the same network can forge; it keeps a password from a device
that took the address of another one.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from fleet import identity
from fleet.model import CannotAsk
from sources.ws_discovery import unicast_probe
from sources.ws_discovery_wire import PORT

ARP = Path("/proc/net/arp")
TIMEOUT = 0.9
"""Seconds for the answer."""
SILENT_LASTS = 10.0
"""Seconds in which a host that answered nothing is not asked again: the length of one round of a
recorder's channels."""
MAX_SILENT = 20_000
"""Silent hosts that are remembered."""
ARP_LASTS = 1.0
"""Seconds until the table is read again."""
COMPLETE = 0x2
"""The flag of an entry that an answer completed (linux/if_arp.h)."""
DIGITS = 12
"""Hexadecimal digits of a MAC; the last of a UUID are one in most cameras."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was learned of an address: the MAC on our own link, the endpoint references, and the
    MACs that these may contain, which prove something only where they are the expected ones."""

    mac: str | None = None
    endpoints: frozenset[str] = frozenset()
    possible: frozenset[str] = frozenset()

    @property
    def answered(self) -> frozenset[str]:
        """Every key that the answers may prove."""
        return self.endpoints | self.possible


class Identification:
    """Asks addresses who they are. `port` is that of WS-Discovery, `arp` the kernel's table."""

    def __init__(
        self, port: int = PORT, arp: Path = ARP, timer: Callable[[], float] = monotonic
    ) -> None:
        self._port = port
        self._arp = arp
        self._timer = timer
        self._macs: dict[str, str] = {}
        self._read_at = float("-inf")
        self._asking: dict[str, asyncio.Task[frozenset[str]]] = {}
        self._silent: dict[str, float] = {}
        """{host: when it last answered nothing}"""

    async def ask(self, host: str, silent_for: float = SILENT_LASTS) -> Evidence:
        """The evidence about a host; none of one that answers nothing. All who ask at the same time
        share one question. One that was silent in the last `silent_for` seconds is not asked; an
        answer is never used again, as another device may be there a moment later."""
        endpoints = frozenset[str]()
        if self._timer() - self._silent.get(host, float("-inf")) >= silent_for:
            endpoints = await asyncio.shield(self._question(host))
        possible = {mac for endpoint in endpoints for mac in _macs_in(endpoint)}
        keys = frozenset(f"{identity.ENDPOINT}{endpoint}" for endpoint in endpoints)
        return Evidence(self.mac_of(host), keys, frozenset(possible))

    def forget(self, host: str) -> None:
        """Ask the host again, even if it was silent a moment ago."""
        self._silent.pop(host, None)

    async def close(self) -> None:
        """Cancel the questions that are under way."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _question(self, host: str) -> asyncio.Task[frozenset[str]]:
        task = self._asking.get(host)
        if task is None:
            task = self._asking[host] = asyncio.create_task(self._endpoints(host))
            task.add_done_callback(lambda _task: self._asking.pop(host, None))
        return task

    async def _endpoints(self, host: str) -> frozenset[str]:
        # Its datagram also makes the kernel ask for the MAC.
        with suppress(OSError, ValueError, CannotAsk):
            matches = await unicast_probe(host, TIMEOUT, self._port)
            if endpoints := frozenset(match.endpoint for match in matches if match.endpoint):
                self._silent.pop(host, None)
                return endpoints
        if len(self._silent) >= MAX_SILENT:
            self._silent.clear()
        self._silent[host] = self._timer()
        return frozenset()

    def mac_of(self, host: str) -> str | None:
        """The key of the MAC at an address of our own link; None for any other, and for a MAC that
        answers for several addresses, as routers do."""
        now = self._timer()
        if now - self._read_at >= ARP_LASTS:
            self._read_at = now
            self._macs = _table(self._arp)
        return self._macs.get(host)


def _table(path: Path) -> dict[str, str]:
    """{address: key of the MAC} of the complete entries; empty where there is no such table."""
    try:
        lines = path.read_text("ascii", "replace").splitlines()[1:]
    except OSError:
        return {}
    rows = [line.split() for line in lines]
    macs = {row[0]: row[3] for row in rows if len(row) >= 6 and _is_complete(row[2])}
    times = Counter(macs.values())
    keys = {host: identity.mac_key(mac) for host, mac in macs.items() if times[mac] == 1}
    return {host: key for host, key in keys.items() if key}


def _is_complete(flags: str) -> bool:
    try:
        return bool(int(flags, 16) & COMPLETE)
    except ValueError:
        return False


def _macs_in(endpoint: str) -> Iterator[str]:
    """The keys of the MAC at the end of a UUID, as it is and read backwards."""
    digits = endpoint.replace("-", "")[-DIGITS:]
    pairs = [digits[place : place + 2] for place in range(0, DIGITS, 2)]
    for text in (digits, "".join(reversed(pairs))):
        if key := identity.mac_key(text):
            yield key
