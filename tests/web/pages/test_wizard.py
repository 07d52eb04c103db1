"""The page "Add camera" and the test in "Edit connection", with devices that are really asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from fleet.model import DEFAULT_SITE, Sighting
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers, recorder_sources
from simulators.rtsp import RtspDevice, RtspServers
from simulators.rtsp_device import recorder
from sources import onvif, rtsp
from sources.ws_discovery import SearchOptions
from tests.home import Clock, Home, free_port
from tests.web.browser import Browser, Element, read

CAMERA, RECORDER = "127.97.0.1", "127.97.0.2"
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

    @property
    def url(self) -> str:
        return f"rtsp://{CAMERA}:{self.rtsp.port}/stream1"

    @property
    def accounts(self) -> Accounts:
        """Those of the camera."""
        return self.rtsp.devices[0].accounts

    def add(self, **body: Any) -> int:
        """Add the camera and check it once."""
        login = {"username": NAME, "password": SECRET}
        answer = self.home.client.post("/api/cameras", json={"rtsp_url": self.url, **login, **body})
        assert answer.status_code == 201, answer.text
        number = int(answer.json["camera"]["id"])
        self.home.monitor.scanner.ask([number])
        return number

    def delete(self, number: int) -> None:
        assert self.home.client.delete(f"/api/cameras/{number}").status_code == 200

    def connection_tested(self, number: int, **typed: str) -> list[str]:
        """The steps of a test in "Edit connection"."""
        browser, path = Browser(self.home.client), f"/cameras/{number}/connection?source=rtsp"
        form = browser.visit(path).form(path)
        return steps_of(read(browser.send(form, "Test connection", **typed).text))

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
    page = place.tested(address=place.url, **LOGIN)
    *tests, picture = steps_of(page)
    titles = [step.partition(" ")[0] for step in tests]
    assert titles == sorted(titles, reverse=True)
    assert titles[0] == "RTSP:"
    assert titles[-1] == "ONVIF:"
    assert picture.startswith("RTSP: picture")


def test_a_host_name_without_an_address_has_one_reason(place: Place) -> None:
    page = place.tested(address="no-such-host.invalid", **LOGIN)
    texts = [step.partition(".invalid: ")[2] for step in steps_of(page)]
    reasons = [text.partition(".")[0] for text in texts]
    assert len(reasons) == 2
    assert len(set(reasons)) == 1
    assert reasons[0] == "the host name cannot be resolved"
    for text in texts:
        assert "Correct the host name, or the DNS server of this server." in text
        assert "power" not in text


@pytest.fixture
def number(place: Place) -> Iterator[int]:
    """The camera in the list, with its login."""
    number = place.add()
    yield number
    place.delete(number)


def test_another_stream_of_a_known_device_becomes_a_channel_of_it(
    place: Place, number: int
) -> None:
    browser = Browser(place.home.client)
    typed = {"address": place.url.replace("stream1", "stream2"), **LOGIN}
    asked = browser.send(place.form(), "Save without testing", **typed)
    assert asked.status_code == 422
    page = read(asked.text)
    assert "It is another channel of" in page.text
    form = page.form("/cameras/add")
    saved = browser.send(form, "Save without testing", same_as=f"channel-of-{number}")
    assert saved.status_code == 303, saved.text
    id = int(saved.headers["Location"].partition("?")[0].removeprefix("/cameras/"))
    channel = place.home.device(str(id))
    assert channel.parents == (number,)
    assert channel.access["rtsp"].path == "/stream2"
    place.delete(id)


def test_a_connection_of_another_camera_is_not_taken_from_it(place: Place, number: int) -> None:
    browser, known = Browser(place.home.client), place.home.device(str(number))
    ids = {*place.home.monitor.tracker.devices()}
    page = place.tested(address=f"{CAMERA}:{place.onvif.port}", **LOGIN)
    saved = browser.send(page.form("/cameras/add"), do="save", same_as="another")
    assert saved.status_code == 409, saved.text
    assert "is already in the list" in read(saved.text).text
    assert {*place.home.monitor.tracker.devices()} == ids
    assert place.home.device(str(number)).access == known.access


def test_a_device_of_another_site_at_the_address_is_named_after_the_test(
    place: Place, number: int
) -> None:
    text = "Also at this address: "
    assert text not in place.tested(address=place.url, **LOGIN).text
    page = place.tested(address=place.url, site="Depot", **LOGIN)
    assert text in page.text
    assert "(no site). If it is the same device" in page.text


def test_a_channel_that_cannot_be_added_is_named_with_the_reason(place: Place) -> None:
    browser = Browser(place.home.client)
    page = place.tested(address=f"{RECORDER}:{place.onvif.port}", **LOGIN)
    form = page.form("/cameras/add")
    long = {"channel_name_0": "x" * 300}
    ticked = [box["value"] for box in form.find("input", name="channel")]
    saved = browser.send(form, do="save", channel=ticked, **long)
    assert saved.status_code == 303, saved.text
    path = saved.headers["Location"]
    try:
        text = browser.visit(path).text
        assert "Not added: xxx" in text
        assert "characters" in text
    finally:
        place.delete(int(path.partition("?")[0].removeprefix("/cameras/")))


def test_a_busy_camera_is_online_and_says_so_until_its_stream_is_back(
    place: Place, number: int
) -> None:
    camera, page = place.rtsp.devices[0], f"/cameras/{number}"
    place.rtsp.turn(camera, "busy")
    try:
        place.home.monitor.scanner.ask([number])
        shown = read(place.home.client.get(page).text).text
        assert "Stream is busy" in shown
        assert "at its limit of viewers (RTSP 453)" in shown
        row = place.home.client.get(f"/api/camera/{number}").json
        assert row["status"] == "ACTIVE"
        assert "Stream is busy" not in place.home.client.get("/parts/top").text
    finally:
        place.rtsp.turn(camera, "well")
    place.home.monitor.scanner.ask([number])
    assert "Stream is busy" not in place.home.client.get(page).text


def test_the_login_of_a_camera_is_tested_without_typing_it_again(place: Place, number: int) -> None:
    before = len(place.accounts.attempts)
    steps = place.connection_tested(number)
    assert "RTSP: login passedLogged in." in steps
    assert steps[-1].startswith("RTSP: stream passed")
    assert len(place.accounts.attempts) > before


def test_the_login_of_a_camera_is_not_sent_to_another_address(place: Place, number: int) -> None:
    other = place.rtsp.devices[1].accounts
    before = len(other.attempts)
    steps = place.connection_tested(number, host=RECORDER)
    assert "only to the address" in " ".join(steps)
    assert len(other.attempts) == before


def test_a_saved_login_is_not_revealed_by_a_test(place: Place, number: int) -> None:
    place.accounts.offers = ("basic",)
    try:
        before = len(place.accounts.attempts)
        assert "offers only Basic" in " ".join(place.connection_tested(number))
        assert len(place.accounts.attempts) == before
    finally:
        place.accounts.offers = ("md5",)


def has_one_login(place: Place, number: int) -> bool:
    """True if ONVIF logs in with the password of RTSP, by Digest as RTSP does, and may."""
    place.home.monitor.scanner.ask([number])
    device = place.home.device(str(number))
    by_rtsp, by_onvif = device.access["rtsp"], device.access["onvif"]
    assert by_rtsp.secret
    is_shared = (by_rtsp.username, by_rtsp.secret) == (by_onvif.username, by_onvif.secret)
    is_refused = any(fault.kind.startswith("login.") for fault in device.findings)
    return is_shared and by_onvif.method.startswith("digest") and not is_refused


def test_a_second_protocol_is_tested_and_linked_with_the_login_of_the_first(
    place: Place, number: int
) -> None:
    browser, path = Browser(place.home.client), f"/cameras/{number}/connection?source=onvif"
    form = browser.visit(path).form(path)
    offered = [field for field in form.find("input", name="login") if "checked" in field.attributes]
    assert [field["value"] for field in offered] == ["shared"]
    typed = {"host": CAMERA, "port": f"{place.onvif.port}"}
    steps = steps_of(read(browser.send(form, "Test connection", **typed).text))
    assert "ONVIF: login passedLogged in." in steps
    away = browser.send(form, "Test connection", **{**typed, "host": RECORDER})
    assert "saved for another address" in " ".join(steps_of(read(away.text)))
    refused = browser.send(form, "Save", **{**typed, "host": RECORDER})
    assert refused.status_code == 422
    assert "no login for this address" in read(refused.text).text
    assert browser.send(form, "Save", **typed).status_code == 303
    assert place.home.device(str(number)).access["onvif"].digest_only
    assert has_one_login(place, number)


def test_the_same_camera_gets_a_second_protocol_with_its_login(place: Place, number: int) -> None:
    browser = Browser(place.home.client)
    typed = {"address": f"http://{CAMERA}:{place.onvif.port}/onvif/device_service"}
    asked = browser.send(place.form(), "Save without testing", **typed, login="none")
    assert asked.status_code == 422
    form = read(asked.text).form("/cameras/add")
    assert "with the login of its RTSP connection" in form.text
    saved = browser.send(form, "Save without testing", same_as=f"login-of-{number}")
    assert saved.status_code == 303, saved.text
    assert has_one_login(place, number)


def test_an_access_that_is_given_without_a_login_uses_the_one_of_the_device(
    place: Place, number: int
) -> None:
    body = {"ip_address": CAMERA, "onvif": {"port": place.onvif.port}, "same_as": number}
    assert place.home.client.post("/api/cameras", json=body).status_code == 201
    assert has_one_login(place, number)


def test_a_chosen_credential_set_is_tested_for_a_known_camera(place: Place, number: int) -> None:
    body = {"name": "North", "username": NAME, "password": SECRET}
    id = place.home.client.post("/api/credentials", json=body).json["credentials"]["id"]
    steps = place.connection_tested(number, login="saved", credentials=id)
    assert "RTSP: login passedLogged in as admin." in steps


def test_what_to_do_next_names_the_address_at_hand_and_no_other_page(place: Place) -> None:
    address = place.url.removesuffix("/stream1")
    steps = " ".join(steps_of(place.tested(address=address, **LOGIN)))
    assert f"address: {address}/PATH" in steps
    assert "under Connections" not in steps
    assert "before login" not in steps
    by_onvif = place.tested(address=f"{CAMERA}:{place.onvif.port}", login="none")
    assert "It requires a user name and a password." in " ".join(steps_of(by_onvif))
    steps = " ".join(steps_of(place.tested(address=place.url, login="none")))
    assert "Choose “User name and password”" in steps


def test_an_empty_path_is_tested_with_the_stream_that_onvif_reported(
    place: Place, number: int
) -> None:
    clock, key = place.home.clock, f"rtsp:{CAMERA}:{place.rtsp.port}/stream1"
    links = {"stream": "/stream1"}
    seen = Sighting(DEFAULT_SITE, (key,), "onvif", clock(), address=CAMERA, links=links)
    place.home.monitor.tracker.apply([seen], clock())
    steps = place.connection_tested(number, path="")
    assert steps[-1].startswith("RTSP: stream passed")
