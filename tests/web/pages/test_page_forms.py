"""What a person does on the pages: scan, stop, auto-scan, edit, undo; and what the page tells."""

import gc
import socket
from collections.abc import Callable

import pytest

from simulators.panasonic import Camera
from tests.home import Home, until
from tests.web.browser import Browser, Element, fields
from tests.web.pages.test_pages import names

Make = Callable[..., Home]
MAC = "d4:2d:c5:00:00:01"


@pytest.fixture
def home(make_home: Make) -> Home:
    """One camera that calls itself Gate; its number is 1."""
    made = make_home(Camera(MAC, "127.20.0.1", name="Gate"))
    made.scan()
    return made


@pytest.fixture
def browser(home: Home) -> Browser:
    return Browser(home.client)


def edit_form(page: Element) -> Element:
    return page.find_one("form", action="/cameras/1/edit", **{"class": "edit"})


def retire_form(page: Element) -> Element:
    return page.find_one("form", action="/cameras/1/edit", **{"class": "retire"})


def undo_form(page: Element) -> Element:
    return next(form for form in page.find("form") if form.get("action").startswith("/undo/"))


# -- scanning ----------------------------------------------------------------------------


def test_the_scan_button_scans(make_home: Make) -> None:
    home = make_home(Camera(MAC, "127.20.0.1", name="Gate"))
    browser = Browser(home.client)
    answer = browser.send(browser.visit("/").find("form", action="/scan")[0])
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    home.monitor.scanner.wait(20)
    assert names(browser.visit("/")) == ["Gate"]


def test_a_running_scan_is_shown_and_can_be_stopped(home: Home, browser: Browser) -> None:
    def scanning() -> Element | None:
        home.client.post("/scan")
        page = browser.visit("/")
        return page if page.find("form", action="/scan/stop") else None

    page = until(scanning, what="a page that shows a running scan")
    assert "Scanning:" in page.text
    assert not page.find("form", action="/scan")

    def stopped() -> bool:
        home.monitor.scanner.start("test")
        assert browser.send(page.form("/scan/stop")).status_code == 303
        home.monitor.scanner.wait(20)
        return home.monitor.scanner.last.state == "cancelled"  # type: ignore[union-attr]

    until(stopped, what="a scan that was stopped")
    assert home.status() == "ACTIVE"
    assert ", stopped" in browser.visit("/").text
    gc.collect()  # What the scan left behind unfinished would be told here.


def test_pressed_twice_the_buttons_lead_back_to_the_fleet(home: Home) -> None:
    for path in ("/scan", "/scan", "/scan/stop", "/scan/stop"):
        answer = home.client.post(path)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    home.monitor.scanner.wait(20)


