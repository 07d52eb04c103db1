"""The state of one recorder at Dahua's cloud: where it is registered, and whether it answers."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet.model import CannotAsk, NoAnswer
from sources.easy4ip_cloud import (
    Address,
    CloudClock,
    KeyRejected,
    KeyUnknown,
    ResponseTimes,
    Server,
    ServerBusy,
    ServerError,
    TokenBucket,
)
from sources.easy4ip_wire import CloudResponse, KeyPair, facts_of, server_of

NAME = "dahua"
WAITS = (0.3, 0.6, 0.9, 1.2)
"""Seconds after each sending of one request until it is sent again, or given up."""
LOOKUP_KEPT = 300.0
"""Seconds for which the P2P server of a serial is remembered."""
RequestCounts = Mapping[int, tuple[int, int, Counter[str]]]
"""Requests, answers and refused datagrams of each server when a sweep began."""
LONG_SILENCE = 600.0
"""Seconds after which silence alone takes the only recorder of a P2P server offline."""
NO_REQUESTS: tuple[int, int, Counter[str]] = (0, 0, Counter())


@dataclass(frozen=True, slots=True)
class Easy4IpOptions:
    """`server` is host and port; `rate` and `burst` are new requests a second to one server."""

    clock: Callable[[], datetime]
    server: Address
    keys: KeyPair
    rate: float = 200.0
    burst: float = 500.0
    waits: Sequence[float] = WAITS
    most: int = 2000
    """Recorders that are being asked about at once."""
    alone: int = 200
    """Of these, by sockets of their own."""
    long_silence: float = LONG_SILENCE
    interval: float = 60.0
    """Seconds between two sweeps."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one round for one recorder. `state` is online, offline, unknown, silent (no
    answer from its P2P server), cut off (nor does that server answer about others), unasked (no
    answer from the main one), busy, failing or refused."""

    state: str
    reason: str = ""
    server: Address | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    latency: float | None = None


class CloudClient:
    """The servers of the cloud, as far as they are needed, for one event loop."""

    def __init__(self, options: Easy4IpOptions) -> None:
        self.options = options
        self.clock = CloudClock(options.clock)
        self.response_times = ResponseTimes()
        self._servers: dict[Address, Server] = {}
        self.silent_since: dict[str, float] = {}
        """Since when serials were silent at their P2P server while the main one answered."""
        self._places: dict[str, tuple[float, Address, str]] = {}
        """When a serial was looked up, its P2P server, and how the cloud spells it."""
        self.sweeps = 0
        """How many run now: one of all and one of a few may run side by side."""
        self._registered: dict[str, tuple[float, Address]] = {}
        self._main: Address | None = None
        self._opening = asyncio.Lock()

    def servers(self) -> Iterable[Server]:
        return self._servers.values()

    async def main(self, silent: Server | None = None) -> Server:
        """The main server: the one that answered before, else the next one of its name's
        addresses. Raises CannotAsk when the name leads nowhere."""
        known = self._servers.get(self._main) if self._main else None
        if known is not None and known is not silent:
            return known
        host, port = self.options.server
        loop = asyncio.get_running_loop()
        try:
            resolved = await loop.getaddrinfo(
                host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM
            )
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise CannotAsk(
                NAME,
                f"{host} cannot be resolved ({why}). Check the internet connection and the "
                "DNS of this server.",
            ) from error
        places = [(str(entry[4][0]), port) for entry in resolved]
        self._main = next((place for place in places if place != self._main), places[0])
        return await self.server(self._main)

    async def server(self, address: Address) -> Server:
        """The server at this address, with its socket open. Raises CannotAsk."""
        async with self._opening:
            known = self._servers.get(address)
            if known is not None:
                return known
            options = self.options
            bucket = TokenBucket(options.rate, options.burst)
            server = Server(self.clock, options.keys, bucket, options.waits, self.response_times)
            try:
                await server.open(address)
            except OSError as error:
                raise CannotAsk(
                    NAME,
                    f"no route to {address[0]} ({error.strerror}). Check the internet "
                    "connection of this server.",
                ) from error
            self._servers[address] = server
            return server

    def heard(self, address: Address, since: float) -> bool:
        """True if the server at this address answered anything since."""
        known = self._servers.get(address)
        return known is not None and known.heard_at >= since

    def answers_with_zero(self, address: Address, since: float) -> bool:
        """True if the server at this address answered with CSeq 0 since."""
        known = self._servers.get(address)
        return known is not None and known.zero_at >= since

    def registered(self) -> dict[str, Address]:
        """The P2P server of each serial that was asked about lately, in whichever sweep."""
        now = asyncio.get_running_loop().time()
        return {
            path: place
            for path, (at, place) in self._registered.items()
            if now - at < self.options.long_silence
        }

    def register(self, servers: Mapping[str, Address | None]) -> None:
        """Remember where these serials are registered, if they are."""
        now = asyncio.get_running_loop().time()
        others = self.registered().keys() - servers.keys()
        older = {path: self._registered[path] for path in others}
        newer = {path: (now, place) for path, place in servers.items() if place}
        self._registered = {**older, **newer}

    def close(self) -> None:
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def close_silent(self, before: RequestCounts) -> None:
        """Close the sockets that got no answer in this sweep: a socket keeps the address that
        this machine had when it was opened, and the line can be another one now. Another sweep
        that runs can be using one of them."""
        if self.sweeps > 1:
            return
        now = asyncio.get_running_loop().time()
        for address, server in list(self._servers.items()):
            if (
                server.answers == before.get(id(server), NO_REQUESTS)[1]
                and server.backoff.until <= now
            ):
                server.close()
                del self._servers[address]

    # -- one recorder --------------------------------------------------------------------

    async def check(self, serial: str, main: Server, alone: bool = False) -> CheckResult:
        """One round: lookup unless remembered, probe, info; `alone` by sockets of its own."""
        began = asyncio.get_running_loop().time()
        try:
            place = self._places.get(serial)
            if place is None or began - place[0] > LOOKUP_KEPT:
                location = await self._look_up_spellings(serial, main, alone)
                if isinstance(location, CheckResult):
                    return location
                self._places[serial] = place = (began, *location)
            result = await self._ask_there(place[2], place[1], alone)
        except ServerBusy as error:
            return CheckResult("busy", f"a cloud server is busy: {error}")
        except ServerError as error:
            return CheckResult("failing", f"a cloud server reported an error: {error}")
        if result.state != "online":
            self._places.pop(serial, None)
            return result
        latency = asyncio.get_running_loop().time() - began
        return CheckResult("online", "", place[1], result.facts, latency)

    async def _look_up_spellings(
        self, serial: str, main: Server, alone: bool
    ) -> tuple[Address, str] | CheckResult:
        """Look the serial up in capitals, as printed; as typed if the cloud does not know that."""
        first: CheckResult | None = None
        for spelling in dict.fromkeys((serial.upper(), serial)):
            result = await self._look_up(spelling, main, alone)
            if not isinstance(result, CheckResult):
                return result, spelling
            first = first or result
            if result.state != "unknown":
                return result
        assert first is not None
        return first

    async def _look_up(self, serial: str, main: Server, alone: bool) -> Address | CheckResult:
        try:
            async with _socket_to(main, alone) as server:
                answer = await server.ask(f"/online/p2psrv/{serial}")
        except NoAnswer as error:
            return CheckResult("unasked", f"the main cloud server: {error}")
        except KeyRejected as error:
            return CheckResult("refused", f"the main cloud server rejected the request: {error}")
        if answer.code >= 400:
            return CheckResult("unknown", f"not online in Dahua's cloud: {answer.code}")
        return server_of(answer) or CheckResult(
            "unknown", "Dahua's cloud returned no P2P server for it"
        )

    async def is_there(self, place: Address, serial: str) -> bool:
        """True if the P2P server at this address answers about a serial: done, or 404."""
        try:
            async with _socket_to(await self.server(place), alone=True) as server:
                await _with_or_without_keys(server, f"/probe/device/{serial.upper()}")
        except (NoAnswer, CannotAsk, KeyRejected, ServerBusy, ServerError):
            return False
        return True

    async def _ask_there(self, serial: str, place: Address, alone: bool) -> CheckResult:
        try:
            async with _socket_to(await self.server(place), alone) as server:
                probe = await _with_or_without_keys(server, f"/probe/device/{serial}")
                if probe.code >= 400:
                    return CheckResult(
                        "offline", f"not online on its P2P server: {probe.code}", place
                    )
                info = await _with_or_without_keys(server, f"/info/device/{serial}")
        except NoAnswer as error:
            return CheckResult("silent", f"its P2P server {place[0]}:{place[1]}: {error}", place)
        except CannotAsk as error:
            return CheckResult("silent", error.reason, place)
        except KeyRejected as error:
            return CheckResult("refused", f"its P2P server rejected the request: {error}", place)
        if info.code >= 400:
            return CheckResult("offline", f"not online on its P2P server: {info.code}", place)
        if info.body is None:
            return CheckResult("offline", "its P2P server sent an empty response", place)
        return CheckResult("online", "", place, facts_of(info))


def _socket_to(server: Server, alone: bool) -> AbstractAsyncContextManager[Server]:
    return server.dedicated_socket() if alone else nullcontext(server)


async def _with_or_without_keys(server: Server, path: str) -> CloudResponse:
    """Ask with the key pair, and without it a region that does not know it."""
    try:
        return await server.ask(path)
    except KeyUnknown:
        return await server.ask(path, with_keys=False)
