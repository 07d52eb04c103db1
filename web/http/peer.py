"""Find the user at the other end of a connection within this server, in the kernel's list."""

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakSet

TABLES = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
"""The connections of our own network namespace (proc(5)): a line has the number, the local and
the remote address, then at 7 the owner's number and at 9 the inode, which is 0 when no process
has the socket open any more; its owner is then shown as 0 too."""
UID, INODE = 7, 9
Address = tuple[str, int]
_proven: WeakSet[Any] = WeakSet()
"""Connections whose other end is proven; the kernel's list is long where there are many."""


def is_our_own(environ: Mapping[str, Any]) -> bool:
    """True if the user of this program, or root, is at the other end of the connection.

    A proxy or forwarder that another user runs does not, whatever it passes on. Once proven, it
    holds for the connection: the other end is the same socket for as long as there is one.
    """
    sock = environ.get("gunicorn.socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    if sock in _proven:
        return True
    try:
        peer, local = sock.getpeername()[:2], sock.getsockname()[:2]
    except OSError:
        return False  # it is gone already
    is_ours = connection_owner(peer, local) in (0, os.geteuid())
    if is_ours:
        _proven.add(sock)
    return is_ours


def connection_owner(peer: Address, local: Address) -> int | None:
    """The number of the user whose socket at `peer` is connected to `here`; None when no process
    of this network namespace has it open."""
    wanted = {
        f"{peer_form} {other}" for peer_form, other in zip(_forms(peer), _forms(local), strict=True)
    }
    for line in _lines():
        fields = line.split()
        if f"{fields[1]} {fields[2]}" in wanted and fields[INODE] != "0":
            return int(fields[UID])
    return None


def _lines() -> Iterator[str]:
    for table in TABLES:
        try:
            _titles, *lines = table.read_text().splitlines()
        except OSError:
            continue  # no IPv6 here, or no /proc: then nobody is parsed
        yield from lines


def _forms(address: Address) -> tuple[str, str]:
    """An address as the IPv4 and the IPv6 table write it: words of four bytes in the order of
    this processor, in hex. A socket of IPv6 shows an IPv4 address as ::ffff:127.0.0.1."""
    host, port = address
    parsed = ipaddress.ip_address(host.partition("%")[0])
    v4 = parsed if parsed.version == 4 else parsed.ipv4_mapped
    v6 = ipaddress.ip_address(f"::ffff:{parsed}") if parsed.version == 4 else parsed
    return _hex(v4.packed if v4 else b"", port), _hex(v6.packed, port)


def _hex(packed: bytes, port: int) -> str:
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{port:04X}"
