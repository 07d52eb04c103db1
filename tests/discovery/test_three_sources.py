"""One camera that Panasonic's search, ONVIF and RTSP all reach: one record, wherever it is."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fleet.model import Device
from simulators.onvif import OnvifServers
from simulators.place import crowd
from simulators.rtsp import RtspServers
from sources import onvif, rtsp, ws_discovery_wire
from sources.ws_discovery import SearchOptions
from tests.home import Clock, Home, free_port, until

ADDRESSES = tuple(f"127.95.7.{part}" for part in range(1, 5))
PROVING = {"panasonic", "onvif"}
SOURCES = {*PROVING, "rtsp"}
SEARCH = SearchOptions(ADDRESSES, asks=(0.0, 0.05, 0.1), window=0.4)


class WallClock(Clock):
    """The clock of the simulated devices; what a test adds to it stays small."""

    def __init__(self) -> None:
        super().__init__()
        self._began = self.now

    def __call__(self) -> datetime:
        return datetime.now(UTC) + (self.now - self._began)


class Watched:
    """A camera with three servers, and the monitor that watches it."""

    def __init__(self, folder: Path) -> None:
        (self.camera,) = crowd(1)
        self.camera.search.ip = self.camera.onvif.address = self.camera.rtsp.address = ADDRESSES[0]
        clock = WallClock()
        sources = [onvif.source(onvif.OnvifOptions(clock, SEARCH)), rtsp.source(clock)]
        self.onvif = OnvifServers([self.camera.onvif], free_port(), ws_discovery_wire.PORT)
        self.rtsp = RtspServers([self.camera.rtsp], free_port())
        self.camera.onvif.rtsp_port = self.rtsp.port
        self.home = Home(folder, clock, self.camera.search, sources=sources)

    def __enter__(self) -> "Watched":
        self.onvif.start()
        self.rtsp.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.home.close()
        self.rtsp.stop()
        self.onvif.stop()

    def move(self, address: str) -> None:
        was = self.camera.address
        with self.home.network.lock:
            self.camera.search.ip = address
        self.onvif.move({was: address})
        self.rtsp.move({was: address})

    def device(self) -> Device:
        (device,) = self.home.devices()
        return device

    def enter_login(self) -> None:
        """Enter it for the record with the MAC: until then ONVIF proves no more than an endpoint
        reference, so there are two records."""
        number = self.home.device(self.camera.search.mac).id
        body = {
            "rtsp_url": f"rtsp://{self.camera.address}:{self.rtsp.port}/stream1",
            "onvif": {"port": self.onvif.port},
            "username": "admin",
            "password": self.camera.accounts.password,
        }
        answer = self.home.client.put(f"/api/cameras/{number}", json=body)
        assert answer.status_code == 200, answer.text
        until(lambda: len(self.home.devices()) == 1, what="ONVIF proves that they are one")

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.home.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json

    def until_known(self) -> None:
        """Scan; then each source that proves a key has found it where it is, and RTSP asks."""
        before, address = len(self.camera.rtsp.requests), self.camera.address
        self.home.scan()
        self.home.monitor.scanner.ask([self.device().id])
        until(
            lambda: all(
                address in self.device().source_addresses.get(source, {}) for source in PROVING
            ),
            what=f"both sources have found it at {address}",
        )
        assert self.device().address == address
        until(
            lambda: any(
                f"//{address}:" in each.url and each.has_login
                for each in self.camera.rtsp.requests[before:]
            ),
            what="RTSP logs in there",
        )


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with Watched(tmp_path) as running:
        yield running


def test_a_camera_of_three_sources_stays_one_record_through_moves_a_split_and_a_merge(
    watched: Watched,
) -> None:
    watched.home.scan()
    watched.enter_login()
    watched.until_known()
    device = watched.device()
    assert device.facts.keys() >= SOURCES
    assert {key.partition(":")[0] for key in device.identities} >= {"mac", "onvif"}
    for address in ADDRESSES[1:]:
        watched.move(address)
        watched.until_known()
        assert watched.device().id == device.id
    history = dict.fromkeys(change.ip for change in watched.device().addresses)
    assert list(history) == list(ADDRESSES)

    endpoint = f"onvif:{watched.camera.onvif.endpoint_reference}"
    path = f"/api/camera/{device.id}"
    watched.post(f"{path}/split", {"identities": [endpoint]})
    (other,) = {each.id for each in watched.home.devices()} - {device.id}
    split = watched.home.events(kinds=["device.split"])[-1]
    watched.post("/api/undo", {"event": split.sequence})
    watched.until_known()
    watched.post(f"{path}/split", {"identities": [endpoint]})
    (other,) = {each.id for each in watched.home.devices()} - {device.id}
    watched.post(f"{path}/merge", {"with": other})
    watched.until_known()
    merge = watched.home.events(kinds=["device.merged"])[-1]
    watched.post("/api/undo", {"event": merge.sequence})
    assert {each.id for each in watched.home.devices()} == {device.id, other}
    watched.post(f"{path}/merge", {"with": other})
    watched.until_known()
    assert watched.device().id == device.id
    accounts = watched.camera.accounts
    assert (accounts.wrong, accounts.right > 0) == (0, True)
    assert watched.device().facts.keys() >= SOURCES
