"""The details of a device in a real browser: its head, its uptime bar, its events, its place."""

import re
from collections.abc import Iterator
from datetime import datetime

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from bench.fleets import write_fleet
from simulators.panasonic import Network
from tests.home import Running, running, until
from tests.web.chromium import CROWD, Listener, Tab, camera, detail, numbered, path, rows

NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"
"""As on a page without HTTPS from another machine."""


def is_in_sight(row: Locator) -> bool:
    box = row.bounding_box()
    return box is not None and 80 <= box["y"] <= 900 - box["height"]


def selected_row(page: Page) -> Locator:
    return page.locator("tr.is-open")


def bar(page: Page) -> Locator:
    return page.get_by_role("slider", name="Days")


def tip(page: Page) -> Locator:
    return page.locator(".tip")


# -- the head ------------------------------------------------------------------------------


def test_the_head_leads_to_the_web_page_of_the_device_and_to_its_form(
    page: Page, monitor: Running
) -> None:
    number = numbered(monitor, "Camera 12")
    page.goto(f"/cameras/{number}")
    link = detail(page).get_by_role("link", name="Open its web page")
    expect(link).to_have_attribute("href", f"http://{camera(monitor, number)['current_ip']}/")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    detail(page).get_by_role("link", name="Edit", exact=True).click()
    expect(detail(page).get_by_label("Name")).to_be_focused()
    assert path(page) == f"/cameras/{number}"
    assert is_in_sight(detail(page).get_by_label("Name"))
    expect(detail(page).get_by_role("figure")).to_have_count(0)


