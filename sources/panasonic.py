"""Panasonic and i-PRO cameras and recorders: a broadcast question, answers to everyone.

Devices answer to 255.255.255.255 on the reply port, whatever port asked, so one socket on
that port stays open while the monitor runs. A question can be lost, so one scan asks in
bursts, as the vendor's tool does; every answer is the same for every question.

Nothing proves who sent a datagram. A device therefore enters only when it was heard twice in
a scan: one that changes its MAC in every answer never is. What is heard without a question is
no proof at all until the device has answered one that went to its address alone.
"""

import asyncio
import socket
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from fleet.model import DEFAULT_SITE, CannotAsk, Coverage, Finding, Report, Sighting, SourceDown
from sources import net
from sources import panasonic_wire as wire
from sources.source import Cause, Reports, Source

NAME = "panasonic"
MAX_MACS = 20_000
MAX_ANSWERS = 4_000
MAX_UNSOLICITED = 1_000
MAX_REPORTS = 3
"""How often one scan tells a device whose answers contradict each other."""
UNSOLICITED_EVERY = timedelta(seconds=30)
READ_EVERY = 1.0
"""Seconds for which our interfaces are taken to be the same, when devices announce themselves."""
CONFIRM_WITHIN = 5.0
"""Seconds for the answer to a question that went to one device."""
MAX_ASKED = 100
CHUNK = 256
Line = tuple[net.Interface, socket.socket, list[str]]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class EasyIpOptions:
    """`targets` empty: the broadcast addresses of every interface. `asks`: when to send,
    and `window`: when to stop listening, in seconds from the start of a scan."""

    clock: Callable[[], datetime]
    targets: tuple[str, ...] = ()
    port: int = 10670
    reply_port: int = 10669
    asks: tuple[float, ...] = (0, 0.15, 0.3, 1, 1.15, 1.3, 2, 2.15, 2.3, 3, 3.15, 3.3)
    window: float = 4.0


@dataclass(frozen=True, slots=True)
class Options:
    """Options of this source, by their names in `settings.py`."""

    easy_ip_targets: tuple[str, ...]
    easy_ip_port: int
    easy_ip_reply_port: int


def build(options: Options, clock: Callable[[], datetime]) -> Source:
    """Build the source with the options of `settings.py`."""
    targets, port = options.easy_ip_targets, options.easy_ip_port
    return source(EasyIpOptions(clock, targets, port, options.easy_ip_reply_port))


def source(options: EasyIpOptions) -> Source:
    client = EasyIpClient(options)
    return Source(
        NAME,
        "Panasonic and i-PRO",
        timeout=options.window + 5,
        discover=client.discover,
        listen=client.listen,
        confirm=client.confirm,
        names_kind=True,
        causes=_causes(options),
    )


def _causes(options: EasyIpOptions) -> tuple[Cause, ...]:
    low, high = sorted((options.reply_port, options.port))
    return (
        Cause(
            "This server is not on the cameras' network. Broadcasts do not cross a router.",
            "Connect it to the same network or VLAN as the cameras, then scan again. One of the "
            "addresses that this command shows must be in the cameras' network:",
            "ip -4 address",
        ),
        Cause(
            f"A firewall on this server blocks UDP ports {low} and {high}.",
            "Open both ports for incoming datagrams.",
            f"sudo ufw allow {low}:{high}/udp",
        ),
        Cause(
            "The switch or access point isolates its clients from each other.",
            "Turn off client isolation for this server and the cameras.",
        ),
        Cause(
            "The cameras are off, still starting, or of another manufacturer.",
            "Check their power. This scan finds Panasonic and i-PRO devices only.",
        ),
    )


@dataclass(slots=True)
class Discovery:
    """The progress of one discovery. `reported` counts the reports of each MAC."""

    reports: asyncio.Queue[Report]
    heard: dict[str, wire.SearchReply] = field(default_factory=dict)
    reported: Counter[str] = field(default_factory=Counter)
    contested: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    scopes: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    answers: int = 0

    def coverage(self) -> Coverage:
        return Coverage(
            NAME,
            tuple(sorted(self.scopes)),
            self.requests,
            self.answers,
            self.refused,
            self.failed,
            self.scopes,
        )


