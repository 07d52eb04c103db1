"""WS-Discovery: ask an address, or every network of this server, which ONVIF devices are there.

A datagram proves little: anybody can send one with any endpoint reference. It proves who is at an
address only as far as nobody on the way forges it.
"""

import asyncio
import socket
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from fleet.model import CannotAsk
from sources import net
from sources import ws_discovery_wire as wire
from sources.ws_discovery_wire import ProbeMatch

SCOPE = "onvif"
TRIES = 3
BUFFER = 65_535
LONGEST_READ = 0.005
"""Seconds of reading after which other work gets its turn. The rest waits in the socket."""
MAX_HEARD = 20_000
"""Different devices of one search."""
MAX_OF_SENDER = 64
MAX_OF_ENDPOINT = 64
"""Senders of one endpoint reference: all cameras of a cheap model can have the same."""


async def unicast_probe(
    host: str,
    timeout: float,  # noqa: ASYNC109  each of the tries has its part of it
    port: int = wire.PORT,
) -> list[ProbeMatch]:
    """Ask one address; the matches that it sent itself, empty if none came in `timeout` seconds.

    Raises OSError for a host that has no address, and CannotAsk if nothing could be sent.
    """
    loop = asyncio.get_running_loop()
    family, _, _, _, address = (
        await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM, proto=socket.IPPROTO_UDP)
    )[0]
    matches = asyncio.Queue[list[ProbeMatch]]()

    def read() -> None:
        for data, sender in _datagrams(sock):
            if sender == _name(address):
                with suppress(wire.InvalidReply):
                    matches.put_nowait(wire.parse(data, sender))

    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        loop.add_reader(sock, read)
        try:
            for _ in range(TRIES):
                _ask(sock, address)
                with suppress(TimeoutError):
                    return await asyncio.wait_for(matches.get(), timeout / TRIES)
        finally:
            loop.remove_reader(sock)
    return []


def _ask(sock: socket.socket, address: tuple[object, ...]) -> None:
    """Send each question once. Raises CannotAsk if this server cannot."""
    for types in wire.ANYBODY:
        try:
            sock.sendto(wire.probe(str(uuid.uuid4()), types), address)
        except OSError as error:
            if net.cannot_ask(error):
                raise CannotAsk(SCOPE, net.reason_of(error)) from error


def _datagrams(sock: socket.socket) -> Iterator[tuple[bytes, str]]:
    """Read what waits in the socket, with the address of each sender, without blocking. Ends after
    LONGEST_READ, in which the time of the caller for each datagram is included."""
    end = time.monotonic() + LONGEST_READ
    while time.monotonic() < end:
        try:
            data, sender = sock.recvfrom(BUFFER)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            # An ICMP "port unreachable" for something we sent; the socket is fine.
            continue
        yield data, _name(sender)


def _name(sender: tuple[object, ...]) -> str:
    """The address of a socket's address; an IPv6 link-local one with its interface."""
    host = str(sender[0]).partition("%")[0]
    if len(sender) == 4 and (number := int(str(sender[3]))):
        with suppress(OSError):
            return f"{host}%{socket.if_indextoname(number)}"
    return host


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """`targets` empty: the multicast groups on every interface. `asks`: when to send, and
    `window`: when to stop listening, in seconds from the start of a search."""

    targets: tuple[str, ...] = ()
    port: int = wire.PORT
    asks: tuple[float, ...] = (0, 0.5, 1.5)
    window: float = 4.0


@dataclass(frozen=True, slots=True)
class Line:
    """A socket that sends by one interface, and the addresses to ask by it."""

    interface: str
    sock: socket.socket
    addresses: tuple[tuple[object, ...], ...]