@pytest.mark.parametrize("script", ["", NO_CLIPBOARD], ids=["secure", "without HTTPS"])
def test_address_mac_and_serial_are_copied_by_a_button_each(
    script: str, page: Page, monitor: Running
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    number = numbered(monitor, "Camera 6")
    page.goto(f"/cameras/{number}")
    page.evaluate("window.board = navigator.clipboard")
    if script:
        page.evaluate(script)
    row = camera(monitor, number)
    for label, key in (("address", "current_ip"), ("MAC", "mac_address")):
        button = detail(page).get_by_role("button", name=f"Copy {label}")
        button.focus()
        page.keyboard.press("Enter")
        expect(page.locator(".toast")).to_contain_text(f"Copied {row[key]}")
        assert page.evaluate("board.readText()") == row[key]
        expect(button).to_be_focused()
    serial = detail(page).get_by_role("button", name="Copy serial")
    assert serial.count() == (1 if row["serial_number"] else 0)


def test_every_time_of_the_details_can_be_read_exactly_by_keyboard_and_stays_so(
    page: Page, monitor: Running
) -> None:
    number = numbered(monitor, "Camera 7")
    page.goto(f"/cameras/{number}")
    seen = detail(page).locator(".state time").last
    expect(seen).to_have_text(re.compile(r"(just now|ago)"), use_inner_text=True)
    expect(seen).to_have_attribute("title", re.compile(r"\d{4}, \d\d:\d\d:\d\d \w+"))
    box = detail(page).get_by_label("Exact times")
    box.focus()
    page.keyboard.press("Space")
    expect(seen).to_have_text(re.compile(r"\d{4}, \d\d:\d\d:\d\d \w+"), use_inner_text=True)
    page.reload()
    expect(box).to_be_checked()
    expect(seen).to_have_text(re.compile(r"\d{4}, \d\d:\d\d:\d\d \w+"), use_inner_text=True)


# -- the uptime bar ------------------------------------------------------------------------


def days_since_scan(monitor: Running) -> int:
    """1 if midnight has passed since the scan: nothing is known of today then."""
    seen = datetime.fromisoformat(monitor.get("/api/cameras").json["cameras"][0]["last_seen"])
    return (datetime.now().astimezone().date() - seen.astimezone().date()).days


def test_the_days_of_the_bar_are_read_by_arrow_keys(page: Page, monitor: Running) -> None:
    page.goto(f"/cameras/{numbered(monitor, 'Camera 8')}")
    page.keyboard.press("Tab")
    bar(page).focus()
    expect(bar(page)).to_have_attribute("aria-valuenow", "90")
    today, day = str(bar(page).get_attribute("aria-valuetext")), 90
    for _day in range(days_since_scan(monitor)):
        page.keyboard.press("ArrowLeft")
        day -= 1
    expect(bar(page)).to_have_attribute("aria-valuenow", str(day))
    scanned = str(bar(page).get_attribute("aria-valuetext"))
    assert re.fullmatch(r"\w{3}, \d+ \w+ \d{4}: Online( [\d.]+ %)?", scanned), scanned
    page.keyboard.press("ArrowLeft")
    expect(bar(page)).to_have_attribute("aria-valuenow", str(day - 1))
    expect(bar(page)).to_have_attribute("aria-valuetext", re.compile(": No data$"))
    expect(tip(page)).to_contain_text("No data")
    page.keyboard.press("Home")
    expect(bar(page)).to_have_attribute("aria-valuenow", "1")
    page.keyboard.press("End")
    expect(tip(page)).to_have_text(today)
    page.keyboard.press("Escape")
    expect(tip(page)).to_be_hidden()
    expect(detail(page)).to_be_visible()


def test_the_days_of_the_bar_have_a_legend_an_axis_and_a_table(
    page: Page, monitor: Running
) -> None:
    page.goto(f"/cameras/{numbered(monitor, 'Camera 8')}")
    for title in ("Online", "Partly online", "Offline", "No data"):
        expect(detail(page).get_by_label("Legend")).to_contain_text(title)
    expect(detail(page).locator(".axis")).to_contain_text("Today")
    detail(page).locator("summary", has_text="Show as table").click()
    lines = detail(page).get_by_role("region", name="Days").locator("tbody tr")
    scanned = min(1, days_since_scan(monitor))
    expect(lines.nth(scanned)).to_contain_text("Online")
    expect(lines.nth(scanned + 1)).to_contain_text("No data")
    assert sum(int(line.get_attribute("data-count") or "") for line in lines.all()) == 90


def test_a_day_is_told_under_the_mouse_in_the_details_and_in_a_row(
    page: Page, monitor: Running
) -> None:
    row = rows(page).nth(3)
    box = row.locator(".uptime").bounding_box()
    assert box
    day = box["width"] / 90
    page.mouse.move(box["x"] + box["width"] - (days_since_scan(monitor) + 0.5) * day, box["y"] + 5)
    expect(tip(page)).to_contain_text(re.compile(r"\d{4}: (Online|Partly online)"))
    page.mouse.move(box["x"] + 1, box["y"] + 5)
    expect(tip(page)).to_contain_text("No data")
    page.mouse.move(10, 10)
    expect(tip(page)).to_be_hidden()
    row.locator("td.c-address").click()
    bar(page).scroll_into_view_if_needed()
    bar(page).hover(position={"x": 2, "y": 4})
    expect(tip(page)).to_contain_text("No data")


# -- its place in the list -----------------------------------------------------------------


@pytest.fixture(scope="module", params=[400, pytest.param(10_000, marks=pytest.mark.torture)])
def big(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, int]]:
    """A monitor with so many cameras, and the place of one far down in the list, from 0."""
    folder = tmp_path_factory.mktemp("big")
    write_fleet(folder, request.param)
    with running(folder) as monitor:
        yield monitor, request.param * 4 // 5 - 1


def number_at(monitor: Running, place: int, filter: str) -> int:
    """The number of the device at this place of the list, from 0."""
    page = monitor.get(f"/api/cameras?{filter}&per_page=1&page={place + 1}").json
    return int(page["cameras"][0]["id"])


def test_a_shared_link_brings_its_row_into_view_however_far_down_and_keys_go_on(
    tab: Tab, big: tuple[Running, int]
) -> None:
    monitor, place = big
    number = number_at(monitor, place, "sort=name")
    page = tab(monitor, f"/cameras/{number}?sort=name")
    expect(selected_row(page)).to_have_attribute("data-id", str(number))
    page.wait_for_function(
        "() => document.querySelector('tr.is-open').getBoundingClientRect().top > 0"
    )
    assert is_in_sight(selected_row(page))
    following = number_at(monitor, place + 1, "sort=name")
    page.keyboard.press("j")
    expect(selected_row(page)).to_have_attribute("data-id", str(following))
    name = selected_row(page).locator("td.c-name a").inner_text()
    expect(page.locator("#detail-name")).to_have_text(name)
    page.keyboard.press("Escape")
    expect(page.locator(f'tr[data-id="{following}"] td.c-name a')).to_be_focused()


