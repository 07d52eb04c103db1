"""Fleets for the tests of the web package. Those of a whole module are only read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from fleet.model import DEFAULT_SITE, Sighting
from simulators.panasonic import Camera, Network, crowd
from tests.home import Clock, Home, Running, running
from tests.store.postgres import postgres
from tests.web.chromium import CHROMIUM, CROWD, Listener, Tab, chromium, network_of, scan, tabs

__all__ = ["postgres"]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One device in each state, and a retired one. Numbers are in the order of the list.

    1 Gate, active, no password set · 2 a recorder, active, with notes · 3 Stage, offline
    4 Yard, missing · 5 Ramp (its own name is Cam five), moved · 6 Attic, retired
    """
    gate = Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate", password_set=False)
    recorder = Camera("d4:2d:c5:00:00:02", "127.20.0.10", family="NX")
    stage = Camera("a8:13:74:00:00:03", "127.20.0.100", "Stage", family="AW")
    yard = Camera("d4:2d:c5:00:00:04", "127.20.1.1", "Yard")
    ramp = Camera("d4:2d:c5:00:00:05", "127.20.0.20", "Cam five")
    attic = Camera("d4:2d:c5:00:00:06", "127.20.0.30", "Attic")
    cameras = (gate, recorder, stage, yard, ramp, attic)
    home = Home(tmp_path_factory.mktemp("mixed"), Clock(), *cameras)
    try:
        home.scan()
        home.clock.forward(hours=25)
        yard.on = False
        home.scan()
        stage.on = attic.on = False
        ramp.ip = "127.20.0.200"
        edit(home, ramp.mac, name="Ramp")
        edit(home, recorder.mac, notes="Behind the bar")
        assert home.client.post(f"/api/camera/{attic.mac}/retire").status_code == 200
        home.scan()
        yield home
    finally:
        home.close()


@pytest.fixture(scope="module")
def home_with_events(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Events 1 found, 2 found, 3 offline (an hour later), 4 edited: the site, 5 retired."""
    gate = Camera("d4:2d:c5:00:00:01", "127.20.0.1", "Gate")
    yard = Camera("d4:2d:c5:00:00:02", "127.20.0.2", "Yard")
    made = Home(tmp_path_factory.mktemp("events"), Clock(), gate, yard)
    try:
        made.scan()
        made.clock.forward(hours=1)
        gate.on = False
        made.scan()
        edit(made, "2", site="Depot")
        made.client.post("/api/camera/1/retire")
        made.events()
        yield made
    finally:
        made.close()


def edit(home: Home, key: str, **fields: Any) -> int | None:
    """Change a camera by API; the number that undoes it."""
    answer = home.client.patch(f"/api/camera/{key}", json=fields)
    assert answer.status_code == 200, answer.text
    undo: int | None = answer.json["undo"]
    return undo


def fill(home: Home, count: int) -> None:
    """Add so many cameras to the fleet, without a network."""
    now = home.clock()
    sightings = [
        Sighting(DEFAULT_SITE, (f"mac:d4:2d:c5:01:{n >> 8:02x}:{n & 255:02x}",), "panasonic", now)
        for n in range(count)
    ]
    home.monitor.tracker.apply(sightings, now)


@contextmanager
def running_with(folder: Path, *cameras: Camera) -> Iterator[Running]:
    """A real monitor, and pretend cameras that it can find."""
    with running(folder) as monitor:
        ports = (int(monitor.environment[f"EASY_IP_{end}"]) for end in ("PORT", "REPLY_PORT"))
        ask, answer = (("127.0.0.1", port) for port in ports)
        with Network(list(cameras), listen=ask, reply_to=answer):
            yield monitor


# -- a real browser at a real monitor ------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium-headless-shell")
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def network(monitor: Running) -> Iterator[Network]:
    """64 cameras and recorders, all found by one scan."""
    with network_of(monitor, crowd(CROWD)) as started:
        scan(monitor)
        assert monitor.get("/api/cameras").json["count"] == CROWD
        yield started


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def tab(browser: Browser, listener: Listener, run_monitor: object) -> Iterator[Tab]:
    """Open a path of a monitor in a tab, which closes before the monitor of the test."""
    with tabs(browser, listener) as open_tab:
        yield open_tab
    assert listener.complaints() == []


@pytest.fixture
def page(tab: Tab, monitor: Running, network: Network) -> Page:
    return tab(monitor)
