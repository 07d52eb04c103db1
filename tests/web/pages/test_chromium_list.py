"""The list in a real browser: many rows at once, columns, counts, and fast scrolling."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from simulators.panasonic import Network
from tests.home import Clock, Home, Running, running, until
from tests.web.chromium import CROWD, Tab, camera, numbered, path, rows, shown_total, wait_for_rows
from tests.web.conftest import fill

MANY = 2000
FAST = """async (seconds) => {
  const frame = () => new Promise(requestAnimationFrame);
  const isSeen = (element) => {
    const box = element.getBoundingClientRect();
    return box.height && box.bottom > 90 && box.top < innerHeight;
  };
  const result = { frames: 0, bad: 0, names: new Set(), elements: 0 };
  const whole = document.documentElement.scrollHeight - innerHeight;
  const begin = performance.now();
  for (let part = 0; part < 1;) {
    part = Math.min(1, (performance.now() - begin) / 1000 / seconds);
    scrollTo(0, whole * part);
    await frame();
    await new Promise((done) => setTimeout(done));
    const links = [...document.querySelectorAll("#fleet tbody a")].filter(isSeen);
    const box = document.getElementById("fleet").getBoundingClientRect();
    const height = links[0]?.closest("tr").offsetHeight || 1;
    const seen = Math.min(box.bottom, innerHeight) - Math.max(box.top, 90);
    const isEmpty = links.length * height < seen - 2 * height;
    const hasGap = [...document.querySelectorAll(".gap td")].some(isSeen);
    result.frames++;
    if (isEmpty || hasGap || links.some((link) => !link.textContent)) result.bad++;
    for (const link of links) result.names.add(link.textContent);
    result.elements = Math.max(result.elements, document.getElementsByTagName("*").length);
  }
  return { ...result, names: result.names.size };
}"""


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A monitor that knows 2,000 cameras."""
    folder = tmp_path_factory.mktemp("big")
    home = Home(folder, Clock())
    fill(home, MANY)
    home.close()
    with running(folder) as started:
        yield started


def pick(page: Page, at: int, **how: Any) -> None:
    rows(page).nth(at).locator(".pick").click(**how)


def tagged(monitor: Running, tag: str) -> int:
    return sum(tag in row["tags"] for row in monitor.get("/api/cameras").json["cameras"])


def test_a_range_of_rows_is_tagged_at_once_and_undone(page: Page, monitor: Running) -> None:
    bar = page.locator("#bulk")
    expect(bar).to_be_hidden()
    pick(page, 1)
    expect(page.locator("#selected")).to_have_text("1 selected")
    pick(page, 6, modifiers=["Shift"])
    expect(page.locator("#selected")).to_have_text("6 selected")
    pick(page, 3)
    expect(page.locator("#selected")).to_have_text("5 selected")
    assert path(page) == "/", "a checkbox does not open its row"
    bar.locator("summary", has_text="Tags").click()
    bar.get_by_label("Tags, separated by commas").fill("lobby, north")
    bar.get_by_role("button", name="Add tags").click()
    toast = page.locator(".toast")
    expect(toast).to_contain_text("Tags lobby, north added to 5 devices")
    expect(page.locator("#selected")).to_have_text("5 selected")
    assert tagged(monitor, "lobby") == tagged(monitor, "north") == 5
    toast.get_by_role("button", name="Undo").click()
    expect(toast).to_contain_text("Undone for 5 devices")
    page.wait_for_function(
        "() => fetch('/api/cameras?q=lobby').then(a => a.json()).then(b => !b.count)"
    )
    assert tagged(monitor, "lobby") == 0


def test_recording_settings_of_the_selected_rows_are_changed_in_part(
    page: Page, monitor: Running
) -> None:
    names = [rows(page).nth(at).locator("td.c-name a").inner_text() for at in (1, 2)]
    numbers = [numbered(monitor, name) for name in names]
    for number in numbers:
        settings = {"record_quality": "low", "retention_days": 5}
        assert monitor.request("PATCH", f"/api/cameras/{number}", settings).status == 200
    bar = page.locator("#bulk")
    pick(page, 1)
    pick(page, 2)
    bar.locator("summary", has_text="Recording").click()
    bar.get_by_label("Record always").select_option("yes")
    bar.get_by_label("Keep recordings for").fill("9")
    bar.get_by_role("button", name="Set recording").click()
    expect(page.locator(".toast")).to_contain_text("Recording settings of 2 devices changed")
    expect(bar.get_by_label("Record always")).to_have_value("")
    for number in numbers:
        assert camera(monitor, number)["recording"] == {
            "auto_record": True,
            "record_quality": "low",
            "retention_days": 9,
        }
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("Undone for 2 devices")


