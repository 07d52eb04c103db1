"""Connection tests of simulated devices: what they show, and which password a device then saw."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from fleet.model import Finding
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers
from simulators.rtsp import RtspDevice, RtspServers
from sources import onvif, rtsp, tls
from sources.ws_discovery import SearchOptions
from tests.home import Clock, Home, free_port, until
from tests.sources.tls_servers import certificate, server_context
from tests.web.browser import read

NAME, SECRET = "admin", "wet green stones"
ADDRESSES = [f"127.68.0.{number}" for number in range(1, 9)]


@dataclass
class Place:
    """Cameras with both protocols and one account each, cameras with RTSPS, and a monitor."""

    home: Home
    rtsp: RtspServers
    onvif: OnvifServers
    secure: RtspServers
    pin: str
    numbers: Iterator[int]

    def camera(self, *offers: str, mode: str = "well") -> Accounts:
        """The account of the next camera, at `address`."""
        self.number = next(self.numbers)
        accounts = self.rtsp.devices[self.number].accounts
        accounts.offers = offers or ("md5",)
        self.rtsp.turn(self.rtsp.devices[self.number], mode)
        return accounts

    @property
    def address(self) -> str:
        return ADDRESSES[self.number]

    @property
    def url(self) -> str:
        return f"rtsp://{self.address}:{self.rtsp.port}/stream1"

    def tested(self, **login: str) -> dict[tuple[str, str], Any]:
        """The steps of a test by both protocols, by source and name."""
        body = {"rtsp_url": self.url, "onvif": {"port": self.onvif.port}, **login}
        answer = self.home.client.post("/api/cameras/test", json=body)
        assert answer.status_code == 200, answer.text
        return {(step["source"], step["name"]): step for step in answer.json["steps"]}

    def credentials(self, name: str, password: str = SECRET) -> str:
        body = {"name": name, "username": NAME, "password": password}
        answer = self.home.client.post("/api/credentials", json=body)
        return str(answer.json["credentials"]["id"])

    def add(self, url: str, code: int = 201, **login: Any) -> int:
        answer = self.home.client.post("/api/cameras", json={"rtsp_url": url, **login})
        assert answer.status_code == code, answer.text
        return int(answer.json["camera"]["id"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("trials")
    accounts = [Accounts(NAME, SECRET) for _ in ADDRESSES]
    by_rtsp = [RtspDevice(a, accounts=of) for a, of in zip(ADDRESSES, accounts, strict=True)]
    by_onvif = [OnvifDevice(a, accounts=of) for a, of in zip(ADDRESSES, accounts, strict=True)]
    pem = certificate(folder, "camera")
    hidden = [RtspDevice("127.68.1.1", accounts=Accounts(NAME, SECRET))]
    with (
        RtspServers(by_rtsp, free_port()) as plain,
        OnvifServers(by_onvif, free_port()) as soap,
        RtspServers(hidden, free_port(), server_context(pem)) as secure,
    ):
        clock = Clock()
        search = SearchOptions(("127.0.0.1",))
        sources = [rtsp.source(clock), onvif.source(onvif.OnvifOptions(clock, search))]
        home = Home(folder, clock, sources=sources)
        pin = tls.fingerprint(_der(pem))
        yield Place(home, plain, soap, secure, pin, count())
        home.close()


def _der(pem: Path) -> bytes:
    text = pem.read_text()
    return ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERTIFICATE") :])


def test_a_wrong_password_costs_one_refusal_though_two_protocols_are_tested(place: Place) -> None:
    accounts = place.camera()
    steps = place.tested(username=NAME, password="old grey wood")
    assert accounts.wrong == 1
    assert steps["rtsp", "login"]["state"] == "failed"
    assert steps["onvif", "login"]["state"] == "skipped"
    assert "refused this login over RTSP" in steps["onvif", "login"]["text"]
    for _ in range(3):
        steps = place.tested(username=NAME, password="old grey wood")
    assert accounts.wrong == 2
    assert "Test again in" in steps["rtsp", "login"]["text"]


def test_the_second_test_asks_the_protocol_that_did_not_refuse_the_login(place: Place) -> None:
    by_rtsp = place.camera()
    by_onvif = place.onvif.devices[place.number].accounts = Accounts(NAME, "small blue birds")
    login = {"username": NAME, "password": "small blue birds"}
    first = place.tested(**login)
    assert first["rtsp", "login"]["state"] == "failed"
    assert "test again: ONVIF is asked then" in first["onvif", "login"]["text"]
    assert (by_rtsp.wrong, by_onvif.attempts) == (1, [])
    second = place.tested(**login)
    assert "refused this login over RTSP in the test before" in second["rtsp", "login"]["text"]
    assert second["onvif", "login"]["state"] == "ok"
    assert (by_rtsp.wrong, by_onvif.wrong) == (1, 0)


def test_no_test_and_no_first_check_reveals_the_password_of_a_set(place: Place) -> None:
    accounts, id = place.camera("basic"), place.credentials("Revealed")
    steps = place.tested(credentials=id)
    assert steps["rtsp", "login"]["facts"]["reason"] == "login.method"
    form = {"address": place.url, "login": "saved", "credentials": id, "do": "test"}
    assert "offers only Basic" in place.home.client.post("/cameras/add", data=form).text
    number = place.add(place.url, credentials=id)
    place.home.monitor.scanner.ask([number])

    def has_finding() -> bool:
        findings = place.home.device(str(number)).findings
        return any((f.kind, f.source) == ("login.method", "rtsp") for f in findings)

    until(has_finding, what="the check did not log in")
    shown = [attempt for attempt in accounts.attempts if attempt.scheme == "basic"]
    assert shown == []


def test_a_test_uses_basic_for_a_password_that_the_person_typed(place: Place) -> None:
    accounts = place.camera("basic")
    assert place.tested(username=NAME, password=SECRET)["rtsp", "login"]["state"] == "ok"
    assert any(attempt.scheme == "basic" for attempt in accounts.attempts)


def test_a_camera_with_basic_only_is_tested_with_its_saved_login_as_it_is_checked(
    place: Place,
) -> None:
    accounts = place.camera("basic")
    number = place.add(place.url, username=NAME, password=SECRET)
    until(lambda: place.home.device(str(number)).access["rtsp"].method == "basic")
    before = len(accounts.attempts)
    form = {"host": place.address, "port": str(place.rtsp.port), "path": "/stream1"}
    page = f"/cameras/{number}/connection?source=rtsp"
    answer = place.home.client.post(page, data={**form, "login": "keep", "do": "test"})
    assert "Logged in" in read(answer.text).text
    assert {attempt.outcome for attempt in accounts.attempts[before:]} == {"right"}


def test_the_login_of_a_recorder_in_doubt_is_not_tested_at_its_channel(place: Place) -> None:
    place.camera()
    recorder = place.add(place.url, username=NAME, password=SECRET)
    channel = place.add(place.url.replace("stream1", "stream2"), channel_of=recorder)
    tracker, clock = place.home.monitor.tracker, place.home.clock
    doubt = Finding(f"id:{recorder}", "identity.other", clock(), "another MAC", "onvif")
    tracker.apply([doubt], clock())
    form = {"host": place.address, "port": str(place.rtsp.port), "path": "/stream2"}
    page = f"/cameras/{channel}/connection?source=rtsp"
    answer = place.home.client.post(page, data={**form, "login": "keep", "do": "test"})
    assert "Another device may be at this address" in read(answer.text).text


def test_a_test_sees_the_refusals_of_a_credential_set(place: Place) -> None:
    accounts, id = place.camera(), place.credentials("Wrong", "old grey wood")
    number = place.add(place.url, credentials=id)
    for _ in range(3):
        place.home.monitor.scanner.ask([number])
    until(lambda: place.home.device(str(number)).access["rtsp"].refusals == 2)
    assert accounts.wrong == 2
    steps = place.tested(username=NAME, password="old grey wood")
    assert steps["rtsp", "login"]["state"] == "skipped"
    assert accounts.wrong == 2


def test_a_camera_at_its_limit_of_viewers_is_busy_and_usable(place: Place) -> None:
    place.camera(mode="busy")
    steps = place.tested(username=NAME, password=SECRET)
    login = steps["rtsp", "login"]
    assert login["state"] == "skipped"
    assert login["text"].startswith("The device is busy")
    assert "RTSP 453" in login["text"]
    assert ("rtsp", "describe") not in steps
    assert "rtsp" in steps["", "result"]["facts"]["sources"]


def test_a_changed_certificate_gets_no_login_of_a_test(place: Place) -> None:
    (device,) = place.secure.devices
    url = f"rtsps://{device.address}:{place.secure.port}/stream1"
    number = place.add(url, username=NAME, password=SECRET)
    until(lambda: place.home.device(str(number)).access["rtsp"].tls_pin == place.pin)
    path = f"/cameras/{number}/connection?source=rtsp"
    form = {"host": device.address, "port": str(place.secure.port), "path": "/stream1", "tls": "on"}
    form |= {"login": "password", "username": NAME, "password": SECRET, "do": "test"}
    before = len(device.accounts.attempts)
    page = read(place.home.client.post(path, data={**form, "tls_pin": "0" * 64}).text)
    assert "certificate" in page.text
    assert len(device.accounts.attempts) == before
    place.home.client.post(path, data={**form, "tls_pin": place.pin})
    assert len(device.accounts.attempts) > before