@dataclass(slots=True)
class Search:
    """One search: what it asked and heard. `scopes` counts the questions of each interface,
    `refused` the datagrams that are no match, by reason."""

    options: SearchOptions
    answers: int = 0
    scopes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    _heard: Counter[tuple[str, str]] = field(default_factory=Counter)
    _endpoints: Counter[str] = field(default_factory=Counter)
    _senders: Counter[str] = field(default_factory=Counter)
    _matches: asyncio.Queue[ProbeMatch] = field(default_factory=asyncio.Queue)

    async def run(self) -> AsyncIterator[ProbeMatch]:
        """Each match that came twice, when it came for the second time. Ends with the window.

        Raises CannotAsk if nothing can be asked.
        """
        loop = asyncio.get_running_loop()
        lines = self._lines()
        for line in lines:
            loop.add_reader(line.sock, self._read, line)
        asking = asyncio.create_task(self._send_all(lines))
        end = loop.time() + self.options.window
        try:
            while (left := end - loop.time()) > 0:
                with suppress(TimeoutError):
                    yield await asyncio.wait_for(self._matches.get(), left)
            while not self._matches.empty():
                yield self._matches.get_nowait()
        finally:
            asking.cancel()
            for line in lines:
                loop.remove_reader(line.sock)
                line.sock.close()
        if not self.scopes:
            raise CannotAsk(SCOPE, next(iter(self.failed.values()), "no network interface is up"))

    async def _send_all(self, lines: list[Line]) -> None:
        start = asyncio.get_running_loop().time()
        for moment in self.options.asks:
            await asyncio.sleep(start + moment - asyncio.get_running_loop().time())
            for line in lines:
                self._send(line)

    def _send(self, line: Line) -> None:
        scope, trouble = f"{SCOPE}:{line.interface}", ""
        for address in line.addresses:
            try:
                _ask(line.sock, address)
                self.scopes[scope] += len(wire.ANYBODY)
            except CannotAsk as error:
                trouble = error.reason
        if self.scopes[scope]:
            self.failed.pop(scope, None)
        else:
            del self.scopes[scope]
            self.failed[scope] = trouble

    def _read(self, line: Line) -> None:
        for data, sender in _datagrams(line.sock):
            try:
                matches = wire.parse(data, sender, line.interface)
            except wire.InvalidReply as error:
                self.refused[str(error)] += 1
                continue
            self.answers += 1
            for match in matches:
                self._hear(match)

    def _hear(self, match: ProbeMatch) -> None:
        key = match.endpoint or " ".join(match.xaddrs), match.sender
        if key not in self._heard and not self._has_room(match):
            return
        self._heard[key] += 1
        if self._heard[key] == 2:
            self._matches.put_nowait(match)

    def _has_room(self, match: ProbeMatch) -> bool:
        """Count a device that was not heard before, unless there are too many like it."""
        endpoints = self._endpoints[match.endpoint] if match.endpoint else 0
        if endpoints >= MAX_OF_ENDPOINT or self._senders[match.sender] >= MAX_OF_SENDER:
            self.refused["contradictory responses"] += 1
            return False
        if len(self._heard) >= MAX_HEARD:
            self.refused["more devices than one scan can handle"] += 1
            return False
        self._endpoints[match.endpoint] += 1
        self._senders[match.sender] += 1
        return True

    # -- sockets -------------------------------------------------------------------------

    def _lines(self) -> list[Line]:
        if self.options.targets:
            return [line for target in self.options.targets if (line := self._to(target))]
        interfaces = [known for known in net.interfaces() if not known.address.startswith("127.")]
        lines = [self._multicast(interface) for interface in interfaces]
        names = dict.fromkeys(interface.name for interface in interfaces)
        return [line for line in (*lines, *map(self._multicast_ipv6, names)) if line]

    def _to(self, target: str) -> Line | None:
        interface = net.interface_towards(target)
        if interface is None:
            self.failed[f"{SCOPE}:{target}"] = f"no route to {target}"
            return None
        sock = _socket(socket.AF_INET)
        return Line(interface.name, sock, ((target, self.options.port),))

    def _multicast(self, interface: net.Interface) -> Line | None:
        sock = _socket(socket.AF_INET)
        try:
            own = socket.inet_aton(interface.address)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sock.bind((interface.address, 0))
        except OSError as error:
            sock.close()
            self.failed[f"{SCOPE}:{interface.name}"] = net.reason_of(error)
            return None
        return Line(interface.name, sock, ((wire.GROUP, self.options.port),))

    def _multicast_ipv6(self, name: str) -> Line | None:
        """None for an interface without IPv6, which is no trouble."""
        sock: socket.socket | None = None
        try:
            number = socket.if_nametoindex(name)
            sock = _socket(socket.AF_INET6)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, number)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
            sock.bind(("::", 0))
        except OSError:
            if sock is not None:
                sock.close()
            return None
        return Line(name, sock, ((wire.GROUP_IPV6, self.options.port, 0, number),))


def _socket(family: socket.AddressFamily) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, net.RECEIVE_BUFFER)
    return sock
