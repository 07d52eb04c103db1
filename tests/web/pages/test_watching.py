"""What is watched, how far a check is, and why a scan found nothing, as the pages say it."""

import math
from collections.abc import Callable, Iterator

import pytest

from simulators.easy4ip import Cloud, Recorder
from simulators.easy4ip_wire import KEY, USER
from simulators.panasonic import Camera
from sources import easy4ip
from sources.easy4ip_wire import KeyPair
from tests import workbooks
from tests.home import Home, until
from tests.web.browser import Browser, Element

Make = Callable[..., Home]
ROWS = [(f"SIM{n:05}PAZ{n:04}", f"AAC-{n:02}", "Aachen") for n in range(1, 5)]
SLOW = ROWS[3][0]


class Fleet:
    """A monitor with a list of recorders, and their cloud. The last recorder is in no hurry."""

    def __init__(self, home: Home, cloud: Cloud) -> None:
        self.home, self.cloud = home, cloud
        self.browser = Browser(home.client)

    def visit(self, path: str = "/") -> Element:
        return self.browser.visit(path)

    def check(self) -> None:
        self.home.clock.forward(seconds=60)
        assert self.home.monitor.scanner.check_now(easy4ip.NAME)

    def end_check(self) -> None:
        self.cloud.delay = 0.0
        self.cloud.release()
        until(lambda: not self.home.monitor.scanner.checks(), what="the check has ended")


@pytest.fixture
def recorders(make_home: Make) -> Iterator[Fleet]:
    yield from watched(make_home())


@pytest.fixture
def mixed_fleet(make_home: Make) -> Iterator[Fleet]:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate"))
    home.scan()
    yield from watched(home)


def watched(home: Home) -> Iterator[Fleet]:
    with Cloud([Recorder(row[0]) for row in ROWS], servers=1) as cloud:
        cloud.clock = lambda: home.clock().timestamp()
        cloud.delay = lambda server, request: math.inf if request.serial == SLOW else 0.0
        options = easy4ip.Easy4IpOptions(
            clock=home.clock,
            server=cloud.main.address,
            keys=KeyPair(USER, KEY),
            waits=(5.0, 5.0),
            interval=600.0,
        )
        home.monitor.scanner.sources[easy4ip.NAME] = easy4ip.source(options)
        workbooks.write(home.settings.p2p_workbook, ROWS)
        home.monitor.workbooks.sync()
        yield Fleet(home, cloud)


def controls(page: Element) -> list[str]:
    """The buttons above the list; the primary one is marked."""
    buttons = [
        element
        for element in page.find_one("div", id="controls").all()
        if element.tag in ("button", "a")
    ]
    return [
        f"[{button.text}]" if "first" in button.get("class").split() else button.text
        for button in buttons
    ]


def test_a_fleet_of_recorders_is_checked_and_never_scanned(recorders: Fleet) -> None:
    page = recorders.visit()
    assert controls(page) == ["[Check all recorders now]", "Refresh", "Export"]
    assert "Recorders are checked every 10 min." in page.find_one("div", id="did").text
    assert "Auto-scan" not in page.text
    answer = recorders.browser.send(page.form("/check"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    until(recorders.home.monitor.scanner.checks, what="the check is under way")
    recorders.end_check()
    did = recorders.visit().find_one("div", id="did").text
    assert "Last check just now: 4 online." in did


def test_a_fleet_of_both_is_scanned_and_checked_and_says_what_is_off(mixed_fleet: Fleet) -> None:
    page = mixed_fleet.visit()
    assert controls(page)[:2] == ["[Scan network]", "Check all recorders now"]
    did = page.find_one("div", id="did").text
    assert "Recorders are checked every 10 min." in did
    assert "Auto-scan is off: devices found by scans are checked only when you scan." in did


def test_a_list_that_cannot_be_read_is_to_be_uploaded_first(recorders: Fleet) -> None:
    recorders.home.settings.p2p_workbook.write_text("no workbook")
    recorders.home.monitor.workbooks.sync()
    page = recorders.visit()
    assert controls(page)[0] == "[Upload list]"
    assert controls(page)[1] == "Check all recorders now"


def test_nothing_is_called_right_before_it_was_checked(recorders: Fleet) -> None:
    def calm() -> str:
        return recorders.visit().find_one("section", id="wrong").text

    assert calm() == "4 recorders not checked yet"
    recorders.check()
    until(lambda: "Checking: 3 of 4. Nothing wrong so far." in calm(), what="three are checked")
    until(lambda: "1 not checked yet" in calm(), what="their status is known")
    page = recorders.visit()
    bar = page.find_one("progress")
    assert (bar["value"], bar["max"]) == ("3", "4")
    assert "Checking recorders: 3 of 4 checked" in page.find_one("div", id="did").text
    button = page.form("/check").find_one("button")
    assert "disabled" in button.attributes
    recorders.end_check()
    until(lambda: calm() == "Nothing is wrong.", what="all are known to be online")


def test_a_scan_that_found_nothing_says_what_it_did_and_why_that_may_be(make_home: Make) -> None:
    home = make_home()
    home.scan()
    empty = Browser(home.client).visit("/").find_one("div", id="no-devices")
    assert "No devices found" in empty.text
    facts = [element.text for element in empty.find_one("dl").all()]
    assert facts == ["Sent", "6 requests on lo", "Received", "no responses"]
    causes = [cause.text for cause in empty.find_one("ol").find("li")]
    assert "Broadcasts do not cross a router" in causes[0]
    assert "firewall" in causes[1]
    assert any(f"sudo ufw allow {home.settings.easy_ip_reply_port}:" in text for text in causes)
    assert empty.form("/scan").find_one("button").text == "Scan again"
