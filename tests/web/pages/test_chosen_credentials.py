"""Each way to choose a credential set for a device, by what the device then sees."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from discovery.refused_sets import MOST
from fleet.model import Access
from simulators.logins import Accounts
from simulators.rtsp import RtspDevice, RtspServers
from sources import onvif, rtsp
from tests.home import Clock, Home, free_port, until
from tests.web.browser import read

NAME, SECRET, NEW, WRONG = "monitor", "wet green stones", "dry red leaves", "old grey wood"
CAMERAS = 40


@dataclass
class Place:
    """Cameras with one login, and a monitor; each test takes cameras that no other one has."""

    home: Home
    port: int
    cameras: Iterator[RtspDevice]
    set_number: Iterator[int] = field(default_factory=lambda: count(1))

    def camera(self) -> RtspDevice:
        return next(self.cameras)

    def credentials(self, password: str = SECRET) -> str:
        """The id of a new set."""
        name = f"Set {next(self.set_number)}"
        body = {"name": name, "username": NAME, "password": password}
        answer = self.home.client.post("/api/credentials", json=body)
        return str(answer.json["credentials"]["id"])

    def name_of(self, id: str) -> str:
        return str(self.home.client.get(f"/api/credentials/{id}").json["name"])

    def ask(self, method: str, path: str, body: Any, code: int = 200) -> Any:
        answer = self.home.client.open(path, method=method, json=body)
        assert answer.status_code == code, answer.text
        return answer.json

    def add(self, device: RtspDevice, **login: Any) -> int:
        body = {"ip_address": device.address, "port": self.port, "rtsp_url": self.url(device)}
        return int(self.ask("POST", "/api/cameras", {**body, **login}, 201)["camera"]["id"])

    def url(self, device: RtspDevice) -> str:
        return f"rtsp://{device.address}:{self.port}/stream1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    cameras = [
        RtspDevice(f"127.67.0.{number}", accounts=Accounts(NAME, SECRET))
        for number in range(1, CAMERAS + 1)
    ]
    with RtspServers(cameras, free_port()) as servers:
        clock = Clock()
        sources = [
            rtsp.source(clock),
            onvif.source(onvif.OnvifOptions(clock, onvif.SearchOptions(("127.0.0.1",)))),
        ]
        home = Home(tmp_path_factory.mktemp("chosen"), clock, sources=sources)
        yield Place(home, servers.port, iter(cameras))
        home.close()


def saw(device: RtspDevice, password: str = SECRET, more_than: int = 0) -> None:
    """The device was asked with this password more than so many times, and accepts it."""

    def sent() -> bool:
        attempts = [a for a in device.accounts.attempts if a.shows(password)]
        assert all(attempt.username == NAME for attempt in attempts)
        return len(attempts) > more_than

    until(sent, 60, f"{device.address} is asked with the login of the set")


def test_a_camera_added_by_the_api_is_asked_with_its_set(place: Place) -> None:
    device, id = place.camera(), place.credentials()
    number = place.add(device, credentials=place.name_of(id))
    saw(device)
    shown = place.home.client.get(f"/api/cameras/{number}").json
    assert (shown["credentials"], shown["username"]) == (id, None)
    assert f"Credential set {place.name_of(id)}" in place.home.client.get(f"/cameras/{number}").text


def test_a_camera_changed_by_the_api_is_asked_with_its_set(place: Place) -> None:
    device, id = place.camera(), place.credentials()
    number = place.add(device, username=NAME, password=WRONG)
    saw(device, WRONG)
    changed = place.ask("PUT", f"/api/cameras/{number}", {"credentials": id})
    saw(device)
    for event in changed["undo"]:
        place.ask("POST", "/api/undo", {"event": event})
    access = place.home.device(str(number)).access["rtsp"]
    assert (access.username, access.credentials) == (NAME, "")
    place.ask("PUT", f"/api/cameras/{number}", {"credentials": id})
    place.ask("PUT", f"/api/cameras/{number}", {"username": "otto", "password": ""})
    access = place.home.device(str(number)).access["rtsp"]
    assert (access.username, access.secret, access.credentials) == ("otto", None, "")


def test_a_camera_without_login_is_asked_with_a_set_chosen_later(place: Place) -> None:
    device, id = place.camera(), place.credentials()
    number = place.add(device, login="none")
    place.ask("PUT", f"/api/cameras/{number}", {"credentials": id})
    saw(device)


def test_a_connection_test_uses_a_set(place: Place) -> None:
    device, id = place.camera(), place.credentials()
    body = {"rtsp_url": place.url(device), "credentials": id}
    steps = place.ask("POST", "/api/cameras/test", body)["steps"]
    assert device.accounts.attempts[-1].shows(SECRET)
    assert any(step["name"] == "login" and step["state"] == "ok" for step in steps)


@pytest.mark.parametrize(
    "more",
    [
        {"credentials": "No such set"},
        {"credentials": "Both", "username": "otto"},
        {"credentials": "Both", "login": "none"},
    ],
)
def test_a_set_that_does_not_exist_or_a_second_login_is_refused(
    place: Place, more: dict[str, str]
) -> None:
    body = {"rtsp_url": "rtsp://127.67.1.1/stream1", **more}
    for path in ("/api/cameras", "/api/cameras/test"):
        assert place.home.client.post(path, json=body).status_code == 422


def test_the_wizard_tests_and_saves_with_a_set(place: Place) -> None:
    device, id = place.camera(), place.credentials()
    form = {"address": place.url(device), "login": "saved", "credentials": id, "name": "Wizard"}
    tested = place.home.client.post("/cameras/add", data={**form, "do": "test"})
    assert tested.status_code == 200
    assert device.accounts.attempts[-1].shows(SECRET)
    before = len(device.accounts.attempts)
    saved = place.home.client.post("/cameras/add", data={**form, "do": "untested"})
    assert saved.status_code == 303, read(saved.text).text
    saw(device, more_than=before)


def test_the_connection_page_saves_a_set(place: Place) -> None:
    device, id = place.camera(), place.credentials()
    number = place.add(device, username=NAME, password=WRONG)
    saw(device, WRONG)
    form = {"host": device.address, "port": str(place.port), "path": "/stream1"}
    path = f"/cameras/{number}/connection?source=rtsp"
    assert place.name_of(id) in place.home.client.get(path).text
    saved = place.home.client.post(
        path, data={**form, "do": "save", "login": "saved", "credentials": id}
    )
    assert saved.status_code == 303
    saw(device)
    assert f"Keep credential set ({place.name_of(id)})" in place.home.client.get(path).text


def test_many_cameras_of_the_list_get_a_set_and_undo_takes_it_back(place: Place) -> None:
    devices, id = [place.camera(), place.camera()], place.credentials()
    numbers = [place.add(device, username=NAME, password=WRONG) for device in devices]
    form = {"id": [*map(str, numbers)], "do": "credentials", "bulk_credentials": id}
    page = place.home.client.post("/bulk", data=form)
    assert page.status_code == 200
    assert "2 devices" in read(page.text).find_one("div", id="bulk-result").text
    for device in devices:
        saw(device)
    done = place.ask("POST", "/api/cameras/bulk", {"ids": numbers, "credentials": None})
    assert done["changed"] == numbers
    back = place.ask("POST", "/api/cameras/bulk/undo", {"events": done["undo"]})
    assert (sorted(back["changed"]), back["failed"]) == (numbers, [])
    assert place.home.device(str(numbers[0])).access["rtsp"].credentials == id


def test_rows_of_an_import_name_a_set(place: Place) -> None:
    device, known, id = place.camera(), place.camera(), place.credentials()
    place.add(known, username=NAME, password=WRONG)
    name = place.name_of(id)
    rows = [{"url": place.url(entry), "credentials": name} for entry in (device, known)]
    done = place.ask("POST", "/api/cameras/import", {"rows": rows})
    assert (done["new"], done["changed"]) == (1, 1), done
    for entry in (device, known):
        saw(entry)
    again = place.ask("POST", "/api/cameras/import", {"rows": rows})
    assert again["unchanged"] == 2
    rows = [{"url": place.url(device), "credentials": name, "username": "otto"}]
    refused = place.ask("POST", "/api/cameras/import", {"rows": rows})
    assert "Remove one of the two" in refused["rows"][0]["hint"]


def test_what_a_scan_of_a_range_found_is_added_with_a_set(place: Place) -> None:
    device, id = place.camera(), place.credentials()
    body = {"ranges": device.address, "rtsp_port": place.port, "http_port": free_port()}
    place.ask("POST", "/api/scan-range", body)

    def ended() -> Any:
        state = place.home.client.get("/api/scan-range").json
        return state["scan"]["state"] != "running" and state["inbox"]

    (entry,) = until(ended, 60, "the scan has ended")
    form = {"ids": [str(entry["id"])], "id": [str(entry["id"])], "do": "add"}
    assert device.accounts.attempts == [], "a scan sends no login"
    page = place.home.client.get("/scan-range").text
    assert place.name_of(id) in page
    answer = place.home.client.post(
        "/scan-range/inbox", data={**form, "credentials": place.name_of(id)}
    )
    assert answer.status_code in (200, 303), answer.text
    saw(device)


def test_all_devices_of_a_changed_set_are_asked_with_its_new_password(place: Place) -> None:
    devices, id = [place.camera(), place.camera()], place.credentials(WRONG)
    numbers = [place.add(device, credentials=id) for device in devices]

    def refused(number: int) -> bool:
        return place.home.device(str(number)).access["rtsp"].refusals > 0

    until(lambda: all(map(refused, numbers)), 60, "both refused the wrong password")
    place.ask("PUT", f"/api/credentials/{id}", {"password": SECRET})
    for device in devices:
        saw(device)
    until(lambda: not any(map(refused, numbers)), 60, "the budgets are new")
    for device in devices:
        assert sum(attempt.shows(WRONG) for attempt in device.accounts.attempts) <= 2


def test_a_wrong_password_of_a_set_is_not_tried_at_ever_more_cameras(place: Place) -> None:
    devices, id = [place.camera() for _ in range(MOST)], place.credentials(WRONG)
    numbers = [place.add(device, credentials=id) for device in devices]

    def access(number: int) -> Access:
        return place.home.device(str(number)).access["rtsp"]

    until(lambda: all(access(number).refusals for number in numbers), 60, "all refused it")
    late = place.camera()
    number = place.add(late, credentials=id)

    def reasons() -> list[str]:
        return [fault.text for fault in place.home.device(str(number)).findings]

    expected = f"{MOST} devices refused the credential set {place.name_of(id)}"
    until(lambda: any(expected in text for text in reasons()), 60, "it says why")
    place.home.monitor.scanner.ask([*numbers, number])
    attempts = [a for device in (*devices, late) for a in device.accounts.attempts]
    assert sum(attempt.shows(WRONG) for attempt in attempts) == MOST, "once at each of the first"
    place.ask("PUT", f"/api/credentials/{id}", {"password": SECRET})
    for device in (*devices, late):
        saw(device)
    until(lambda: not any(expected in text for text in reasons()), 60, "the finding is gone")
