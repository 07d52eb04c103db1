"""What is watched, how far a check is, and why a scan found nothing, as the pages say it."""

import math
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from simulators.easy4ip import Cloud, Recorder
from simulators.easy4ip_wire import KEY, USER
from simulators.panasonic import Camera
from sources import easy4ip
from sources.easy4ip_wire import KeyPair
from sources.source import Cause, Source
from tests import workbooks
from tests.home import Home, until
from tests.web.browser import Browser, Element
from web.http.shapes.scans import SourceRow, check_text
from web.pages.scan_causes import HEARD_ONCE, REFUSED, likely_causes

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
        for element in page.find_one("div", id="actions").all()
        if element.tag in ("button", "a")
    ]
    return [
        f"[{button.text}]" if "first" in button.get("class").split() else button.text
        for button in buttons
    ]


@pytest.mark.parametrize(("name", "is_offered"), [("recorders", False), ("mixed_fleet", True)])
def test_a_recorder_of_the_list_is_retired_by_its_row_and_not_by_a_button(
    request: pytest.FixtureRequest, name: str, is_offered: bool
) -> None:
    form = request.getfixturevalue(name).visit().find_one("form", id="bulk")
    assert ("retire" in {button.get("value") for button in form.find("button")}) is is_offered


def commands(fleet: Fleet) -> list[str]:
    """The actions in the palette that check or scan."""
    options = fleet.visit("/parts/palette").find("li", role="option")
    titles = [option.find("span")[0].text for option in options if option.get("data-post")]
    return [title for title in titles if "scan" in title.lower() or "heck" in title]


def keys(fleet: Fleet) -> list[str]:
    return [entry.text for entry in fleet.visit().find_one("dialog", id="keys").find("dd")]


def test_the_palette_and_the_keys_offer_what_the_buttons_of_this_fleet_do(
    recorders: Fleet,
) -> None:
    assert commands(recorders) == ["Check all recorders now"]
    assert "Check all recorders now" in keys(recorders)
    assert "Scan network" not in keys(recorders)
    recorders.check()
    until(recorders.home.monitor.scanner.checks, what="the check is under way")
    assert commands(recorders) == []
    recorders.end_check()
    assert commands(recorders) == ["Check all recorders now"]


def test_the_palette_of_a_mixed_fleet_scans_and_checks(mixed_fleet: Fleet) -> None:
    assert commands(mixed_fleet) == [
        "Scan network",
        "Check all recorders now",
        "Turn auto-scan on",
    ]
    assert "Scan network" in keys(mixed_fleet)


def test_a_fleet_of_recorders_is_checked_and_never_scanned(recorders: Fleet) -> None:
    page = recorders.visit()
    assert controls(page) == ["[Check all recorders now]", "Add camera", "Refresh"]
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
    assert controls(page)[0] == "[Upload workbook]"
    assert controls(page)[1] == "Check all recorders now"


def test_nothing_is_called_right_before_it_was_checked(recorders: Fleet) -> None:
    def calm() -> str:
        return recorders.visit().find_one("section", id="wrong").text

    assert calm() == "4 recorders not checked yet"
    recorders.check()
    until(lambda: "Checking: 3 of 4. No problems so far." in calm(), what="three are checked")
    until(lambda: "1 not checked yet" in calm(), what="their status is known")
    page = recorders.visit()
    bar = page.find_one("progress")
    assert (bar["value"], bar["max"]) == ("3", "4")
    assert "Checking recorders: 3 of 4 checked" in page.find_one("div", id="did").text
    button = page.form("/check").find_one("button")
    assert "disabled" in button.attributes
    recorders.end_check()
    until(lambda: calm() == "No problems found.", what="all are known to be online")


def test_a_scan_that_found_nothing_says_what_it_did_and_why_that_may_be(make_home: Make) -> None:
    home = make_home()
    home.scan()
    empty = Browser(home.client).visit("/").find_one("div", id="no-devices")
    assert "No devices found" in empty.text
    facts = [element.text for element in empty.find_one("dl").all()]
    assert [facts[0], *facts[2:]] == ["Sent", "Received", "no responses"]
    assert facts[1].startswith("6 requests on lo (127.0.0.1/8")
    causes = [cause.text for cause in empty.find_one("ol").find("li")]
    assert "Broadcasts do not cross a router" in causes[0]
    assert "must be in the cameras' network: ip -4 address" in causes[0]
    assert "firewall" in causes[1]
    assert "sudo ufw allow" in causes[1]
    assert empty.form("/scan").find_one("button").text == "Scan again"
    ways = [link["href"] for link in empty.find("a", **{"class": "button"})]
    assert ways == ["/cameras/add", "/cameras/import", "/scan-range", "/settings/workbook"]


