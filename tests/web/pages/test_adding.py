"""The page "Add camera" without script: what it keeps, what it never shows, and what it saves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from accounts.model import Person
from simulators.panasonic import Camera
from tests.home import Clock, Home
from tests.web.browser import Browser, Element, read
from tests.web.closed import Visitor, monitor_of_two
from web.http.entered_logins import LIFETIME, MAX_ENTRIES, EnteredLogins, Entry

SECRET = "gräs/h0pper"
GATE = "127.20.0.9"
LOGIN = {"login": "password", "username": "admin", "password": SECRET}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Gate (1), found by a scan; no source asks what people add."""
    made = Home(
        tmp_path_factory.mktemp("adding"), Clock(), Camera("d4:2d:c5:00:00:01", GATE, "Gate")
    )
    made.scan()
    yield made
    made.close()


@pytest.fixture
def browser(home: Home) -> Browser:
    return Browser(home.client)


def form_of(page: Element) -> Element:
    return page.form("/cameras/add")


def send(browser: Browser, button: str = "Save without testing", **typed: str) -> TestResponse:
    """Fill in the empty form and press a button of it."""
    return browser.send(form_of(browser.visit("/cameras/add")), button, **typed)


def saved(browser: Browser, answer: TestResponse) -> tuple[int, Element]:
    """The number and the page of the device that was saved."""
    assert answer.status_code == 303, answer.text
    path = answer.headers["Location"]
    return int(path.partition("?")[0].removeprefix("/cameras/")), browser.visit(path)


def undo(browser: Browser, page: Element) -> None:
    assert browser.send(page.form("/bulk/undo"), "Undo").status_code == 303


def test_a_camera_that_is_off_is_saved_without_testing_and_undone(
    home: Home, browser: Browser
) -> None:
    typed = {"name": "Ramp", "site": "Depot", "tags": "door, north", "notes": "High up"}
    answer = send(browser, address="rtsps://10.9.0.1/live?channel=2", **LOGIN, **typed)
    id, page = saved(browser, answer)
    device = home.device(str(id))
    access = device.access["rtsp"]
    assert (access.host, access.port, access.path) == ("10.9.0.1", 322, "/live?channel=2")
    assert access.username == "admin"
    assert access.options == {"tls": True}
    assert home.monitor.secrets.unseal(access.secret or "") == SECRET
    assert (device.name, device.site, device.notes) == ("Ramp", "Depot", "High up")
    assert device.tags == ("door", "north")
    assert device.listed
    assert "Checking now" in page.text
    assert "Scan the network" not in page.text
    undo(browser, page)
    assert id not in home.monitor.tracker.devices()
    assert access.secret not in home.monitor.tracker.fleet().secrets


@pytest.mark.parametrize(
    ("typed", "source", "port", "path"),
    [
        ({"address": "cam.example"}, "onvif", None, ""),
        ({"address": "cam.example:8554", "protocol": "rtsp"}, "rtsp", 8554, ""),
        ({"address": "http://cam.example/onvif/media"}, "onvif", 80, "/onvif/media"),
        ({"address": "RTSP://cam.example/a?b=c"}, "rtsp", 554, "/a?b=c"),
    ],
)
def test_the_address_says_by_which_protocol_a_camera_is_checked(
    home: Home, browser: Browser, typed: dict[str, str], source: str, port: int | None, path: str
) -> None:
    id, page = saved(browser, send(browser, login="none", **typed))
    (known,) = home.device(str(id)).access.items()
    assert (known[0], known[1].host) == (source, "cam.example")
    assert (known[1].port, known[1].path) == (port, path)
    undo(browser, page)


@pytest.mark.parametrize(
    ("login", "username", "options"),
    [("none", None, {"login": "none"}), ("empty", "admin", {})],
)
def test_no_login_and_an_empty_password_are_two_things(
    home: Home, browser: Browser, login: str, username: str | None, options: dict[str, Any]
) -> None:
    answer = send(browser, address="10.9.0.2", login=login, username="admin", password=SECRET)
    id, page = saved(browser, answer)
    access = home.device(str(id)).access["onvif"]
    assert (access.username, access.secret) == (username, None)
    assert access.options == options
    undo(browser, page)