def test_without_script_a_shared_link_shows_the_page_of_the_list_with_its_row(
    tab: Tab, big: tuple[Running, int]
) -> None:
    monitor, place = big
    number = number_at(monitor, place, "sort=name")
    page = tab(monitor, f"/cameras/{number}?sort=name", java_script_enabled=False)
    expect(page.locator(f'tr[data-id="{number}"]')).to_have_count(1)
    expect(page.locator("#pages [aria-current]")).to_have_text(str(place // 50 + 1))


def test_j_and_k_move_the_details_too_and_back_leads_to_the_list(page: Page) -> None:
    ids = [row.get_attribute("data-id") for row in rows(page).all()[:4]]
    rows(page).first.locator("td.c-name a").click()
    expect(page.locator("#detail-name")).to_be_focused()
    for key, place in (("j", 1), ("j", 2), ("j", 3), ("k", 2)):
        page.keyboard.press(key)
        expect(selected_row(page)).to_have_attribute("data-id", ids[place] or "")
        name = rows(page).nth(place).locator("td.c-name a").inner_text()
        expect(page.locator("#detail-name")).to_have_text(name)
        assert path(page) == f"/cameras/{ids[place]}"
    page.go_back()
    expect(detail(page)).to_be_hidden()
    assert path(page) == "/"


def test_j_moves_the_details_where_there_is_no_room_for_the_list(
    tab: Tab, monitor: Running, network: Network
) -> None:
    names = [row["camera_name"] for row in monitor.get("/api/cameras?sort=name").json["cameras"]]
    page = tab(monitor, "/?sort=name", viewport={"width": 720, "height": 800})
    rows(page).first.locator("td.c-name a").click()
    expect(page.locator("#detail-name")).to_have_text(names[0])
    for name in names[1:4]:
        page.keyboard.press("j")
        expect(page.locator("#detail-name")).to_have_text(name)
    page.keyboard.press("Escape")
    expect(page.locator("#fleet").get_by_role("link", name=names[3], exact=True)).to_be_focused()


# -- its events ----------------------------------------------------------------------------


@pytest.fixture
def edited(monitor: Running, network: Network) -> int:
    """The number of a camera with more events than a page of them has."""
    number = numbered(monitor, "Camera 9")
    for note in range(26):
        body = {"notes": f"Note {note}" if note else ""}
        assert monitor.request("PATCH", f"/api/camera/{number}", body).status == 200
    monitor.request("PATCH", f"/api/camera/{number}", {"notes": ""})
    return number


def test_events_are_filtered_by_kind_and_continued_without_a_page_load(
    tab: Tab, monitor: Running, edited: int
) -> None:
    page = tab(monitor, f"/cameras/{edited}")
    events, page_size = detail(page).locator("[data-event]"), 20
    expect(events).to_have_count(page_size)
    page.evaluate("window.stays = true")
    detail(page).get_by_role("link", name="Older events").click()
    expect(events.nth(page_size)).to_be_focused()
    count = events.count()
    assert count > page_size
    body = {"notes": "Newest note"}
    assert monitor.request("PATCH", f"/api/camera/{edited}", body).status == 200
    expect(detail(page).locator(".notes")).to_have_text("Newest note")
    expect(events).to_have_count(count + 1)
    detail(page).get_by_role("link", name="Status", exact=True).click()
    expect(events).to_have_count(1)
    expect(events).to_contain_text("was found")
    assert "events=status" in path(page)
    page.keyboard.press("Escape")
    assert path(page) == "/"
    assert page.evaluate("window.stays")


def test_without_script_events_are_filtered_and_continued(
    tab: Tab, monitor: Running, edited: int
) -> None:
    page = tab(monitor, f"/cameras/{edited}", java_script_enabled=False)
    events = detail(page).locator("[data-event]")
    first = events.first.get_attribute("data-event")
    detail(page).get_by_role("link", name="Older events").click()
    expect(events.first).not_to_have_attribute("data-event", first or "")
    detail(page).get_by_role("link", name="Status", exact=True).click()
    expect(events).to_have_count(1)
    expect(detail(page).get_by_role("link", name="Status", exact=True)).to_have_attribute(
        "aria-current", "true"
    )


# -- the events of the fleet ---------------------------------------------------------------


def test_the_page_of_all_events_follows_what_happens_and_filters_while_typing(
    tab: Tab, monitor: Running, edited: int
) -> None:
    page = tab(monitor)
    page.get_by_role("link", name="Events", exact=True).click()
    expect(page.get_by_role("heading", name="Events", exact=True)).to_be_visible()
    page.evaluate("window.stays = true")
    body = {"notes": "Seen live"}
    assert monitor.request("PATCH", f"/api/camera/{edited}", body).status == 200
    newest = page.locator("[data-event]").first
    expect(newest).to_contain_text("Camera 9")
    expect(newest).to_have_class(re.compile("is-new"))
    page.get_by_role("searchbox", name="Device").fill("camera 10")
    page.wait_for_url("**/events?q=camera+10")
    expect(page.locator("[data-event]")).to_have_count(1)
    page.get_by_label("Kind").select_option("Edits")
    expect(page.locator(".empty")).to_contain_text("No events match")
    page.get_by_role("searchbox", name="Device").fill("camera 9")
    expect(newest).to_contain_text("Camera 9")
    assert page.evaluate("window.stays")
    newest.get_by_role("link").click()
    expect(page.locator("#detail-name")).to_have_text("Camera 9")


def test_a_filter_by_script_offers_clear_and_goes_on_without_the_device(
    tab: Tab, monitor: Running, edited: int
) -> None:
    page = tab(monitor, f"/events?device={edited}")
    page.get_by_label("Kind").select_option("Edits")
    page.wait_for_url(f"**/events?device={edited}&kind=edit")
    page.get_by_role("link", name="Device Camera 9: remove filter").click()
    page.wait_for_url("**/events?kind=edit")
    clear = page.get_by_role("link", name="Clear", exact=True)
    page.get_by_label("Kind").select_option("All")
    expect(clear).to_be_hidden()
    page.locator("[name=within]").select_option("Last hour")
    clear.click()
    page.wait_for_url("**/events")


def test_new_events_can_be_paused(tab: Tab, monitor: Running, edited: int) -> None:
    page = tab(monitor, "/events")
    live = page.get_by_role("switch", name="Live")
    live.click()
    expect(live).to_have_attribute("aria-checked", "false")
    newest = page.locator("[data-event]").first
    shown = newest.get_attribute("data-event") or ""
    other = tab(monitor, "/events")
    body = {"notes": "Not seen yet"}
    assert monitor.request("PATCH", f"/api/camera/{edited}", body).status == 200
    expect(other.locator("[data-event]").first).not_to_have_attribute("data-event", shown)
    assert newest.get_attribute("data-event") == shown
    live.click()
    expect(newest).not_to_have_attribute("data-event", shown)


def test_a_filter_is_shown_though_an_event_comes_before_its_answer(
    tab: Tab, monitor: Running, edited: int
) -> None:
    for number in (numbered(monitor, "Camera 12"), edited):
        body = {"notes": "Written before"}
        assert monitor.request("PATCH", f"/api/camera/{number}", body).status == 200
    page = tab(monitor, "/events")
    others = page.locator("[data-event]", has_text="Camera 12")
    expect(others).not_to_have_count(0)
    held: list[Route] = []
    asked = re.compile(r"/parts/events\?q=camera\+9$")
    page.route(asked, lambda route: route.continue_() if held else held.append(route))
    page.get_by_role("searchbox", name="Device").fill("camera 9")
    page.wait_for_url("**/events?q=camera+9")
    with page.expect_response(asked):
        body = {"notes": "Written meanwhile"}
        other = numbered(monitor, "Camera 13")
        assert monitor.request("PATCH", f"/api/camera/{other}", body).status == 200
    expect(others).to_have_count(0)
    assert held


def test_days_and_times_of_events_are_in_the_zone_of_the_browser(
    tab: Tab, monitor: Running, edited: int
) -> None:
    """The two zones are 25 hours apart, so that no day is the same in both."""
    headings = set()
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
        page = tab(monitor, f"/events?device={edited}", timezone_id=zone)
        heading = page.get_by_role("heading", level=2).first
        seen = page.locator("[data-event] time").first
        expect(heading).to_contain_text((seen.get_attribute("title") or "").split(",")[0])
        headings.add(heading.inner_text())
        page.locator("summary", has_text="From and to").click()
        expect(page.get_by_text("In the time zone of this browser")).to_be_visible()
        hour_ago = page.evaluate(
            "new Date(Date.now() - 36e5 - 6e4 * new Date().getTimezoneOffset())"
            ".toISOString().slice(0, 16)"
        )
        page.get_by_label("From").fill(hour_ago)
        page.wait_for_url("**/events?*since=*Z")
        expect(page.locator("[data-event]")).not_to_have_count(0)
        page.reload()
        expect(page.get_by_label("From")).to_have_value(hour_ago)
        expect(page.locator("[data-event]")).not_to_have_count(0)
        page.get_by_label("To").fill(hour_ago)
        expect(page.locator(".empty")).to_contain_text("No events match")
    assert len(headings) == 2


def test_events_of_other_devices_bring_no_request_for_those_of_one(
    tab: Tab, monitor: Running, edited: int
) -> None:
    other = numbered(monitor, "Camera 14")
    page, every = tab(monitor, f"/events?device={edited}"), tab(monitor, "/events")
    for open_page in (page, every):
        with open_page.expect_response("**/parts/events*"):  # that of the first contact
            open_page.reload()
    requests: list[str] = []
    page.on("request", lambda request: "/parts/" in request.url and requests.append(request.url))
    for number, name in ((other, "Camera 14"), (edited, "Camera 9")):
        assert not requests, name
        body = {"notes": f"Written for {name}"}
        assert monitor.request("PATCH", f"/api/camera/{number}", body).status == 200
        expect(every.locator("[data-event]").first).to_contain_text(name)
    expect(page.locator(".is-new")).to_have_count(1)
    assert len(requests) == 1


def test_what_is_chosen_in_the_details_is_not_renewed_away(page: Page, monitor: Running) -> None:
    number, other = (numbered(monitor, f"Camera {n}") for n in (20, 21))
    page.goto(f"/cameras/{number}")
    page.locator("summary", has_text="Merge or split").click()
    merge = detail(page).locator("form[data-merge]")
    merge.get_by_role("textbox", name="Merge with").fill("camera 21")
    expect(merge.get_by_role("option", selected=True)).to_contain_text("Camera 21")
    page.keyboard.press("Enter")
    chosen = merge.get_by_role("checkbox", name="Camera 21")
    expect(chosen).to_be_checked()
    page.evaluate("document.activeElement.blur()")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert monitor.request("PATCH", f"/api/camera/{number}", {"notes": "Meanwhile"}).status == 200
    assert monitor.request("POST", f"/api/camera/{other}/retire").status == 200
    expect(page.locator("#shown")).to_contain_text(f"{CROWD - 1} ")
    monitor.request("POST", f"/api/camera/{other}/restore")
    assert not [url for url in asked if "/parts/camera/" in url]
    expect(chosen).to_be_checked()


def test_details_that_cannot_be_renewed_stay_until_they_can(
    page: Page, monitor: Running, listener: Listener
) -> None:
    listener.allowed = ["503"]
    number, failed = numbered(monitor, "Camera 22"), list[Route]()
    page.goto(f"/cameras/{number}")
    page.route("**/parts/camera/*", lambda route: (failed.append(route), route.fulfill(status=503)))
    assert monitor.request("PATCH", f"/api/camera/{number}", {"notes": "Too busy"}).status == 200
    until(lambda: bool(page.evaluate("true") and failed), what="a renewal fails")
    page.unroute_all()
    assert monitor.request("PATCH", f"/api/camera/{number}", {"notes": "Back"}).status == 200
    expect(detail(page).locator(".notes")).to_have_text("Back")
    page.route("**/parts/camera/*", lambda route: route.fulfill(status=503))
    with page.expect_response("**/parts/camera/*"):
        monitor.request("PATCH", f"/api/camera/{number}", {"notes": ""})
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(detail(page).locator("#detail-name")).to_have_text("Camera 22")
    page.unroute_all()
