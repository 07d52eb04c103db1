"""The page "Add camera" and the test in "Edit connection", with devices that are really asked."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers, recorder_sources
from simulators.rtsp import RtspDevice, RtspServers
from simulators.rtsp_device import recorder
from sources import onvif, rtsp
from sources.ws_discovery import SearchOptions
from tests.home import Clock, Home, free_port
from tests.web.browser import Browser, Element, read

CAMERA, RECORDER = "127.96.0.1", "127.96.0.2"
NAME, SECRET = "admin", "wet-green-stones"
LOGIN = {"login": "password", "username": NAME, "password": SECRET}
DARK = 1
"""The channel of the recorder without video signal."""


@dataclass
class Place:
    """A camera and a recorder with four channels, each with RTSP and ONVIF, and a monitor."""

    home: Home
    rtsp: RtspServers
    onvif: OnvifServers

    def form(self) -> Element:
        return Browser(self.home.client).visit("/cameras/add").form("/cameras/add")

    def tested(self, **typed: str) -> Element:
        """The page after a test."""
        answer = Browser(self.home.client).send(self.form(), "Test connection", **typed)
        assert answer.status_code == 200, answer.text
        return read(answer.text)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    accounts = {host: Accounts(NAME, SECRET) for host in (CAMERA, RECORDER)}
    streams = [
        RtspDevice(CAMERA, accounts=accounts[CAMERA]),
        recorder(RECORDER, 4, accounts[RECORDER], dark=[DARK]),
    ]
    devices = [OnvifDevice(host, accounts=known) for host, known in accounts.items()]
    devices[1].sources = recorder_sources(4, dark=[DARK])
    with RtspServers(streams, free_port()) as plain, OnvifServers(devices, free_port()) as soap:
        for device in devices:
            device.rtsp_port = plain.port
        clock, search = Clock(), SearchOptions(("127.0.0.1",))
        sources = [rtsp.source(clock), onvif.source(onvif.OnvifOptions(clock, search))]
        home = Home(tmp_path_factory.mktemp("wizard"), clock, sources=sources)
        yield Place(home, plain, soap)
        home.close()


def steps_of(page: Element) -> list[str]:
    """The steps of the test in words."""
    steps = page.find("ol", **{"class": "steps"})[0]
    return [step.text for step in steps.find("li")]


def test_a_recorder_passes_the_whole_test_and_its_dark_channel_is_marked(place: Place) -> None:
    page = place.tested(address=f"{RECORDER}:{place.onvif.port}", **LOGIN)
    steps = steps_of(page)
    assert "4 channels" in " ".join(steps)
    assert not [step for step in steps if "failed" in step]
    assert steps[-1].startswith("RTSP: stream passed")
    marked = ["No video signal" in row.text for row in page.find("div", **{"class": "channel"})]
    assert marked == [True, False, False, False]


def test_a_stream_url_is_asked_by_rtsp_first(place: Place) -> None:
    page = place.tested(address=f"rtsp://{CAMERA}:{place.rtsp.port}/stream1", **LOGIN)
    titles = [step.partition(" ")[0] for step in steps_of(page)]
    assert titles == sorted(titles, reverse=True)
    assert titles[0] == "RTSP:"
    assert titles[-1] == "ONVIF:"
