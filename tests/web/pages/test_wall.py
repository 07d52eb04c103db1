"""Walls: many live pictures on one page, arranged by their owner, and links that show them."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from fleet.model import Edit
from tests.gst_server import needs_gst
from tests.home import Clock, Home, Running, until
from tests.web.browser import Browser, read
from tests.web.chromium import Listener, Tab, overflow
from tests.web.closed import Visitor, monitor_of_two
from tests.web.live_pictures import DEAD, GATE, JPEG, monitor_with

PAGE = {"Accept": "text/html"}
OWN, OTHER = 1, 7002


def wall(*devices: int, name: str = "Lobby", **more: Any) -> dict[str, Any]:
    """The form of a wall with these cameras in this order."""
    return {
        "do": "save",
        "wall": "0",
        "name": name,
        "device": [str(device) for device in devices],
        "stream": ["auto"] * len(devices),
        "tile_name": [""] * len(devices),
        "order": [str(place) for place, _device in enumerate(devices)],
        **more,
    }


# -- made, changed and shared --------------------------------------------------------------


def test_a_wall_is_made_of_what_the_person_searched_and_ordered(home: Home) -> None:
    browser = Browser(home.client)
    form = browser.visit("/wall").form("/wall")
    page = browser.press(form, "Save wall", name="Lobby", add=["2", "1"])
    assert [tile["data-live"] for tile in page.find("figure")] == ["2:auto", "1:auto"]
    assert "aria-current" in page.find_one("a", href="/wall").attributes
    named = wall(2, 1, wall="1", order=["2", "1"], tile_name=["", "The gate"])
    assert home.client.post("/wall", data=named).status_code == 303
    page = browser.visit("/wall?wall=1")
    assert [tile["aria-label"] for tile in page.find("figure")] == ["The gate", "Yard"]
    assert home.client.post("/wall", data=wall(2, 1, wall="1", remove=["1"])).status_code == 303
    page = browser.visit("/wall?wall=1")
    assert [tile["data-live"] for tile in page.find("figure")] == ["2:auto"]
    browser.press(browser.visit("/wall/edit?wall=1").form("/wall"), "Delete wall")
    assert browser.visit("/wall").find("figure") == []


def test_a_camera_that_was_merged_keeps_its_place(home: Home) -> None:
    assert home.client.post("/wall", data=wall(2, name="Merged")).status_code == 303
    merge = Edit("merge", "id:1", {"with": 2}, "test", home.clock())
    home.monitor.tracker.apply([merge], home.clock())
    page = Browser(home.client).visit("/wall/edit?wall=1")
    assert "A camera that you cannot see" not in page.text
    [field] = page.find("input", name="device")
    assert field["value"] == "1"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (wall(1, name=""), "Enter a name"),
        (wall(), "This wall has no cameras"),
        (wall(*[1] * 37), "37 cameras are too many for a wall"),
        (wall(1, name="x" * 81), "A name is too long"),
    ],
)
def test_a_wall_that_cannot_be_saved_says_why(home: Home, form: Any, text: str) -> None:
    answer = home.client.post("/wall", data=form, headers=PAGE)
    assert answer.status_code == 422
    assert text in answer.text
    assert home.client.get("/wall?wall=1", headers=PAGE).status_code in (200, 404)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, dict[str, Visitor]]]:
    home, ask = monitor_of_two(tmp_path_factory.mktemp("walls"), Clock())
    yield home, ask
    home.close()


def share(visitor: Visitor, number: int = 1, days: int = 7) -> Any:
    return visitor.ask("POST", "/wall", data={"do": "share", "wall": number, "days": days})


def link_of(visitor: Visitor, *devices: int, name: str) -> tuple[int, str]:
    """A new wall of this person, and the path of a link that shows it."""
    saved = visitor.ask("POST", "/wall", data=wall(*devices, name=name))
    assert saved.status_code == 303, saved.text
    number = int(saved.headers["Location"].rpartition("=")[2])
    shared = share(visitor, number)
    assert shared.status_code == 200, shared.text
    match = re.search(r"http://localhost(/wall/shared/[^<\s]+)", shared.text)
    assert match is not None
    return number, match[1]


def test_a_link_shows_the_wall_and_can_do_nothing_else(
    two: tuple[Home, dict[str, Visitor]],
) -> None:
    home, ask = two
    _number, path = link_of(ask["Otto"], OWN, name="Shared")
    stranger = ask["stranger"]
    page = read(stranger.get(path, headers=PAGE).text)
    assert [tile["data-live"] for tile in page.find("figure")] == [f"{OWN}:auto"]
    assert page.find("nav") == []
    token = path.rpartition("/")[2]
    for key in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"camera_monitor={token}"}):
        for other in ("/api/stats", f"/api/cameras/{OWN}/live.mp4", "/api/live?tiles=1:main"):
            assert stranger.get(other, headers=key).status_code == 401, other
    for broken in (f"{path}x", path[:-1], path.replace("shared/", "shared/9"), "/wall/shared/x"):
        assert stranger.get(broken, headers=PAGE).status_code == 404, broken
    assert token.encode() not in b"".join(
        file.read_bytes() for file in home.settings.data_dir.rglob("*") if file.is_file()
    )


def test_a_link_ends_by_time_by_hand_and_with_the_rights_of_its_owner(
    two: tuple[Home, dict[str, Visitor]],
) -> None:
    home, ask = two
    stranger = ask["stranger"]

    def shown(path: str) -> int:
        answer = stranger.get(path, headers=PAGE)
        return len(read(answer.text).find("figure")) if answer.status_code == 200 else -1

    number, path = link_of(ask["Gus"], OWN, name="Own")
    assert shown(path) == 1
    accounts = home.monitor.authenticator.accounts
    for grant in accounts.snapshot.grants_of(ask["Gus"].user or 0):
        accounts.revoke_grant(ask["Gus"].user or 0, grant.id)
    assert shown(path) == 0
    accounts.grant(ask["Gus"].user or 0, "control", device=OWN)
    assert shown(path) == 1
    assert (
        ask["Gus"].ask("POST", "/wall", data={"do": "revoke:1", "wall": number}).status_code == 303
    )
    assert shown(path) == -1
    _number, path = link_of(ask["Otto"], OWN, OTHER, name="For a week")
    assert shown(path) == 2
    home.clock.forward(days=8)
    assert shown(path) == -1


def test_who_may_only_view_shares_nothing(two: tuple[Home, dict[str, Visitor]]) -> None:
    _home, ask = two
    saved = ask["Vera"].ask("POST", "/wall", data=wall(OWN, name="Mine"))
    assert saved.status_code == 303
    assert share(ask["Vera"]).status_code == 403
    assert "Create link" not in ask["Vera"].get("/wall/edit?wall=1", headers=PAGE).text


def test_a_wall_shows_only_what_its_owner_sees(two: tuple[Home, dict[str, Visitor]]) -> None:
    _home, ask = two
    saved = ask["Lea"].ask("POST", "/wall", data=wall(OWN, OTHER, name="Hers"))
    page = read(ask["Lea"].get(saved.headers["Location"], headers=PAGE).text)
    assert [tile["data-live"] for tile in page.find("figure")] == [f"{OWN}:auto"]


# -- in a real browser ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with monitor_with(tmp_path_factory.mktemp("wall"), JPEG) as started:
        yield started


def tiles(page: Page) -> Locator:
    return page.locator("#wall .live")


@needs_gst
def test_a_wall_plays_by_one_connection_and_is_used_by_keys(tab: Tab, monitor: Running) -> None:
    page = tab(monitor, "/wall")
    page.get_by_label("Name", exact=True).fill("Entrance")
    for name in ("Camera 1", "Camera 2", "Camera 4"):
        page.get_by_label("Add cameras").fill(name)
        page.locator("[role=option][data-value]").first.click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="Save wall").click()
    expect(tiles(page)).to_have_count(3)
    for place in (0, 2):
        expect(tiles(page).nth(place).locator(".live-text")).to_have_text("Live")
    expect(tiles(page).nth(1).locator(".live-text")).to_contain_text("No signal since")
    assert len([url for url in asked if "/api/live?" in url]) == 1
    assert not [url for url in asked if "/stream/" in url]
    assert {row["camera"] for row in _watching(monitor)} == {GATE, DEAD, JPEG}
    page.keyboard.press("ArrowRight")
    expect(tiles(page).first).to_be_focused()
    page.keyboard.press("3")
    expect(tiles(page).nth(2)).to_have_class(re.compile("is-large"))
    expect(tiles(page).first).to_be_hidden()
    page.keyboard.press("Escape")
    expect(tiles(page).first).to_be_visible()
    page.keyboard.press("f")
    until(lambda: page.evaluate("document.fullscreenElement?.id") == "wall", what="full screen")
    page.keyboard.press("f")
    for width in (1440, 768, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert overflow(page) <= 0, width
        sizes = [tiles(page).nth(place).bounding_box() for place in range(3)]
        assert all(size and size["width"] > 100 for size in sizes), width
    page.close()
    until(lambda: _watching(monitor) == [], what="nobody watches")


def order(page: Page) -> list[str]:
    """The cameras of the form in their order, each with its number."""
    return page.locator(".wall-tiles tbody tr").evaluate_all(
        "(rows) => rows.map((row) =>"
        " `${row.querySelector('[name=order]').value} ${row.dataset.name.slice(-1)}`)"
    )


@needs_gst
def test_the_cameras_of_a_wall_are_ordered_by_mouse_keys_buttons_and_numbers(
    tab: Tab, monitor: Running
) -> None:
    page = tab(monitor, "/wall/edit")
    form = urlencode(wall(GATE, DEAD, JPEG, name="Order"), doseq=True)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    saved = page.request.post("/wall", data=form, headers=kind)
    page.goto(saved.url.replace("/wall?", "/wall/edit?"))
    up = page.get_by_role("button", name="Move Camera 1 up", exact=True)
    expect(up).to_be_disabled()
    page.get_by_role("button", name="Move Camera 1 down", exact=True).click()
    assert order(page) == ["1 2", "2 1", "3 4"]
    handle = page.get_by_role("button", name="Move Camera 4 with the arrow keys, or drag it")
    handle.press("ArrowUp")
    handle.press("ArrowUp")
    assert order(page) == ["1 4", "2 2", "3 1"]
    expect(handle).to_be_focused()
    expect(page.locator("#moved")).to_have_text("Camera 4: 1 of 3")
    start = handle.bounding_box()
    last = page.get_by_label("Order of Camera 1").bounding_box()
    assert start
    assert last
    page.mouse.move(start["x"] + 5, start["y"] + 5)
    page.mouse.down()
    page.mouse.move(start["x"] + 5, last["y"] + 40, steps=4)
    page.mouse.up()
    assert order(page) == ["1 2", "2 1", "3 4"]
    field = page.get_by_label("Order of Camera 4")
    field.fill("2")
    field.press("Tab")
    assert order(page) == ["1 2", "2 4", "3 1"]
    page.set_viewport_size({"width": 360, "height": 800})
    assert overflow(page) <= 0
    page.get_by_role("button", name="Save wall").click()
    expect(tiles(page)).to_have_count(3)
    shown = tiles(page).evaluate_all("(all) => all.map((each) => each.dataset.camera)")
    assert shown == [str(DEAD), str(JPEG), str(GATE)]


@needs_gst
def test_a_shared_wall_plays_for_a_stranger_and_shows_nothing_else(
    tab: Tab, monitor: Running, listener: Listener
) -> None:
    """It creates the first account, so it is the last test of this monitor."""
    owner = tab(monitor, "/setup")
    owner.get_by_label("Name").fill("Ada")
    for field in owner.locator('input[type="password"]').all():
        field.fill("quite a long password")
    owner.get_by_role("button", name="Create account").click()
    expect(owner.locator(".me")).to_have_text("Ada")
    form = urlencode(wall(GATE, name="Shared"), doseq=True)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    saved = owner.request.post("/wall", data=form, headers=kind)
    owner.goto(saved.url.replace("/wall?", "/wall/edit?"))
    owner.get_by_role("button", name="Create link").click()
    link = owner.locator("#wall-link").inner_text()
    page = tab(monitor, link.partition(str(monitor.port))[2])
    expect(tiles(page)).to_have_count(1)
    expect(tiles(page).locator(".live-text")).to_have_text("Live")
    time = "document.querySelector('#wall video').currentTime"
    page.wait_for_function(f"start => {time} > start + 0.5", arg=page.evaluate(time))
    expect(page.get_by_role("navigation")).to_have_count(0)
    listener.allowed.append("Failed to load resource")
    ask = "(url) => fetch(url).then((answer) => answer.status)"
    for other in ("/api/stats", "/api/live?tiles=1:auto", f"/api/cameras/{GATE}/live.mp4"):
        assert page.evaluate(ask, other) == 401, other
    assert page.evaluate(ask, f"{link}/live?tiles={JPEG}:auto") == 200  # a tile that shows nothing
    watched = owner.request.get("/v0/api/cctv/streams/active/").json()
    assert {row["camera"] for row in watched} == {GATE}


def _watching(monitor: Running) -> Any:
    return monitor.get("/v0/api/cctv/streams/active/").json
