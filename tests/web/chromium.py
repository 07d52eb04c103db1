"""A real browser at a real monitor: what it complains of, and what the tests look at."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from simulators.panasonic import Camera, Network
from tests.chromium import CHROMIUM as CHROMIUM
from tests.chromium import chromium as chromium
from tests.home import Running, until

LONG = 20_000
CROWD = 64
"""Cameras in the fleet of most tests."""
expect.set_options(timeout=LONG)
NOT_ANSWERED = "net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED|EMPTY_RESPONSE)"


Tab = Callable[..., Page]


class Listener:
    """A record of the page's complaints, except those that a test allows by pattern."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.allowed: list[str] = []

    def follow(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.heard.append(f"script: {error}"))
        page.on("requestfailed", self._failed)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.heard.append(f"console: {message.text} ({message.location.get('url')})")

    def _failed(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that is left ends its requests
            self.heard.append(f"request: {request.url} {request.failure}")

    def complaints(self) -> list[str]:
        return [
            message
            for message in self.heard
            if not any(re.search(p, message) for p in self.allowed)
        ]


@contextmanager
def tabs(browser: Browser, listener: Listener) -> Iterator[Tab]:
    """Open a path of a monitor in a new browser context; all are closed at the end."""
    contexts = []

    def open_tab(monitor: Running, path: str = "/", **options: Any) -> Page:
        given = {"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce", **options}
        context = browser.new_context(base_url=f"http://127.0.0.1:{monitor.port}", **given)
        context.set_default_timeout(LONG)
        contexts.append(context)
        page = context.new_page()
        listener.follow(page)
        page.goto(path)
        return page

    try:
        yield open_tab
    finally:
        for context in contexts:
            context.close()


@contextmanager
def network_of(monitor: Running, cameras: list[Camera]) -> Iterator[Network]:
    ports = monitor.environment
    with Network(
        cameras,
        listen=("127.0.0.1", int(ports["EASY_IP_PORT"])),
        reply_to=("127.0.0.1", int(ports["EASY_IP_REPLY_PORT"])),
    ) as network:
        yield network


def start_scan(monitor: Running) -> None:
    assert monitor.request("POST", "/api/scan").status == 200


def scan(monitor: Running) -> None:
    """Run a whole scan by API, not by the page."""
    until(lambda: monitor.get("/api/scan").json["running"] is None, 30, "no scan runs")
    start_scan(monitor)
    until(lambda: monitor.get("/api/scan").json["running"] is None, 30, "the scan ended")


def rows(page: Page) -> Locator:
    return page.locator("#fleet tr[data-id]")


def numbered(monitor: Running, name: str) -> int:
    rows = [
        row for row in monitor.get("/api/cameras").json["cameras"] if row["camera_name"] == name
    ]
    assert len(rows) == 1, (name, rows)
    return int(rows[0]["id"])


def camera(monitor: Running, number: int) -> Any:
    return monitor.get(f"/api/camera/{number}").json


def detail(page: Page) -> Locator:
    return page.locator("#detail")


def path(page: Page) -> str:
    return str(page.evaluate("location.pathname + location.search"))


def shown_total(page: Page) -> int:
    """The number of cameras that the page says its list has."""
    if page.locator("#fleet").count():
        return int(page.locator("#fleet").get_attribute("data-total") or "")
    assert page.locator(".empty").count() == 1
    return 0


def wait_for_rows(page: Page) -> None:
    """Wait until the visible part of the list has no gap."""
    page.wait_for_function(
        "() => ![...document.querySelectorAll('.gap td, .ghost td')].some((one) => {"
        "  const box = one.getBoundingClientRect();"
        "  return box.height && box.bottom > 0 && box.top < innerHeight; })"
    )


def overflow(page: Page) -> int:
    """The number of pixels by which the page is wider than its window."""
    root = "document.documentElement"
    return int(page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


def brightness(page: Page) -> float:
    """The brightness of the page's background: 0 is black, 255 white."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3