def test_everything_that_matches_is_selected_and_an_error_is_shown_for_its_device(
    page: Page, monitor: Running
) -> None:
    page.goto("/?q=Camera 1")
    total = shown_total(page)
    assert total > 2
    name = rows(page).nth(0).locator("td.c-name a").inner_text()
    number = numbered(monitor, name)
    page.locator("#pick-all").check()
    expect(page.locator("#selected")).to_have_text(f"All {total} selected")
    pick(page, 1)
    expect(page.locator("#selected")).to_have_text(f"{total - 1} of {total} selected")
    bar = page.locator("#bulk")
    bar.locator("summary", has_text="Connected through").click()
    bar.get_by_role("button", name="Set parent device").click()
    expect(page.locator("#bulk-result")).to_contain_text("Select one parent device")
    bar.get_by_role("textbox", name="Parent device").fill(camera(monitor, number)["current_ip"])
    bar.get_by_role("option", name=name).click()
    expect(bar.get_by_role("checkbox", name=name)).to_be_checked()
    bar.get_by_role("button", name="Set parent device").click()
    expect(page.locator(".toast")).to_contain_text(
        f"Parent device set for {total - 2} devices, 1 failed"
    )
    expect(page.locator("#bulk-result")).to_contain_text(f"{name} is itself connected through")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    page.wait_for_function(
        "() => fetch('/api/cameras').then(a => a.json()).then(b => b.cameras.every(c => !c.parent))"
    )


def test_rows_are_selected_by_keys_retired_and_brought_back(page: Page, monitor: Running) -> None:
    everything = page.locator("[data-filter]", has_text="All").locator("b")
    expect(everything).to_have_text(str(CROWD))
    for key in ("j", "j", "x", "j", "j", "Shift+X"):
        page.keyboard.press(key)
    expect(page.locator("#selected")).to_have_text("3 selected")
    page.locator("#bulk").get_by_role("button", name="Retire").click()
    expect(everything).to_have_text(str(CROWD - 3))
    expect(page.locator(".toast")).to_contain_text("3 devices retired")
    expect(page.locator("#bulk")).to_be_hidden()
    page.keyboard.press("u")
    expect(everything).to_have_text(str(CROWD))
    assert monitor.get("/api/cameras?retired=true").json["count"] == 0


def test_a_selection_stays_while_rows_come_and_go(tab: Tab, big: Running) -> None:
    page = tab(big)
    pick(page, 2)
    number = rows(page).nth(2).get_attribute("data-id")
    page.evaluate("scrollTo(0, 40000)")
    expect(page.locator(f'tr[data-id="{number}"]')).to_have_count(0)
    expect(page.locator("#selected")).to_have_text("1 selected")
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator(f'tr[data-id="{number}"] .pick')).to_be_checked()
    page.locator("#select-every").click()
    expect(page.locator("#selected")).to_have_text(f"All {MANY} selected")
    page.locator("#select-none").click()
    expect(page.locator("#bulk")).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 360])
def test_fast_scrolling_shows_a_name_in_every_row_of_every_frame(
    width: int, tab: Tab, big: Running
) -> None:
    with_names = "**/parts/names*"
    page = tab(big, "about:blank", viewport={"width": width, "height": 900})
    with page.expect_response(with_names):
        page.goto(f"http://127.0.0.1:{big.port}/?sort=id")
        page.mouse.move(100, 100)
        page.mouse.move(120, 400)
    page.wait_for_function("() => document.querySelector('.ghost a') !== null")
    result = page.evaluate(FAST, 1.5)
    assert result["frames"] > 5
    assert result["bad"] == 0, result
    assert result["elements"] < 2000
    assert result["names"] > 100
    wait_for_rows(page)


