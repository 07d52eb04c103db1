"""The page "Add camera" shows what a camera sees before it is saved."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from fleet.pictures import jpeg_size
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers
from sources import onvif, rtsp
from tests.discovery import listed as fleets
from tests.gst_server import gst_server, needs_gst
from tests.home import Clock, Home, free_port, until
from tests.web.browser import Browser, Element
from video.build import VideoPackage

pytestmark = needs_gst
ADDRESS, PASSWORD = "127.84.9.77", "s3cret-pass"


class Place:
    """A monitor without devices, and a camera whose snapshot and stream can be asked for."""

    def __init__(self, home: Home, camera: OnvifDevice, onvif_port: int, rtsp_port: int) -> None:
        self.home, self.camera = home, camera
        self.onvif = f"{ADDRESS}:{onvif_port}"
        self.rtsp = f"rtsp://{ADDRESS}:{rtsp_port}/stream1"

    def test(self, address: str, password: str = PASSWORD) -> str:
        """Test a connection on the page; the page with the result."""
        browser = Browser(self.home.client)
        form: Element = browser.visit("/cameras/add").form("/cameras/add")
        login = {"login": "password", "username": "admin", "password": password}
        answer: TestResponse = browser.send(form, "Test connection", address=address, **login)
        return answer.text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("picture")
    camera = OnvifDevice(ADDRESS, accounts=Accounts("admin", PASSWORD))
    login = ("--login", f"admin:{PASSWORD}", "--digest", "--size", "640x360")
    with (
        OnvifServers([camera], free_port()) as servers,
        gst_server(ADDRESS, *login) as port,
    ):
        sources = [onvif.source(onvif.OnvifOptions(fleets.now)), rtsp.source(fleets.now)]
        home = Home(folder, Clock(), sources=sources)
        home.monitor.packages.find(VideoPackage).streams.start()
        yield Place(home, camera, servers.port, port)
        home.close()


def picture_in(page: str) -> tuple[int, int] | None:
    """The size of the picture in the page."""
    data = re.search(r'src="data:image/jpeg;base64,([^"]+)"', page)
    return jpeg_size(base64.b64decode(data[1])) if data else None


def test_the_snapshot_of_a_new_camera_is_shown_with_its_time_and_not_kept(place: Place) -> None:
    page = place.test(place.onvif)
    assert picture_in(page) == (64, 48)
    assert "ONVIF: picture" in page
    assert '<time datetime="' in page.partition("<figcaption>")[2].partition("</figcaption>")[0]
    assert place.home.devices() == []
    assert not list(place.home.settings.media_dir.rglob("*.jpg"))


def test_a_camera_without_a_snapshot_shows_a_key_frame_of_its_stream(place: Place) -> None:
    page = place.test(place.rtsp)
    assert picture_in(page) == (320, 180)
    assert "640 × 360" in page
    streams = place.home.monitor.packages.find(VideoPackage).streams
    assert streams.states() == {}
    until(lambda: not streams._streams, what="the stream is closed")


def test_a_broken_snapshot_says_so_and_the_camera_can_be_saved(place: Place) -> None:
    place.camera.snapshot_kind = "text"
    try:
        page = place.test(place.onvif)
    finally:
        place.camera.snapshot_kind = "well"
    assert picture_in(page) is None
    assert "Save camera" in page
    assert "ONVIF: picture" in page


def test_a_login_that_only_the_snapshot_refuses_is_sent_there_once(place: Place) -> None:
    accounts = place.camera.snapshot_accounts = Accounts("viewer", "another")
    try:
        pages = [place.test(place.onvif) for _number in range(3)]
    finally:
        place.camera.snapshot_accounts = None
    assert [picture_in(page) for page in pages] == [None] * 3
    assert all("Logged in as admin" in page for page in pages)
    assert [attempt.outcome for attempt in accounts.attempts].count("wrong") == 1


def test_a_wrong_password_is_sent_to_no_snapshot_and_no_stream(place: Place) -> None:
    asked = place.camera.asked["snapshot"]
    for address in (place.onvif, place.rtsp):
        assert picture_in(place.test(address, "wrong")) is None
    assert place.camera.asked["snapshot"] == asked
