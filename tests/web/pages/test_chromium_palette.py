"""The command palette in a browser: devices, pages and actions by keys alone."""

import re

from playwright.sync_api import Page, expect

from simulators.panasonic import Network
from tests.home import Running
from tests.web.chromium import Listener, Tab, detail, numbered, path


def test_a_camera_is_found_and_opened_from_any_page_by_keys(
    tab: Tab, monitor: Running, network: Network
) -> None:
    mac = monitor.get(f"/api/camera/{numbered(monitor, 'Camera 62')}").json["mac_address"]
    for start, text in (("/", "Camera 62"), ("/sites", mac.upper().replace(":", "-"))):
        page = tab(monitor, start)
        page.keyboard.press("Control+k")
        field = page.get_by_role("combobox", name="Find a device, a page or an action")
        expect(field).to_be_focused()
        page.keyboard.type(text)
        option = page.get_by_role("option", name="Camera 62")
        expect(option).to_have_attribute("aria-selected", "true")
        expect(field).to_have_attribute(
            "aria-activedescendant", option.get_attribute("id") or "missing"
        )
        page.keyboard.press("Enter")
        expect(page.locator("#detail-name")).to_have_text("Camera 62")
        expect(page.locator("#palette")).to_be_hidden()


def test_who_types_fast_gets_what_was_typed(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("Camera 61\n")
    expect(page.locator("#detail-name")).to_have_text("Camera 61")
    page.keyboard.press("Escape")
    expect(detail(page)).to_be_hidden()


def test_the_palette_leads_to_pages_and_gives_the_focus_back(page: Page) -> None:
    page.locator("#open-filter").focus()
    page.keyboard.press("Meta+k")
    options = page.locator("#palette").get_by_role("option")
    expect(options.first).to_have_attribute("aria-selected", "true")
    for key, place in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1)):
        page.keyboard.press(key)
        expect(options.nth(place)).to_have_attribute("aria-selected", "true")
    page.keyboard.type("zzz")
    expect(page.locator("#palette-none")).to_have_text("No device, page or action matches.")
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    expect(page.locator("#open-filter")).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type("excel")
    expect(options).to_have_text([re.compile("Workbook")])
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings/workbook")


def test_actions_of_the_palette_do_what_their_buttons_do(page: Page, monitor: Running) -> None:
    page.evaluate("window.stays = true")
    page.keyboard.press("Control+k")
    page.keyboard.type("scan network")
    expect(page.get_by_role("option", name="Scan network")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_be_visible()
    expect(page.locator("#scan")).to_be_visible()
    assert page.evaluate("window.stays")
    expect(page.locator("#palette")).to_be_hidden()
    expect(page.locator("body > form")).to_have_count(0)
    page.goto("/sites")
    page.keyboard.press("Control+k")
    page.keyboard.type("dark")
    page.get_by_role("option", name="Dark theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert path(page) == "/sites"


def test_the_palette_finds_a_theme_an_export_and_a_status_by_a_few_letters(page: Page) -> None:
    options = page.locator("#palette").get_by_role("option")
    for text, first in (("dark", "Dark theme"), ("export", "Export all devices as CSV")):
        page.keyboard.press("Control+k")
        expect(page.locator("#palette input")).to_be_focused()
        page.keyboard.type(text)
        expect(options.first).to_contain_text(first)
        page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette input")).to_be_focused()
    page.keyboard.type("offl")
    expect(options.first).to_contain_text("Offline")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?status=not_responding")


def test_a_palette_that_cannot_be_loaded_says_so_and_gives_the_page_back(
    page: Page, listener: Listener
) -> None:
    listener.allowed.append("net::ERR_FAILED|palette.js")
    page.route("**/palette.js", lambda route: route.abort())
    page.keyboard.press("Control+k")
    expect(page.locator(".toast")).to_contain_text("could not be loaded")
    expect(page.locator("#palette")).to_be_hidden()


def test_a_palette_that_the_server_does_not_answer_says_so(page: Page, listener: Listener) -> None:
    listener.allowed.append("net::ERR_FAILED")
    page.route("**/parts/palette*", lambda route: route.abort())
    page.route("**/api/cameras*", lambda route: route.abort())
    page.keyboard.press("Control+k")
    message = page.locator("#palette-none")
    expect(message).to_contain_text("The server is not responding")
    page.keyboard.type("Camera 61")
    expect(message).to_contain_text("The server is not responding")
