"""`make pictures`: the pictures of the README, taken of the demo in a real browser."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from simulators.demo_streams import CAMERAS, NEW, USERNAME
from tests.chromium import CHROMIUM, chromium

FOLDER = Path(__file__).parent / "pictures"
Shot = tuple[str, str, int, int, bool]
"""Name, path, width, height, dark."""
SHOTS: tuple[Shot, ...] = (
    ("fleet-light", "/", 1440, 900, False),
    ("fleet-dark", "/", 1440, 900, True),
    ("camera-light", "/cameras/6", 1440, 900, False),
    ("fleet-phone", "/", 360, 740, False),
    ("camera-phone", "/cameras/6", 360, 740, True),
    ("recorder-light", "/cameras/{recorder}", 1440, 900, False),
    ("add-light", "/cameras/add", 1440, 900, False),
)
RECORDER = next(camera.name for camera in CAMERAS if camera.channels)
SETTLED = 65.0
"""Seconds after which the demo has one of each status."""


def main() -> None:
    """Run the demo, wait until it has something to show, take the pictures."""
    if not CHROMIUM.exists():
        sys.exit("Chromium is needed: sudo apt install chromium")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    demo = subprocess.Popen(
        [sys.executable, "-m", "simulators.demo"], env={**os.environ, "PORT": str(port)}
    )
    try:
        _wait(port)
        recorder = _recorder(port)
        with chromium() as browser:
            for shot in SHOTS:
                _take(browser, port, shot, recorder)
    finally:
        demo.terminate()
        demo.wait()


def _wait(port: int) -> None:
    """Until the demo shows every status and has asked about everybody, or long enough."""
    end = time.monotonic() + SETTLED
    while time.monotonic() < end:
        time.sleep(1)
        try:
            rows = _get(port, "/api/cameras")["cameras"]
        except OSError:
            continue
        words = [row["status"] for row in rows]
        # The one that is being installed stays so; the others are asked about by then.
        if {"ACTIVE", "IP_CHANGED", "OFFLINE", "MISSING"} <= {*words} and words.count(
            "UNKNOWN"
        ) == 1:
            return


def _get(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def _recorder(port: int) -> Any:
    """The recorder with channels, as the API returns it."""
    rows = _get(port, "/api/cameras")["cameras"]
    number = next(row["id"] for row in rows if row["camera_name"] == RECORDER)
    return _get(port, f"/api/cameras/{number}")


def _take(browser: Browser, port: int, shot: Shot, recorder: Any) -> None:
    name, path, width, height, is_dark = shot
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if is_dark else "light"
    )
    page.goto(f"http://127.0.0.1:{port}{path.format(recorder=recorder['id'])}")
    if path == "/cameras/add":
        _test_connection(page, recorder["onvif"]["port"])
    else:
        page.wait_for_selector("table.fleet tbody tr", state="attached")
    FOLDER.mkdir(exist_ok=True)
    page.screenshot(path=FOLDER / f"{name}.png")
    page.close()
    print(f"docs/pictures/{name}.png")


def _test_connection(page: Page, onvif_port: int) -> None:
    """Test the recorder of the demo that is not in the fleet, until it can be saved."""
    page.get_by_label("Address or stream URL").fill(f"{NEW.address}:{onvif_port}")
    page.get_by_label("User name", exact=True).fill(USERNAME)
    page.get_by_label("Password", exact=True).fill(NEW.login.password)
    page.get_by_role("button", name="Test connection").click()
    page.get_by_role("button", name="Save device").wait_for()
    page.evaluate("scrollTo(0, 0)")


if __name__ == "__main__":
    main()
