"""The pages for users, the own account and the audit log, in a real browser."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.accounts.people import NEW, PASSWORD
from tests.home import Running
from tests.web.chromium import Listener, Tab, path, rows
from tests.web.visits import (
    CAMERAS,
    add,
    ask,
    closed_monitor,
    fault,
    log_in,
    open_logged_in,
    press,
    tab_to,
)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with closed_monitor(tmp_path_factory.mktemp("users")) as monitor:
        yield monitor


def row(page: Page, name: str) -> Locator:
    return page.locator("main tbody tr").filter(has_text=name)


def status_of(monitor: Running, token: str) -> int:
    return monitor.get("/api/cameras", Authorization=f"Bearer {token}").status


def token_of(monitor: Running, name: str) -> str:
    made = ask(monitor, "POST", "/api/tokens", {"name": "By API"}, name)
    return str(made["token"])


def test_a_user_is_added_by_keyboard_and_what_does_not_fit_is_said(
    tab: Tab, closed: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 4(09|22)")
    page = open_logged_in(tab, closed, "Ada", "/settings/users")
    tab_to(page, page.get_by_label("Name"))
    for text in ("vera", PASSWORD, "", "operator", " "):  # "Show" is between password and role
        page.keyboard.press("Space") if text == " " else page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(fault(page, "Name")).to_contain_text("already in use")
    expect(page.get_by_label("Name")).to_have_value("vera")
    expect(page.get_by_label("Role")).to_have_value("operator")
    expect(page.get_by_label("Only devices granted")).to_be_checked()
    page.get_by_label("Name").fill("Nils")
    page.get_by_label("Password").fill("password123")
    press(page, "Add user")
    expect(fault(page, "Password")).to_contain_text("easy to guess")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nils")).to_be_visible()
    expect(page.get_by_label("Only devices granted")).to_be_checked()
    page.get_by_role("link", name="All users").click()
    expect(row(page, "Nils")).to_contain_text("operator")
    expect(row(page, "Nils")).to_contain_text("as granted")


def test_a_grant_with_hours_is_given_and_taken_back(
    tab: Tab, closed: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 422")
    number = add(closed, "Nina", sees_all=False)
    page = open_logged_in(tab, closed, "Ada", f"/settings/users/{number}")
    place = page.get_by_label("Devices, sites or stores")
    press(page, "Grant")
    expect(fault(page, place)).to_contain_text("Choose a device, a site or a store")
    place.fill("Camera 2")
    page.get_by_label("Hours").fill("8-18")
    page.get_by_label("mon").check()
    page.get_by_label("Download recordings").check()
    press(page, "Grant")
    expect(fault(page, "Hours")).to_contain_text("Must be hours such as 08:00-18:00")
    expect(page.get_by_label("mon")).to_be_checked()
    expect(page.get_by_label("Download recordings")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Camera 2")).to_be_checked()
    page.get_by_label("mon").uncheck()
    page.get_by_label("Hours").fill("00:00 - 23:59")
    press(page, "Grant")
    expect(row(page, "00:00-23:59")).to_contain_text("Camera 2")
    expect(row(page, "00:00-23:59")).to_contain_text("download")
    nina = open_logged_in(tab, closed, "Nina")
    for name in ("Loading dock", "Camera 2"):  # what her stream brings
        ask(closed, "PATCH", "/api/camera/2", {"name": name})
        expect(rows(nina).locator(".c-name a")).to_have_text([name])
    press(page, "Remove grant")
    expect(row(page, "Camera 2")).to_have_count(0)
    expect(nina.get_by_role("heading", name="No devices to show")).to_be_visible()


def test_a_site_is_picked_for_a_grant_by_keyboard(tab: Tab, closed: Running) -> None:
    number = add(closed, "Nele", sees_all=False)
    ask(closed, "PATCH", "/api/camera/3", {"site": "Depot North"})
    page = open_logged_in(tab, closed, "Ada", f"/settings/users/{number}")
    tab_to(page, page.get_by_label("Devices, sites or stores"))
    active = page.locator(".options [aria-selected=true]")
    page.keyboard.type("depot")
    expect(active).to_contain_text("site, 1 device")
    page.keyboard.press("ArrowDown")
    expect(active).to_contain_text("Camera 3")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("checkbox", name="Depot North")).to_be_checked()
    press(page, "Grant")
    expect(row(page, "Depot North")).to_contain_text("view")
    ask(closed, "PATCH", "/api/camera/3", {"site": "here"})


def test_a_new_password_is_set_beside_its_own_button(tab: Tab, closed: Running) -> None:
    number = add(closed, "Nick")
    page = open_logged_in(tab, closed, "Ada", f"/settings/users/{number}")
    page.get_by_label("New password").fill(NEW)
    press(page, "Set password")
    page.wait_for_load_state()
    nick = tab(closed)
    log_in(nick, "Nick", NEW)
    expect(nick.locator(".me")).to_have_text("Nick")


def test_a_new_role_ends_what_is_open_and_a_removed_user_is_gone(
    tab: Tab, closed: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 4(01|22)")
    number = add(closed, "Nora")
    first = token_of(closed, "Nora")
    nora = open_logged_in(tab, closed, "Nora")
    expect(rows(nora)).to_have_count(CAMERAS)
    page = open_logged_in(tab, closed, "Ada", f"/settings/users/{number}")
    page.get_by_label("Role").select_option("operator")
    press(page, "Save")
    nora.wait_for_url("**/login")
    assert status_of(closed, first) == 401
    log_in(nora, "Nora")
    expect(nora.locator("#scan")).to_be_visible()
    page.get_by_label("Type ").fill("Vera")
    press(page, "Remove user")
    expect(fault(page, "Type ")).to_contain_text("The name does not match")
    page.get_by_label("Type ").fill("Nora")
    press(page, "Remove user")
    page.wait_for_url("**/settings/users")
    expect(row(page, "Nora")).to_have_count(0)
    nora.wait_for_url("**/login")
    log_in(nora, "Nora")
    expect(fault(nora, "Password")).to_contain_text("Wrong")


def test_the_last_administrator_stays_one(tab: Tab, closed: Running, listener: Listener) -> None:
    listener.allowed.append("status of 409")
    page = open_logged_in(tab, closed, "Ada", "/settings/users")
    page.get_by_role("link", name="Ada", exact=True).click()
    page.get_by_label("Role").select_option("viewer")
    press(page, "Save")
    expect(page.locator("#fault")).to_contain_text("Ada is the last administrator")
    expect(page.get_by_label("Role")).to_have_value("viewer")


def test_an_administrator_revokes_the_token_of_somebody(tab: Tab, closed: Running) -> None:
    number = add(closed, "Noel")
    token = token_of(closed, "Noel")
    assert status_of(closed, token) == 200
    page = open_logged_in(tab, closed, "Ada", f"/settings/users/{number}")
    row(page, "By API").get_by_role("button", name="Revoke").click()
    expect(row(page, "By API")).to_have_count(0)
    assert status_of(closed, token) == 401


def test_a_token_is_shown_once_copied_used_and_revoked(
    tab: Tab, closed: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 422")
    page = open_logged_in(tab, closed, "Vera", "/account")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_label("Name, for example").fill("Report")
    page.get_by_label("Scope").select_option("operate")
    page.get_by_label("Limit to these devices").fill("Camera 999")
    press(page, "Create token")
    expect(fault(page, "Limit to these devices")).to_contain_text("Nothing matches “Camera 999”")
    expect(page.get_by_label("Name, for example")).to_have_value("Report")
    expect(page.get_by_label("Scope")).to_have_value("operate")
    page.get_by_label("Limit to these devices").fill("Camera 1")
    press(page, "Create token")
    text = page.locator("#token").inner_text()
    press(page, "Copy")
    expect(page.locator(".toast")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == text
    answer = closed.get("/api/cameras", Authorization=f"Bearer {text}")
    assert [camera["id"] for camera in answer.json["cameras"]] == [1]
    page.goto("/account")
    assert text not in page.content()
    row(page, "Report").get_by_role("button", name="Revoke").click()
    expect(row(page, "Report")).to_have_count(0)
    assert status_of(closed, text) == 401


def test_the_audit_log_is_filtered_downloaded_and_leafed_through(tab: Tab, closed: Running) -> None:
    for _ in range(51):
        made = ask(closed, "POST", "/api/tokens", {"name": "Passing"}, "Otto")
        ask(closed, "DELETE", f"/api/tokens/{made['id']}", name="Otto")
    page = open_logged_in(tab, closed, "Ada", "/settings/audit")
    lines = page.locator("main tbody tr")
    expect(lines).to_have_count(100)
    expect(lines.first).to_contain_text("Logged in (browser)")
    page.get_by_label("User", exact=True).fill("Otto")
    page.locator("select[name=action]").select_option("token.")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(re.compile("who=Otto"))
    expect(lines).to_have_count(100)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    waiting.value.save_as(saved := Path(waiting.value.path()).with_suffix(".csv"))
    table = list(csv.DictReader(io.StringIO(saved.read_text("utf-8-sig"))))
    assert len(table) == 102
    assert {entry["who"] for entry in table} == {"Otto"}
    assert {entry["action"] for entry in table} == {"token.made", "token.revoked"}
    page.get_by_role("link", name="Older").click()
    expect(lines).to_have_count(2)
    assert "who=Otto" in path(page)
    page.goto("/settings/audit?who=Nobody")
    page.get_by_role("link", name="Show all").click()
    expect(lines).to_have_count(100)
