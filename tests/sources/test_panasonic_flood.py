"""Ten thousand datagrams a second against a real monitor: cameras are found, memory is bounded."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulators.panasonic import Camera, Network
from simulators.panasonic_ghosts import flood, ghosts
from tests.home import Running, until
from tests.sources import pretend
from tests.sources.easy_ip import OTHERS

Run = Callable[..., Running]
ROUND = 40_000  # forged MACs: twice what is remembered
CAMERAS = [Camera(f"d4:2d:c5:00:00:{n:02x}", f"127.20.0.{n}", f"Camera {n}") for n in range(1, 51)]
JUNK = [
    b"",
    b"hello",
    os.urandom(400),
    b"\0\1" + os.urandom(475),
    b"\0" * 1400,
    *(vector.data for vector in OTHERS),
]


@contextmanager
def cameras_of(monitor: Running) -> Iterator[Network]:
    host = "127.0.0.1"
    with Network(
        CAMERAS,
        listen=(host, int(monitor.environment["EASY_IP_PORT"])),
        reply_to=(host, reply_port(monitor)),
    ) as network:
        yield network


def reply_port(monitor: Running) -> int:
    return int(monitor.environment["EASY_IP_REPLY_PORT"])


def scanned(monitor: Running) -> dict[str, object]:
    """Start a scan and wait until it is over; what it did with Panasonic."""
    until(lambda: monitor.request("POST", "/api/scan").status == 200, 60, "no other scan runs")
    until(lambda: monitor.get("/api/scan").json["running"] is None, 60, "the scan ends")
    return next(iter(monitor.get("/api/scan").json["last"]["sources"]))  # type: ignore[no-any-return]


def memory(monitor: Running) -> int:
    """Bytes of all processes of the monitor, each shared page counted once (PSS)."""
    assert monitor.process is not None
    group, total = os.getpgid(monitor.process.pid), 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == group:
                lines = (folder / "smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except OSError:
            continue
    return total * 1024


@pytest.mark.parametrize("kind", ["junk", "forged"])
def test_all_cameras_are_found_through_two_seconds_of_ten_thousand_a_second(
    run_monitor: Run, kind: str
) -> None:
    monitor = run_monitor()
    forged = (pretend.forged(number) for number in range(20_000))
    junk = (JUNK[number % len(JUNK)] for number in range(20_000))
    with cameras_of(monitor), ThreadPoolExecutor(1) as thread:
        sending = thread.submit(flood, reply_port(monitor), forged if kind == "forged" else junk)
        did = scanned(monitor)
        assert sending.result() == 20_000
    assert did["found"] == 50
    rows = monitor.get("/api/cameras").json["cameras"]
    assert sorted(row["mac_address"] for row in rows) == [camera.mac for camera in CAMERAS]
    assert {row["status"] for row in rows} == {"ACTIVE"}
    if kind == "junk":
        assert set(did["refused"]) >= {"it is too short", "it is not Easy IP", "it is a commit"}
    assert monitor.get("/healthz").status == 200
    assert "error" not in monitor.text().lower()


def test_memory_is_bounded_while_macs_are_forged_without_end(run_monitor: Run) -> None:
    monitor = run_monitor()
    with cameras_of(monitor):
        scanned(monitor)
        sizes = []
        for turn in range(2):
            numbers = range(turn * ROUND, (turn + 1) * ROUND)
            flood(reply_port(monitor), map(pretend.forged, numbers))
            sizes.append(memory(monitor))
        assert scanned(monitor)["found"] == 50
    assert monitor.get("/api/cameras").json["count"] == 50
    # What it remembers is full after the first round; the second may not add to it.
    assert sizes[1] - sizes[0] < 12_000_000
    assert sizes[1] < 200_000_000


@pytest.mark.torture
@pytest.mark.parametrize("auto_scan", ["false", "true"])
def test_fifty_thousand_ghosts_in_25_seconds_change_nothing(
    run_monitor: Run, auto_scan: str, record_property: Callable[[str, object], None]
) -> None:
    """Announced twice each, with all the tags that a datagram holds."""
    monitor = run_monitor(AUTO_SCAN=auto_scan, AUTO_SCAN_INTERVAL="86400")
    with cameras_of(monitor):
        scanned(monitor)
        before = memory(monitor)
        flood(reply_port(monitor), ghosts(50_000, filled=True), each_second=4_000)
        until(lambda: len(monitor.get("/api/scan").json["heard"]) == 200, what="they were heard")
        after = memory(monitor)
        assert scanned(monitor)["found"] == 50
    record_property("megabytes before", before >> 20)
    record_property("megabytes after", after >> 20)
    print(f"auto-scan {auto_scan}: {before >> 20} MB before the ghosts, {after >> 20} MB after")
    rows = monitor.get("/api/cameras").json["cameras"]
    assert sorted(row["mac_address"] for row in rows) == [camera.mac for camera in CAMERAS]
    assert after - before < 60_000_000
