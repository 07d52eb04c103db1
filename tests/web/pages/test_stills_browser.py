"""Stills in a real browser, of a real RTSP camera: taken on each visit, enlarged, by day."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from tests.gst_server import needs_gst
from tests.home import Running
from tests.web.chromium import Listener, Tab, overflow
from tests.web.live_pictures import DEAD, GATE, monitor_with

pytestmark = needs_gst
STILLS = f"/cameras/{GATE}/stills"
TAKING = "**/api/cameras/*/stills"


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with monitor_with(tmp_path_factory.mktemp("stills")) as started:
        yield started


def hold(page: Page) -> list[Route]:
    """Keep what takes a still back until the test has looked at the page."""
    held: list[Route] = []
    page.route(TAKING, lambda route: held.append(route))
    return held


def newest_time(page: Page) -> str:
    """When the shown still was taken, once the page has it."""
    expect(page.locator(".taking")).to_have_text("")
    return page.locator("#newest .time-tag time").get_attribute("datetime") or ""


def test_the_page_comes_at_once_and_each_visit_takes_a_new_still(
    monitor: Running, tab: Tab
) -> None:
    page = tab(monitor, "/stills")
    expect(page.locator(".contact-sheet li")).to_have_count(2)
    held = hold(page)
    page.goto(STILLS)
    expect(page.locator(".taking")).to_have_text("Taking a still...")
    expect(page.locator("h1")).to_have_text("Camera 1")
    expect(page.locator("#newest")).to_contain_text("No still has been taken yet")
    held.pop().continue_()
    first = newest_time(page)
    expect(page.locator("#newest p time")).to_contain_text("ago", use_inner_text=True)
    expect(page.locator("#hours .is-taken, #hours .still-box")).not_to_have_count(0)
    page.reload()
    expect(page.locator(".taking")).to_have_text("Taking a still...")
    assert page.locator("#newest .time-tag time").get_attribute("datetime") == first
    held.pop().continue_()
    assert newest_time(page) > first
    assert overflow(page) <= 0


def test_a_click_on_the_picture_or_its_time_enlarges_it(monitor: Running, tab: Tab) -> None:
    page = tab(monitor, STILLS)
    newest_time(page)
    width = monitor.get(f"/api{STILLS}").json["stills"][0]["width"]
    shown, large = page.locator("#enlarged"), page.locator("#enlarged > img")
    for part in (".still-link", ".time-tag"):
        page.locator(f"#newest {part}").click()
        expect(shown).to_be_visible()
        page.wait_for_function("() => document.querySelector('#enlarged > img').naturalWidth")
        assert large.evaluate("image => image.naturalWidth") == width
        expect(page.locator("#enlarged .button[download]")).to_have_attribute(
            "href", large.get_attribute("src") or ""
        )
        page.keyboard.press("Escape")
        expect(shown).to_be_hidden()


def test_one_walks_from_day_to_day_and_back(monitor: Running, tab: Tab) -> None:
    page = tab(monitor, STILLS)
    newest_time(page)
    expect(page.get_by_role("link", name="Day before")).to_have_count(0)
    yesterday = datetime.now().astimezone() - timedelta(days=1)
    page.locator(".day-form [name=day]").fill(f"{yesterday:%F}")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#hours")).to_contain_text("0 of 24 hours have a still")
    expect(page.locator(".newest-still")).to_have_count(0)
    page.get_by_role("link", name="Today").click()
    newest_time(page)
    expect(page.locator("#hours .still-box")).to_have_count(1)


def test_the_time_lapse_of_a_day_is_made_and_plays_in_the_page(monitor: Running, tab: Tab) -> None:
    page = tab(monitor, STILLS)
    newest_time(page)
    page.reload()
    newest_time(page)
    page.goto(f"{STILLS}?day={datetime.now().astimezone():%F}")
    part, video = page.locator("#day-film"), page.locator("#day-film video")
    part.get_by_role("button", name="Make time-lapse").click()
    expect(video).to_be_visible()
    page.wait_for_function("() => document.querySelector('#day-film video').ended")
    width = monitor.get(f"/api{STILLS}").json["stills"][0]["width"]
    assert video.evaluate("video => [video.videoWidth, video.error]") == [width, None]
    expect(part).to_contain_text(" stills, ")
    with page.expect_download() as download:
        part.get_by_role("link", name="ZIP").click()
    assert download.value.suggested_filename.startswith("Camera 1 stills 20")
    assert overflow(page) <= 0


def test_a_camera_that_is_off_says_why_there_is_no_new_still(
    monitor: Running, tab: Tab, listener: Listener
) -> None:
    listener.allowed.append("503")
    page = tab(monitor, f"/cameras/{DEAD}/stills", viewport={"width": 360, "height": 780})
    expect(page.locator(".taking")).to_contain_text("No new still.")
    expect(page.get_by_role("button", name="Take a still")).to_be_enabled()
    assert overflow(page) <= 0


def test_the_list_shows_the_newest_still_beside_its_age(monitor: Running, tab: Tab) -> None:
    newest_time(tab(monitor, STILLS))
    page = tab(monitor, "/", viewport={"width": 1280, "height": 800})
    cell = page.locator(f'[data-id="{GATE}"] .c-still')
    expect(cell.locator("img")).to_be_visible()
    expect(cell.locator("time")).to_be_visible()


def test_the_other_stills_of_an_hour_are_small_pictures_over_the_whole_width(
    monitor: Running, tab: Tab
) -> None:
    page = tab(monitor, STILLS)
    newest_time(page)
    for _more in range(2):  # two of three are in one hour, also when an hour ends meanwhile
        page.get_by_role("button", name="Take a still").click()
        newest_time(page)
    expect(page.locator(".more-stills li")).not_to_have_count(0)
    hour = page.locator(".still-hour:has(details)").first
    small = hour.locator(".more-stills img").first
    expect(small).to_have_attribute("loading", "lazy")
    assert small.evaluate("image => image.naturalWidth") == 0
    hour.locator("summary").click()
    page.wait_for_function("() => document.querySelector('.more-stills img').naturalWidth")
    assert hour.evaluate("hour => hour.offsetWidth == hour.parentElement.offsetWidth")
    assert small.bounding_box()["width"] < 200  # type: ignore[index]
    assert overflow(page) <= 0
