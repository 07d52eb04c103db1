"""People at a real closed monitor, in a real browser and by API."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from simulators.panasonic import crowd
from tests.accounts import people
from tests.accounts.people import PASSWORD
from tests.home import Clock, Home, Running, running
from tests.web.chromium import Tab

CAMERAS = 4
LONG_NAME = "anneliese.von-der-muehlen@example.museum"
PEOPLE = (
    ("Ada", "admin", True),
    ("Otto", "operator", True),
    ("Vera", "viewer", True),
    ("Lea", "viewer", False),
    (LONG_NAME, "viewer", True),
)
ADMIN = {"ADMIN_USERNAME": "Ada", "ADMIN_PASSWORD": PASSWORD}


@contextmanager
def closed_monitor(folder: Path, **environment: str) -> Iterator[Running]:
    """A real closed monitor with four cameras, which were found a moment ago."""
    clock = Clock()
    clock.now = datetime.now(UTC) - timedelta(seconds=10)
    home = Home(folder, clock, *crowd(CAMERAS))
    try:
        home.scan()
        accounts = home.monitor.authenticator.accounts
        for name, role, sees_all in PEOPLE:
            user = people.add(accounts, name, role, sees_all)
            if not sees_all:
                accounts.grant(user.id, "view", device=1)
    finally:
        home.close()
    with running(folder, **environment) as monitor:
        yield monitor


def ask(monitor: Running, method: str, url: str, body: Any = None, name: str = "Ada") -> Any:
    """Ask the API with name and password."""
    answer = monitor.request(method, url, body, basic(name))
    assert answer.status < 300, (method, url, answer.status, answer.body)
    return answer.json


def basic(name: str) -> dict[str, str]:
    key = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    return {"Authorization": f"Basic {key}"}


def add(monitor: Running, name: str, role: str = "viewer", sees_all: bool = True) -> int:
    body = {"username": name, "password": PASSWORD, "role": role, "all_cameras": sees_all}
    return int(ask(monitor, "POST", "/api/users", body)["id"])


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def open_logged_in(tab: Tab, monitor: Running, name: str, url: str = "/", **options: Any) -> Page:
    page = tab(monitor, url, **options)
    log_in(page, name)
    expect(page.locator(".me")).to_have_text(name)
    return page


def open_account_menu(page: Page) -> Locator:
    page.locator(".me").click()
    return page.locator("#account-menu")


def log_out(page: Page) -> None:
    open_account_menu(page).get_by_role("button", name="Log out").click()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def fault(page: Page, label: str | Locator) -> Locator:
    """The message beside a field, which is marked, described by it and has the focus."""
    field = page.get_by_label(label) if isinstance(label, str) else label
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    message = page.locator("#fault")
    expect(field).to_have_accessible_description(message.inner_text())
    return message


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if target.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError("Tab does not lead there")
