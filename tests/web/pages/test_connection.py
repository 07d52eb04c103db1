"""The page that edits a connection, and what the details say about it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from discovery.logins import SPENT, WRONG
from fleet.model import DEFAULT_SITE, Access, Edit, Finding, Learned, Sighting
from tests.accounts.people import add
from tests.home import Clock, Home
from tests.web.browser import Browser, Element, read
from tests.web.closed import Visitor

SECRET = "gräs/h0pper"
PLACE = "10.9.1.1"
PIN, OTHER_PIN = "a" * 64, "b" * 64


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A camera (1) that a person added, with a password; nothing asks it."""
    made = Home(tmp_path_factory.mktemp("connection"), Clock())
    with made.monitor.secrets.sealing() as seal:
        fields = {"source": "rtsp", "host": PLACE, "port": 554, "path": "/live", "name": "Ramp"}
        login = {"username": "admin", "secret": seal(SECRET), "tls_pin": PIN}
        edit = Edit("add", "", {**fields, **login}, "anna", made.clock())
        made.monitor.tracker.apply([edit], made.clock())
    yield made
    made.close()


@pytest.fixture
def browser(home: Home) -> Browser:
    return Browser(home.client)


def access(home: Home) -> Access:
    return home.device("1").access["rtsp"]


def form_of(browser: Browser, source: str = "rtsp") -> Element:
    path = f"/cameras/1/connection?source={source}"
    return browser.visit(path).form(path)


def learn(home: Home, **learned: object) -> None:
    """Let a check of the camera learn this about its connection."""
    device, now = home.device("1"), home.clock()
    kept = Learned(access=device.access["rtsp"], **learned)  # type: ignore[arg-type]
    keys = ("rtsp:10.9.1.1:554/live",)
    sighting = Sighting(device.site, keys, "rtsp", now, address=PLACE, device=1, learned=kept)
    home.monitor.tracker.apply([sighting], now)


def test_the_form_shows_what_is_saved_but_for_the_password(browser: Browser) -> None:
    form = form_of(browser)
    values = {name: form.find_one("input", name=name).get("value") for name in ("host", "port")}
    assert values == {"host": PLACE, "port": "554"}
    assert "Keep current login (admin)" in form.text
    assert "checked" in form.find_one("input", name="login", value="keep").attributes
    assert form.find_one("input", name="password").get("value") == ""


def test_a_new_path_keeps_the_password_and_is_undone(home: Home, browser: Browser) -> None:
    before = access(home)
    page = browser.press(form_of(browser), "Save", path="/other", interval="120")
    after = access(home)
    assert (after.path, after.interval) == ("/other", 120)
    assert (after.secret, after.tls_pin, after.username) == (before.secret, PIN, "admin")
    browser.press(
        page.form(next(f["action"] for f in page.find("form") if "/undo/" in f["action"])), "Undo"
    )
    assert access(home) == before


def test_the_path_of_the_sub_stream_is_saved_and_keeps_the_rest(
    home: Home, browser: Browser
) -> None:
    before = access(home)
    browser.press(form_of(browser), "Save", sub_path="/stream2")
    assert access(home) == replace(before, options={**before.options, "sub_path": "/stream2"})
    assert form_of(browser).find_one("input", name="sub_path")["value"] == "/stream2"
    answer = browser.send(form_of(browser), "Save", sub_path="/live?password=x")
    assert answer.status_code == 422
    field = read(answer.text).find_one("input", name="sub_path")
    assert field["aria-invalid"] == "true"
    browser.press(form_of(browser), "Save", sub_path="")
    assert access(home) == before


def test_the_cameras_own_events_are_an_option_of_onvif_alone(home: Home, browser: Browser) -> None:
    assert not form_of(browser).find("input", name="events")
    box = form_of(browser, "onvif").find_one("input", name="events")
    assert "checked" not in box.attributes
    typed = {"host": PLACE, "login": "none", "events": "on"}
    browser.press(form_of(browser, "onvif"), "Save", **typed)
    assert home.device("1").access["onvif"].options["events"] is True
    box = form_of(browser, "onvif").find_one("input", name="events")
    assert "checked" in box.attributes
    browser.press(form_of(browser, "onvif"), "Save", path="/onvif/other")
    assert home.device("1").access["onvif"].options["events"] is True