def test_the_stop_button_leads_back_to_its_page(home: Home) -> None:
    answer = home.client.post("/scan/stop", data={"back": "/settings/sources"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/settings/sources")


def test_the_site_of_a_camera_that_was_given_none_is_shown_as_no_site(
    home: Home, browser: Browser
) -> None:
    page = browser.visit("/cameras/1")
    assert "(no site)" in page.text
    assert fields(edit_form(page))["site"] == ""
    browser.send(edit_form(page), name="Gate 3")
    assert home.device().site == "here"
    assert home.device().name == "Gate 3", "a form without a site is saved"
    browser.send(edit_form(browser.visit("/cameras/1")), site="North")
    assert fields(edit_form(browser.visit("/cameras/1")))["site"] == "North"
    browser.send(edit_form(browser.visit("/cameras/1")), site=" ")
    assert home.device().site == "here"
    assert "(no site)" in browser.visit("/sites").text


def test_the_auto_scan_switch_turns_it_on_and_off(home: Home, browser: Browser) -> None:
    home.monitor.scheduler.start()
    page = browser.visit("/")
    assert page.form("/auto-scan").find_one("button")["aria-checked"] == "false"
    page = browser.press(page.form("/auto-scan"))
    until(lambda: home.monitor.scheduler.states["auto_scan"].last_result)
    assert home.monitor.has_auto_scan()
    button = page.form("/auto-scan").find_one("button")
    assert (button.text, button["aria-checked"]) == ("Auto-scan", "true")
    assert "Next scan" in page.text
    page = browser.press(page.form("/auto-scan"))
    assert not home.monitor.has_auto_scan()
    assert page.form("/auto-scan").find_one("button")["aria-checked"] == "false"


# -- one camera --------------------------------------------------------------------------


def test_the_page_of_a_camera_tells_everything_known_of_it(mixed: Home) -> None:
    browser = Browser(mixed.client)
    page, row = browser.visit("/cameras/5"), mixed.client.get("/api/camera/5").json
    assert page.find_one("h1").text == "Ramp"
    for key in ("current_ip", "mac_address", "current_subnet", "current_gateway", "network_mode"):
        assert row[key] in page.text
    for key in ("model_name", "serial_number", "firmware_version"):
        assert row[key] in page.text
    for entry in row["ip_history"]:
        assert entry["ip"] in page.text
    assert "Cam five moved from 127.20.0.20 to 127.20.0.200" in page.text.replace(
        "Ramp", "Cam five"
    )
    assert "no administrator password" in browser.visit("/cameras/1").text
    assert "retired" in browser.visit("/cameras/6").text
    assert "no response" in browser.visit("/cameras/3").text


@pytest.mark.parametrize("key", ["d4:2d:c5:00:00:05", "D42DC5000005", "05"])
def test_a_camera_named_otherwise_leads_to_its_own_address(mixed: Home, key: str) -> None:
    answer = mixed.client.get(f"/cameras/{key}")
    assert (answer.status_code, answer.headers["Location"]) == (301, "/cameras/5")


def test_name_and_notes_are_changed_by_the_form_and_taken_back(
    home: Home, browser: Browser
) -> None:
    page = browser.visit("/cameras/1")
    page = browser.press(edit_form(page), "Save", name="North gate", notes="Key\r\nLadder <4 m>")
    assert page.find_one("h1").text == "North gate"
    assert page.find_one("textarea").raw_text == "Key\nLadder <4 m>"
    assert home.client.get("/api/camera/1").json["notes"] == "Key\nLadder <4 m>"
    page = browser.press(undo_form(page))
    assert page.find_one("h1").text == "Gate"
    assert page.find_one("textarea").raw_text == ""
    page = browser.press(undo_form(page))
    assert page.find_one("h1").text == "North gate"


@pytest.mark.parametrize("family", ["WV", "NX"], ids=["named by itself", "without a name"])
def test_saved_without_a_change_nothing_is_told_and_nothing_can_be_undone(
    make_home: Make, family: str
) -> None:
    home = make_home(Camera(MAC, "127.20.0.1", "Gate", family))
    home.scan()
    browser = Browser(home.client)
    page = browser.press(edit_form(browser.visit("/cameras/1")), "Save")
    assert not [form for form in page.find("form") if form.get("action").startswith("/undo/")]
    assert home.kinds() == ["device.found"]


def test_who_only_writes_notes_does_not_give_the_camera_a_name(
    home: Home, browser: Browser
) -> None:
    browser.press(edit_form(browser.visit("/cameras/1")), "Save", notes="Ladder")
    home.network.cameras[0].name = "Door"
    home.scan()
    assert home.client.get("/api/camera/1").json["camera_name"] == "Door"


def test_an_emptied_name_gives_the_own_name_back(home: Home, browser: Browser) -> None:
    page = browser.press(edit_form(browser.visit("/cameras/1")), "Save", name="North gate")
    page = browser.press(edit_form(page), "Save", name="")
    assert page.find_one("h1").text == "Gate"


def test_a_camera_is_retired_restored_and_both_are_undone(home: Home, browser: Browser) -> None:
    page = browser.press(retire_form(browser.visit("/cameras/1")), "Retire camera")
    assert "retired" in page.text
    assert names(browser.visit("/")) == []
    page = browser.press(retire_form(page), "Restore camera")
    assert names(browser.visit("/")) == ["Gate"]
    page = browser.press(undo_form(page))
    assert names(browser.visit("/")) == []


def test_retiring_does_not_save_what_stands_in_the_fields(home: Home, browser: Browser) -> None:
    form = retire_form(browser.visit("/cameras/1"))
    browser.press(form, "Retire camera", name="Not meant", notes="Not meant")
    row = home.client.get("/api/camera/1").json
    assert (row["camera_name"], row["notes"]) == ("Gate", "")


def test_an_undo_that_comes_too_late_is_a_page_that_says_so(home: Home, browser: Browser) -> None:
    first = browser.press(edit_form(browser.visit("/cameras/1")), "Save", name="First")
    browser.press(edit_form(first), "Save", name="Second")
    answer = browser.send(undo_form(first))
    assert (answer.status_code, answer.mimetype) == (409, "text/html")
    assert "has been changed since" in answer.text
    assert 'href="/"' in answer.text


def test_a_name_that_is_too_long_is_a_page_that_says_so(home: Home, browser: Browser) -> None:
    form = edit_form(browser.visit("/cameras/1"))
    assert int(form.find_one("input", name="name")["maxlength"]) == 120
    answer = browser.send(form, "Save", name="x" * 121)
    assert answer.status_code == 422
    assert "120" in answer.text
    assert answer.mimetype == "text/html"


@pytest.mark.parametrize("undo", ["../auto-scan", "1/../../scan", "x", "-1", '"><b>', "9" * 30])
def test_a_link_from_elsewhere_cannot_make_the_undo_button_do_something_else(
    mixed: Home, undo: str
) -> None:
    page = mixed.client.get("/cameras/1", query_string={"undo": undo}).text
    assert 'action="/undo/' not in page


def test_the_form_offers_what_a_device_can_be_edited_by_and_nothing_more(home: Home) -> None:
    for kind in ("merge", "split", "add", "ignore", "link", "", "x" * 1000):
        answer = home.client.post("/cameras/1/edit", data={"do": kind, "name": "x"})
        assert answer.status_code == 422, kind
    assert home.kinds() == ["device.found"]


def test_the_fields_of_the_form_hold_what_is_known(home: Home, browser: Browser) -> None:
    page = browser.press(edit_form(browser.visit("/cameras/1")), "Save", name="A", notes="\nB")
    assert fields(edit_form(page), "Save")["name"] == "A"
    assert fields(edit_form(page), "Save")["notes"] == "B"


# -- what the page tells -----------------------------------------------------------------


def notices(page: Element) -> list[str]:
    return [notice.text for notice in page.find("p", role="alert")]


def test_a_monitor_in_order_has_no_notice(home: Home, browser: Browser) -> None:
    home.monitor.scheduler.start()
    assert notices(browser.visit("/")) == []


def test_a_damaged_database_is_told_with_the_copy_that_is_used(
    home: Home, browser: Browser
) -> None:
    path = home.settings.database_path
    home.close()
    path.write_bytes(path.read_bytes()[:-40])
    home.open()
    page = Browser(home.client).visit("/")
    matches = [notice for notice in notices(page) if path.name in notice]
    assert len(matches) == 1
    assert "copy of" in matches[0]
    assert names(page) == ["Gate"]


def test_a_source_that_cannot_be_asked_is_told_until_it_can(make_home: Make) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1]
        home = make_home(Camera(MAC, "127.20.0.1", name="Gate"), easy_ip_reply_port=port)
        home.scan()
        browser = Browser(home.client)
        matches = [
            notice for notice in notices(browser.visit("/")) if "cannot be checked" in notice
        ]
        assert len(matches) == 1
        assert f"UDP port {port} cannot be opened" in matches[0]
    home.scan()
    page = browser.visit("/")
    assert not [notice for notice in notices(page) if "cannot be checked" in notice]
    assert names(page) == ["Gate"]


def test_the_audit_page_shows_values_as_a_person_writes_them(home: Home, browser: Browser) -> None:
    for tags in (["lobby", "Ground Floor"], []):
        assert home.client.patch("/api/camera/1", json={"tags": tags}).status_code == 200
    text = browser.visit("/settings/audit").text
    assert "Tags: none → lobby, Ground Floor" in text
    assert "Tags: lobby, Ground Floor → none" in text
