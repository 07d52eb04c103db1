"""The datagrams of an attacker: devices that are not there, and claims to those that are.

    python -m simulators.panasonic_ghosts --count 50000 --seconds 25 --reply-port 10669

Everything goes to 127.0.0.1.
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Iterable, Iterator

from simulators.panasonic import REPLY_PORT, Camera, build_reply, checksum

BIGGEST = 2048  # bytes of a datagram that its receivers read


def ghost(number: int, *, announced: bool = True, filled: bool = False) -> bytes:
    """A sound datagram of a device that is not there. `filled`: with as many unknown tags as
    fit into a datagram."""
    address = f"127.{66 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
    mac = "02:f0:" + number.to_bytes(4, "big").hex(":")
    datagram = build_reply(
        Camera(mac, address, f"Ghost {number}"), bytes(6), bytes(4), announcement=announced
    )
    return _with_tags(datagram, BIGGEST - len(datagram)) if filled else datagram


def claim(mac: str, address: str, *, announced: bool = True) -> bytes:
    """A sound datagram of a thief, who says that the device with this MAC is at this address."""
    return build_reply(Camera(mac, address, "Thief"), bytes(6), bytes(4), announcement=announced)


def ghosts(count: int, *, announced: bool = True, filled: bool = False) -> Iterator[bytes]:
    """Each ghost twice, so that a receiver that asks for a confirmation gets it."""
    for number in range(count):
        datagram = ghost(number, announced=announced, filled=filled)
        yield datagram
        yield datagram


def _with_tags(datagram: bytes, room: int) -> bytes:
    """Add unknown tags of 56 bytes each in front of the end mark."""
    tags = b"".join(
        (0x7000 + number).to_bytes(2, "big") + b"\0\x38" + number.to_bytes(1, "big") * 56
        for number in range(1, room // 60 + 1)
    )
    body = datagram[48:-4] + tags
    head = datagram[:2] + len(body).to_bytes(2, "big") + datagram[4:48]
    whole = head + body + b"\xff\xff"
    return whole + checksum(whole)


def flood(port: int, datagrams: Iterable[bytes], each_second: float = 10_000) -> int:
    """Send all to 127.0.0.1, so many a second. Returns their number."""
    sent, begin = 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for datagram in datagrams:
            sock.sendto(datagram, ("127.0.0.1", port))
            sent += 1
            if sent % 50 == 0:
                time.sleep(max(0.0, begin + sent / each_second - time.monotonic()))
    return sent


def main() -> None:
    """Send them once; see `--help`."""
    parser = argparse.ArgumentParser(
        "simulators.panasonic_ghosts",
        description="Simulated devices that lie about their identity.",
    )
    parser.add_argument(
        "--count", type=int, default=50_000, help="number of devices (default: 50000)"
    )
    parser.add_argument(
        "--seconds", type=float, default=25.0, help="seconds over which they are sent (default: 25)"
    )
    parser.add_argument(
        "--reply-port", type=int, default=REPLY_PORT, help=f"UDP port (default: {REPLY_PORT})"
    )
    parser.add_argument(
        "--answers", action="store_true", help="send responses instead of announcements"
    )
    parser.add_argument(
        "--filled", action="store_true", help="fill the datagrams with as many tags as fit"
    )
    given = parser.parse_args()
    lies = ghosts(given.count, announced=not given.answers, filled=given.filled)
    flood(given.reply_port, lies, 2 * given.count / given.seconds)


if __name__ == "__main__":
    main()
