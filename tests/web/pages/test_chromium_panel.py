"""The filter panel and saved views in a browser: over the list, by mouse and keys."""

import pytest
from playwright.sync_api import Page, expect

from simulators.panasonic import Network
from tests.home import Running
from tests.web.chromium import CROWD, Tab, path
from tests.web.pages.test_chromium_search import total


@pytest.fixture
def tagged(monitor: Running, network: Network) -> Running:
    """Cameras 1 to 5 are in the lobby."""
    for number in range(1, 6):
        tags = {"tags": ["lobby"]}
        assert monitor.request("PATCH", f"/api/camera/{number}", tags).status == 200
    return monitor


def test_a_filter_is_chosen_and_removed_in_the_panel_by_keys(tagged: Running, page: Page) -> None:
    page.evaluate("window.stays = true")
    page.locator("#open-filter").focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog", name="Filter")
    expect(panel.locator("#find")).to_be_focused()
    page.keyboard.type("LOB")
    expect(panel.locator(".facets a")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(panel.locator(".facets a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel.get_by_role("status")).to_have_text("5 matches")
    total(page, 5)
    assert path(page) == "/?tag=lobby"
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.locator("#open-filter")).to_be_focused()
    page.locator("a.chosen", has_text="Tag: lobby").click()
    total(page, CROWD)
    assert path(page) == "/"
    assert page.evaluate("window.stays")


def test_a_view_is_saved_opened_renamed_deleted_and_brought_back(
    tagged: Running, page: Page
) -> None:
    page.goto("/?tag=lobby&sort=-name")
    page.evaluate("window.stays = true")
    page.locator("#open-views").click()
    panel = page.get_by_role("dialog", name="Views")
    expect(panel.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Lobby")
    page.keyboard.press("Enter")
    expect(panel).to_contain_text("saved as “Lobby”")
    page.keyboard.press("Escape")
    page.locator("[data-filter]", has_text="All").click()
    page.locator("a.chosen").click()
    total(page, CROWD)
    page.locator("#open-views").click()
    panel.get_by_role("link", name="Lobby", exact=True).click()
    expect(panel).to_be_hidden()
    total(page, 5)
    assert path(page) == "/?tag=lobby&sort=-name"
    page.locator("#open-views").click()
    panel.get_by_text("Rename Lobby").click()
    panel.get_by_label("New name of Lobby").fill("Lobby, newest first")
    panel.get_by_label("New name of Lobby").press("Enter")
    expect(panel.get_by_role("link", name="Lobby, newest first")).to_be_visible()
    panel.get_by_role("button", name="Delete").click()
    expect(panel.locator(".saved")).to_have_count(0)
    panel.get_by_role("button", name="Undo").click()
    expect(panel.get_by_role("link", name="Lobby, newest first")).to_be_visible()
    panel.get_by_role("button", name="Delete").click()
    expect(panel.locator(".saved")).to_have_count(0)
    assert page.evaluate("window.stays")


def test_without_script_the_panel_is_a_page(tab: Tab, monitor: Running, network: Network) -> None:
    page = tab(monitor, "/?status=active", java_script_enabled=False)
    page.locator("#open-filter").click()
    page.locator("#find").fill("127.20.0.0/16")
    page.locator("#find").press("Enter")
    page.get_by_role("link", name="127.20.0.0/16").click()
    expect(page.locator("a.chosen")).to_contain_text("Network: 127.20.0.0/16")
    assert page.url.endswith("/?status=active&network=127.20.0.0%2F16")


def test_back_changes_what_the_open_panel_marks(tagged: Running, page: Page) -> None:
    page.locator("#open-filter").click()
    panel = page.get_by_role("dialog", name="Filter")
    panel.get_by_role("link", name="lobby").click()
    expect(panel.locator(".facets a[aria-current]")).to_have_count(1)
    page.go_back()
    total(page, CROWD)
    expect(panel.locator(".facets a[aria-current]")).to_have_count(0)
    expect(panel.get_by_role("status")).to_have_text(f"{CROWD} matches")