def test_a_new_address_needs_the_password_again(home: Home, browser: Browser) -> None:
    answer = browser.send(form_of(browser), "Save", host="10.9.1.2")
    assert answer.status_code == 422
    page = read(answer.text)
    assert "The password was saved for" in page.text
    assert page.find_one("input", name="password")["aria-invalid"] == "true"
    assert page.find_one("input", name="host")["value"] == "10.9.1.2"
    typed = {"host": "10.9.1.2", "login": "password", "username": "root", "password": "new one"}
    browser.press(form_of(browser), "Save", **typed)
    assert (access(home).host, access(home).username) == ("10.9.1.2", "root")
    assert home.monitor.secrets.unseal(access(home).secret or "") == "new one"


def test_a_login_is_removed_or_becomes_one_with_an_empty_password(
    home: Home, browser: Browser
) -> None:
    browser.press(form_of(browser), "Save", login="empty", username="admin")
    assert (access(home).username, access(home).secret) == ("admin", None)
    assert access(home).options == {}
    browser.press(form_of(browser), "Save", login="none")
    assert (access(home).username, access(home).options) == (None, {"login": "none"})
    browser.press(form_of(browser), "Save", login="password", username="a", password="b")
    assert access(home).options == {}


def test_a_pasted_url_as_address_is_taken_apart(home: Home, browser: Browser) -> None:
    url = "rtsps://root:s%40fe@10.9.1.3:7441/stream"
    browser.press(form_of(browser), "Save", host=url, port="", path="")
    new = access(home)
    assert (new.host, new.port, new.path) == ("10.9.1.3", 7441, "/stream")
    assert (new.username, new.options) == ("root", {"tls": True})
    assert home.monitor.secrets.unseal(new.secret or "") == "s@fe"


def test_a_test_never_shows_the_saved_password(home: Home, browser: Browser) -> None:
    page = read(browser.send(form_of(browser), "Test connection").text)
    assert "Connection test" in page.text
    assert SECRET not in page.raw_text
    assert access(home).secret


def test_a_device_that_scans_found_by_onvif_gets_an_onvif_connection_first(
    home: Home, browser: Browser
) -> None:
    key = "onvif:urn:uuid:00000000-0000-0000-0000-000000000002"
    at = {"at": home.clock(), "address": "10.9.1.2", "kind": "recorder"}
    home.monitor.tracker.apply([Sighting(DEFAULT_SITE, (key,), "onvif", **at)], home.clock())
    assert "Add a connection to check its channels" in browser.visit("/cameras/2").text
    assert browser.visit("/cameras/2/connection").form("/cameras/2/connection?source=onvif")


def test_the_login_of_a_recorder_is_named_only_where_a_channel_gets_it(
    home: Home, browser: Browser
) -> None:
    channel = {"source": "rtsp", "host": PLACE, "port": 554, "path": "/2", "channel_of": "1"}
    edit = Edit("add", "", {**channel, "name": "Yard"}, "anna", home.clock())
    home.monitor.tracker.apply([edit], home.clock())
    page = "/cameras/2/connection?source=rtsp"
    assert "Login of Ramp" in browser.visit("/cameras/2").text
    assert "Login of the recorder" in browser.visit(page).text
    browser.press(form_of(browser), "Save", login="none")
    assert "No login saved" in browser.visit("/cameras/2").text
    assert "Login of the recorder" not in browser.visit(page).text


def test_a_second_protocol_is_added_to_a_device(home: Home, browser: Browser) -> None:
    typed = {"host": PLACE, "login": "password", "username": "admin", "password": SECRET}
    browser.press(form_of(browser, "onvif"), "Save", **typed)
    assert {*home.device("1").access} == {"rtsp", "onvif"}


def test_a_changed_certificate_is_confirmed_by_a_person(home: Home, browser: Browser) -> None:
    evidence = {"accepted": PIN, "presented": OTHER_PIN}
    finding = Finding("id:1", "tls.changed", home.clock(), "changed", "rtsp", evidence)
    home.monitor.tracker.apply([finding], home.clock())
    details = browser.visit("/cameras/1")
    assert "confirm the new certificate under Connections" in details.text
    assert OTHER_PIN in form_of(browser).text
    browser.press(form_of(browser), "Confirm the new certificate")
    assert access(home).tls_pin == OTHER_PIN


