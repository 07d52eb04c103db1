"""Search while typing in a browser: the list, its head, the URL and the history follow."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from simulators.panasonic import Network, crowd
from tests.home import Running, until
from tests.web.chromium import (
    CROWD,
    Tab,
    detail,
    network_of,
    numbered,
    path,
    scan,
    shown_total,
)

NAMES = "td.c-name a"


def hold_streams(page: Page) -> list[Route]:
    """The requests for the event stream, which wait here until they are let go."""
    held: list[Route] = []
    page.route(re.compile(r"/api/events"), lambda route: held.append(route))
    return held


def total(page: Page, number: int) -> None:
    """Wait until the list has so many rows."""
    if number:
        expect(page.locator("#fleet")).to_have_attribute("data-total", str(number))
    else:
        expect(page.locator(".empty")).to_be_visible()


def rename(monitor: Running, name: str, new_name: str) -> None:
    number = numbered(monitor, name)
    assert monitor.request("PATCH", f"/api/camera/{number}", {"name": new_name}).status == 200


def test_the_list_follows_what_is_typed_without_a_reload(page: Page) -> None:
    page.evaluate("window.stays = true")
    search, everything = page.locator("#search"), page.locator("[data-filter]", has_text="All")
    search.press_sequentially("camera 6")
    total(page, 6)
    assert page.locator(NAMES).all_inner_texts() == [
        f"Camera {number}" for number in (6, 60, 61, 62, 63, 64)
    ]
    expect(everything.locator("b")).to_have_text("6")
    expect(page.locator("#matches")).to_have_text("6 matches")
    assert path(page) == "/?q=camera+6"
    search.press("4")
    total(page, 1)
    expect(page.locator("#matches")).to_have_text("1 match")
    search.press("x")
    total(page, 0)
    expect(page.locator("#matches")).to_have_text("No matches")
    expect(search).to_be_focused()
    page.locator(".clear").click()
    total(page, CROWD)
    expect(search).to_be_focused()
    expect(search).to_have_value("")
    assert path(page) == "/"
    assert page.evaluate("window.stays")


def test_esc_clears_the_search_and_leaves_it(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("camera 6")
    total(page, 6)
    page.keyboard.press("Escape")
    total(page, CROWD)
    expect(page.locator("#search")).to_have_value("")
    expect(page.locator("#search")).not_to_be_focused()
    assert path(page) == "/"


def test_back_leads_to_the_list_before_the_search_and_forward_to_its_end(page: Page) -> None:
    page.locator("[data-filter]", has_text="Active").click()
    page.wait_for_url("**/?status=active")
    for letters, count in (("camera 6", 6), ("2", 1)):
        page.locator("#search").press_sequentially(letters)
        total(page, count)
    page.go_back()
    expect(page.locator("#search")).to_have_value("")
    expect(page.locator("[data-filter]", has_text="Active")).to_have_attribute(
        "aria-current", "true"
    )
    assert path(page) == "/?status=active"
    until(lambda: shown_total(page) > 6)
    page.go_forward()
    total(page, 1)
    expect(page.locator("#search")).to_have_value("camera 62")


def test_an_answer_that_comes_late_does_not_overwrite_a_newer_one(page: Page) -> None:
    slow: list[Route] = []

    def answer(route: Route) -> None:
        if route.request.url.endswith("q=camera+6"):
            slow.append(route)
        else:
            route.continue_()

    page.route(re.compile(r"/\?q="), answer)
    page.locator("#search").fill("camera 6")
    page.wait_for_url("**/?q=camera+6")
    page.locator("#search").fill("camera 62")
    total(page, 1)
    for route in slow:
        route.continue_()
    page.unroute_all()
    page.locator("[data-sort]", has_text="Name").click()
    expect(page.locator("th.c-name")).to_have_attribute("aria-sort", "ascending")
    assert slow
    total(page, 1)
    assert path(page) == "/?q=camera+62&sort=name"


def test_the_event_stream_follows_the_filter(tab: Tab, run_monitor: Callable[..., Running]) -> None:
    monitor = run_monitor("follows")
    with network_of(monitor, crowd(12)):
        scan(monitor)
        page = tab(monitor)
        with page.expect_request(re.compile(r"/api/events\?page=%3Fq%3Dcamera%2B1(%26|$)")):
            page.locator("#search").fill("camera 1")
        total(page, 4)
        rename(monitor, "Camera 7", "Camera 1b")
        expect(page.locator("[data-filter]", has_text="All").locator("b")).to_have_text("5")
        expect(page.get_by_role("link", name="Camera 1b")).to_be_visible()
        rename(monitor, "Camera 1b", "Yard")
        total(page, 4)
        expect(page.get_by_role("link", name="Yard")).to_have_count(0)


def test_a_search_beside_an_open_camera_keeps_it(page: Page, monitor: Running) -> None:
    number = numbered(monitor, "Camera 62")
    page.goto(f"/cameras/{number}")
    page.locator("#search").fill("camera 6")
    total(page, 6)
    expect(detail(page)).to_be_visible()
    assert path(page) == f"/cameras/{number}?q=camera+6"
    detail(page).get_by_role("link", name="Edits", exact=True).click()
    expect(detail(page).locator(".kinds [aria-current]")).to_have_text("Edits")
    assert path(page) == f"/cameras/{number}?q=camera+6&events=edit"
    total(page, 6)
    page.set_viewport_size({"width": 360, "height": 800})
    page.locator("#search").fill("camera 61")
    expect(detail(page)).to_be_hidden()
    expect(page.locator(NAMES)).to_have_text(["Camera 61"])
    assert path(page) == "/?q=camera+61"


def test_a_search_on_another_page_leads_to_the_list(
    tab: Tab, monitor: Running, network: Network
) -> None:
    page = tab(monitor, "/events")
    page.keyboard.press("Tab")
    page.locator("#search").fill("Camera 62")
    page.locator("#search").press("Enter")
    page.wait_for_url("**/?q=Camera+62")
    total(page, 1)


def test_without_script_the_search_keeps_the_filter_and_can_be_cleared(
    tab: Tab, monitor: Running, network: Network
) -> None:
    page = tab(monitor, "/?status=active&sort=name", java_script_enabled=False)
    page.locator("#search").fill("Camera 62")
    page.locator("#search").press("Enter")
    expect(page.locator(NAMES)).to_have_text(["Camera 62"])
    assert {"status=active", "sort=name"} <= set(page.url.split("?")[1].split("&"))
    page.get_by_role("link", name="Clear the search").click()
    assert page.url.endswith("/?status=active&sort=name")


TYPE_AND_CLICK = """(link, text) => {
  const search = document.getElementById("search");
  search.value = text;
  search.dispatchEvent(new Event("input", { bubbles: true }));
  link.click();
}"""


def test_a_filter_chosen_right_after_typing_keeps_what_was_typed(page: Page) -> None:
    chip, search = page.locator("[data-filter]"), page.locator("#search")
    chip.filter(has_text="Active").evaluate(TYPE_AND_CLICK, "camera 6")
    total(page, 6)
    assert path(page) == "/?status=active&q=camera+6"
    expect(search).to_have_value("camera 6")
    slow: list[Route] = []
    page.route(re.compile(r"/\?status=active&q=camera\+62$"), lambda route: slow.append(route))
    search.fill("camera 62")
    page.wait_for_url("**/?status=active&q=camera+62")
    chip.filter(has_text="All").click()
    total(page, 1)
    assert path(page) == "/?q=camera+62"
    expect(search).to_have_value("camera 62")
    assert slow


def test_a_link_without_the_search_ends_it_right_after_typing_too(page: Page) -> None:
    page.goto("/?q=nothing")
    page.get_by_role("link", name="Show all").evaluate(TYPE_AND_CLICK, "nothing else")
    total(page, CROWD)
    expect(page.locator("#search")).to_have_value("")
    assert path(page) == "/"


def test_what_happens_while_the_filter_changes_reaches_the_list(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    monitor = run_monitor("between")
    with network_of(monitor, crowd(12)):
        scan(monitor)
        page = tab(monitor)
        everything = page.locator("[data-filter]", has_text="All").locator("b")
        expect(everything).to_have_text("12")
        held = hold_streams(page)
        with page.expect_request(re.compile(r"/api/events")):
            page.locator("#search").fill("camera 1")
            total(page, 4)
            rename(monitor, "Camera 7", "Camera 1b")
            rename(monitor, "Camera 11", "Yard")
        until(lambda: bool(page.evaluate("true") and held), what="the stream is held")
        held[0].continue_()
        page.unroute_all()
        expect(page.locator(NAMES)).to_have_text(
            ["Camera 1", "Camera 1b", "Camera 10", "Camera 12", "Yard"]
        )


def test_a_page_shows_what_happened_before_its_stream_began(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    monitor = run_monitor("before")
    with network_of(monitor, crowd(3)):
        scan(monitor)
        page = tab(monitor, "about:blank")
        held = hold_streams(page)
        with page.expect_request(re.compile(r"/api/events")):
            page.goto(f"http://127.0.0.1:{monitor.port}/")
        expect(page.locator(NAMES, has_text="Camera 3")).to_be_visible()
        rename(monitor, "Camera 3", "Yard")
        until(lambda: bool(page.evaluate("true") and held), what="the stream is held")
        held[0].continue_()
        page.unroute_all()
        expect(page.locator(NAMES, has_text="Yard")).to_be_visible()


def test_an_order_chosen_while_a_filter_loads_keeps_the_filter(page: Page) -> None:
    slow: list[Route] = []
    page.route(re.compile(r"/\?status=active$"), lambda route: slow.append(route))
    page.locator("[data-filter]", has_text="Active").click()
    until(lambda: slow)
    page.locator("[data-sort]", has_text="Name").click()
    page.wait_for_url("**/?status=active&sort=name")
    expect(page.locator("[data-filter]", has_text="Active")).to_have_attribute(
        "aria-current", "true"
    )
    expect(page.locator("th.c-name")).to_have_attribute("aria-sort", "ascending")
