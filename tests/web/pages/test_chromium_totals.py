"""The number of rows of an open list in a real browser: it follows the list, and so does all that
reads it."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from simulators.panasonic import crowd
from tests.home import Running, until
from tests.web.chromium import (
    CROWD,
    Listener,
    Tab,
    network_of,
    numbered,
    rows,
    scan,
    shown_total,
    wait_for_rows,
)

SHOWN = "#shown"


def selected(page: Page, text: str) -> None:
    expect(page.locator("#selected")).to_have_text(text)


def edit_all(monitor: Running, **change: object) -> None:
    ids = [row["id"] for row in monitor.get("/api/cameras").json["cameras"]]
    assert monitor.request("POST", "/api/cameras/bulk", {"ids": ids, **change}).status == 200


def use_tags(page: Page, tags: str, button: str) -> None:
    bar = page.locator("#bulk")
    bar.locator("summary", has_text="Tags").click()
    bar.get_by_label("Tags, separated by commas").fill(tags)
    bar.get_by_role("button", name=button).click()


@pytest.fixture
def doors(monitor: Running, page: Page) -> Iterator[Page]:
    """A page; the tag `door` is on every camera before the test, and on none after it."""
    edit_all(monitor, add_tags=["door"])
    yield page
    edit_all(monitor, remove_tags=["door", "north"])


def test_a_short_list_that_grows_shows_every_row_without_a_reload(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    monitor, cameras = run_monitor("grows"), crowd(200)
    with network_of(monitor, cameras[:10]) as network:
        scan(monitor)
        page = tab(monitor, "/?sort=name")
        expect(rows(page)).to_have_count(10)
        page.evaluate("window.stays = true")
        page.locator("#pick-all").check()
        rows(page).nth(2).locator(".pick").uncheck()
        page.locator("#bulk summary", has_text="Tags").click()
        page.locator("[name=bulk_tag]").fill("half typed")
        with network.lock:
            network.cameras.extend(cameras[10:])
        scan(monitor)
        expect(page.locator(SHOWN)).to_contain_text("200 ")
        assert shown_total(page) == 200
        selected(page, "199 of 200 selected")
        expect(page.locator("[name=bulk_tag]")).to_have_value("half typed")
        expect(page.locator("#pick-all")).to_have_attribute("aria-label", "Select all 200 devices")
        ids = set[str]()
        for part in range(17):
            page.evaluate("part => scrollTo(0, document.body.scrollHeight * part / 8)", part)
            wait_for_rows(page)
            ids |= set(rows(page).evaluate_all("rows => rows.map((row) => row.dataset.id)"))
        assert ids == {str(row["id"]) for row in monitor.get("/api/cameras").json["cameras"]}
        assert page.evaluate("window.stays")


def test_a_list_that_grows_while_its_rows_are_fetched_has_each_row_once(
    doors: Page, monitor: Running
) -> None:
    page, number = doors, numbered(monitor, "Camera 1")
    others = [row["id"] for row in monitor.get("/api/cameras").json["cameras"]]
    few = {number, *others[:9]}
    body = {"ids": [*few], "add_tags": ["north"]}
    assert monitor.request("POST", "/api/cameras/bulk", body).status == 200
    page.goto(f"/cameras/{number}?tag=north")
    expect(rows(page)).to_have_count(len(few))
    held: list[Route] = []
    page.route("**/parts/rows*", lambda route: held.append(route))
    edit_all(monitor, add_tags=["north"])
    until(lambda: bool(page.evaluate("true") and held), what="the rows are asked for")
    for notes in ("Asked for again", ""):
        assert monitor.request("PATCH", f"/api/camera/{number}", {"notes": notes}).status == 200
        expect(page.locator("#detail .notes")).to_have_count(1 if notes else 0)
    held[0].continue_()
    page.unroute_all()
    expect(page.locator("#fleet")).to_have_attribute("data-total", str(CROWD))
    expect(page.locator("#fleet tr.gap")).to_have_count(2)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    wait_for_rows(page)
    expect(page.locator("#fleet tr.gap")).to_have_count(2)
    ids = page.locator("#fleet tr[data-id]").evaluate_all(
        "rows => rows.map((row) => row.dataset.id)"
    )
    assert len(ids) == len({*ids}) > len(few)


@pytest.mark.parametrize("filter", ["tag=door", "tag=door&per_page=50", "tag=door&q=Camera 6"])
def test_a_list_that_becomes_empty_shows_no_old_rows_and_comes_back(
    filter: str, doors: Page, monitor: Running
) -> None:
    page = doors
    page.goto(f"/?{filter}")
    page.evaluate("window.stays = true")
    total = shown_total(page)
    assert total
    edit_all(monitor, remove_tags=["door"])
    expect(page.locator(".empty")).to_be_visible()
    expect(rows(page)).to_have_count(0)
    edit_all(monitor, add_tags=["door"])
    expect(page.locator("#fleet")).to_have_attribute("data-total", str(total))
    assert page.evaluate("window.stays")


def test_a_bulk_edit_that_empties_the_list_is_reported_and_undone(
    doors: Page, monitor: Running
) -> None:
    page = doors
    page.goto("/?tag=door")
    page.locator("#pick-all").check()
    selected(page, f"All {CROWD} selected")
    use_tags(page, "door", "Remove tags")
    expect(page.locator(".empty")).to_be_visible()
    toast = page.locator(".toast")
    expect(toast).to_contain_text(f"Tag door removed from {CROWD} devices")
    expect(page.locator("#bulk-result")).to_be_empty()
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator("#fleet")).to_have_attribute("data-total", str(CROWD))


def test_select_all_of_a_page_is_the_whole_list_as_it_is_now(doors: Page, monitor: Running) -> None:
    page, number = doors, numbered(monitor, "Camera 64")
    page.goto("/?per_page=50&page=2&sort=id")
    expect(rows(page)).to_have_count(CROWD - 50)
    rows(page).first.locator(".pick").check()
    page.locator("#select-every").click()
    selected(page, f"All {CROWD} selected")
    assert monitor.request("POST", f"/api/camera/{number}/retire").status == 200
    selected(page, f"All {CROWD - 1} selected")
    expect(rows(page)).to_have_count(CROWD - 51)
    use_tags(page, "north", "Add tags")
    expect(page.locator(".toast")).to_contain_text(f"Tag north added to {CROWD - 1} devices")
    assert monitor.request("POST", f"/api/camera/{number}/restore").status == 200
    expect(page.locator(SHOWN)).to_contain_text(f"{CROWD} ")


def test_a_list_that_changed_is_not_edited_before_the_page_shows_it(
    doors: Page, monitor: Running, listener: Listener
) -> None:
    listener.allowed = ["409"]
    page, number = doors, numbered(monitor, "Camera 7")
    page.goto("/?q=Camera 6")
    page.locator("#pick-all").check()
    selected(page, "All 6 selected")
    held: list[Route] = []
    page.route("**/parts/rows*", lambda route: held.append(route))
    assert monitor.request("PATCH", f"/api/camera/{number}", {"name": "Camera 6b"}).status == 200
    until(lambda: bool(page.evaluate("true") and held), what="the rows are asked for")
    use_tags(page, "north", "Add tags")
    result = page.locator("#bulk-result")
    expect(result).to_contain_text("The list has 7 devices now, not 6")
    held[0].continue_()
    page.unroute_all()
    selected(page, "All 7 selected")
    page.locator("#bulk").get_by_role("button", name="Add tags").click()
    expect(page.locator(".toast")).to_contain_text("Tag north added to 7 ")
    expect(result).to_be_empty()
    monitor.request("PATCH", f"/api/camera/{number}", {"name": ""})
