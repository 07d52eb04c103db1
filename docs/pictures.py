"""`make pictures`: the pictures of the README, taken of the demo in a real browser."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser

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
)
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
        with chromium() as browser:
            for shot in SHOTS:
                _take(browser, port, shot)
    finally:
        demo.terminate()
        demo.wait()


def _wait(port: int) -> None:
    """Until the demo shows every status and has asked about everybody, or long enough."""
    end = time.monotonic() + SETTLED
    while time.monotonic() < end:
        time.sleep(1)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/api/cameras")
            rows = json.loads(connection.getresponse().read())["cameras"]
        except OSError:
            continue
        finally:
            connection.close()
        words = [row["status"] for row in rows]
        # The one that is being installed stays so; the others are asked about by then.
        if {"ACTIVE", "IP_CHANGED", "OFFLINE", "MISSING"} <= {*words} and words.count(
            "UNKNOWN"
        ) == 1:
            return


def _take(browser: Browser, port: int, shot: Shot) -> None:
    name, path, width, height, is_dark = shot
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if is_dark else "light"
    )
    page.goto(f"http://127.0.0.1:{port}{path}")
    page.wait_for_selector("table.fleet tbody tr", state="attached")
    FOLDER.mkdir(exist_ok=True)
    page.screenshot(path=FOLDER / f"{name}.png")
    page.close()
    print(f"docs/pictures/{name}.png")


if __name__ == "__main__":
    main()
