"""What gives way when there is little room, in a real browser: names last, the list first."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from simulators import demo_cast, demo_past, demo_stores, demo_streams
from simulators.panasonic import Camera
from tests.home import Clock, Home, Running, free_port, running
from tests.web.chromium import Tab, overflow, rows

LONG_NAME = "Loading dock north-east, gate 13 (spare)"
SITE = "Distribution centre North, building four"
WIDTHS = (2560, 1440, 1280, 1100, 960, 768, 720, 640, 480, 360)
"""Also those of twice the size: 720 is 1440 at 200 %, 384 would be 768."""


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Cameras with long names: one online, one offline with a finding, one below it."""
    folder = tmp_path_factory.mktemp("depot")
    play(folder)
    with running(folder) as monitor:
        yield monitor


def play(folder: Path) -> None:
    clock = Clock()
    clock.now = datetime.now(UTC) - timedelta(hours=2)
    cameras = [
        Camera(f"d4:2d:c5:00:00:{n:02x}", f"192.168.100.{200 + n}", password_set=n != 1)
        for n in range(1, 13)
    ]
    home = Home(folder, clock, *cameras)
    try:
        home.scan()
        for number in (1, 2, 3):
            body = {"name": LONG_NAME, "site": SITE}
            assert home.client.patch(f"/api/camera/{number}", json=body).status_code == 200
        parent = {"parent": home.client.get(f"/api/camera/{cameras[0].mac}").json["id"]}
        assert home.client.patch(f"/api/camera/{cameras[1].mac}", json=parent).status_code == 200
        cameras[0].on = cameras[1].on = False
        clock.forward(hours=1)
        home.scan()
    finally:
        home.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The fleet of the demo, as it was found when the demo starts."""
    folder, cameras = tmp_path_factory.mktemp("demo"), demo_cast.cameras()
    now = datetime.now(UTC)
    streams = demo_streams.Streams(free_port(), free_port())
    past = demo_past.database(demo_cast.members(), cameras, streams, now)
    (folder / "camera_database.json").write_text(json.dumps(past))
    (folder / "data").mkdir()
    demo_past.make_journal(folder / "data" / "camera_monitor.db", now.astimezone().date())
    demo_stores.write_workbook(folder / "P2P1.xlsx")
    with running(folder) as monitor:
        yield monitor


CUT = """([selector, text]) => [...document.querySelectorAll(selector)]
    .filter(name => name.textContent.trim() === text && name.checkVisibility())
    .map((name) => {
        const [box, own] = [name.closest('td, li, h1, th'), name]
            .map(element => element.getBoundingClientRect());
        const isClipped = getComputedStyle(name).overflow !== 'visible';
        return isClipped && name.scrollWidth > name.clientWidth
            || own.right > box.right + 0.5 || own.bottom > box.bottom + 0.5 || own.width === 0;
    })"""


def cut(page: Page, selector: str, text: str = LONG_NAME) -> list[bool]:
    """Whether each visible element with this text is cut, in one step: the page lives on."""
    return [bool(is_cut) for is_cut in page.evaluate(CUT, [selector, text])]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_long_name_is_whole_while_less_important_cells_are_shown(
    width: int, tab: Tab, depot: Running
) -> None:
    assert len(LONG_NAME) == 40
    page = tab(depot, viewport={"width": width, "height": 900})
    assert overflow(page) <= 0
    assert cut(page, ".c-name a") == [False] * 3
    expect(page.locator("td.c-last_seen").first).to_be_visible()
    expect(page.locator("td.c-status").first).to_be_visible()
    attention = cut(page, ".wrong li b")
    assert attention
    assert not any(attention)


@pytest.mark.parametrize("width", [1440, 1100])
def test_a_long_name_is_whole_beside_its_details(width: int, tab: Tab, depot: Running) -> None:
    page = tab(depot, "/cameras/1", viewport={"width": width, "height": 900})
    assert cut(page, "#fleet .c-name a") == [False] * 3
    expect(page.locator("td.c-last_seen").first).to_be_visible()
    assert cut(page, "#detail-name") == [False]


@pytest.mark.parametrize("width", [768, 360])
@pytest.mark.parametrize("url", ["/cameras/1", "/sites"])
def test_names_of_details_and_sites_are_whole_on_small_screens(
    url: str, width: int, tab: Tab, depot: Running
) -> None:
    page = tab(depot, url, viewport={"width": width, "height": 740})
    assert overflow(page) <= 0
    if url == "/cameras/1":
        assert cut(page, "#detail-name") == [False]
    else:
        assert cut(page, ".places tbody th a", SITE) == [False]


def test_reason_mac_and_address_give_way_one_after_the_other(tab: Tab, depot: Running) -> None:
    page = tab(depot)
    shown: dict[int, set[str]] = {}
    for width in (2560, 1440, 1100, 768, 700):
        page.set_viewport_size({"width": width, "height": 900})
        row = page.locator("#fleet tr[data-id]").last
        cells = row.locator("td:visible").evaluate_all("cells => cells.map(c => c.className)")
        shown[width] = set(cells)
    assert "c-mac" in shown[1100]
    assert "c-mac" not in shown[768]
    assert "c-address" in shown[1100]
    assert "c-address" not in shown[700]
    for wide, narrow in zip(list(shown)[:-1], list(shown)[1:], strict=True):
        assert shown[narrow] < shown[wide] or shown[narrow] == shown[wide], (wide, narrow)
    assert {"c-status", "c-name", "c-last_seen"} <= shown[700]


# -- on a phone ------------------------------------------------------------------------------

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


def box(page: Page, selector: str) -> dict[str, float]:
    """Left, right, top and bottom of the first element that fits."""
    edges = "({ left, right, top, bottom }) => ({ left, right, top, bottom })"
    script = f"selector => ({edges})(document.querySelector(selector).getBoundingClientRect())"
    return {str(edge): float(place) for edge, place in page.evaluate(script, selector).items()}


def test_on_a_phone_the_first_row_stands_on_the_first_screen(tab: Tab, demo: Running) -> None:
    page = tab(demo, **PHONE)
    assert overflow(page) <= 0
    pages = box(page, ".bar nav")
    assert pages["bottom"] == 740
    assert box(page, "#fleet tr[data-id]")["bottom"] < pages["top"]
    attention = box(page, "#wrong")
    assert attention["bottom"] - attention["top"] <= 44 + 2 * 21, "two lines, one of them tall"
    chips = page.locator(".filters > a:visible").evaluate_all(
        "chips => [...new Set(chips.map(chip => chip.getBoundingClientRect().top))]"
    )
    expect(page.locator(".filters .is-none").first).to_be_hidden()
    assert len(chips) == 1, "the filters are one row"
    row = "document.querySelector('.filters')"
    assert page.evaluate(f"{row}.scrollWidth > {row}.clientWidth"), "and it scrolls sideways"
    assert box(page, "#search")["bottom"] <= box(page, ".bar")["bottom"], "the search is in the bar"


def test_on_a_tablet_the_first_row_stands_on_the_first_screen(tab: Tab, demo: Running) -> None:
    page = tab(demo, viewport={"width": 768, "height": 1024})
    assert overflow(page) <= 0
    assert box(page, "#fleet tr[data-id]")["bottom"] < 1024


def test_weight_and_colour_are_for_trouble_only(tab: Tab, demo: Running) -> None:
    page = tab(demo)
    style = """row => {
        const of = selector => getComputedStyle(row.querySelector(selector));
        return [of(".badge").fontWeight, of(".badge").color, of(".c-name a").fontWeight];
    }"""
    status = page.locator("tr[data-id]")
    active = status.filter(has=page.locator(".badge.active")).first.evaluate(style)
    offline = status.filter(has=page.locator(".badge.offline")).first.evaluate(style)
    quiet = page.locator("#shown").evaluate("place => getComputedStyle(place).color")
    assert active == ["400", quiet, "400"]
    assert (offline[0], offline[2]) == ("600", "400")
    assert offline[1] != quiet


def test_the_details_have_no_empty_place_for_a_picture(tab: Tab, demo: Running) -> None:
    page = tab(demo, "/cameras/6")
    expect(page.locator("#detail-name")).to_be_visible()
    expect(page.locator("#detail :is(img, video, picture, figure, canvas)")).to_have_count(0)


def test_on_a_phone_the_actions_are_in_a_menu(tab: Tab, demo: Running) -> None:
    page = tab(demo, **PHONE)
    expect(page.locator("#scan")).to_be_hidden()
    page.get_by_role("button", name="Actions").click()
    expect(page.locator("#scan")).to_be_visible()
    # "Refresh" is for a page without script, and stays hidden.
    actions = page.locator("#actions :is(button, .button):visible")
    expect(actions).to_have_count(4)
    for action in actions.all():
        expect(action).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    expect(page.locator("#scan")).to_be_hidden()
    expect(page.get_by_role("button", name="Actions")).to_be_focused()


@pytest.mark.parametrize("script", [True, False])
def test_on_a_phone_a_filter_shows_its_effect_at_once(
    script: bool, tab: Tab, demo: Running
) -> None:
    page = tab(demo, **PHONE, java_script_enabled=script)
    chip = page.locator("[data-filter]", has_text="Missing")
    chip.click()
    page.wait_for_url(re.compile("status=missing"))
    expect(chip).to_have_attribute("aria-current", "true")
    expect(rows(page).first.locator(".c-status")).to_contain_text("Missing")
    expect(rows(page).first).to_be_in_viewport(ratio=1)
    expect(chip).to_be_in_viewport(ratio=0.99)  # widths of text end between two pixels


@pytest.mark.parametrize("script", [True, False])
def test_on_a_phone_the_settings_are_one_row_with_the_current_one_in_sight(
    script: bool, tab: Tab, depot: Running
) -> None:
    page = tab(depot, "/settings/about", **PHONE, java_script_enabled=script)
    assert overflow(page) <= 0
    expect(page.locator(".tabs [aria-current]")).to_have_text("About")
    expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=0.99)
    tops = [item.bounding_box() for item in page.locator(".tabs a").all()]
    assert len({place["y"] for place in tops if place}) == 1