class EasyIpClient:
    """The sockets, and what was heard lately."""

    def __init__(self, options: EasyIpOptions) -> None:
        self.options = options
        self._listener: socket.socket | None = None
        self._users = 0
        self._discovery: Discovery | None = None
        self._unsolicited: asyncio.Queue[Report] = asyncio.Queue()
        self._asked: OrderedDict[str, tuple[str, float]] = OrderedDict()  # MAC: address, until
        self._hearings: OrderedDict[str, int] = OrderedDict()
        self._answers: OrderedDict[bytes, wire.SearchReply] = OrderedDict()
        self._said_at: OrderedDict[str, datetime] = OrderedDict()
        self._own: list[net.Interface] = []
        self._read_again_at = float("-inf")

    # -- the two doors -----------------------------------------------------------------

    async def listen(self) -> Reports:
        """Listen for announcements, and for answers to other tools."""
        self._open()
        try:
            yield SourceDown(NAME, self.options.clock(), "", up=True)
            while True:
                yield await self._unsolicited.get()
        finally:
            self._close()

    def confirm(self, sighting: Sighting) -> bool:
        """Ask the device of an unasked sighting, if it is on one of our own subnets."""
        address = sighting.address
        if self._listener is None or address is None:
            return False
        interface = net.interface_beside(address, self._interfaces(), self.options.targets)
        if interface is None:
            return False
        request = wire.search(interface.mac, interface.address)
        try:
            self._listener.sendto(request, (address, self.options.port))
        except OSError:
            return False
        until = asyncio.get_running_loop().time() + CONFIRM_WITHIN
        _remember(self._asked, sighting.identities[0][4:], (address, until), MAX_ASKED)
        return True

    def _interfaces(self) -> list[net.Interface]:
        """Ours, read once a second at most, however many announce themselves."""
        now = asyncio.get_running_loop().time()
        if now >= self._read_again_at:
            self._own, self._read_again_at = net.interfaces(), now + READ_EVERY
        return self._own

    async def discover(self) -> Reports:
        """Ask on every interface, in bursts, and tell what answers."""
        self._open()
        discovery = self._discovery = Discovery(asyncio.Queue())
        asking = asyncio.create_task(self._send_all(discovery))
        try:
            async for report in _until_done(discovery.reports, asking):
                yield report
            await asking
            for finding in self._shared_addresses(discovery):
                yield finding
            yield discovery.coverage()
        finally:
            self._discovery = None
            asking.cancel()
            self._close()

    def _open(self) -> None:
        """Open the listening socket for one more user. Raises CannotAsk."""
        port = self.options.reply_port
        if self._listener is None:
            try:
                self._listener = net.listening_socket(port)
            except OSError as error:
                raise CannotAsk(
                    NAME,
                    f"UDP port {port} cannot be opened: {net.reason_of(error)}. Find the "
                    f"program that uses it with: ss -ulpn 'sport = :{port}'. Stop it, then "
                    "scan again.",
                ) from error
            asyncio.get_running_loop().add_reader(self._listener, self._read, self._listener)
        self._users += 1

    def _close(self) -> None:
        self._users -= 1
        if self._users == 0 and self._listener is not None:
            self._forget(self._listener)
            self._listener = None

    def _forget(self, sock: socket.socket) -> None:
        with suppress(RuntimeError):
            asyncio.get_running_loop().remove_reader(sock)
        sock.close()

    # -- asking ------------------------------------------------------------------------

    async def _send_all(self, discovery: Discovery) -> None:
        lines = self._lines(discovery)
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            for moment in self.options.asks:
                await asyncio.sleep(start + moment - loop.time())
                for interface, sock, hosts in lines:
                    self._send(discovery, interface, sock, hosts)
            await asyncio.sleep(start + self.options.window - loop.time())
        finally:
            for _interface, sock, _hosts in lines:
                self._forget(sock)

    def _lines(self, discovery: Discovery) -> list[Line]:
        """A sending socket for each interface, with the hosts to ask by it."""
        lines = []
        for interface, hosts in self._routes(discovery):
            try:
                sock = net.broadcast_socket(interface, self.options.reply_port)
            except OSError as error:
                discovery.failed[f"{NAME}:{interface.name}"] = net.reason_of(error)
                continue
            # A unicast answer comes to the socket that is bound more closely: this one.
            asyncio.get_running_loop().add_reader(sock, self._read, sock)
            lines.append((interface, sock, hosts))
        return lines

    def _routes(self, discovery: Discovery) -> list[tuple[net.Interface, list[str]]]:
        """The addresses to ask, by interface. Raises CannotAsk when there is none."""
        routes = self._to_targets(discovery) if self.options.targets else net.broadcast_interfaces()
        if routes:
            return routes
        if self.options.targets:
            first = self.options.targets[0]
            raise CannotAsk(NAME, f"No route to {first}. Check EASY_IP_TARGETS and the network.")
        raise CannotAsk(
            NAME,
            "No network interface with an IPv4 address is up. Connect this server to the "
            "cameras' network (ip address shows the interfaces), then scan again.",
        )

    def _to_targets(self, discovery: Discovery) -> list[tuple[net.Interface, list[str]]]:
        routes: dict[net.Interface, list[str]] = {}
        for target in self.options.targets:
            interface = net.interface_towards(target)
            if interface is None:
                discovery.failed[f"{NAME}:{target}"] = f"no route to {target}"
            else:
                routes.setdefault(interface, []).append(target)
        return list(routes.items())

    def _send(
        self, discovery: Discovery, interface: net.Interface, sock: socket.socket, hosts: list[str]
    ) -> None:
        scope = f"{NAME}:{interface.name}"
        request = wire.search(interface.mac, interface.address)
        sent, trouble = 0, ""
        for host in hosts:
            try:
                sock.sendto(request, (host, self.options.port))
                sent += 1
            except OSError as error:
                trouble = net.reason_of(error)
        discovery.requests += sent
        if sent:
            discovery.scopes[scope] += sent
            discovery.failed.pop(scope, None)
        else:
            discovery.failed[scope] = trouble

    # -- hearing -----------------------------------------------------------------------

    def _read(self, sock: socket.socket) -> None:
        """Called by the loop when the socket has something; other work gets its turn."""
        for datagram in net.received_datagrams(sock, CHUNK):
            self._hear(datagram)

    def _hear(self, datagram: net.Datagram) -> None:
        if datagram.is_cut:
            self._refuse("invalid length")
            return
        answer = self._answers.get(datagram.data)
        if answer is None:
            try:
                answer = wire.parse(datagram.data)
            except wire.InvalidReply as error:
                self._refuse(str(error))
                return
            _remember(self._answers, datagram.data, answer, MAX_ANSWERS)
        self._confirmed(answer, datagram)
        discovery = self._discovery if answer.command == wire.REPLY else None
        if discovery is not None:
            discovery.answers += 1
        count = self._hearings.get(answer.mac, 0) + 1
        _remember(self._hearings, answer.mac, count)
        if count > 1 and discovery is not None:
            self._tell(discovery, answer, datagram)
        elif count > 1:
            self._tell_unsolicited(answer, datagram)

    def _confirmed(self, answer: wire.SearchReply, datagram: net.Datagram) -> None:
        """True if it answers a question that went to this device alone: then it is there."""
        address, until = self._asked.get(answer.mac, ("", 0.0))
        is_from_there = datagram.sender == answer.address == address
        if answer.command != wire.REPLY or not is_from_there:
            return
        del self._asked[answer.mac]
        if asyncio.get_running_loop().time() <= until:
            _remember(self._said_at, answer.mac, self.options.clock())
            for report in reports(answer, datagram.interface, self.options.clock()):
                self._unsolicited.put_nowait(report)

    def _refuse(self, reason: str) -> None:
        if self._discovery is not None:
            self._discovery.refused[reason] += 1

    def _tell(self, discovery: Discovery, answer: wire.SearchReply, datagram: net.Datagram) -> None:
        if discovery.heard.get(answer.mac) == answer:
            return
        if discovery.reported[answer.mac] >= MAX_REPORTS:
            self._refuse("contradictory responses")
            return
        if answer.mac not in discovery.heard and len(discovery.heard) >= MAX_MACS:
            self._refuse("more devices than one scan can handle")
            return
        discovery.reported[answer.mac] += 1
        before = discovery.heard.get(answer.mac)
        if before is not None and before.address != answer.address:
            discovery.contested.add(answer.mac)
        discovery.heard[answer.mac] = answer
        for report in reports(answer, datagram.interface, self.options.clock()):
            discovery.reports.put_nowait(report)

    def _tell_unsolicited(self, answer: wire.SearchReply, datagram: net.Datagram) -> None:
        at, reported = self.options.clock(), self._said_at.get(answer.mac)
        if reported is not None and timedelta() <= at - reported < UNSOLICITED_EVERY:
            return
        if self._unsolicited.qsize() < MAX_UNSOLICITED:
            _remember(self._said_at, answer.mac, at)
            self._unsolicited.put_nowait(_unproved(answer, datagram.interface, at))

    def _shared_addresses(self, discovery: Discovery) -> list[Finding]:
        """Two devices that answered one scan with the same address. Whose MAC is contested
        could put anybody's address to shame."""
        holders: dict[str, list[str]] = {}
        for mac, answer in discovery.heard.items():
            if answer.address and mac not in discovery.contested:
                holders.setdefault(answer.address, []).append(mac)
        at = self.options.clock()
        return [
            _shared(mac, address, [other for other in macs if other != mac], at)
            for address, macs in holders.items()
            for mac in macs
        ]


