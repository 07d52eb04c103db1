"""Network interfaces and UDP sockets, for every source that broadcasts."""

import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

RECEIVE_BUFFER = 4 << 20
USER_AGENT = "CameraMonitor"
"""Sent with every request of RTSP and HTTP: cameras answer 401 without one, whatever the login. A
product token has no blank."""
# Linux, ip(7); the socket module names it from Python 3.12 on.
IP_PKTINFO = 8
NO_MAC = bytes(6)


@dataclass(frozen=True, slots=True)
class Interface:
    """One IPv4 address of a network interface. `broadcast` is None where there is none."""

    name: str
    address: str
    broadcast: str | None
    mac: bytes
    netmask: str | None = None

    @property
    def subnet(self) -> IPv4Network:
        """The network behind it; only itself where no netmask is known."""
        return IPv4Interface(f"{self.address}/{self.netmask or 32}").network


@dataclass(frozen=True, slots=True)
class Datagram:
    """A received datagram. `interface`: where it came in; `is_cut`: longer than the buffer."""

    data: bytes
    sender: str
    interface: str
    is_cut: bool = False


def interfaces() -> list[Interface]:
    """Every IPv4 address of every interface that is up, loopback included."""
    import psutil

    stats = psutil.net_if_stats()
    usable = []
    for name, addresses in psutil.net_if_addrs().items():
        if name not in stats or not stats[name].isup:
            continue
        mac = next((_mac(row.address) for row in addresses if row.family == psutil.AF_LINK), NO_MAC)
        usable += [
            Interface(name, row.address, row.broadcast, mac, row.netmask)
            for row in addresses
            if row.family == socket.AF_INET
        ]
    return usable


def broadcast_interfaces() -> list[tuple[Interface, list[str]]]:
    """The interfaces on which a broadcast makes sense, with their broadcast addresses.

    Without one, an interface has its own address in that place.
    """
    usable = []
    for interface in interfaces():
        if not interface.address.startswith("127."):
            own = [interface.broadcast] if interface.broadcast != interface.address else []
            usable.append((interface, ["255.255.255.255", *(host for host in own if host)]))
    return usable


def interface_towards(host: str, own: Sequence[Interface] | None = None) -> Interface | None:
    """The interface from which the kernel would reach `host`; None without a route. `own`: the
    interfaces, where the caller has read them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            probe.connect((host, 9))
        except OSError:
            return None
        address = probe.getsockname()[0]
    known = interfaces() if own is None else own
    matches = [interface for interface in known if interface.address == address]
    return matches[0] if matches else Interface("lo", address, None, NO_MAC)


def interface_beside(
    host: str, own: Sequence[Interface], targets: Sequence[str] = ()
) -> Interface | None:
    """The one of our `own` interfaces on whose subnet `host` is, so that no router lies between.

    With `targets`, only where one of them is too, or for one of them itself. Loopback is a
    subnet only then.
    """
    address = IPv4Address(host)
    for interface in own:
        subnet = interface.subnet
        is_chosen = any(IPv4Address(target) in subnet for target in targets)
        if address not in subnet or not (is_chosen if targets else not address.is_loopback):
            continue
        if address not in (subnet.broadcast_address, IPv4Address(interface.address)):
            return interface
    return interface_towards(host, own) if host in targets else None


def listening_socket(port: int) -> socket.socket:
    """A UDP socket on every address that also tells the interface. Raises OSError."""
    sock = _datagram_socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        sock.bind(("0.0.0.0", port))
    except OSError:
        sock.close()
        raise
    return sock


def broadcast_socket(interface: Interface, port: int) -> socket.socket:
    """A UDP socket whose broadcasts leave by this interface. Raises OSError.

    Bound to the address, Linux sends even 255.255.255.255 by its interface; binding to
    the device too keeps that true when two interfaces share an address.
    """
    sock = _datagram_socket()
    try:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        with suppress(PermissionError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.name.encode())
        sock.bind((interface.address, port))
    except OSError:
        sock.close()
        raise
    return sock


def _datagram_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return sock


def received_datagrams(sock: socket.socket, most: int) -> Iterator[Datagram]:
    """Read up to `most` waiting datagrams from the socket, without blocking."""
    for _ in range(most):
        try:
            data, ancillary, flags, sender = sock.recvmsg(2048, 64)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            # An ICMP "port unreachable" for something we sent; the socket is fine.
            if error.errno == errno.ECONNREFUSED:
                continue
            return
        is_cut = bool(flags & socket.MSG_TRUNC)
        yield Datagram(data, sender[0], _interface(ancillary), is_cut)


def _interface(ancillary: list[tuple[int, int, bytes]]) -> str:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            with suppress(OSError):
                return socket.if_indextoname(struct.unpack_from("@i", data)[0])
    return ""


OUR_SIDE = frozenset(
    (errno.EACCES, errno.EPERM, errno.ENETUNREACH, errno.ENETDOWN, errno.ENODEV)
    + (errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EMFILE, errno.ENFILE, errno.ENOBUFS)
    + (errno.ENOMEM,)
)
"""Errors of this machine: nothing was asked, so they say nothing about a device."""


def cannot_ask(error: OSError) -> bool:
    """True if nothing was asked at all. Otherwise the error is how the device, or the network
    in front of it, answered: refused, reset, unreachable, timed out."""
    return error.errno in OUR_SIDE


UNRESOLVED = "the host name cannot be resolved"
"""The reason why nothing at a host name can be asked."""


def is_of_server(error: OSError) -> bool:
    """True if nothing that is asked can be asked. No route to one host is no such error while the
    server has a network: the routes to others do not depend on it."""
    return cannot_ask(error) and not (error.errno == errno.ENETUNREACH and has_network())


def has_network() -> bool:
    """True if an interface other than loopback is up and has an address."""
    return any(not interface.address.startswith("127.") for interface in interfaces())


def reason_of(error: OSError) -> str:
    """An error of a socket in plain words, with what to do."""
    if isinstance(error, socket.gaierror):
        return UNRESOLVED
    known = {
        errno.EADDRINUSE: "another program uses the port",
        errno.EACCES: "permission denied for this user, or blocked by a firewall rule",
        errno.EPERM: "blocked by a firewall on this server",
        errno.ENETUNREACH: "no route to it",
        errno.ENETDOWN: "the interface is down",
        errno.ENODEV: "the interface no longer exists",
        errno.EADDRNOTAVAIL: "the interface has no address",
        errno.EMFILE: "this program has too many open files (raise LimitNOFILE)",
        errno.ENFILE: "this server has too many open files",
        errno.ECONNREFUSED: "connection refused",
        errno.ECONNRESET: "connection closed by the device",
        errno.EHOSTUNREACH: "no host at this address",
        errno.ETIMEDOUT: "connection timed out",
    }
    return known.get(error.errno or 0, (error.strerror or str(error)).lower())


def _mac(text: str) -> bytes:
    with suppress(ValueError):
        mac = bytes.fromhex(text.replace(":", "").replace("-", ""))
        if len(mac) == 6:
            return mac
    return NO_MAC
