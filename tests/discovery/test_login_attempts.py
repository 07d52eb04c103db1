"""A login that may be refused is on disk before it is sent: a crash gives no new budget."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from fleet.model import Access
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers
from simulators.rtsp import RtspDevice, RtspServers
from sources import onvif, rtsp
from sources.source import Source
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.listed import now
from tests.home import Running, free_port, until

Run = Callable[..., Running]
PASSWORD = "right-pass-1"  # nosec B105 (of a pretend device)


@dataclass
class Watched(Accounts):
    """Accounts that call `on_login` with each login before they answer it."""

    username: str = "admin"
    password: str = PASSWORD
    on_login: Callable[[], Any] = int

    def note(self, scheme: str, fields: dict[str, str], outcome: str, method: str = "") -> str:
        self.on_login()
        return super().note(scheme, fields, outcome, method)


@dataclass
class Place:
    """A device of each protocol with the accounts that it has, and an engine that knows it."""

    folder: Path
    accounts: dict[str, Watched] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    engine: Engine | None = None

    def start(self, name: str, secret: str, **access: Any) -> Engine:
        login = {"username": "admin", "secret": secret, "secret_host": HOSTS[name]}
        asked = Access(port=self.ports[name], path=PATHS[name], **login | access)
        device = replace(fleets.listed(1, address=HOSTS[name]), access={name: asked}, states={})
        fleets.write_fleet(self.folder / "fleet.json", [device])
        self.engine = Engine(self.folder, now, source_of(name), unseal=str)  # type: ignore[arg-type]
        return self.engine

    def refusals(self) -> int:
        """Those in the file, as another process would read them."""
        device = json.loads((self.folder / "fleet.json").read_bytes())["devices"][0]
        return sum(access.get("refusals", 0) for access in device["access"].values())


HOSTS = {"rtsp": "127.80.40.1", "onvif": "127.84.40.1"}
PATHS = {"rtsp": "/stream1", "onvif": ""}


def source_of(name: str) -> Source:
    return rtsp.source(now) if name == "rtsp" else onvif.source(onvif.OnvifOptions(now))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    accounts = {name: Watched() for name in HOSTS}
    ports = {name: free_port() for name in HOSTS}
    camera = RtspDevice(HOSTS["rtsp"], accounts=accounts["rtsp"])
    recorder = OnvifDevice(HOSTS["onvif"], accounts=accounts["onvif"])
    made = Place(tmp_path, accounts, ports)
    with RtspServers([camera], ports["rtsp"]), OnvifServers([recorder], ports["onvif"], 0):
        yield made
        if made.engine is not None:
            made.engine.close()


@pytest.mark.parametrize("name", ["rtsp", "onvif"])
def test_a_login_is_on_disk_as_refused_until_it_was_accepted(place: Place, name: str) -> None:
    seen = list[int]()
    place.accounts[name].on_login = lambda: seen.append(place.refusals())
    engine = place.start(name, PASSWORD)
    assert engine.scanner.ask([1], [name])
    assert seen[0] == 1
    assert engine.devices()[1].access[name].refusals == 0
    until(lambda: place.refusals() == 0, what="the file has no refusal any more")


@pytest.mark.parametrize("name", ["rtsp", "onvif"])
def test_a_login_that_is_refused_is_counted_once(place: Place, name: str) -> None:
    seen = list[int]()
    place.accounts[name].on_login = lambda: seen.append(place.refusals())
    engine = place.start(name, "wrong-pass-1")
    for _ in range(3):
        assert engine.scanner.ask([1], [name])
    assert seen == [1, 2]
    assert place.accounts[name].wrong == 2
    assert engine.devices()[1].access[name].refusals == 2


@pytest.mark.parametrize("name", ["rtsp", "onvif"])
def test_a_login_that_worked_at_the_last_check_costs_no_write(place: Place, name: str) -> None:
    seen = list[int]()
    place.accounts[name].on_login = lambda: seen.append(place.refusals())
    engine = place.start(name, PASSWORD, method="digest-md5")
    assert engine.scanner.ask([1], [name])
    assert set(seen) == {0}
    assert place.accounts[name].right


def test_a_login_without_an_answer_is_not_called_refused(place: Place) -> None:
    def fail() -> None:
        raise ConnectionResetError

    place.accounts["rtsp"].on_login = fail
    engine = place.start("rtsp", PASSWORD)
    for _ in range(3):
        assert [answer.state for answer in engine.scanner.ask([1], ["rtsp"])] == ["missed"]
    until(lambda: place.refusals() == 0, what="the file has no refusal any more")
    place.accounts["rtsp"].on_login = int
    assert [answer.state for answer in engine.scanner.ask([1], ["rtsp"])] == ["answered"]
    assert place.accounts["rtsp"].right


def test_channels_without_a_picture_cost_the_others_no_attempt(place: Place) -> None:
    """An RTSP 404 proves nothing about the login, also before the record is corrected."""
    host, port = HOSTS["rtsp"], place.ports["rtsp"]
    login = Access(port=port, path="/", username="admin", secret=PASSWORD, secret_host=host)
    owner = replace(fleets.listed(1, address=host), access={"rtsp": login}, states={})
    channels = [
        replace(
            fleets.listed(id, address=host),
            access={"rtsp": Access(port=port, path=f"/dark/{id}")},
            identities=(f"rtsp:{host}:{port}/dark/{id}",),
            parents=(1,),
            states={},
        )
        for id in range(2, 8)
    ]
    fleets.write_fleet(place.folder / "fleet.json", [owner, *channels])
    place.engine = Engine(place.folder, now, source_of("rtsp"), unseal=str)  # type: ignore[arg-type]
    place.engine.scanner.ask([device.id for device in channels], ["rtsp"])
    devices = place.engine.devices()
    kinds = [{fault.kind for fault in devices[device.id].findings} for device in channels]
    assert kinds == [{"stream.path"}] * len(channels)
    assert place.accounts["rtsp"].right == len(channels)


def test_a_process_that_is_killed_at_each_login_sends_two_wrong_ones_in_all(
    run_monitor: Run,
) -> None:
    accounts, port = Watched(), free_port()
    camera = RtspDevice("127.80.40.2", accounts=accounts)
    with RtspServers([camera], port):
        monitor = run_monitor()
        accounts.on_login = monitor.kill
        body = {"name": "Door", "rtsp_url": f"rtsp://{camera.address}:{port}/stream1"}
        login = {"username": "admin", "password": "wrong-pass-1"}
        with suppress(OSError, HTTPException):  # It may be killed before it answers.
            monitor.request("POST", "/api/cameras", body | login)
        until(lambda: accounts.wrong == 1, 60, "the first login is sent")
        monitor.spawn()
        until(lambda: accounts.wrong == 2, 60, "the second login is sent")
        asked = camera.asked["OPTIONS"]
        monitor.start()
        until(lambda: camera.asked["OPTIONS"] > asked, 60, "the device is asked again")
        texts = until(lambda: findings(monitor), 60, "the page says why")
        assert any("not tried again" in text for text in texts)
        assert accounts.wrong == 2


def findings(monitor: Running) -> list[str]:
    device = monitor.get("/api/cameras").json
    devices = device["cameras"] if isinstance(device, dict) else device
    return [fault["text"] for fault in devices[0].get("findings", [])]