async def _until_done(
    reports: asyncio.Queue[Report], asking: asyncio.Task[None]
) -> AsyncIterator[Report]:
    """Yield from the queue until the task has ended and the queue is empty."""
    while True:
        while not reports.empty():
            yield reports.get_nowait()
        if asking.done():
            return
        getting = asyncio.ensure_future(reports.get())
        try:
            await asyncio.wait((getting, asking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not getting.done():
                getting.cancel()
        if getting.done() and not getting.cancelled():
            yield getting.result()


def _remember(memory: OrderedDict[K, V], key: K, value: V, most: int = MAX_MACS) -> None:
    """Keep it, and forget what was not heard for the longest time."""
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > most:
        memory.popitem(last=False)


def sighting_of(answer: wire.SearchReply, interface: str, at: datetime) -> Sighting:
    """An answer as a sighting of its device."""
    return Sighting(
        DEFAULT_SITE,
        (f"mac:{answer.mac}",),
        NAME,
        at,
        kind=answer.kind,
        address=answer.address,
        port=answer.port,
        name=answer.name,
        model=answer.model,
        serial=answer.serial,
        firmware=answer.firmware,
        facts=answer.facts,
        scope=f"{NAME}:{interface}" if interface else None,
    )


def _unproved(answer: wire.SearchReply, interface: str, at: datetime) -> Sighting:
    return replace(sighting_of(answer, interface, at), only_alive=True)


def reports(answer: wire.SearchReply, interface: str, at: datetime) -> list[Report]:
    """An answer as a sighting, and the findings that it proves or clears."""
    key = f"mac:{answer.mac}"
    reports: list[Report] = [sighting_of(answer, interface, at)]
    if answer.password_set is not None:
        text = "no administrator password is set: anyone on the network can take control of it"
        reports.append(Finding(key, "password.unset", at, text, NAME, cleared=answer.password_set))
    if answer.setup_open is not None:
        text = (
            "its setup window is open: for 20 minutes after it starts, anyone on the network can "
            "change its address"
        )
        reports.append(Finding(key, "setup.open", at, text, NAME, cleared=not answer.setup_open))
    return reports


def _shared(mac: str, address: str, others: list[str], at: datetime) -> Finding:
    text = f"{address} is also the address of {', '.join(others[:5])}"
    evidence = {"address": address, "others": others[:20]}
    return Finding(f"mac:{mac}", "address.shared", at, text, NAME, evidence, cleared=not others)