def test_only_the_certificate_that_the_person_saw_is_confirmed(
    home: Home, browser: Browser
) -> None:
    def present(pin: str, *, cleared: bool = False) -> None:
        evidence = {"accepted": PIN, "presented": pin}
        finding = Finding("id:1", "tls.changed", home.clock(), f"now {pin}", "rtsp", evidence)
        home.monitor.tracker.apply([replace(finding, cleared=cleared)], home.clock())

    present(OTHER_PIN)
    shown, newest = form_of(browser), "c" * 64
    present(newest)
    answer = browser.send(shown, "Confirm the new certificate")
    assert answer.status_code == 422
    page = read(answer.text)
    assert "The certificate changed again" in page.text
    assert newest in page.text
    present(newest, cleared=True)
    assert browser.send(shown, "Confirm the new certificate").status_code == 422
    assert access(home).tls_pin == PIN, "the accepted one stays"


def test_the_details_say_how_the_login_stands(home: Home, browser: Browser) -> None:
    text = browser.visit("/cameras/1").text
    assert f"rtsp://{PLACE}/live" in text
    assert "admin, password saved" in text
    assert PIN in text
    assert SECRET not in text
    learn(home, refusals=1)
    assert "1 refused login" in browser.visit("/cameras/1").text
    learn(home, refusals=2)
    sentence = "Login refused twice. It is not tried again until you change it."
    assert sentence in browser.visit("/cameras/1").text
    assert sentence in form_of(browser).text
    worked_at: datetime = home.clock()
    learn(home, refusals=0, attempts_left=2, worked_at=worked_at)
    assert "Last worked" in browser.visit("/cameras/1").text


def test_a_login_that_another_connection_saw_refused_is_not_called_tried(
    home: Home, browser: Browser
) -> None:
    learn(home, refusals=1)
    spent = Finding("id:1", WRONG, home.clock(), SPENT, "rtsp")
    home.monitor.tracker.apply([spent], home.clock())
    for text in (browser.visit("/cameras/1").text, form_of(browser).text):
        assert "1 refused login" not in text
        assert "Login refused. It is not tried again until you change it." in text


# -- two editors, and people who see one site ------------------------------------------------


def test_an_old_form_does_not_put_back_what_another_person_changed(
    home: Home, browser: Browser
) -> None:
    old = form_of(browser)
    browser.press(form_of(browser), "Save", path="/new")
    answer = browser.send(old, "Save", interval="60")
    assert answer.status_code == 409
    page = read(answer.text)
    assert "Somebody changed this connection after you opened the form" in page.text
    assert "the path is now “/new”" in page.text
    assert (access(home).path, access(home).interval) == ("/new", None)
    read_again = page.form("/cameras/1/connection?source=rtsp")
    browser.press(read_again, "Save", path="/new")
    assert (access(home).path, access(home).interval) == ("/new", 60)


def test_an_old_form_keeps_the_certificate_that_a_check_accepted(
    home: Home, browser: Browser
) -> None:
    browser.press(form_of(browser), "Save", tls_pin="")
    old = form_of(browser)
    learn(home, tls_pin=OTHER_PIN)
    assert access(home).tls_pin == OTHER_PIN
    browser.press(old, "Save", interval="60")
    assert (access(home).tls_pin, access(home).interval) == (OTHER_PIN, 60)


def test_who_is_limited_to_a_camera_neither_moves_it_nor_asks_other_addresses(home: Home) -> None:
    accounts = home.monitor.authenticator.accounts
    add(accounts, "Ada", "admin")
    gus = add(accounts, "Gus", "viewer", False)
    accounts.grant(gus.id, "admin", device=1)
    visitor, path, before = Visitor(home, user=gus.id), "/cameras/1/connection", access(home)
    typed = {"host": PLACE, "port": "554", "path": "/live", "login": "none"}

    page_wanted = {"Accept": "text/html"}

    def send(path: str = path, **values: str) -> tuple[int, str]:
        answer = visitor.ask("POST", path, data=typed | values, headers=page_wanted)
        return answer.status_code, answer.text

    for source in ("rtsp", "onvif"):
        for host in (PLACE, "10.9.1.66"):
            code, text = send(f"{path}?source={source}", host=host, do="save")
            assert (code, "access to all devices can change how" in text) == (403, True)
    for other in ({"host": "127.0.0.1"}, {"port": "8080"}):
        code, text = send(**other)
        assert (code, "can test another address or port" in text) == (403, True)
    assert send()[0] == 200, "the test at the present address"
    assert access(home) == before
    page = read(visitor.get(path, headers=page_wanted).text)
    assert "Save" not in [button.text for button in page.find("button")]
