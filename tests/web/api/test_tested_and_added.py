"""Devices whose address is tested first and then added, over real sockets: the first check after
that finds everything of them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from fleet.model import Device
from simulators.logins import Accounts
from simulators.onvif import OnvifServers
from simulators.onvif_device import OnvifDevice, recorder_sources
from simulators.place import SimulatedCamera, crowd
from simulators.rtsp import RtspServers
from sources import onvif, rtsp, ws_discovery_wire
from sources.ws_discovery import SearchOptions
from tests.home import Clock, Home, free_port

CAMERA, RECORDER, PLAIN = "127.95.9.1", "127.95.9.2", "127.95.9.3"
PASSWORD = "plain-s1"  # nosec B105 (of a pretend device)


class WallClock(Clock):
    """The clock of the simulated devices."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


class Place:
    """Two cameras and a recorder, and a monitor that knows neither of them."""

    def __init__(self, home: Home, port: int, *cameras: SimulatedCamera) -> None:
        self.home = home
        self.onvif_port = port
        self.passwords = {RECORDER: PASSWORD}
        self.passwords |= {camera.onvif.address: camera.accounts.password for camera in cameras}

    def post(self, path: str, body: Any, code: int = 200) -> Any:
        answer = self.home.client.post(path, json=body)
        assert answer.status_code == code, answer.text
        return answer.json

    def added(self, host: str, **more: Any) -> Device:
        """The device after its address was tested, it was added, and every source checked it."""
        body = {
            "ip_address": host,
            "onvif": {"port": self.onvif_port},
            "username": "admin",
            "password": self.passwords[host],
            **more,
        }
        assert self.post("/api/cameras/test", body)["success"]
        number = self.post("/api/cameras/", body, 201)["camera"]["id"]
        self.home.monitor.scanner.ask([number])
        return self.home.device(str(number))


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    camera, plain = crowd(2)
    camera.onvif.address = camera.rtsp.address = CAMERA
    plain.onvif.address = plain.rtsp.address = PLAIN
    recorder = OnvifDevice(
        RECORDER,
        mac="00:00:5e:00:95:02",
        accounts=Accounts("admin", PASSWORD),
        sources=recorder_sources(2),
    )
    clock, search = WallClock(), SearchOptions((CAMERA,), asks=(0.0,), window=0.2)
    sources = [onvif.source(onvif.OnvifOptions(clock, search)), rtsp.source(clock)]
    port = free_port()
    with (
        OnvifServers(
            [camera.onvif, recorder, plain.onvif], free_port(), ws_discovery_wire.PORT
        ) as servers,
        RtspServers([camera.rtsp, plain.rtsp], port),
    ):
        camera.onvif.rtsp_port = plain.onvif.rtsp_port = port
        home = Home(tmp_path_factory.mktemp("home"), clock, sources=sources)
        yield Place(home, servers.port, camera, plain)
        home.close()


def test_a_camera_has_its_model_and_mac_after_its_first_check(tested: Place) -> None:
    device = tested.added(CAMERA)
    assert device.facts["onvif"]["model"]
    assert {key.partition(":")[0] for key in device.identities} >= {"mac", "onvif"}
    assert device.facts["onvif"]["streams"]


def test_a_recorder_has_its_named_channels_after_its_first_check(tested: Place) -> None:
    device = tested.added(RECORDER)
    channels = tested.home.monitor.tracker.channels_of(device.id)
    assert len(channels) == 2
    assert all(channel.facts["onvif"] for channel in channels)


def test_a_stream_without_a_path_is_the_one_that_onvif_told(tested: Place) -> None:
    number = tested.added(PLAIN, rtsp_url=f"rtsp://{PLAIN}").id
    (result,) = tested.home.monitor.scanner.ask([number], ["rtsp"])
    device = tested.home.device(str(number))
    assert result.state == "answered"
    assert device.access["rtsp"].path == "", "what a person entered stays"
    assert device.facts["rtsp"]["codec"]
    assert "stream.path" not in {fault.kind for fault in device.findings}
    texts = [event.text for event in tested.home.events()]
    assert not [text for text in texts if "cannot prove its identity" in text], "ONVIF proves it"
