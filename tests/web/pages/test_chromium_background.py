"""An open page without a person or without a server, and after a scan, in a real browser."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from simulators.panasonic import Network, crowd
from tests.home import Running
from tests.web.chromium import NOT_ANSWERED, Listener, Tab, network_of, numbered, rows, scan

STREAM = re.compile(r"/api/events")
NAMES = "td.c-name a"
LEAVE = """isHidden => {
  Object.defineProperty(document, "hidden", { get: () => isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_hidden_tab_gives_its_stream_back_and_follows_again_when_it_is_seen(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    monitor = run_monitor("hidden")
    with network_of(monitor, crowd(3)):
        scan(monitor)
        page = tab(monitor, "about:blank")
        page.clock.install()
        with page.expect_request(STREAM):
            page.goto(f"http://127.0.0.1:{monitor.port}/")
        page.evaluate(LEAVE, True)
        with page.expect_event("requestfailed", lambda request: "/api/events" in request.url):
            page.clock.fast_forward(6_000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        rename = {"name": "Yard"}
        monitor.request("PATCH", f"/api/camera/{numbered(monitor, 'Camera 3')}", rename)
        with page.expect_response(re.compile(r"/parts/top")):
            page.clock.fast_forward(31_000)
        assert {url.split("?")[0].rpartition("/")[2] for url in asked} == {"top"}
        expect(page.locator(NAMES, has_text="Camera 3")).to_be_visible()
        with page.expect_request(re.compile(r"/api/events\?.*after=[1-9]")):
            page.evaluate(LEAVE, False)
        expect(page.locator(NAMES, has_text="Yard")).to_be_visible()


def test_a_hidden_page_of_events_gives_its_stream_back_too(page: Page) -> None:
    page.clock.install()
    with page.expect_request(STREAM):
        page.goto("/events")
    page.evaluate(LEAVE, True)
    with page.expect_event("requestfailed", lambda request: "/api/events" in request.url):
        page.clock.fast_forward(6_000)
    with page.expect_request(STREAM):
        page.evaluate(LEAVE, False)


def test_what_a_scan_found_offline_is_first_when_it_ends(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    monitor, cameras = run_monitor("sorted"), crowd(60)
    with network_of(monitor, cameras) as network:
        scan(monitor)
        page = tab(monitor)
        expect(rows(page).first).to_contain_text("Active")
        with network.lock:
            next(camera for camera in network.cameras if camera.name == "Camera 55").on = False
        scan(monitor)
        expect(rows(page).first).to_contain_text("Camera 55", timeout=10_000)
        expect(rows(page).first).to_contain_text("Offline")


def test_a_server_that_stopped_is_named_by_the_palette_and_by_a_bulk_edit(
    page: Page, monitor: Running, network: Network, listener: Listener
) -> None:
    listener.allowed.append(NOT_ANSWERED)
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    rows(page).nth(1).locator(".pick").click()
    monitor.stop()
    try:
        expect(page.locator("#stale")).to_be_visible()
        page.locator("#bulk").get_by_role("button", name="Retire").click()
        expect(page.locator("#bulk-result")).to_have_text(
            "The server is not responding. Check the connection, then try again."
        )
        page.keyboard.press("Control+k")
        page.keyboard.type("cam")
        expect(page.locator("#palette-none")).to_contain_text("The server is not responding")
    finally:
        monitor.start()
    expect(page.locator("#stale")).to_be_hidden()
