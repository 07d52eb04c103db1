"""kill -9 under parallel writes: nothing that was answered is lost, nothing is told twice."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fleet.database import record
from simulators.panasonic import Camera, Network
from tests.home import Running, free_port, until

Run = Callable[..., Running]
WRITERS = 6
"""Cameras 1 to 6 are renamed, each by a thread of its own; the others come and go."""
LIVELY = 6
MOMENTS = (0.2, 1.1, 2.2, 4.2, 3.3)
"""Seconds until the kill: among edits alone, with the first sightings of a scan, with the
later ones, with its misses. Each by up to half a second longer."""


def mac(number: int) -> str:
    return f"d4:2d:c5:00:00:{number:02x}"


class Writer(threading.Thread):
    """Renames one camera over and over, until the monitor dies under it."""

    def __init__(self, monitor: Running, camera: int, turn: int) -> None:
        super().__init__()
        self.monitor = monitor
        self.camera = camera
        self.turn = turn
        self.answered: dict[str, int] = {}
        self.asked = ""
        self.odd: list[str] = []
        self.start()

    def run(self) -> None:
        path = f"/api/camera/{mac(self.camera)}"
        for number in range(1_000_000):
            self.asked = f"{self.camera}-{self.turn}-{number}"
            try:
                answer = self.monitor.request("PATCH", path, {"name": self.asked})
            except (OSError, http.client.HTTPException):
                return
            if answer.status != 200:
                self.odd.append(answer.body.decode())
                return
            self.answered[self.asked] = answer.json["undo"]


class CameraChanges(threading.Thread):
    """Cameras that nobody renames move, die and come back, and scan follows scan.

    Of the last two each is off for a whole round, by turns.
    """

    def __init__(self, monitor: Running, network: Network, seed: int) -> None:
        super().__init__()
        self.monitor = monitor
        self.network = network
        self.random = Random(seed)
        for number, camera in enumerate(network.cameras[-2:]):
            camera.on = (seed + number) % 2 == 0
        self.start()

    def run(self) -> None:
        while True:
            which = WRITERS + self.random.randrange(LIVELY - 2)
            camera = self.network.cameras[which]
            with self.network.lock:
                camera.on = self.random.random() < 0.6
                camera.ip = f"127.20.{self.random.randrange(1, 200)}.{which}"
                if camera.on:
                    self.network.announce(camera.mac)
            try:
                self.monitor.request("POST", "/api/scan")
            except (OSError, http.client.HTTPException):
                return
            time.sleep(0.02)


class WriterState:
    """What the writers know, over all rounds."""

    def __init__(self) -> None:
        self.answered: dict[str, int] = {}
        self.asked: set[str] = set()
        self.last: dict[int, list[str]] = {}

    def learn(self, writers: list[Writer]) -> None:
        for writer in writers:
            assert writer.odd == []
            self.answered |= writer.answered
            self.asked |= {*writer.answered, writer.asked}
            known = [*writer.answered][-1:] or self.last[writer.camera]
            self.last[writer.camera] = [*known, writer.asked]


def every_event(monitor: Running) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while True:
        after = events[-1]["id"] if events else 0
        page = monitor.get(f"/api/events?after={after}&limit=1000").json["events"]
        events += page
        if len(page) < 1000:
            return events


def check_file(monitor: Running) -> None:
    """As the crash left it, before anybody mends anything."""
    fleet = record.decode(Path(monitor.environment["DATABASE_PATH"]).read_bytes())
    assert len(fleet.devices) == WRITERS + LIVELY


def check(monitor: Running, memory: WriterState) -> None:
    newest = max(memory.answered.values())
    events = until(
        lambda: (events := every_event(monitor)) and events[-1]["id"] >= newest and events,
        what="the journal has every answered edit",
    )
    numbers = [event["id"] for event in events]
    assert numbers == list(range(1, len(numbers) + 1)), "one is missing or there twice"
    edited = [event["after"]["name"] for event in events if event["kind"] == "device.edited"]
    assert len(edited) == len(set(edited)), "an edit is told twice"
    assert set(edited) <= memory.asked, "an edit that nobody asked for"
    names = {event["id"]: event["after"].get("name") for event in events}
    for name, number in memory.answered.items():
        assert names[number] == name, "an answered edit is not in the journal"
    for camera, possible in memory.last.items():
        shown = monitor.get(f"/api/camera/{mac(camera)}").json["camera_name"]
        assert shown in possible, "an answered edit is not in the file"
        assert shown in edited, "it is done and nobody was told"


@contextmanager
def lively_network(monitor: Running) -> Iterator[Network]:
    cameras = [
        Camera(mac(number), f"127.20.0.{number}", name=f"Camera {number}")
        for number in range(1, WRITERS + LIVELY + 1)
    ]
    ports = (int(monitor.environment[key]) for key in ("EASY_IP_PORT", "EASY_IP_REPLY_PORT"))
    listen, reply_to = (("127.0.0.1", port) for port in ports)
    with Network(cameras, listen=listen, reply_to=reply_to) as network:
        yield network


def crash(run_monitor: Run, rounds: int, **environment: str) -> None:
    monitor = run_monitor(**environment)
    memory = WriterState()
    with lively_network(monitor) as network:
        assert monitor.request("POST", "/api/scan").status == 200
        until(
            lambda: monitor.get("/api/stats").json["total"] == WRITERS + LIVELY,
            what="every camera is found",
        )
        for turn in range(rounds):
            writers = [Writer(monitor, camera, turn) for camera in range(1, WRITERS + 1)]
            life = CameraChanges(monitor, network, turn)
            for writer in writers:
                until(writer.answered.__len__, what="everybody writes")
            time.sleep(MOMENTS[turn % len(MOMENTS)] + Random(turn).uniform(0, 0.5))
            monitor.kill()
            for thread in (*writers, life):
                thread.join(60)
                assert not thread.is_alive()
            memory.learn(writers)
            check_file(monitor)
            monitor.start()
            check(monitor, memory)


@pytest.fixture(params=["sqlite", "postgresql"])
def journal_url(request: pytest.FixtureRequest) -> dict[str, str]:
    """The options of a monitor with its journal in the one database or the other."""
    if request.param == "sqlite":
        return {}
    return {"DATABASE_URL": request.getfixturevalue("postgres").new_database()}


def test_five_times_killed_it_loses_no_answered_edit_and_doubles_no_event(run_monitor: Run) -> None:
    crash(run_monitor, 5)


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_fifty_times_killed_it_loses_no_answered_edit_and_doubles_no_event(
    run_monitor: Run, journal_url: dict[str, str]
) -> None:
    crash(run_monitor, 50, **journal_url)


def test_a_lock_of_a_killed_monitor_does_not_keep_the_next_one_out(run_monitor: Run) -> None:
    monitor = run_monitor(EASY_IP_PORT=str(free_port()))
    monitor.kill()
    monitor.start()
    assert monitor.get("/healthz").status == 200
