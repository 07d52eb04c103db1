"""What the page does when things change or do not fit, in a real browser."""

import json
import re

from playwright.sync_api import Page, Route, expect

from simulators.panasonic import Network
from tests.home import Running, until
from tests.web.chromium import (
    CROWD,
    Listener,
    Tab,
    camera,
    detail,
    numbered,
    overflow,
    rows,
    scan,
)


def test_two_records_are_merged_and_taken_apart_again(page: Page, monitor: Running) -> None:
    first, second = numbered(monitor, "Camera 40"), numbered(monitor, "Camera 41")
    page.goto(f"/cameras/{first}")
    detail(page).locator("summary", has_text="Merge or split").click()
    detail(page).get_by_label("Merge with").fill("Camera 41")
    expect(detail(page).get_by_role("option", name="Camera 41")).to_be_visible()
    page.keyboard.press("Enter")
    detail(page).get_by_role("button", name="Merge").click()
    expect(page.locator(".toast")).to_contain_text("Merged")
    assert len(camera(monitor, first)["identities"]) > len(camera(monitor, 1)["identities"])
    assert camera(monitor, second)["id"] == first, "the other number leads here"
    page.locator(".toast").get_by_role("button", name="Undo").click()
    until(lambda: camera(monitor, second)["id"] == second, what="the second record is back")
    assert camera(monitor, second)["camera_name"] == "Camera 41"
    expect(page.locator(f'tr[data-id="{second}"] td.c-name a')).to_have_text("Camera 41")


