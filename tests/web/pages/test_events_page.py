"""The page of all events without script, and the details of a device."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from fleet import labels
from fleet.history.uptime import KINDS as STATUS_KINDS
from fleet.history.uptime import Uptime
from fleet.model import Device, Event
from simulators.panasonic import Camera
from tests.accounts import people
from tests.accounts.people import PASSWORD
from tests.home import ROOT, Home
from tests.web.browser import Browser, Element
from tests.web.conftest import fill
from web.pages import event_groups
from web.pages.uptime_days import days_of, outages
from web.pages.web_address import web_page

Make = Callable[..., Home]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(home_with_events: Home) -> Home:
    return home_with_events


@pytest.fixture
def browser(home: Home) -> Browser:
    return Browser(home.client)


def shown(page: Element) -> list[int]:
    return [int(entry["data-event"]) for entry in page.find("li") if entry.get("data-event")]


# -- the filter ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("kind=status", [3, 2, 1]),
        ("kind=edit", [5, 4]),
        ("kind=system", []),
        ("device=1", [5, 3, 1]),
        ("device=99", []),
        ("q=gate", [5, 3, 1]),
        ("q=127.20.0.2", [4, 2]),
        ("q=nowhere", []),
        ("site=Depot", [4, 2]),
        ("site=Depot&kind=status", [2]),
        ("within=1h", [5, 4, 3]),
        ("within=24h", [5, 4, 3, 2, 1]),
        ("before=3", [2, 1]),
        ("kind=sleeping&device=x&within=2y&since=yesterday&before=-1", [5, 4, 3, 2, 1]),
    ],
)
def test_events_are_filtered_by_kind_device_site_and_time(
    browser: Browser, query: str, expected: list[int]
) -> None:
    assert shown(browser.visit(f"/events?{query}")) == expected
    assert shown(browser.visit(f"/parts/events?{query}")) == expected


def test_a_time_is_meant_in_the_zone_of_the_server(browser: Browser) -> None:
    moment = (NOON + timedelta(minutes=30)).astimezone().strftime("%Y-%m-%dT%H:%M")
    assert shown(browser.visit(f"/events?since={moment}")) == [5, 4, 3]
    page = browser.visit(f"/events?until={moment}")
    assert shown(page) == [2, 1]
    assert page.find_one("input", name="until")["value"] == moment


def test_an_event_leads_to_its_device_and_says_its_site(browser: Browser) -> None:
    page = browser.visit("/events?kind=edit")
    entries = [entry for entry in page.find("li") if entry.get("data-event")]
    assert [entry.find_one("a")["href"] for entry in entries] == ["/cameras/1", "/cameras/2"]
    assert "Depot" in entries[1].text
    assert "Show all events" in browser.visit("/events?q=nowhere").text


def test_the_events_of_one_device_name_it_in_a_filter_that_can_be_removed(
    browser: Browser,
) -> None:
    page = browser.visit("/events?device=2&kind=status")
    (chosen,) = page.find("a", **{"class": "chosen"})
    assert chosen.text == "Device Yard"
    assert shown(browser.visit(chosen["href"])) == [3, 2, 1]


def test_a_merged_device_has_its_name_in_the_filter_and_a_deleted_one_no_number(
    make_home: Make,
) -> None:
    home = make_home(
        Camera("d4:2d:c5:00:00:01", "127.20.0.1", "Gate"),
        Camera("d4:2d:c5:00:00:02", "127.20.0.2", "Yard"),
    )
    home.scan()
    home.events()
    stays, goes = (
        next(device for device in home.devices() if labels.name(device) == name)
        for name in ("Gate", "Yard")
    )
    merge = home.client.post(f"/api/camera/{goes.id}/merge", json={"with": stays.id})
    assert merge.status_code == 200, merge.text
    browser = Browser(home.client)
    chips = [
        browser.visit(f"/events?device={number}").find_one("a", **{"class": "chosen"}).text
        for number in (goes.id, 99)
    ]
    assert chips == ["Device Gate", "Deleted device"]


def test_the_details_lead_to_all_events_of_the_device(browser: Browser) -> None:
    for path in ("/cameras/2", "/parts/camera/2", "/parts/camera/2/events"):
        page = browser.visit(path)
        (link,) = [a for a in page.find("a") if a.text == "All events of this camera"]
        assert shown(browser.visit(link["href"])) == [4, 2], path


def test_pages_one_after_the_other_hold_every_event_once(make_home: Make) -> None:
    home = make_home()
    fill(home, 250)
    home.events()
    browser, numbers, path = Browser(home.client), list[int](), "/events"
    while path:
        page = browser.visit(path)
        numbers += shown(page)
        path = next((link["href"] for link in page.find("a") if link.text == "Older events"), "")
    assert numbers == list(range(250, 0, -1))


def test_an_edit_of_many_devices_is_one_line_and_each_device_has_its_own(
    make_home: Make,
) -> None:
    cameras = [
        Camera(f"d4:2d:c5:00:01:{n:02x}", f"127.20.1.{n}", f"Gate {n}") for n in range(1, 131)
    ]
    home = make_home(*cameras)
    while len(home.monitor.tracker.devices()) < 130:
        home.scan()  # A busy machine loses datagrams.
    body = {"filter": {}, "add_tags": ["lobby"]}
    reply = home.client.post("/api/cameras/bulk", json=body).json
    assert reply["text"] == "Tag lobby added to 130 devices"
    home.clock.forward(seconds=5)
    home.client.post("/api/cameras/bulk/undo", json={"events": reply["undo"][:3]})
    home.events()
    browser = Browser(home.client)
    page = browser.visit("/events?kind=edit")
    lines = [entry for entry in page.find("li") if entry.get("data-event")]
    assert [line.find_one("summary").text for line in lines] == [
        "Tag lobby removed from 3 cameras, on this server",
        "Tag lobby added to 130 cameras, on this server",
    ]
    assert len(lines[1].find("a")) == 130
    assert not [link for link in page.find("a") if link.text == "Older events"]
    of_device = browser.visit("/cameras/130").find_one("section", id="events").text
    assert "Gate 130: tag lobby added, on this server" in of_device


def test_every_kind_of_event_belongs_to_one_group() -> None:
    kinds = [kind for group in event_groups.GROUPS for kind in group.kinds]
    assert len(kinds) == len(set(kinds))
    written = r'(?:add_event|EditSummary|Event)\(\s*(?:sequence, now, )?"([a-z]+\.[a-z_]+)"'
    files = [path.read_text() for path in (ROOT / "fleet").rglob("*.py")]
    assert {kind for text in files for kind in re.findall(written, text)} <= set(kinds)
    assert set(STATUS_KINDS) <= set(kinds)


def test_a_person_sees_the_events_of_their_own_cameras_only(make_home: Make) -> None:
    home = make_home(
        Camera("d4:2d:c5:00:00:01", "127.20.0.1", "Gate"),
        Camera("d4:2d:c5:00:00:02", "127.20.0.2", "Yard"),
    )
    home.scan()
    home.events()
    accounts = home.monitor.authenticator.accounts
    people.add(accounts, "Ada", "admin", True)
    user = people.add(accounts, "Lea", "viewer", False)
    accounts.grant(user.id, "view", device=2)
    form = {"username": "Lea", "password": PASSWORD}
    assert home.client.get("/events", headers={"Accept": "text/html"}).status_code == 303
    assert home.client.post("/login", data=form).status_code == 303
    browser = Browser(home.client)
    for query in ("", "device=1", "q=gate", "kind=status", "site=here"):
        page = browser.visit(f"/events?{query}")
        assert "Gate" not in page.find_one("div", id="event-list").text, query
    assert "Yard" in browser.visit("/events").text
    assert "System" not in browser.visit("/events").find_one("select", name="kind").text


# -- the details ---------------------------------------------------------------------------


def test_the_details_come_in_the_order_of_use(mixed: Home) -> None:
    page = Browser(mixed.client).visit("/cameras/1").find_one("aside", id="detail")
    assert [heading.text.split(" ")[0] for heading in page.find("h2")] == [
        *("Details", "Network", "Connections", "Last", "Events", "Addresses", "Edit", "Record"),
    ]
    text = " ".join(page.text.split())
    assert text.index("No administrator password") < text.index("Firmware") < text.index("Network")
    assert "Anyone on the network can take control of it. Open its web page" in text
    head = text[: text.index("Network")].lower()
    assert head.count("no administrator password") == 1, "said once"
    assert head.count("anyone on the network") == 1
    assert "Data from Panasonic and i-PRO" in text
    assert re.search(r"Last 90 days [\d.]+ % online since it was first seen ", text)
    assert not page.find("figure")


def test_former_addresses_say_until_when_and_a_shared_one_links_the_other_device(
    make_home: Make,
) -> None:
    gate = Camera("d4:2d:c5:00:00:01", "127.20.0.1", "Gate")
    home = make_home(gate, Camera("d4:2d:c5:00:00:02", "127.20.0.2", "Yard"))
    home.scan()
    gate.ip = "127.20.0.2"
    for _scan in range(3):
        home.clock.forward(minutes=5)
        home.scan()
    page = Browser(home.client).visit("/cameras/1").find_one("aside", id="detail")
    (notice,) = page.find("div", **{"class": "notice"})
    (link,) = notice.find("a")
    assert "127.20.0.2 is also the address of d4:2d:c5:00:00:02. Other device: Yard." in notice.text
    assert (link.text, link["data-open"]) == ("Yard", "2")
    (addresses,) = page.find("ol", **{"aria-label": "Addresses"})
    newest, oldest = addresses.find("li")
    assert newest.text.startswith("127.20.0.2 for 10 min")
    assert oldest.text.startswith("127.20.0.1 until 10 min ago")
    assert "before" not in addresses.text


def test_a_recorder_of_the_list_is_shown_with_its_store_site_and_serial(chain: Home) -> None:
    browser = Browser(chain.client)
    (link,) = browser.visit("/?q=B-1").find_one("tbody").find("a")
    page = browser.visit(link["href"].partition("?")[0]).find_one("aside", id="detail")
    assert page.find_one("p", **{"class": "where"}).text == "Store: Bergen · Site: B-1"
    assert page.find_one("b", id="copy-serial").text.startswith("SIM")
    assert "via Dahua cloud" in page.text
    assert "Open its web page" not in page.text
    assert "Retire" not in page.text
    assert "Addresses" not in page.text


@pytest.mark.parametrize(
    ("address", "facts", "url"),
    [
        ("10.1.4.21", {"panasonic": {"port": 80}}, "http://10.1.4.21/"),
        ("10.1.4.21", {"panasonic": {"port": 8080}}, "http://10.1.4.21:8080/"),
        ("10.1.4.21", {"panasonic": {"port": 443}}, "https://10.1.4.21/"),
        ("10.1.4.21", {"panasonic": {"port": 8443}}, "https://10.1.4.21:8443/"),
        ("10.1.4.21", {"other": {"port": 37777}}, "http://10.1.4.21/"),
        ("10.1.4.21", {"other": {"port": 37777, "http_port": 81}}, "http://10.1.4.21:81/"),
        ("10.1.4.21", {"panasonic": {"port": "80/@evil.example"}}, "http://10.1.4.21/"),
        ("2001:db8::7", {"panasonic": {"port": 80}}, "http://[2001:db8::7]/"),
        ("fe80::7%eth0", {"panasonic": {"port": 80}}, None),
        ("evil.example/", {"panasonic": {"port": 80}}, None),
        (None, {"panasonic": {"port": 80}}, None),
    ],
)
def test_the_web_page_of_a_device_is_at_its_address_and_web_port(
    address: str | None, facts: dict[str, dict[str, object]], url: str | None
) -> None:
    device = Device(1, "camera", "here", ("mac:1",), address=address, facts=facts)
    assert web_page(device) == url


# -- the days of the uptime bar ------------------------------------------------------------


def change(sequence: int, at: datetime, kind: str, reason: str = "") -> Event:
    return Event(sequence, at, kind, 1, kind, {}, {"reason": reason} if reason else {})


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute).astimezone()


def test_each_day_says_when_it_was_offline_and_why() -> None:
    first = local(1, 0).date()
    events = [
        change(2, local(2, 9, 30), "device.offline", "refused"),
        change(3, local(2, 10), "device.back"),
        change(4, local(3, 14), "device.offline", "no response"),
        change(5, local(5, 8), "device.back"),
    ]
    measured = Uptime(first, (1.0, 0.98, 0.58, 0.0, 0.66, None, None), 0.8)
    days = days_of(measured, outages(None, events))
    assert [(day.count, day.kind, day.state, day.reason) for day in days] == [
        (1, "up", "Online", ""),
        (1, "part", "Online 98.0 %", "09:30 to 10:00: refused"),
        (1, "part", "Online 58.0 %", "from 14:00: no response"),
        (1, "down", "Offline", "no response"),
        (1, "part", "Online 66.0 %", "until 08:00: no response"),
        (2, "unknown", "No data", ""),
    ]
    assert (days[-1].first, days[-1].last) == (local(6, 0).date(), local(7, 0).date())


def test_an_outage_that_began_before_the_days_and_one_that_lasts_are_told() -> None:
    before = change(1, local(1, 5), "device.missing", "unplugged")
    ended, lasting = outages(
        before,
        [
            change(2, local(3, 8), "device.back"),
            change(3, local(4, 8), "device.unreachable"),
        ],
    )
    assert (ended.start, ended.end, ended.reason) == (None, local(3, 8), "unplugged")
    assert (lasting.start, lasting.end) == (local(4, 8), None)
    assert lasting.reason == "parent device down"


def test_the_reason_of_an_event_without_evidence_is_taken_from_its_text() -> None:
    old = Event(1, local(1, 5), "device.offline", 1, "Gate is offline: timeout: 4 s")
    assert outages(None, [old])[0].reason == "timeout: 4 s"


def test_a_day_with_many_outages_names_the_first_ones() -> None:
    events = [
        change(number, local(1, number), "device.back" if number % 2 else "device.offline", "x")
        for number in range(2, 12)
    ]
    measured = Uptime(local(1, 0).date(), (0.5,), 0.5)
    (day,) = days_of(measured, outages(None, events))
    assert day.reason.count(": x") == 3
    assert day.reason.endswith("; 2 more")


def test_a_refresh_of_a_deleted_device_is_no_error(home: Home) -> None:
    assert home.client.get("/parts/camera/999").status_code == 404
    assert home.client.get("/parts/camera/999?renewed=yes").status_code == 204
    assert home.client.get("/cameras/999").status_code == 404
    assert home.client.get("/cameras/999", headers={"X-Refresh": "yes"}).status_code == 204
