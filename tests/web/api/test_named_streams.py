"""Streams that a device names are not those that a person entered: which login they get. What is
asserted is what the devices saw, over real sockets."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from fleet.model import Device
from simulators.logins import Accounts
from simulators.onvif import OnvifServers
from simulators.onvif_device import OnvifDevice, camera_sources, recorder_sources
from simulators.rtsp import RtspServers
from simulators.rtsp_device import RtspDevice
from sources import onvif, rtsp
from sources.ws_discovery import SearchOptions
from tests.home import Clock, Home, free_port, until
from tests.sources.tls_servers import certificate, server_context

NAME, PASSWORD = "admin", "wet green stones"
LOGIN = {"username": NAME, "password": PASSWORD}
PLAIN, ENCRYPTED = "rtsp", "rtsps"


@dataclass
class Camera:
    """One device: its ONVIF service, and a stream at two ports, one of them with TLS."""

    address: str
    onvif: OnvifDevice
    streams: dict[str, RtspDevice]

    def schemes(self, scheme: str = PLAIN) -> set[str]:
        """The login methods that were used for the stream."""
        return {attempt.scheme for attempt in self.streams[scheme].accounts.attempts}


@dataclass
class Place:
    home: Home
    onvif: dict[bool, OnvifServers]
    rtsp: dict[str, RtspServers]
    numbers: Iterator[int]

    def camera(
        self, *offers: str, names: str = PLAIN, channels: int = 0, password: str = PASSWORD
    ) -> Camera:
        """A device that names this kind of stream, which offers these login methods."""
        number = next(self.numbers)
        address = f"127.68.3.{number}"
        sources = recorder_sources(channels) if channels else camera_sources()
        device = OnvifDevice(
            address,
            mac=f"00:00:5e:00:93:{number:02x}",
            accounts=Accounts(NAME, PASSWORD, offers=offers or ("md5",)),
            sources=sources,
            rtsp_port=self.rtsp[names].port,
            stream_scheme=names,
        )
        streams = {}
        for scheme, servers in self.rtsp.items():
            accounts = Accounts(NAME, password, offers=offers or ("md5",))
            streams[scheme] = RtspDevice(address, accounts=accounts)
            streams[scheme].streams = {
                device.stream_path(profile): next(iter(streams[scheme].streams.values()))
                for source in sources
                for profile in source.profiles
            }
            servers.add(streams[scheme])
        for each in self.onvif.values():
            each.add(device)
        return Camera(address, device, streams)

    def add(self, camera: Camera, *, tls: bool = False) -> int:
        """The camera as a person adds it by its ONVIF service; its number."""
        place = {"port": self.onvif[tls].port, "tls": tls}
        return self.post("/api/cameras", ip_address=camera.address, onvif=place, **LOGIN)

    def post(self, path: str, **body: Any) -> int:
        answer = self.home.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return int(answer.json["camera"]["id"])

    def device(self, id: int) -> Device:
        return self.home.device(str(id))

    def asked(self, id: int, source: str = "rtsp") -> Device:
        """The device after one more check by this source."""
        until(lambda: source in self.device(id).access, what="the stream was named")
        self.home.monitor.scanner.ask([id], [source])
        return self.device(id)

    def findings(self, id: int, source: str = "rtsp") -> set[str]:
        return {fault.kind for fault in self.device(id).findings if fault.source == source}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("named")
    context = server_context(certificate(folder, "camera"))
    with (
        OnvifServers([], free_port()) as soap,
        OnvifServers([], free_port(), tls=context) as secure_soap,
        RtspServers([], free_port()) as plain,
        RtspServers([], free_port(), context) as secure,
    ):
        clock = Clock()
        search = SearchOptions(("127.0.0.1",))
        sources = [rtsp.source(clock), onvif.source(onvif.OnvifOptions(clock, search))]
        home = Home(folder, clock, sources=sources)
        servers = {PLAIN: plain, ENCRYPTED: secure}
        yield Place(home, {False: soap, True: secure_soap}, servers, count(1))
        home.close()


@pytest.mark.parametrize("tls", [True, False])
def test_a_stream_that_onvif_names_gets_no_basic_until_a_person_enters_the_login_there(
    place: Place, tls: bool
) -> None:
    camera = place.camera("basic")
    id = place.add(camera, tls=tls)
    place.asked(id)
    until(lambda: "login.method" in place.findings(id))
    assert camera.schemes() == set()
    edit = {"source": "rtsp", "username": NAME, "login": "password", "password": PASSWORD}
    access = place.device(id).access["rtsp"]
    form = {**edit, "host": camera.address, "port": str(access.port), "path": access.path}
    saved = place.home.client.post(
        f"/cameras/{id}/connection?source=rtsp", data={**form, "do": "save"}
    )
    assert saved.status_code == 303, saved.text
    until(lambda: "login.method" not in place.findings(id), what="the person's login is used")
    assert camera.schemes() == {"basic"}


def test_an_encrypted_stream_stays_encrypted_at_its_port(place: Place) -> None:
    camera = place.camera(names=ENCRYPTED)
    device = place.asked(place.add(camera, tls=True))
    until(lambda: place.device(device.id).facts.get("rtsp", {}).get("codec"))
    assert (camera.schemes(PLAIN), camera.schemes(ENCRYPTED)) == (set(), {"digest"})


@pytest.mark.parametrize("names", [PLAIN, ENCRYPTED])
def test_channels_get_the_login_of_their_recorder_in_no_form_that_reveals_it(
    place: Place, names: str
) -> None:
    camera = place.camera("basic", names=names, channels=2)
    id = place.add(camera, tls=True)

    def channels() -> list[int]:
        return [device.id for device in place.home.devices() if device.parents[:1] == (id,)]

    until(lambda: len(channels()) == 2, what="the recorder has its channels")
    for channel in channels():
        place.asked(channel)
        until(lambda id=channel: "login.method" in place.findings(id))  # type: ignore[misc]
    assert camera.schemes(PLAIN) | camera.schemes(ENCRYPTED) == set()


@pytest.mark.parametrize(("names", "tls"), [(PLAIN, True), (PLAIN, False), (ENCRYPTED, True)])
def test_a_test_of_an_address_reveals_no_password_at_the_stream_that_onvif_names(
    place: Place, names: str, tls: bool
) -> None:
    camera = place.camera("basic", names=names)
    body = {"ip_address": camera.address, "onvif": {"port": place.onvif[tls].port, "tls": tls}}
    steps = place.home.client.post("/api/cameras/test", json={**body, **LOGIN}).json["steps"]
    (login,) = [s for s in steps if (s["source"], s["name"]) == ("rtsp", "login")]
    assert (login["state"], login["facts"]["reason"]) == ("failed", "login.method")
    assert camera.schemes(PLAIN) | camera.schemes(ENCRYPTED) == set()
    other = "rtsp" if names == ENCRYPTED else "rtsps"
    assert not camera.streams[other].requests


def test_a_channel_takes_the_login_of_its_recorder_to_no_other_port(place: Place) -> None:
    camera = place.camera("basic", "md5")
    plain, secure = (place.rtsp[scheme].port for scheme in (PLAIN, ENCRYPTED))
    path = next(iter(camera.streams[PLAIN].streams))
    recorder = place.post(
        "/api/cameras", rtsp_url=f"rtsp://{camera.address}:{plain}{path}", **LOGIN
    )
    place.asked(recorder)
    other = f"rtsps://{camera.address}:{secure}{path}"
    channel = place.post("/api/cameras", rtsp_url=other, channel_of=recorder)
    place.asked(channel)
    until(lambda: "login.wrong" in place.findings(channel), what="it has no login")
    url = f"rtsps://{camera.address}:{secure}/{{password}}"
    changed = place.home.client.put(f"/api/cameras/{channel}", json={"rtsp_url": url})
    assert changed.status_code == 200, changed.text
    place.asked(channel)
    assert camera.schemes(ENCRYPTED) == set()
    urls = [request.url for request in camera.streams[ENCRYPTED].requests]
    assert urls
    assert not any("stones" in url for url in urls)


def test_refusals_at_the_named_stream_stop_no_login_that_onvif_accepts(place: Place) -> None:
    camera = place.camera(password="another")
    id = place.add(camera)
    for _ in range(3):
        place.asked(id)
    assert camera.streams[PLAIN].accounts.wrong <= 2
    before = len(camera.onvif.accounts.attempts)
    place.asked(id, "onvif")
    assert len(camera.onvif.accounts.attempts) > before
    assert "login.wrong" not in place.findings(id, "onvif")


def test_a_device_that_is_deleted_and_added_spends_no_more_logins_at_the_named_stream(
    place: Place,
) -> None:
    camera = place.camera(password="another")
    for _ in range(3):
        id = place.add(camera)
        for _ in range(3):
            place.asked(id)
        assert place.home.client.delete(f"/api/cameras/{id}").status_code == 200
    assert camera.streams[PLAIN].accounts.wrong == 2