def test_saving_without_a_test_is_a_button_from_the_start(browser: Browser) -> None:
    form = browser.visit("/cameras/add").form("/cameras/add")
    assert form.find_one("summary", **{"class": "button"}).text == "Save without testing"


def test_a_password_that_nobody_typed_is_not_taken_for_an_empty_one(browser: Browser) -> None:
    answer = send(browser, address="10.9.0.3", login="password", username="admin")
    assert answer.status_code == 422
    assert "choose “User name without password”" in read(answer.text).text
    field = form_of(read(answer.text)).find_one("input", name="password")
    assert field["aria-invalid"] == "true"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"rtsp://admin:{SECRET.replace('/', '%2F')}@10.9.0.4/live", "rtsp://10.9.0.4/live"),
        (f"rtsp://admin:{SECRET}@10.9.0.4/live", "rtsp://10.9.0.4/live"),
        ("rtsp://admin:12/h0pper@10.9.0.4/live", "rtsp://10.9.0.4/live"),
        ("rtsp://admin:12?h0pper@10.9.0.4/live", "rtsp://10.9.0.4/live"),
        ("rtsp://admin:gr@s/h0pper@10.9.0.4/live", "rtsp://10.9.0.4/live"),
        (
            f"rtsp://10.9.0.4/live?user=admin&password={SECRET}",
            "rtsp://10.9.0.4/live?user={username}&password={password}",
        ),
        (f"rtsp://admin:{SECRET}@", "rtsp://"),
        (f"xyz://admin:{SECRET}@10.9.0.4", "xyz://10.9.0.4"),
    ],
)
@pytest.mark.parametrize("button", ["Test connection", "Save without testing"])
def test_a_login_in_the_address_is_never_shown_again(
    browser: Browser, address: str, shown: str, button: str
) -> None:
    typed = {"address": address, "site": "\x00" if "10.9.0.4/live" in shown else ""}
    answer = send(browser, button, **typed, parents_search="nobody has this name")
    assert answer.status_code in (200, 422), answer.text
    assert "h0pper" not in answer.text
    assert "h0pper" not in str(answer.headers)
    form = form_of(read(answer.text))
    assert form.find_one("input", name="address")["value"] == shown
    assert form.find_one("input", name="password").get("value") == ""


def test_a_password_is_kept_for_the_next_step_of_the_same_form(
    home: Home, browser: Browser
) -> None:
    failed = send(browser, address="not an address", **LOGIN, name="Ramp")
    assert failed.status_code == 422
    assert "h0pper" not in failed.text
    form = form_of(read(failed.text))
    assert form.find_one("input", name="name")["value"] == "Ramp"
    assert "is kept for 15 minutes" in form.text
    answer = browser.send(form, "Save without testing", address="10.9.0.5")
    id, page = saved(browser, answer)
    access = home.device(str(id)).access["onvif"]
    assert home.monitor.secrets.unseal(access.secret or "") == SECRET
    again = browser.send(form, "Save without testing", address="10.9.0.6")
    assert again.status_code == 422, "the entry is gone once the camera is saved"
    undo(browser, page)


def test_a_device_at_the_address_is_named_and_nothing_is_saved_before_a_choice(
    home: Home, browser: Browser
) -> None:
    answer = send(browser, address=f"rtsp://{GATE}/live", **LOGIN)
    page = read(answer.text)
    assert answer.status_code == 422
    assert "It is Gate: add this stream to it" in page.text
    assert home.device("1").access == {}
    id, page = saved(browser, browser.send(form_of(page), "Save without testing", same_as="1"))
    assert id == 1
    assert home.device("1").access["rtsp"].path == "/live"
    undo(browser, page)
    assert home.device("1").access == {}


def test_a_connection_test_is_in_the_audit_log(home: Home, browser: Browser) -> None:
    assert send(browser, "Test connection", address="127.20.0.77", **LOGIN).status_code == 200
    (entry, *_older) = home.client.get("/api/audit?action=device.tested").json
    assert entry["text"] == "Connection test of 127.20.0.77"
    assert SECRET not in str(entry)


