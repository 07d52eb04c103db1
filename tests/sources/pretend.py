"""Devices that the simulator does not have: they answer whatever a test wants."""

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from fleet.model import Coverage, Finding, Report, Sighting
from sources import panasonic
from tests.sources.easy_ip import datagram, plain_tags

SECOND = "127.0.0.2"
"""Where a responder listens, so that the simulator can have 127.0.0.1 beside it."""


@contextmanager
def responder(
    port: int, reply_port: int, answers: Callable[[int], Iterable[bytes]], host: str = SECOND
) -> Iterator[None]:
    """Answer the n-th datagram that comes to host:port with all of `answers(n)`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, port))
        sock.settimeout(0.05)
        done = Event()

        def answer() -> None:
            for number in itertools.count():
                while True:
                    if done.is_set():
                        return
                    try:
                        sock.recv(2048)
                        break
                    except TimeoutError:
                        continue
                for data in answers(number):
                    sock.sendto(data, ("127.0.0.1", reply_port))

        thread = Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def forged(number: int) -> bytes:
    """A valid answer of a device whose MAC is made of the number."""
    mac = "02:f0:" + number.to_bytes(4, "big").hex(":")
    return datagram(plain_tags(f"127.66.{number >> 8 & 255}.{number & 255}"), mac=mac)


async def collect(options: panasonic.EasyIpOptions) -> list[Report | Coverage]:
    """Everything that one discovery yields."""
    source = panasonic.source(options)
    assert source.discover
    return [report async for report in source.discover()]


def discover(options: panasonic.EasyIpOptions) -> list[Report | Coverage]:
    return asyncio.run(collect(options))


def macs(reports: Iterable[Report | Coverage]) -> list[str]:
    """The MACs of the sightings, in their order."""
    return [report.identities[0][4:] for report in reports if isinstance(report, Sighting)]


def findings(reports: Iterable[Report | Coverage]) -> list[Finding]:
    return [report for report in reports if isinstance(report, Finding)]


def coverage(reports: Iterable[Report | Coverage]) -> Coverage:
    (report,) = [report for report in reports if isinstance(report, Coverage)]
    return report
