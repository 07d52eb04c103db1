"""The page without a mouse: everything that a click does, the keys do too."""

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.home import Running
from tests.web.chromium import camera, detail, path, rows

FAR = 120
"""Stops of the Tab key after which something counts as out of reach."""


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press Tab until it has the focus; the focus must be seen."""
    wanted.wait_for()
    for _stop in range(FAR):
        if wanted.evaluate("element => element === document.activeElement"):
            style = wanted.evaluate("element => getComputedStyle(element).outlineStyle")
            assert style != "none", f"nobody sees that {wanted} has the focus"
            return
        page.keyboard.press(key)
    raise AssertionError(f"{wanted} is out of reach of the Tab key")


def test_a_scan_is_started_watched_and_stopped_by_keys(page: Page) -> None:
    tab_to(page, page.locator("#scan"))
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_contain_text("found")
    expect(page.locator("#stop")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#scan")).to_be_focused()
    expect(page.locator("#did")).to_contain_text("stopped")


def test_filter_sort_and_search_by_keys(page: Page) -> None:
    tab_to(page, page.locator("[data-filter]", has_text="Findings"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/?findings=true")
    tab_to(page, page.locator("th [data-sort]", has_text="Address"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"sort=address"))
    page.keyboard.press("/")
    page.keyboard.type("Camera 2")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"q=Camera"))
    assert {"findings=true", "sort=address"} <= set(path(page).split("?")[1].split("&"))


def test_a_camera_is_renamed_retired_and_both_undone_by_keys(page: Page, monitor: Running) -> None:
    for _row in range(6):
        page.keyboard.press("j")
    number = int(rows(page).nth(5).get_attribute("data-id") or "")
    before = camera(monitor, number)["camera_name"]
    page.keyboard.press("Enter")
    expect(page.locator("#detail-name")).to_be_focused()
    tab_to(page, detail(page).get_by_label("Name"))
    page.keyboard.type("By keys")
    page.keyboard.press("Enter")
    expect(page.locator("#detail-name")).to_have_text("By keys")
    page.keyboard.press("u")
    expect(page.locator("#detail-name")).to_have_text(before)
    tab_to(page, page.get_by_role("button", name="Retire camera"))
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Retired")
    expect(page.get_by_role("button", name="Retire camera")).to_be_hidden()
    page.keyboard.press("u")
    expect(page.get_by_role("button", name="Retire camera")).to_be_visible()
    assert not camera(monitor, number)["retired"]
    page.keyboard.press("Escape")
    expect(detail(page)).to_be_hidden()
    expect(page.locator(f'tr[data-id="{number}"] td.c-name a')).to_be_focused()


def test_the_switch_the_export_and_the_look_by_keys(page: Page, monitor: Running) -> None:
    for state in ("true", "false"):
        tab_to(page, page.get_by_role("switch", name="Auto-scan"))
        page.keyboard.press("Space")
        expect(page.locator("#auto-scan")).to_have_attribute("aria-checked", state)
    tab_to(page, page.locator("#export summary"))
    page.keyboard.press("Enter")
    tab_to(page, page.locator("#export li:last-child a"))
    with page.expect_download() as waiting:
        page.keyboard.press("Enter")
    assert Path(waiting.value.path()).stat().st_size > 1000
    tab_to(page, page.locator(".me"), "Shift+Tab")
    page.keyboard.press("Enter")
    tab_to(page, page.locator(".theme").get_by_role("button", name="Dark"))
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_first_stop_leads_past_the_bar(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    assert path(page) == "/"
    assert page.evaluate("location.hash") == "#main"
