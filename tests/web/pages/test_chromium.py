"""The page in a real browser: Chromium against a real monitor and pretend cameras."""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from simulators.panasonic import Camera, Network, crowd
from tests.home import Running, until
from tests.web.chromium import (
    CROWD,
    NOT_ANSWERED,
    Listener,
    Tab,
    brightness,
    camera,
    detail,
    network_of,
    numbered,
    overflow,
    path,
    rows,
    scan,
    shown_total,
    wait_for_rows,
)
from tests.web.visits import open_account_menu

PAGES = (
    "/",
    "/cameras/1",
    "/settings/sources",
    "/settings/jobs",
    "/settings/workbook",
    "/sites",
    "/events",
    "/settings/about",
)

TOP = "row => row.getBoundingClientRect().top"


def test_the_first_scan_is_started_and_followed_on_the_page(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    monitor = run_monitor("first")
    with network_of(monitor, crowd(8)):
        page = tab(monitor)
        expect(page.get_by_role("heading", name="No devices yet")).to_be_visible()
        page.locator("#scan").click()
        expect(page.locator("#progress")).to_contain_text("Scanning")
        expect(page.locator("#did")).to_contain_text("8 online")
        expect(page.locator("#scan")).to_be_enabled()
        expect(rows(page)).to_have_count(8)


def test_a_camera_that_is_found_later_joins_the_list_without_a_reload(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    monitor = run_monitor("later")
    with network_of(monitor, crowd(3)) as network:
        scan(monitor)
        page = tab(monitor)
        expect(rows(page)).to_have_count(3)
        page.evaluate("window.stays = true")
        with network.lock:
            network.cameras.append(Camera("d4:2d:c5:77:00:01", "127.20.9.9", "Newcomer"))
        scan(monitor)
        expect(page.locator("#filters")).to_contain_text("All 4")
        expect(page.get_by_role("link", name="Newcomer")).to_be_visible()
        assert page.evaluate("window.stays")


def test_every_count_agrees_with_the_list_that_it_leads_to(page: Page) -> None:
    for number in range(page.locator("[data-filter]").count()):
        link = page.locator("[data-filter]").nth(number)
        count = int(link.locator("b").inner_text())
        link.click()
        expect(page.locator("[data-filter]").nth(number)).to_have_attribute("aria-current", "true")
        assert shown_total(page) == count, page.url


def test_filter_search_and_sort_live_in_the_url_and_back_works(page: Page) -> None:
    page.locator("[data-filter]", has_text="Active").click()
    page.wait_for_url("**/?status=active")
    page.locator("[data-sort]", has_text="Name").click()
    page.wait_for_url("**/?status=active&sort=name")
    expect(page.locator("th.c-name")).to_have_attribute("aria-sort", "ascending")
    page.locator("#search").fill("Camera 1")
    page.locator("#search").press("Enter")
    page.wait_for_url(re.compile(r"q=Camera"))
    asked = path(page)
    assert "status=active" in asked
    assert "sort=name" in asked, "a search keeps the order"
    expect(page.locator("#matches")).to_contain_text("match")
    for name in page.locator("td.c-name a").all_inner_texts():
        assert name.startswith("Camera 1")
    all_count = page.locator("[data-filter]", has_text="All").locator("b")
    assert int(all_count.inner_text()) == shown_total(page) > 0
    for before in ("/?status=active&sort=name", "/?status=active", "/"):
        page.go_back()
        assert path(page) == before


def test_a_row_opens_beside_the_list_and_back_and_esc_close_it(page: Page) -> None:
    row = rows(page).nth(5)
    number, name = row.get_attribute("data-id"), row.locator("td.c-name a").inner_text()
    page.evaluate("window.stays = true")
    row.locator("td.c-address").click()
    expect(page.locator("#detail-name")).to_have_text(name)
    expect(page.locator("#detail-name")).to_be_focused()
    assert path(page) == f"/cameras/{number}"
    expect(row).to_be_visible()
    expect(row).to_have_class(re.compile("is-open"))
    page.go_back()
    expect(detail(page)).to_be_hidden()
    assert path(page) == "/"
    row.locator("td.c-name a").click()
    expect(page.locator("#detail-name")).to_have_text(name)
    page.keyboard.press("Escape")
    expect(detail(page)).to_be_hidden()
    expect(row.locator("td.c-name a")).to_be_focused()
    assert path(page) == "/"
    assert page.evaluate("window.stays")


def test_back_leads_to_the_camera_before_even_out_of_a_field(page: Page, monitor: Running) -> None:
    first, second = numbered(monitor, "Camera 11"), numbered(monitor, "Camera 12")
    for number, name in ((first, "Camera 11"), (second, "Camera 12")):
        page.locator(f'tr[data-id="{number}"] td.c-name a').click()
        expect(page.locator("#detail-name")).to_have_text(name)
    detail(page).get_by_label("Name").focus()
    page.go_back()
    assert path(page) == f"/cameras/{first}"
    expect(page.locator("#detail-name")).to_have_text("Camera 11", timeout=5000)


def test_a_shared_link_opens_the_camera(tab: Tab, monitor: Running, network: Network) -> None:
    number = numbered(monitor, "Camera 7")
    page = tab(monitor, f"/cameras/{number}?status=active")
    expect(page.locator("#detail-name")).to_have_text("Camera 7")
    expect(page).to_have_title(re.compile("Camera 7"))
    expect(rows(page).first).to_be_visible()
    page.locator("#close").click()
    expect(detail(page)).to_be_hidden()
    assert path(page) == "/?status=active"


def test_what_a_person_writes_is_kept_and_can_be_undone(page: Page, monitor: Running) -> None:
    number = numbered(monitor, "Camera 20")
    page.goto(f"/cameras/{number}")
    form = detail(page).locator("form[data-edit]")
    form.get_by_label("Name").fill("Front door")
    form.get_by_label("Notes").fill("Behind the plant")
    form.get_by_label("Tags").fill("door, ground floor")
    form.get_by_role("button", name="Save").click()
    toast = page.locator(".toast")
    expect(toast).to_contain_text("Saved")
    expect(page.locator("#detail-name")).to_have_text("Front door")
    expect(page.locator(f'tr[data-id="{number}"] td.c-name a')).to_have_text("Front door")
    expect(detail(page).locator(".notes")).to_have_text("Behind the plant")
    assert camera(monitor, number)["tags"] == ["door", "ground floor"]
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator("#detail-name")).to_have_text("Camera 20")
    expect(page.locator(f'tr[data-id="{number}"] td.c-name a')).to_have_text("Camera 20")
    now = camera(monitor, number)
    assert (now["notes"], now["tags"]) == ("", [])


def test_a_camera_is_retired_and_restored_with_undo(page: Page, monitor: Running) -> None:
    number = numbered(monitor, "Camera 21")
    page.goto(f"/cameras/{number}")
    everything = page.locator("[data-filter]", has_text="All").locator("b")
    expect(everything).to_have_text(str(CROWD))
    page.get_by_role("button", name="Retire camera").click()
    expect(page.locator(".toast")).to_contain_text("Retired")
    expect(everything).to_have_text(str(CROWD - 1))
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(everything).to_have_text(str(CROWD))
    page.get_by_role("button", name="Retire camera").click()
    page.get_by_role("button", name="Restore camera").click()
    expect(page.locator(".toast")).to_contain_text("Restored")
    expect(everything).to_have_text(str(CROWD))
    assert not camera(monitor, number)["retired"]


def test_a_value_that_does_not_fit_is_said_beside_the_field(
    page: Page, monitor: Running, listener: Listener
) -> None:
    listener.allowed.append(r"status of 4\d\d .*/api/camera/")  # the browser logs the refusal
    number = numbered(monitor, "Camera 22")
    page.goto(f"/cameras/{number}")
    form = detail(page).locator("form[data-edit]")
    field = form.get_by_label("Connected through")
    form.get_by_label("Notes").fill("Typed before")
    field.fill("No such camera")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("does not match a single device")
    expect(field).to_have_value("No such camera")
    expect(field).to_be_focused()
    expect(form.get_by_label("Notes")).to_have_value("Typed before")
    distance = form.get_by_role("alert").bounding_box()["y"] - field.bounding_box()["y"]
    assert abs(distance) < 100
    assert camera(monitor, number)["parent"] is None


def test_auto_scan_is_a_switch(page: Page, monitor: Running) -> None:
    toggle = page.get_by_role("switch", name="Auto-scan")
    for state in ("true", "false"):
        toggle.click()
        expect(toggle).to_have_attribute("aria-checked", state)
        assert monitor.get("/api/stats").json["auto_scan_enabled"] is (state == "true")
    expect(page.locator("#scan")).to_be_visible()  # the scan that it may have begun is over


def test_the_export_is_a_file_with_the_date_in_its_name(page: Page) -> None:
    with page.expect_download() as waiting:
        page.locator("#export summary").click()
        page.locator("#export li:last-child a").click()
    today = datetime.now().astimezone().strftime("%Y-%m-%d")
    assert waiting.value.suggested_filename == f"camera_database_{today}.json"
    assert "Camera 10" in Path(waiting.value.path()).read_text()


def test_everything_works_by_keys_and_none_fires_while_typing(page: Page) -> None:
    search, keys = page.locator("#search"), page.locator("#keys")
    page.keyboard.press("/")
    expect(search).to_be_focused()
    page.keyboard.type("/jks?")
    expect(search).to_have_value("/jks?")
    expect(keys).to_be_hidden()
    expect(page.locator("#scan")).to_be_visible()
    page.keyboard.press("Escape")
    expect(search).not_to_be_focused()
    for key, at in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(rows(page).nth(at).locator("a")).to_be_focused()
    number = rows(page).nth(1).get_attribute("data-id")
    page.keyboard.press("Enter")
    expect(page.locator("#detail-name")).to_be_focused()
    assert path(page) == f"/cameras/{number}"
    detail(page).get_by_label("Notes").focus()
    page.keyboard.type("jks?/")
    expect(detail(page).get_by_label("Notes")).to_have_value("jks?/")
    assert path(page) == f"/cameras/{number}"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(detail(page)).to_be_hidden()
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("s")
    expect(page.locator("#progress")).to_be_visible()
    expect(page.locator("#scan")).to_be_visible()


def test_a_camera_that_falls_silent_changes_its_row_in_place(
    page: Page, monitor: Running, network: Network
) -> None:
    number = numbered(monitor, "Camera 30")
    row, badge = page.locator(f'tr[data-id="{number}"]'), f'tr[data-id="{number}"] .badge'
    row.scroll_into_view_if_needed()
    row.locator("td.c-name a").click()
    field = detail(page).get_by_label("Notes")
    field.fill("Half a sentence")
    wrong = int(page.locator("#wrong").get_attribute("data-count") or "")
    assert page.title().startswith(f"({wrong}) ")
    page.evaluate("window.stays = true")
    at, before = page.evaluate("scrollY"), row.evaluate(TOP)
    assert at > 0
    silent = next(camera for camera in network.cameras if camera.name == "Camera 30")
    silent.on = False
    try:
        scan(monitor)
        expect(page.locator(badge)).to_have_text("Offline")
        expect(page).to_have_title(re.compile(rf"^\({wrong + 1}\) "))
        expect(page.locator("#wrong")).to_contain_text("Camera 30")
        until(lambda: abs(row.evaluate(TOP) - before) < 2 or page.evaluate("scrollY") == at)
        expect(field).to_be_focused()
        expect(field).to_have_value("Half a sentence")
    finally:
        silent.on = True
        page.locator("#detail-name").focus()  # away from the field, and what was typed stays
        scan(monitor)
    expect(page.locator(badge)).to_have_text("Active")
    expect(page).to_have_title(re.compile(rf"^\({wrong}\) "))
    expect(detail(page).get_by_label("Notes")).to_have_value("Half a sentence")
    assert page.evaluate("window.stays")


def test_a_lost_connection_is_said_until_the_server_is_back(
    page: Page, monitor: Running, listener: Listener
) -> None:
    listener.allowed.append(NOT_ANSWERED)
    expect(page.locator("#stale")).to_be_hidden()
    monitor.stop()
    try:
        expect(page.locator("#stale")).to_contain_text("connection lost")
        page.mouse.wheel(0, 3000)  # rows that cannot be had are no error in the script
        rows(page).last.locator("td.c-name a").click()
        expect(detail(page)).to_contain_text("could not be loaded")
    finally:
        monitor.start()
    expect(page.locator("#stale")).to_be_hidden()
    expect(page.locator("#detail-name")).to_be_visible()


def test_who_scrolls_sees_every_camera_once(page: Page) -> None:
    seen: set[str] = set()
    for step in range(40):
        page.evaluate("at => scrollTo(0, at)", step * 300)
        wait_for_rows(page)
        ids = page.evaluate("[...document.querySelectorAll('tr[data-id]')].map(r => r.dataset.id)")
        assert len(ids) == len(set(ids))
        assert page.evaluate("document.querySelectorAll('*').length") < 2000
        seen.update(ids)
        if page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 1"):
            break
    assert len(seen) == CROWD


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_both_looks_fit_every_width(
    theme: str, tab: Tab, monitor: Running, network: Network
) -> None:
    page = tab(monitor)
    open_account_menu(page).get_by_role("button", name=theme).click()
    expect(page.locator("html")).to_have_attribute("data-theme", theme.lower())
    page.wait_for_load_state()
    assert (brightness(page) > 128) == (theme == "Light")
    long = {"name": "W" * 120, "notes": "N" * 300, "tags": ["T" * 40]}
    assert monitor.request("PATCH", "/api/camera/1", long).status == 200
    try:
        for width in (1440, 1024, 360):
            page.set_viewport_size({"width": width, "height": 800})
            for url in PAGES:
                page.goto(url)
                assert overflow(page) <= 0, (url, width)
    finally:
        monitor.request("PATCH", "/api/camera/1", {"name": "", "notes": "", "tags": []})


def test_without_script_the_list_the_detail_and_the_forms_work(
    tab: Tab, monitor: Running, network: Network
) -> None:
    page = tab(monitor, java_script_enabled=False)
    expect(rows(page)).to_have_count(50)
    page.locator("#pages a", has_text="2").click()
    expect(rows(page)).to_have_count(CROWD - 50)
    page.locator("#search").fill("Camera 33")
    page.locator("#search").press("Enter")
    page.get_by_role("link", name="Camera 33").click()
    expect(page.locator("#detail-name")).to_have_text("Camera 33")
    form = detail(page).locator("form[data-edit]")
    form.get_by_label("Name").fill("By hand")
    form.get_by_role("button", name="Save").click()
    expect(page.locator("#detail-name")).to_have_text("By hand")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#detail-name")).to_have_text("Camera 33")
    for state in ("true", "false"):
        page.locator("#auto-scan").click()
        expect(page.locator("#auto-scan")).to_have_attribute("aria-checked", state)
    open_account_menu(page).get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    for url in PAGES:
        page.goto(url)
        expect(page.locator("main")).not_to_be_empty()


LIVE_PICTURE = """() => new Promise(resolve => {
    const media = new MediaSource(), video = document.createElement("video");
    media.addEventListener("sourceopen", () => resolve("open"));
    video.addEventListener("error", () => resolve("refused"));
    video.src = URL.createObjectURL(media);
})"""
STILL = """async () => {
    const bytes = await (await fetch("/static/icon.svg")).blob();
    const image = new Image();
    image.src = URL.createObjectURL(bytes);
    return image.decode().then(() => "shown", () => "refused");
}"""


def test_the_content_policy_lets_a_page_show_live_pictures_and_stills_of_this_server(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    page = tab(run_monitor("media"))
    assert page.evaluate(LIVE_PICTURE) == "open"
    assert page.evaluate(STILL) == "shown"
