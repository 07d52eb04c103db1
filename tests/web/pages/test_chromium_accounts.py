"""Accounts in a real browser: the first one, coming in and out, and what each role gets."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.accounts.people import NEW, PASSWORD
from tests.home import ROOT, Running, until
from tests.web.chromium import Listener, Tab, detail, overflow, path, rows
from tests.web.visits import (
    ADMIN,
    CAMERAS,
    LONG_NAME,
    add,
    ask,
    closed_monitor,
    fault,
    log_in,
    log_out,
    open_account_menu,
    open_logged_in,
    press,
    tab_to,
)

FAR = {"extra_http_headers": {"X-Forwarded-For": "192.0.2.7"}}
"""Options for the tab of somebody at another machine."""

Run = Callable[..., Running]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with closed_monitor(tmp_path_factory.mktemp("closed")) as monitor:
        yield monitor


def fill_first(page: Page, name: str, password: str, again: str | None = None) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password, at least").fill(password)
    page.get_by_label("Repeat password").fill(again if again is not None else password)
    press(page, "Create account")


# -- the first account ---------------------------------------------------------------------


def test_the_first_account_is_made_on_the_page_and_closes_the_monitor(
    tab: Tab, run_monitor: Run, listener: Listener
) -> None:
    listener.allowed.append("status of 4(01|22)")
    monitor = run_monitor("first")
    other = tab(monitor)
    expect(other.locator("#scan").first).to_be_visible()
    page = tab(monitor, "/settings/users")
    expect(page.locator(".empty")).to_contain_text("No account exists yet")
    page.get_by_role("link", name="Create the first account").click()
    fill_first(page, "Ada", "password123")
    expect(fault(page, "Password, at least")).to_contain_text("easy to guess")
    expect(page.get_by_label("Name")).to_have_value("Ada")
    fill_first(page, "Ada", PASSWORD, NEW)
    expect(fault(page, "Repeat password")).to_contain_text("The passwords do not match")
    fill_first(page, "Ada", PASSWORD)
    page.wait_for_url("**/")
    expect(page.locator(".me")).to_have_text("Ada")
    assert monitor.get("/api/cameras").status == 401
    other.wait_for_url("**/login")  # it was let in as somebody at this machine


def test_the_fleet_page_leads_to_the_first_account_and_says_what_is_open(
    tab: Tab, run_monitor: Run
) -> None:
    monitor = run_monitor("lead")
    page = tab(monitor)
    notice = page.get_by_role("region", name="First account")
    expect(notice).to_contain_text("the user that runs it and root can open it on this server")
    expect(notice).to_contain_text("Nobody else has access")
    notice.get_by_role("link", name="Create the first account").click()
    expect(page.locator("form")).to_contain_text("any camera with an RTSP address")
    password = page.get_by_label("Password, at least")
    password.fill(PASSWORD)
    show = page.get_by_role("button", name="Show").first
    tab_to(page, show)
    page.keyboard.press("Space")
    expect(show).to_have_attribute("aria-pressed", "true")
    expect(password).to_have_attribute("type", "text")
    page.keyboard.press("Space")
    expect(password).to_have_attribute("type", "password")
    fill_first(page, "Ada", PASSWORD)
    expect(page.locator(".me")).to_have_text("Ada")
    expect(notice).to_have_count(0)


def test_the_login_page_says_how_to_reset_a_password(tab: Tab, closed: Running) -> None:
    page = tab(closed)
    page.get_by_text("Forgot your password?").click()
    expect(page.locator("details code")).to_have_text(".venv/bin/python cli.py user passwd NAME")
    command = page.locator("details code").inner_text().split()[1:4]
    done = subprocess.run(
        [sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_printed_link_makes_the_first_account_from_anywhere_once(
    tab: Tab, run_monitor: Run, listener: Listener
) -> None:
    listener.allowed.append("status of 403")
    monitor = run_monitor("link")
    link = until(lambda: re.search(r"http://\S+?(/setup\?key=\S+)", monitor.text()))[1]
    page = tab(monitor, **FAR)
    for url in ("/", "/setup", "/setup?key=guessed"):
        page.goto(url)
        expect(page.get_by_role("heading")).to_contain_text("is not set up yet")
    page.goto(link)
    fill_first(page, "Ada", PASSWORD)
    expect(page.locator(".me")).to_have_text("Ada")
    late = tab(monitor, link, **FAR)
    expect(late.get_by_role("heading", name="Log in")).to_be_visible()
    log_in(late, "Ada")
    expect(late.locator(".me")).to_have_text("Ada")
    assert path(late) == "/", "not back to the link that is used up"


# -- in and out ------------------------------------------------------------------------------


def test_a_wrong_password_is_said_beside_the_field_and_the_name_stays(
    tab: Tab, closed: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 401")
    page = tab(closed)
    log_in(page, "Vera", "not her password")
    expect(fault(page, "Password")).to_contain_text("Wrong user name or password")
    expect(page.get_by_label("Name")).to_have_value("Vera")
    expect(page.get_by_label("Password")).to_have_value("")


def test_too_many_tries_are_said_in_words(tab: Tab, closed: Running, listener: Listener) -> None:
    listener.allowed.append("status of 429")
    body = {"username": "Mallory", "password": "a guess"}
    tries = [closed.request("POST", "/api/auth/login", body).status for _ in range(11)]
    assert tries == [401] * 10 + [429]
    page = tab(closed)
    log_in(page, "Mallory", "another guess")
    expect(fault(page, "Password")).to_contain_text(
        re.compile(r"Too many login attempts .*Try again in \d+ s")
    )
    expect(page.get_by_label("Name")).to_have_value("Mallory")


def test_after_logout_neither_the_back_button_nor_the_old_cookie_shows_anything(
    tab: Tab, closed: Running
) -> None:
    page = open_logged_in(tab, closed, "Vera")
    expect(rows(page)).to_have_count(CAMERAS)
    cookies = page.context.cookies()
    assert [(cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies] == [(True, "Lax")]
    page.goto("/cameras/1")
    log_out(page)
    page.wait_for_url(
        re.compile(r"/login(\?next=[^&]*)?$")
    )  # its stream may end first, and reload it
    assert page.context.cookies() == []
    page.go_back()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert "Camera 1" not in page.content()
    stolen = f"{cookies[0]['name']}={cookies[0]['value']}"
    assert closed.get("/api/cameras", Cookie=stolen).status == 401


def test_login_leads_back_to_where_one_wanted(tab: Tab, closed: Running) -> None:
    page = open_logged_in(tab, closed, "Vera", "/cameras/1?status=active&sort=name")
    assert path(page) == "/cameras/1?status=active&sort=name"
    expect(detail(page).locator("#detail-name")).to_have_text("Camera 1")


@pytest.mark.parametrize("place", ["//evil.example/", "https://evil.example/", "/\\evil.example/"])
def test_login_never_leads_to_another_site(place: str, tab: Tab, closed: Running) -> None:
    page = tab(closed, f"/login?next={place}")
    hidden = page.locator('input[name="next"]')
    expect(hidden).to_have_value("/")
    hidden.evaluate("(one, place) => { one.value = place; }", place)
    log_in(page, "Vera")
    expect(page.locator(".me")).to_be_visible()
    assert page.url == f"http://127.0.0.1:{closed.port}/"


def test_without_script_everything_still_goes(
    tab: Tab, closed: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 401")
    page = tab(closed, java_script_enabled=False)
    log_in(page, "Otto", "not his password")
    expect(page.locator("#fault")).to_contain_text("Wrong")
    log_in(page, "Otto")
    expect(rows(page)).to_have_count(CAMERAS)
    page.goto("/account")
    page.get_by_label("Name, for example").fill("By hand")
    press(page, "Create token")
    expect(page.locator("#token")).to_contain_text("cm_")
    press(page, "Revoke")
    expect(page.get_by_text("By hand")).to_have_count(0)
    log_out(page)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_one_comes_in_and_goes_by_keyboard_alone(tab: Tab, closed: Running) -> None:
    page = tab(closed)
    for text, key in (("Vera", "Tab"), (PASSWORD, "Enter")):
        page.keyboard.type(text)
        page.keyboard.press(key)
    expect(page.locator(".me")).to_have_text("Vera")
    tab_to(page, page.locator(".me"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="Account", exact=True))
    page.keyboard.press("Enter")
    page.wait_for_url("**/account")
    tab_to(page, page.locator(".me"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Log out"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")


def test_the_bar_holds_a_long_name_on_a_phone(tab: Tab, closed: Running) -> None:
    page = open_logged_in(tab, closed, LONG_NAME, viewport={"width": 360, "height": 740})
    page.wait_for_load_state()
    assert overflow(page) <= 0
    open_account_menu(page)
    for selector in (".brand", ".me", "#account-menu", ".theme"):
        box = page.locator(selector).bounding_box()
        assert box, selector
        assert box["x"] >= 0, selector
        assert box["width"] >= 40, selector
        assert box["x"] + box["width"] <= 360, selector


def test_no_page_of_accounts_is_wider_than_a_phone(tab: Tab, closed: Running) -> None:
    page = open_logged_in(tab, closed, "Ada", viewport={"width": 360, "height": 740})
    for url in ("/account", "/settings/users", "/settings/users/4", "/settings/audit", "/login"):
        page.goto(url)
        assert overflow(page) <= 0, url


# -- what each role gets ---------------------------------------------------------------------


@pytest.mark.parametrize(("name", "works", "manages"), [
    ("Vera", False, False), ("Otto", True, False), ("Ada", True, True),
])  # fmt: skip
def test_each_role_is_offered_what_it_may(
    name: str, works: bool, manages: bool, tab: Tab, closed: Running
) -> None:
    page = open_logged_in(tab, closed, name, "/cameras/1")
    expect(rows(page)).to_have_count(CAMERAS)
    expect(detail(page).locator("#detail-name")).to_have_text("Camera 1")
    for selector in ("#scan", "#auto-scan", ".edit[data-edit]"):
        expect(page.locator(selector)).to_have_count(int(works))
    link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings")
    expect(link).to_have_count(int(works))
    if works:
        link.click()
        expect(page.locator(".tabs a", has_text="Jobs")).to_be_visible()
    for title in ("Users", "Audit"):
        expect(page.locator(".tabs a", has_text=title)).to_have_count(int(manages))


def test_a_viewer_who_forces_it_reads_who_can_allow_it(
    tab: Tab, closed: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 403")
    page = open_logged_in(tab, closed, "Vera")
    page.keyboard.press("s")
    for url in ("/settings", "/settings/users", "/settings/audit"):
        page.goto(url)
        expect(page.get_by_role("heading")).to_have_text("You don't have permission to do this")
        expect(page.locator("main")).to_contain_text("An administrator can allow it")
    for url in ("/scan", "/auto-scan", "/cameras/1/edit", "/settings/users"):
        page.goto("/")
        page.evaluate(
            "(url) => { const form = document.createElement('form'); form.method = 'post';"
            " form.action = url; document.body.append(form); form.submit(); }",
            url,
        )
        expect(page.get_by_role("heading")).to_have_text("You don't have permission to do this")
    page.get_by_role("link", name="Back to the fleet").click()
    expect(rows(page)).to_have_count(CAMERAS)


def test_who_was_granted_one_camera_sees_one(tab: Tab, closed: Running, listener: Listener) -> None:
    listener.allowed.append("status of 404")
    page = open_logged_in(tab, closed, "Lea")
    expect(rows(page)).to_have_count(1)
    expect(rows(page).locator(".c-name a")).to_have_text("Camera 1")
    expect(page.locator("nav.pages")).to_contain_text("1 camera")
    counts = [int(text) for text in page.locator("[data-filter] b").all_inner_texts()]
    assert counts[0] == 1
    assert max(counts) == 1
    assert int(page.locator("#wrong").get_attribute("data-count") or "") <= 1
    page.goto("/cameras/2")
    expect(page.get_by_role("heading")).to_contain_text("Camera 2")
    page.goto("/account")
    expect(page.get_by_role("link", name="Camera 1", exact=True)).to_be_visible()


# -- an open page when the login ends --------------------------------------------------------


def test_a_changed_password_ends_the_page_in_another_browser(
    tab: Tab, closed: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 40[13]")
    add(closed, "Paul")
    left = open_logged_in(tab, closed, "Paul", "/?sort=name")
    expect(rows(left)).to_have_count(CAMERAS)
    page = open_logged_in(tab, closed, "Paul", "/account")
    for current, notice in (("not his password", None), (PASSWORD, "Password changed")):
        page.get_by_label("Current password").fill(current)
        page.get_by_label("New password").fill(NEW)
        page.get_by_label("Repeat password").fill(NEW)
        press(page, "Change password")
        if notice:
            expect(page.locator(".notice")).to_contain_text(notice)
        else:
            expect(fault(page, "Current password")).to_contain_text("Wrong password")
    left.wait_for_url(re.compile(r"/login\?next="))
    page.goto("/")
    expect(rows(page)).to_have_count(CAMERAS)
    log_in(left, "Paul")
    expect(fault(left, "Password")).to_contain_text("Wrong")
    log_in(left, "Paul", NEW)
    expect(rows(left)).to_have_count(CAMERAS)
    assert path(left) == "/?sort=name"


def test_a_page_without_a_place_in_the_stream_is_renewed_and_never_reloads(
    tab: Tab, closed: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 503 .*/api/events")
    page = open_logged_in(tab, closed, "Otto", "/account")
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            return route.continue_()
        refused.append(route.request.url)
        ask(closed, "PATCH", "/api/camera/2", {"name": "Without a stream"})
        return route.fulfill(status=503)

    page.route("**/api/events*", refuse_once)
    with page.expect_response(lambda response: "/api/events" in response.url and response.ok):
        page.goto("/")
        page.evaluate("window.stays = true")
        expect(page.get_by_role("link", name="Without a stream").first).to_be_visible()
        expect(page.locator("#stale")).to_be_hidden()
    ask(closed, "PATCH", "/api/camera/2", {"name": "With one"})
    expect(page.get_by_role("link", name="With one").first).to_be_visible()
    assert page.evaluate("window.stays")


def test_a_page_that_is_let_in_while_its_requests_are_not_loads_anew_only_once(
    tab: Tab, closed: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 401")
    page = open_logged_in(tab, closed, "Otto", "/account")
    for pattern in ("**/api/events*", "**/parts/*"):
        page.route(pattern, lambda route: route.fulfill(status=401))
    loads: list[str] = []
    page.on("domcontentloaded", lambda loaded_page: loads.append(loaded_page.url))
    page.goto("/")
    expect(page.locator("#stale")).to_contain_text("You are logged out")
    expect(page.locator("#stale")).to_be_visible()

    assert loads.count(page.url) == 2, loads


def test_a_login_outlives_the_server_and_its_page_goes_on(
    tab: Tab, run_monitor: Run, listener: Listener
) -> None:
    listener.allowed.append("net::ERR_|status of 50")
    monitor = run_monitor("again", **ADMIN)
    page = tab(monitor)
    with page.expect_response("**/api/events*"):
        log_in(page, "Ada")
    page.evaluate("window.stays = true")
    monitor.stop()
    expect(page.locator("#stale")).to_contain_text("connection lost")
    monitor.start()
    expect(page.locator("#stale")).to_be_hidden()
    assert page.evaluate("window.stays")
    page.goto("/settings/users")
    expect(page.get_by_role("link", name="Ada").first).to_be_visible()