def test_recorders_that_were_never_online_are_one_line_with_a_link_to_them(
    recorders: Fleet,
) -> None:
    for row in ROWS[:2]:
        recorders.cloud.recorders[row[0]].state = "offline"
    recorders.check()
    recorders.end_check()

    def link() -> Element | None:
        links = recorders.visit().find_one("section", id="wrong").find("a")
        text = "2 recorders never online: check the serial numbers"
        return next((link for link in links if link.text == text), None)

    listed = recorders.visit(until(link, what="the line")["href"])
    (table,) = listed.find("table", id="fleet")
    assert table["data-total"] == "2"
    assert "AAC-01" in table.text
    assert "AAC-02" in table.text
    heads = [heading.text for heading in table.find("th")]
    assert {"Name", "Site", "Serial"} <= {head.removesuffix(" ↑") for head in heads}
    assert not [head for head in heads if "MAC" in head]


def test_a_running_scan_is_not_an_empty_page(make_home: Make) -> None:
    home = make_home()
    browser = Browser(home.client)

    def scanning() -> Element | None:
        home.client.post("/scan")
        page = browser.visit("/")
        return page if page.find("form", action="/scan/stop") else None

    page = until(scanning, what="a page that shows a running scan")
    panel = page.find_one("div", id="no-devices")
    assert panel.find_one("h1").text == "Scanning the network"
    assert panel["data-scan"] == "running"
    assert not page.find("form", action="/scan")
    assert home.monitor.scanner.wait(20)


def source_row(**changes: Any) -> SourceRow:
    row = {"found": 0, "requests": 12, "answers": 0, "refused": {}, "failed": {}, "state": "done"}
    return cast(SourceRow, {**row, **changes})


CAUSES = (Cause("A firewall blocks it.", "Open it."),)


@pytest.mark.parametrize(
    ("row", "causes"),
    [
        (source_row(), CAUSES),
        (source_row(found=3, answers=9), ()),
        (source_row(state="asking"), ()),
        (source_row(requests=0, failed={"panasonic": "the port is taken. Stop it."}), ()),
        (source_row(failed={"panasonic:eth1": "it is down"}), CAUSES),
        (source_row(answers=1), (HEARD_ONCE,)),
        (source_row(answers=5, refused={"its length does not fit": 5}), (REFUSED, *CAUSES)),
    ],
)
def test_the_likely_causes_fit_what_was_sent_heard_and_refused(
    row: SourceRow, causes: tuple[Cause, ...]
) -> None:
    assert tuple(likely_causes(Source("x", "X", 1, causes=CAUSES), row)) == causes


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (None, "251 of 793 checked"),
        (4.0, "251 of 793 checked, a few seconds left"),
        (38.4, "251 of 793 checked, about 40 s left"),
        (130.0, "251 of 793 checked, about 2 min left"),
        (9000.0, "251 of 793 checked, about 2 h left"),
    ],
)
def test_the_rest_of_a_check_is_said_as_roughly_as_it_is_known(
    left: float | None, text: str
) -> None:
    assert check_text(251, 793, left) == text


def test_the_sources_page_says_how_often_and_turns_auto_scan_on(mixed_fleet: Fleet) -> None:
    mixed_fleet.home.monitor.scheduler.start()
    page = mixed_fleet.visit("/settings/sources")
    assert "4 recorders are checked every 10 min." in page.text
    assert "the network is scanned only on request" in page.text
    form = next(form for form in page.find("form") if form["action"] == "/auto-scan")
    page = mixed_fleet.browser.press(form)
    assert page.find_one("h1").text == "Sources"
    assert "The network is scanned every 5 min. Next scan" in page.text


def test_a_button_leads_back_to_its_own_page_and_nowhere_else(recorders: Fleet) -> None:
    for back, location in (("/settings/sources", "/settings/sources"), ("//elsewhere", "/")):
        answer = recorders.home.client.post("/scan", data={"back": back})
        assert (answer.status_code, answer.headers["Location"]) == (303, location)
    recorders.home.monitor.scanner.cancel()
    assert recorders.home.monitor.scanner.wait(20)
