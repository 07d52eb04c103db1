"""ONVIF cameras from the question to the record: found, checked, lost, back, moved, refused."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.model import Access, Device, SourceState
from fleet.status import Rules, status
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers
from sources import onvif, ws_discovery_wire
from sources.ws_discovery import SearchOptions
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.home import free_port, until

PASSWORD = "plain-s1"  # nosec B105 (of a pretend device)
MOVED = "127.84.1.1"
TWINS = "127.84.2.1"


def camera(number: int, **values: Any) -> OnvifDevice:
    accounts = Accounts("admin", PASSWORD)
    given = {"name": f"Camera {number}", "mac": f"00:00:5e:00:84:{number:02x}", **values}
    return OnvifDevice(f"127.84.0.{number}", accounts=accounts, **given)


FOUND, CHECKED, MOVING, REFUSING = (camera(number) for number in range(1, 5))
RESTARTING = camera(5, counts_starts=True, changes_paths=True)
FIRST, SECOND = (replace(camera(number), address=TWINS) for number in (6, 7))
SECOND.mode = "off"
AGAIN = camera(8)
CAMERAS = [FOUND, CHECKED, MOVING, REFUSING, RESTARTING, FIRST, SECOND, AGAIN]
MakeEngine = Callable[..., Engine]


@pytest.fixture(scope="module")
def servers() -> Iterator[OnvifServers]:
    with OnvifServers(CAMERAS, free_port(), ws_discovery_wire.PORT) as running:
        yield running


@pytest.fixture
def make(tmp_path: Path, servers: OnvifServers) -> Iterator[MakeEngine]:
    """An engine that knows these cameras by their endpoint references, and their login."""
    running: list[Engine] = []

    def made(
        *cameras: OnvifDevice, targets: tuple[str, ...] = (), every: float = 600.0, **access: Any
    ) -> Engine:
        fleets.write_fleet(
            tmp_path / "fleet.json",
            [known(number, each, servers.port, **access) for number, each in enumerate(cameras, 1)],
        )
        search = SearchOptions(targets, asks=(0.0, 0.05, 0.1), window=0.4)
        source = replace(onvif.source(onvif.OnvifOptions(fleets.now, search)), interval=every)
        engine = Engine(tmp_path, fleets.now, source, unseal="plain-{}".format)  # type: ignore[arg-type]
        running.append(engine)
        return engine

    yield made
    for engine in running:
        engine.close()


def known(number: int, camera: OnvifDevice, port: int, **access: Any) -> Device:
    device = fleets.listed(number, address=camera.address, was_up=False)
    login = {"username": "admin", "secret": "s1", "secret_host": camera.address, **access}
    identities = (f"onvif:{camera.endpoint_reference}",)
    return replace(device, identities=identities, access={"onvif": Access(port=port, **login)})


def scan(engine: Engine) -> None:
    assert engine.scanner.start("test")
    assert engine.scanner.wait(20)


def ask(engine: Engine, number: int = 1) -> Device:
    """Ask the device once; its record after that."""
    assert engine.scanner.ask([number], ["onvif"])
    return engine.devices()[number]


def shown(engine: Engine, number: int = 1) -> str:
    devices = engine.devices()
    return status(devices[number], devices, fleets.now(), Rules(probing=frozenset({"onvif"})))


def findings(device: Device) -> dict[str, str]:
    return {fault.kind: fault.text for fault in device.findings}


def test_a_search_finds_a_camera_that_only_speaks_onvif(make: MakeEngine) -> None:
    engine = make(targets=(FOUND.address,))
    scan(engine)
    (device,) = engine.devices().values()
    assert device.identities == (f"onvif:{FOUND.endpoint_reference}",)
    assert (device.address, device.kind) == (FOUND.address, "camera")
    assert device.facts["onvif"]["name"] == "Camera 1"
    assert shown(engine, device.id) == "ACTIVE"


def test_a_camera_goes_offline_at_its_interval_with_the_reason_and_comes_back(
    make: MakeEngine, servers: OnvifServers
) -> None:
    engine = make(CHECKED, every=0.5)
    until(lambda: shown(engine) == "ACTIVE", what="it is checked by itself")
    assert engine.devices()[1].links["stream"] == "/stream1"
    servers.turn(CHECKED, "off")
    until(lambda: shown(engine) == "OFFLINE", what="it is offline")
    assert engine.devices()[1].states["onvif"].reason == "connection refused"
    servers.turn(CHECKED, "well")
    until(lambda: shown(engine) == "ACTIVE", what="it is back")
    assert "device.moved" not in engine.kinds()


def test_a_camera_that_moved_is_the_same_by_its_endpoint_reference(
    make: MakeEngine, servers: OnvifServers
) -> None:
    engine = make(MOVING, targets=(MOVING.address, MOVED))
    assert ask(engine).links
    servers.move({MOVING.address: MOVED})
    scan(engine)
    assert list(engine.devices()) == [1]
    assert engine.devices()[1].address == MOVED
    before = MOVING.asked["GetSystemDateAndTime"]
    assert ask(engine).states["onvif"].misses == 0
    assert MOVING.asked["GetSystemDateAndTime"] > before, "it is asked where it is now"
    assert shown(engine) in ("ACTIVE", "IP_CHANGED")
    assert engine.kinds().count("device.moved") == 1


def test_a_wrong_login_is_a_finding_of_a_camera_that_is_online(make: MakeEngine) -> None:
    engine = make(REFUSING, secret="wrong")
    for _ in range(4):
        device = ask(engine)
    assert findings(device)["login.wrong"] == "wrong user name or password"
    assert (device.states["onvif"].misses, shown(engine)) == (0, "ACTIVE")
    assert device.access["onvif"].refusals == 2
    assert 0 < REFUSING.accounts.wrong <= 2


def test_a_quick_restart_is_noticed_by_the_number_of_the_start(
    make: MakeEngine, servers: OnvifServers
) -> None:
    engine = make(RESTARTING, every=1.0)
    for starts in range(2):
        wait_for_checks(RESTARTING)
        assert engine.devices()[1].links["stream"].endswith(f"?boot={starts}")
        read = RESTARTING.asked["GetStreamUri"]
        wait_for_checks(RESTARTING)
        assert RESTARTING.asked["GetStreamUri"] == read, "nothing is read again without a reason"
        servers.restart(RESTARTING)


def test_a_camera_that_was_deleted_and_found_again_is_read_again(make: MakeEngine) -> None:
    engine = make(AGAIN)
    until(lambda: "stream" in engine.devices()[1].links, what="it was read")
    fleet = engine.tracker.fleet()
    engine.tracker._fleet = replace(fleet, devices={})
    assert not engine.scanner.ask([1], ["onvif"])
    seen = SourceState(seen_at=fleets.now())
    same = replace(fleet.devices[1], links={}, facts={}, states={"onvif": seen})
    engine.tracker._fleet = replace(fleet, devices={1: same})
    until(lambda: "stream" in engine.devices()[1].links, what="it is read without a request")


def wait_for_checks(camera: OnvifDevice, number: int = 2) -> None:
    """Wait until as many checks of the camera ended that began after now."""
    began = camera.asked["GetSystemDateAndTime"]
    until(lambda: camera.asked["GetSystemDateAndTime"] > began + number)


def test_two_cameras_that_answer_at_one_address_by_turns_are_a_finding_of_both(
    make: MakeEngine, servers: OnvifServers
) -> None:
    engine = make(FIRST, targets=(TWINS,))
    for turn in range(5):
        scan(engine)
        mine, other = (FIRST, SECOND) if turn % 2 == 0 else (SECOND, FIRST)
        servers.turn(mine, "off")
        servers.turn(other, "well")
    devices = engine.devices()
    assert {device.address for device in devices.values()} == {TWINS}
    assert [
        [fault.kind for fault in device.findings if fault.kind == "identity.two"]
        for device in devices.values()
    ] == [["identity.two"]] * 2
    assert SECOND.endpoint_reference in findings(devices[1])["identity.two"]
    assert engine.kinds().count("device.moved") == 0