def test_parents_are_picked_by_keyboard_and_mouse_and_removed(page: Page, monitor: Running) -> None:
    number, first, second = (numbered(monitor, f"Camera {n}") for n in (48, 49, 50))
    page.goto(f"/cameras/{number}")
    form = detail(page).locator("form[data-edit]")
    field = form.get_by_role("textbox", name="Connected through")
    field.fill("camera 49")
    combobox = form.get_by_role("combobox", name="Connected through")
    expect(combobox).to_have_attribute("aria-expanded", "true")
    expect(form.locator("li[aria-selected=true]")).to_contain_text("Camera 49")
    page.keyboard.press("Enter")
    expect(form.get_by_role("checkbox", name="Camera 49")).to_be_checked()
    expect(combobox).to_have_value("")
    page.keyboard.type(camera(monitor, second)["current_ip"])
    form.get_by_role("option", name="Camera 50").click()
    expect(combobox).to_be_focused()
    page.keyboard.type("camera 4")
    expect(form.locator("li[role=option]").first).to_be_visible()
    expect(form.get_by_role("option", name="Camera 48")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(form.locator("li[role=option]").first).to_be_hidden()
    expect(detail(page)).to_be_visible()
    combobox.fill("")
    form.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    assert camera(monitor, number)["parents"] == [first, second]
    form.get_by_role("checkbox", name="Camera 49").uncheck()
    form.get_by_role("button", name="Save").click()
    until(lambda: camera(monitor, number)["parents"] == [second], what="one parent is removed")
    expect(form.get_by_role("checkbox", name="Camera 49")).to_have_count(0)


def test_a_record_is_split_and_the_split_undone(page: Page, monitor: Running) -> None:
    first, second = numbered(monitor, "Camera 42"), numbered(monitor, "Camera 43")
    other = camera(monitor, second)["mac_address"]
    assert monitor.request("POST", f"/api/camera/{first}/merge", {"with": second}).status == 200
    page.goto(f"/cameras/{first}")
    detail(page).locator("summary", has_text="Merge or split").click()
    for box in detail(page).locator(f'[name="identities"][value*="{other}"]').all():
        box.check()
    detail(page).get_by_role("button", name="Split", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("Split")
    assert camera(monitor, other)["id"] != first
    page.locator(".toast").get_by_role("button", name="Undo").click()
    until(lambda: camera(monitor, other)["id"] == first, what="they are one again")


def test_the_raw_record_is_copied(page: Page, monitor: Running) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    number = numbered(monitor, "Camera 44")
    page.goto(f"/cameras/{number}")
    detail(page).locator("summary", has_text="Raw record").click()
    detail(page).get_by_role("button", name="Copy record").click()
    expect(page.locator(".toast")).to_contain_text("Copied")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied["mac_address"] == camera(monitor, number)["mac_address"]


def test_a_scan_is_stopped_on_the_page(page: Page) -> None:
    page.locator("#scan").click()
    expect(page.locator("#progress")).to_contain_text("found")
    page.locator("#stop").click()
    expect(page.locator("#did")).to_contain_text("stopped")
    expect(page.locator("#scan")).to_be_visible()


def test_a_late_header_does_not_bring_back_a_scan_that_has_ended(page: Page) -> None:
    page.locator("#scan").click()
    expect(page.locator("#progress")).to_contain_text(f"{CROWD} found")
    old = page.request.get("/parts/top").text()
    assert 'id="progress"' in old
    held: list[Route] = []
    page.route("**/parts/top*", lambda route: held.append(route))
    page.locator("#stop").click()
    expect(page.locator("#did")).to_contain_text("stopped")
    with page.expect_response("**/parts/top*") as late:
        held[0].fulfill(body=old, content_type="text/html")
    late.value.finished()
    page.evaluate("new Promise((done) => setTimeout(done))")
    expect(page.locator("#progress")).to_have_count(0)


def test_the_title_says_which_camera_is_open(page: Page, monitor: Running) -> None:
    rows(page).first.locator("td.c-name a").click()
    name = rows(page).first.locator("td.c-name a").inner_text()
    expect(page).to_have_title(re.compile(rf"{re.escape(name)} · Camera Monitor$"))
    page.keyboard.press("Escape")
    expect(page).to_have_title(re.compile(r"^(\(\d+\) )?Camera Monitor$"))


def test_a_retired_camera_leaves_the_list_at_once_and_is_found_among_the_retired(
    page: Page, monitor: Running
) -> None:
    number = numbered(monitor, "Camera 49")
    row = page.locator(f'tr[data-id="{number}"]')
    row.scroll_into_view_if_needed()
    row.locator("td.c-name a").click()
    page.get_by_role("button", name="Retire camera").click()
    try:
        expect(row).to_have_count(0)
        page.keyboard.press("Escape")
        page.locator("[data-retired]").click()
        expect(rows(page)).to_have_count(1)
        expect(row.locator("td.c-name a")).to_have_text("Camera 49")
    finally:
        monitor.request("POST", f"/api/camera/{number}/restore")


def test_a_filtered_list_follows_what_happens(tab: Tab, monitor: Running, network: Network) -> None:
    number = numbered(monitor, "Camera 46")
    page = tab(monitor, "/?status=active&q=Camera+46")
    expect(rows(page)).to_have_count(1)
    silent = next(camera for camera in network.cameras if camera.name == "Camera 46")
    silent.on = False
    try:
        scan(monitor)
        expect(rows(page)).to_have_count(0)
    finally:
        silent.on = True
        scan(monitor)
    expect(page.locator(f'tr[data-id="{number}"]')).to_have_count(1)


def test_without_script_a_form_keeps_what_was_typed(
    tab: Tab, monitor: Running, network: Network, listener: Listener
) -> None:
    listener.allowed.append("status of 422")
    number = numbered(monitor, "Camera 47")
    page = tab(monitor, f"/cameras/{number}", java_script_enabled=False)
    form = detail(page).locator("form[data-edit]")
    form.get_by_label("Notes").fill("Typed before")
    form.get_by_label("Connected through").fill("No such camera")
    form.get_by_role("button", name="Save").click()
    field = detail(page).get_by_label("Connected through")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("No such camera")
    expect(field).to_have_accessible_description(re.compile("Nothing matches"))
    expect(detail(page).get_by_label("Notes")).to_have_value("Typed before")
    assert camera(monitor, number)["notes"] == ""


def test_a_page_is_printed_without_what_cannot_be_pressed_on_paper(page: Page) -> None:
    page.emulate_media(media="print")
    for gone in ("#controls", ".theme", "#search", "nav.pages"):
        expect(page.locator(gone)).to_be_hidden()
    expect(rows(page).first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(page.pdf()) > 10_000


def test_twice_the_size_and_a_wall_of_pixels_fit(
    tab: Tab, monitor: Running, network: Network
) -> None:
    pages = (
        "/",
        "/cameras/1",
        "/settings/sources",
        "/settings/jobs",
        "/settings/workbook",
        "/sites",
        "/events",
        "/settings/about",
    )
    for width, height, scale in ((720, 450, 2), (3840, 2160, 1)):
        size = {"width": width, "height": height}
        page = tab(monitor, viewport=size, device_scale_factor=scale)
        for url in pages:
            page.goto(url)
            assert overflow(page) <= 0, (url, width)
        page.goto("/")
        expect(rows(page).first).to_be_visible()


def test_who_wants_no_motion_sees_none(page: Page) -> None:
    page.locator("#scan").click()
    expect(page.locator("#progress")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    page.locator("#stop").click()
    expect(page.locator("#scan")).to_be_visible()
