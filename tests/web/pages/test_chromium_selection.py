"""The rows that are selected and the menus that edit them, in a real browser: what is edited is
what the page shows as selected."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from simulators.panasonic import Network
from tests.home import Running, until
from tests.web.chromium import CROWD, Listener, Tab, camera, detail, numbered, path, rows

SIX = re.compile(r"/\?q=camera(\+|%20)6$")
NAMES = "td.c-name a"


def edited(monitor: Running, **change: object) -> None:
    ids = [row["id"] for row in monitor.get("/api/cameras").json["cameras"]]
    assert monitor.request("POST", "/api/cameras/bulk", {"ids": ids, **change}).status == 200


@pytest.fixture
def clean(page: Page, monitor: Running) -> Iterator[Page]:
    """A page; no camera has a tag or a site after the test."""
    yield page
    edited(monitor, remove_tags=["left", "lobby"], site="here", parent=None)


def selected(page: Page, text: str) -> None:
    expect(page.locator("#selected")).to_have_text(text)


def pick(page: Page, at: int) -> None:
    rows(page).nth(at).locator(".pick").click()


def open_menu(page: Page, title: str) -> None:
    page.locator("#bulk summary", has_text=title).click()


def tags(monitor: Running) -> set[str]:
    return {tag for row in monitor.get("/api/cameras").json["cameras"] for tag in row["tags"]}


def test_a_list_whose_request_was_lost_is_edited_as_it_is_shown_and_comes_with_the_next_contact(
    page: Page, monitor: Running, listener: Listener
) -> None:
    listener.allowed.append("net::ERR_FAILED")
    page.goto("/?q=Camera 1")
    total = rows(page).count()
    page.route(SIX, lambda route: route.abort())
    page.locator("#search").fill("camera 6")
    expect(page.locator(".toast")).to_contain_text("could not be loaded")
    number = numbered(monitor, "Camera 12")
    for notes in ("so", ""):
        with page.expect_request(SIX):
            monitor.request("PATCH", f"/api/camera/{number}", {"notes": notes})
    assert {name[:8] for name in page.locator(NAMES).all_inner_texts()} == {"Camera 1"}
    assert '"q": "Camera 1"' in str(page.locator("#bulk").get_attribute("data-query"))
    page.locator("#pick-all").check()
    selected(page, f"All {total} selected")
    page.unroute_all()
    monitor.request("PATCH", f"/api/camera/{number}", {"notes": "again"})
    expect(page.locator("#fleet")).to_have_attribute("data-total", "6")
    assert '"q": "camera 6"' in str(page.locator("#bulk").get_attribute("data-query"))
    expect(page.locator("#bulk")).to_be_hidden()
    monitor.request("PATCH", f"/api/camera/{number}", {"notes": ""})


def test_rows_picked_while_another_list_is_on_its_way_are_not_picked_in_that(page: Page) -> None:
    held: list[Route] = []
    page.route(SIX, lambda route: held.append(route))
    page.locator("#search").fill("camera 6")
    until(lambda: bool(page.evaluate("true") and held), what="the other list is held")
    page.locator("#pick-all").check()
    selected(page, f"All {CROWD} selected")
    held[0].continue_()
    expect(page.locator("#fleet")).to_have_attribute("data-total", "6")
    expect(page.locator("#bulk")).to_be_hidden()


@pytest.mark.parametrize("value", ["1", "yes"])
def test_select_all_of_the_retired_edits_the_retired(
    value: str, clean: Page, monitor: Running
) -> None:
    page, number = clean, numbered(monitor, "Camera 33")
    monitor.request("POST", f"/api/camera/{number}/retire")
    page.goto(f"/?retired={value}")
    page.locator("#pick-all").check()
    selected(page, "All 1 selected")
    page.locator("#bulk").get_by_role("button", name="Restore").click()
    expect(page.locator(".toast")).to_contain_text("1 device restored")
    assert not camera(monitor, number)["retired"]


def test_enter_presses_the_button_of_its_own_menu(clean: Page, monitor: Running) -> None:
    page = clean
    number = rows(page).nth(2).get_attribute("data-id")
    pick(page, 2)
    page.keyboard.press("Enter")
    open_menu(page, "Tags")
    page.keyboard.type("left")
    page.keyboard.press("Escape")
    expect(page.locator("#bulk summary", has_text="Tags")).to_be_focused()
    open_menu(page, "Site")
    page.keyboard.type("south")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("1 device moved to site south")
    assert camera(monitor, int(number or ""))["site"] == "south"
    assert tags(monitor) == set()
    selected(page, "1 selected")
    open_menu(page, "Connected through")
    page.keyboard.press("Enter")
    expect(page.locator("#bulk-result")).to_contain_text("Select one parent device")


def test_without_script_enter_does_what_is_typed_or_nothing(
    clean: Page, tab: Tab, monitor: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 4")
    page = tab(monitor, "/?q=Camera 1&sort=name", java_script_enabled=False)
    number = int(rows(page).nth(0).get_attribute("data-id") or "")
    pick(page, 0)
    open_menu(page, "Site")
    page.locator("[name=bulk_site]").fill("south")
    page.locator("[name=bulk_site]").press("Enter")
    expect(page.locator("#bulk-result")).to_contain_text("changed")
    assert camera(monitor, number)["site"] == "south"
    pick(page, 0)
    for title, field in (("Tags", "bulk_tag"), ("Site", "bulk_site")):
        open_menu(page, title)
        page.locator(f"[name={field}]").fill("left")
    page.locator("[name=bulk_site]").press("Enter")
    expect(page.locator("#bulk-result")).to_contain_text("Press the button of the change")
    assert tags(monitor) == set()
    assert camera(monitor, number)["site"] == "south"


def test_a_selection_stays_after_an_edit_and_a_row_that_leaves_is_taken_out(
    clean: Page, monitor: Running
) -> None:
    page = clean
    edited(monitor, add_tags=["lobby"])
    page.goto("/?tag=lobby")
    page.locator("#pick-all").check()
    open_menu(page, "Tags")
    page.keyboard.type("left")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text(f"Tag left added to {CROWD} devices")
    selected(page, f"All {CROWD} selected")
    number = numbered(monitor, "Camera 34")
    monitor.request("PATCH", f"/api/camera/{number}", {"tags": []})
    selected(page, f"All {CROWD - 1} selected")
    page.locator("#select-none").click()
    expect(page.locator("#bulk")).to_be_hidden()


def test_a_menu_has_the_keyboard_while_it_is_open(page: Page, monitor: Running) -> None:
    pick(page, 1)
    open_menu(page, "Site")
    expect(page.locator("[name=bulk_site]")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("s?x")
    expect(page.locator("#keys")).to_be_hidden()
    selected(page, "1 selected")
    page.locator("#columns summary").click()
    expect(page.locator("#bulk details[open]")).to_have_count(0)
    assert page.locator("#columns").evaluate("menu => menu.contains(document.activeElement)")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#columns summary")).to_be_focused()
    expect(page.locator("#columns[open]")).to_have_count(0)
    assert monitor.get("/api/scan").json["running"] is None


def test_the_keys_work_after_a_row_was_picked_by_mouse(page: Page) -> None:
    pick(page, 2)
    page.keyboard.press("j")
    expect(rows(page).nth(3).locator("a")).to_be_focused()
    pick(page, 2)
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()


def test_undo_after_the_details_are_closed_or_another_is_open_leaves_them_so(
    page: Page, monitor: Running
) -> None:
    first, second = (numbered(monitor, f"Camera {n}") for n in (35, 36))
    for after in ("closed", "another"):
        page.goto(f"/cameras/{first}")
        detail(page).get_by_label("Notes").fill(f"Written, then {after}")
        detail(page).get_by_role("button", name="Save").click()
        undo = page.locator(".toast").get_by_role("button", name="Undo")
        expect(undo).to_be_visible()
        if after == "closed":
            page.locator("#close").click()
            expect(detail(page)).to_be_hidden()
        else:
            page.keyboard.press("Escape")
            page.locator(f'tr[data-id="{second}"] {NAMES}').click()
            expect(page.locator("#detail-name")).to_have_text("Camera 36")
        undo.click()
        expect(page.locator(".toast")).to_have_text("Undone")
        until(lambda: camera(monitor, first)["notes"] == "", what="it is undone")
        assert path(page) == ("/" if after == "closed" else f"/cameras/{second}")
        expect(detail(page)).to_be_hidden() if after == "closed" else expect(
            page.locator("#detail-name")
        ).to_have_text("Camera 36")


def test_a_choice_can_be_taken_back_and_a_button_below_a_list_is_pressed(
    clean: Page, monitor: Running, network: Network
) -> None:
    page, bar = clean, clean.locator("#bulk")
    pick(page, 1)
    open_menu(page, "Connected through")
    page.keyboard.type("Camera 37")
    bar.get_by_role("option", name="Camera 37").click()
    bar.get_by_role("checkbox", name="Camera 37").uncheck()
    bar.get_by_role("button", name="Set parent device").click()
    expect(page.locator("#bulk-result")).to_contain_text("Select one parent device")
    bar.get_by_role("combobox").fill("No such camera")
    expect(bar.get_by_text("No matches")).to_be_visible()
    box = bar.get_by_role("button", name="Set parent device").bounding_box()
    assert box
    page.mouse.click(box["x"] + 10, box["y"] + box["height"] - 4)
    expect(page.locator("#bulk-result")).to_contain_text("does not match a single device")


def test_no_matches_never_covers_the_button_below(page: Page, monitor: Running) -> None:
    page.goto(f"/cameras/{numbered(monitor, 'Camera 38')}")
    form = detail(page).locator("form[data-edit]")
    form.get_by_label("Connected through").fill("No such camera")
    expect(form.get_by_text("No matches")).to_be_visible()
    form.get_by_role("button", name="Save").click(trial=True, timeout=2000)


def test_the_last_of_several_tags_is_completed_from_those_in_use(
    clean: Page, monitor: Running
) -> None:
    page = clean
    edited(monitor, add_tags=["lobby"])
    page.locator("#pick-all").check()
    open_menu(page, "Tags")
    page.keyboard.type("left,lo")
    offered = page.locator("#suggestions-bulk_tag option")
    expect(offered).to_have_count(1)
    assert offered.get_attribute("value") == "left, lobby"
