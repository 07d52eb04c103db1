"""Cameras that are added by an address alone, from a list or the inbox: ONVIF names the stream, and
then RTSP checks it. Over real sockets."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from simulators.logins import Accounts
from simulators.onvif import OnvifServers
from simulators.onvif_device import OnvifDevice, recorder_sources
from simulators.place import crowd
from simulators.rtsp import RtspServers
from sources import onvif, rtsp, ws_discovery_wire
from sources.ws_discovery import SearchOptions
from tests.home import Home, free_port, until
from tests.web.api.test_tested_and_added import WallClock

LISTED, FOUND, RECORDER = "127.95.8.1", "127.95.8.2", "127.95.8.3"
TWICE, EARLY = "127.95.8.4", "127.95.8.5"
PASSWORD = "secret-0"  # nosec B105 (of a pretend device)


class Place:
    """Three cameras and a recorder."""

    def __init__(self, home: Home, onvif_port: int, rtsp_port: int) -> None:
        self.home, self.onvif_port, self.rtsp_port = home, onvif_port, rtsp_port

    def post(self, path: str, body: Any) -> Any:
        answer = self.home.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json

    def imported(self, host: str, **more: Any) -> Any:
        login = {"username": "admin", "password": PASSWORD}
        row = {"address": host, "port": self.onvif_port, **login, **more}
        return self.post("/api/cameras/import", {"rows": [row]})

    def scanned(self, *hosts: str) -> list[int]:
        """The numbers in the inbox of these addresses."""
        ports = {"rtsp_port": free_port(), "http_port": self.onvif_port}
        self.post("/api/scan-range", {"ranges": " ".join(hosts), **ports})
        until(lambda: self.state()["scan"]["state"] == "done", what="the scan has ended")
        return [row["id"] for row in self.state()["inbox"] if row["address"] in hosts]

    def state(self) -> Any:
        return self.home.client.get("/api/scan-range").json

    def access(self, host: str) -> Any:
        """The access by source of the device at this address, once every source has seen it."""

        def device() -> Any:
            matches = (d for d in self.home.devices() if "onvif" in d.access and d.address == host)
            return next(matches, None)

        until(lambda: device() and device().states.keys() >= device().access.keys())
        return device().access


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    cameras, accounts = crowd(4), Accounts("admin", PASSWORD)
    for camera, host in zip(cameras, (LISTED, FOUND, TWICE, EARLY), strict=True):
        camera.onvif.address = camera.rtsp.address = host
        camera.onvif.accounts = camera.rtsp.accounts = accounts
    recorder = OnvifDevice(
        RECORDER, mac="00:00:5e:00:95:12", accounts=accounts, sources=recorder_sources(2)
    )
    clock, search = WallClock(), SearchOptions((LISTED,), asks=(0.0,), window=0.2)
    sources = [onvif.source(onvif.OnvifOptions(clock, search)), rtsp.source(clock)]
    rtsp_port = free_port()
    devices = [*(camera.onvif for camera in cameras), recorder]
    with (
        OnvifServers(devices, free_port(), ws_discovery_wire.PORT) as servers,
        RtspServers([camera.rtsp for camera in cameras], rtsp_port),
    ):
        for camera in cameras:
            camera.onvif.rtsp_port = rtsp_port
        home = Home(tmp_path_factory.mktemp("home"), clock, sources=sources)
        yield Place(home, servers.port, rtsp_port)
        home.close()


def test_a_camera_of_a_list_is_checked_by_rtsp_too_and_its_import_undone(place: Place) -> None:
    answer = place.imported(LISTED)
    until(lambda: "rtsp" in place.access(LISTED), what="ONVIF named the stream")
    access = place.access(LISTED)
    assert (access["rtsp"].port, access["rtsp"].username) == (place.rtsp_port, "admin")
    device = next(device for device in place.home.devices() if device.address == LISTED)
    until(lambda: place.home.device(str(device.id)).facts.get("rtsp", {}).get("codec"))
    assert not place.home.device(str(device.id)).findings
    assert place.imported(LISTED)["unchanged"] == 1, "the same list changes nothing"
    undone = place.post("/api/cameras/bulk/undo", {"events": answer["undo"]})
    assert not undone["failed"]
    assert LISTED not in [device.address for device in place.home.devices()]


def test_a_camera_of_the_inbox_is_checked_by_rtsp_and_a_recorder_by_its_channels(
    place: Place,
) -> None:
    body = {"do": "add", "ids": place.scanned(FOUND, RECORDER)}
    login = {"username": "admin", "password": PASSWORD}
    added = place.post("/api/scan-range/inbox", {**body, **login})
    assert added["new"] == 2
    until(lambda: "rtsp" in place.access(FOUND), what="ONVIF named the stream")
    assert place.access(FOUND)["rtsp"].path
    until(lambda: any(device.parents for device in place.home.devices()), what="it has channels")
    assert place.access(RECORDER).keys() == {"onvif"}


def test_two_records_of_one_camera_are_checked_at_once_after_they_are_merged(place: Place) -> None:
    place.imported(TWICE)
    place.imported(TWICE, site="Gate B")
    home = place.home

    def ids() -> list[int]:
        accesses = {device.id: device.access.get("onvif") for device in home.devices()}
        return [id for id, each in accesses.items() if each and each.host == TWICE]

    def seen_at(id: int) -> datetime | None:
        state = home.device(str(id)).states.get("onvif")
        return state.seen_at if state else None

    until(lambda: any(seen_at(id) for id in ids()), what="one of the two is the camera")
    first, second = ids()
    began = home.clock()
    place.post(f"/api/camera/{second}/merge", {"with": first})
    until(lambda: (at := seen_at(first)) and at > began, what="the merged one was checked")
    assert home.status(str(first)) == "ACTIVE"


def test_a_camera_that_rtsp_asks_first_is_unproven_once_until_onvif_proves_it(place: Place) -> None:
    url = f"rtsp://{EARLY}:{place.rtsp_port}/stream1"
    body = {"rtsp_url": url, "username": "admin", "password": PASSWORD}
    number = place.home.client.post("/api/cameras", json=body).json["camera"]["id"]

    def unproven(kind: str) -> int:
        events = place.home.client.get(f"/api/events?kind={kind}&limit=1000").json["events"]
        mine = [event for event in events if event["device"] == number]
        return sum("identity.unproven" in str(event) for event in mine)

    def is_unproven() -> bool:
        findings = place.home.device(str(number)).findings
        return any(fault.kind == "identity.unproven" for fault in findings)

    until(is_unproven, what="RTSP proves nothing")
    (id,) = place.scanned(EARLY)
    linked = place.post("/api/scan-range/inbox", {"do": "link", "ids": [id], "device": number})
    assert linked["changed"] == 1
    place.home.monitor.scanner.ask([number])
    until(lambda: not is_unproven(), what="ONVIF proves who it is")
    device = place.home.device(str(number))
    assert device.access["onvif"].secret == device.access["rtsp"].secret
    assert not device.findings
    until(lambda: unproven("finding.cleared") == 1, what="the journal has the end of it")
    assert unproven("finding.raised") == 1