def test_nothing_is_tested_or_scanned_while_the_server_stops(make_home: Any) -> None:
    stopping = make_home()
    browser = Browser(stopping.client)
    stopping.monitor.scanner.close()
    answer = send(browser, "Test connection", address=GATE, **LOGIN)
    assert answer.status_code == 503
    assert "Camera Monitor is stopping" in answer.text
    ranges = browser.visit("/scan-range").form("/scan-range")
    assert browser.send(ranges, "Check range", ranges=GATE, do="start").status_code == 503


def test_another_camera_at_the_same_address_gets_a_record_of_its_own(
    home: Home, browser: Browser
) -> None:
    typed = {"address": f"rtsp://{GATE}/live", "login": "none", "same_as": "another"}
    id, page = saved(browser, send(browser, **typed))
    assert id != 1
    assert 1 in home.device(str(id)).never_merge
    undo(browser, page)


def test_what_was_changed_after_the_test_is_not_saved_as_tested(browser: Browser) -> None:
    form = form_of(browser.visit("/cameras/add"))
    answer = browser.send(form, address="10.9.0.7", login="none", do="save")
    assert answer.status_code == 422
    assert "Test again, or save without testing" in read(answer.text).text


def test_a_hostile_name_is_text(browser: Browser) -> None:
    name = "<script>alert(1)</script>"
    _id, page = saved(browser, send(browser, address="10.9.0.8", login="none", name=name))
    assert name in page.text
    assert not [script for script in page.find("script") if script.text]
    undo(browser, page)


# -- who -----------------------------------------------------------------------------------


def test_who_may_not_add_sees_no_way_there(tmp_path: Path) -> None:
    closed, ask = monitor_of_two(tmp_path, Clock())
    try:
        for name, path in [("Otto", "/"), ("Otto", "/parts/palette")]:
            assert "/cameras/add" in ask[name].get(path).text
        for name in ("Vera", "Lea", "Gus"):
            for path in ("/", "/parts/palette"):
                assert "/cameras/add" not in ask[name].get(path).text, (name, path)
        assert_password_is_of_one_session(ask["Otto"])
    finally:
        closed.close()


def assert_password_is_of_one_session(otto: Visitor) -> None:
    """The same person in another session, who has the token, cannot use the password."""
    first, second = otto.key(), otto.key()
    data = {"address": "?", "do": "test", **LOGIN}
    answer = otto.home.app.test_client(use_cookies=False).post(
        "/cameras/add", data=data, headers={**first, "Accept": "text/html"}
    )
    token = form_of(read(answer.text)).find_one("input", name="entered")["value"]
    data = {**data, "password": "", "entered": token, "address": "10.9.0.9", "do": "untested"}
    for headers, status in ((second, 422), (first, 303)):
        answer = otto.home.app.test_client(use_cookies=False).post(
            "/cameras/add", data=data, headers={**headers, "Accept": "text/html"}
        )
        assert answer.status_code == status, answer.text


# -- the memory ----------------------------------------------------------------------------


def test_an_entered_login_ends_after_some_minutes() -> None:
    now = [0.0]
    logins, ada = EnteredLogins(lambda: now[0]), Person("Ada", "admin", session=1)
    token = logins.keep(ada, Entry(SECRET), "")
    now[0] = LIFETIME - 1
    assert logins.entry(ada, token) == Entry(SECRET)
    now[0] = LIFETIME
    assert logins.entry(ada, token) is None


def test_only_so_many_logins_are_kept_and_the_oldest_gives_way() -> None:
    logins, ada = EnteredLogins(), Person("Ada", "admin", session=1)
    tokens = [logins.keep(ada, Entry(SECRET), "") for _ in range(MAX_ENTRIES + 1)]
    assert logins.entry(ada, tokens[0]) is None
    assert logins.entry(ada, tokens[1]) == Entry(SECRET)
    assert SECRET not in repr(logins.entry(ada, tokens[1]))


def test_each_way_to_add_leads_to_the_others(browser: Browser) -> None:
    ways = {"/cameras/add", "/cameras/import", "/scan-range"}
    for path in ways:
        (tabs,) = browser.visit(path).find("nav", **{"aria-label": "Ways to add cameras"})
        assert {link["href"] for link in tabs.find("a")} == ways
        assert [link["href"] for link in tabs.find("a") if link.get("aria-current")] == [path]