def test_a_column_is_chosen_kept_and_reset(page: Page, monitor: Running) -> None:
    number = numbered(monitor, "Camera 20")
    monitor.request("PATCH", f"/api/camera/{number}", {"tags": ["door"]})
    heads = page.locator("#fleet th")
    expect(heads.filter(has_text="Tags")).to_have_count(0)
    page.locator("#columns summary").click()
    page.locator("#columns").get_by_label("Tags").check()
    page.locator("#columns").get_by_label("Model").uncheck()
    page.get_by_role("button", name="Show these columns").click()
    expect(heads.filter(has_text="Tags")).to_have_count(1)
    page.reload()
    expect(heads.filter(has_text="Tags")).to_have_count(1)
    expect(heads.filter(has_text="Model")).to_have_count(0)
    row = page.locator(f'tr[data-id="{number}"]')
    expect(row.locator(".tag")).to_have_text("door")
    monitor.request("PATCH", f"/api/camera/{number}", {"tags": ["gate"]})
    expect(row.locator(".tag")).to_have_text("gate")
    assert row.locator("td").count() == heads.count(), "a row that changed has the same columns"
    page.locator("#columns summary").click()
    page.get_by_role("button", name="Reset").click()
    expect(heads.filter(has_text="Tags")).to_have_count(0)
    monitor.request("PATCH", f"/api/camera/{number}", {"tags": []})


def test_the_menu_of_the_columns_says_which_have_no_room(page: Page) -> None:
    menu, note = page.locator("#columns"), page.locator("#no-room")
    menu.locator("summary").click()
    for title in ("Tags", "Notes", "Firmware"):
        menu.get_by_label(title).check()
    menu.get_by_role("button", name="Show these columns").click()
    expect(page.locator("#fleet th").filter(has_text="Notes")).to_be_visible()
    page.set_viewport_size({"width": 1440, "height": 800})
    menu.locator("summary").click()
    expect(menu).to_have_attribute("open", "")
    expect(note).to_be_hidden()
    page.set_viewport_size({"width": 900, "height": 800})
    heads = page.locator("#fleet th").all()

    def hidden_columns() -> int:
        return sum(not head.is_visible() for head in heads)

    until(
        lambda: note.inner_text() == f"{hidden_columns()} columns hidden: window too narrow",
        what="the menu counts the hidden columns",
    )
    hidden = hidden_columns()
    assert hidden >= 3
    expect(menu.locator(".no-room")).to_have_count(hidden)
    expect(menu.locator(".no-room").filter(has_text="Tags")).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 800})
    expect(menu).to_be_hidden()
    page.set_viewport_size({"width": 1440, "height": 800})
    menu.get_by_role("button", name="Reset").click()
    expect(page.locator("#fleet th").filter(has_text="Notes")).to_have_count(0)


def test_the_list_is_exported_as_it_is_shown(page: Page) -> None:
    page.goto("/?q=Camera 1&sort=name")
    page.locator("#export summary").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    assert re.fullmatch(r"camera_list_[\d-]+\.csv", waiting.value.suggested_filename)
    lines = Path(waiting.value.path()).read_text().splitlines()
    assert lines[0].startswith("id,kind,camera_name,site,mac_address,")
    assert len(lines) - 1 == shown_total(page)


def test_without_script_the_bar_appears_with_a_checked_row(
    tab: Tab, monitor: Running, network: Network
) -> None:
    page = tab(monitor, "/?q=Camera 1", java_script_enabled=False)
    bar = page.locator("#bulk")
    expect(bar).to_be_hidden()
    pick(page, 0)
    pick(page, 1)
    expect(bar).to_be_visible()
    bar.locator("summary", has_text="Tags").click()
    bar.locator("[name=bulk_tag]").fill("quiet")
    bar.get_by_role("button", name="Add tags").click()
    expect(page.locator("#bulk-result")).to_contain_text("Tag quiet added to 2 devices")
    assert tagged(monitor, "quiet") == 2
    page.locator("#bulk-result").get_by_role("button", name="Undo").click()
    expect(page.locator("#fleet")).to_be_visible()
    assert tagged(monitor, "quiet") == 0
    assert path(page).startswith("/?q=Camera")


def test_a_range_reaches_over_rows_that_are_out_of_sight(tab: Tab, big: Running) -> None:
    page = tab(big, "/?sort=id")
    pick(page, 2)
    page.evaluate("scrollTo(0, 40000)")
    wait_for_rows(page)
    row = rows(page).nth(rows(page).count() // 2)
    at = int(row.get_attribute("data-id") or "")
    assert at > 500
    row.locator(".pick").click(modifiers=["Shift"])
    expect(page.locator("#selected")).to_have_text(f"{at - 2} selected")
