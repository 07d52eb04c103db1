"""The pages of recordings: the list with its forms, and the day that plays in a real browser."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from simulators.panasonic import Camera
from store.sql import default_url, open_engine
from tests.home import Clock, Home, Running
from tests.video.recorded_files import Shelf, clip
from tests.web.browser import Browser, read
from tests.web.chromium import Tab, overflow, path

MORNING = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
FILM = "#film video"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    clip(folder, "film.mp4", 20, sound=False, picture="testsrc2=s=320x180:r=10")
    return folder


@pytest.fixture(scope="module")
def archive(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Shelf]]:
    """Camera 1 with a recording, and one that failed; camera 2 without any."""
    gate = Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate")
    yard = Camera("d4:2d:c5:00:00:02", "127.20.0.10", "Yard")
    home = Home(tmp_path_factory.mktemp("archive"), Clock(), gate, yard)
    try:
        home.scan()
        shelf = Shelf(home.monitor.journal.engine, home.settings.media_dir / "recordings")
        film = clips / "film.mp4"
        shelf.segment(1, MORNING, 20, film, codecs="avc1.42c00b", audio="", rate=10.0)
        shelf.recording(1, MORNING, 20, name="<b>Delivery</b>")
        shelf.recording(1, MORNING - timedelta(days=1), 60, name="Night", status="failed")
        yield home, shelf
    finally:
        home.close()


@pytest.fixture
def visitor(archive: tuple[Home, Shelf]) -> Browser:
    return Browser(archive[0].client)


def text_of(visitor: Browser, url: str) -> str:
    return visitor.visit(url).text


def test_the_list_names_length_size_and_status(visitor):
    page = visitor.visit("/recordings")
    rows = [row.text for row in page.find_one("tbody").find("tr")]
    assert len(rows) == 2
    for part in ("<b>Delivery</b>", "Gate", "20 s", "64x48", "H.264", "Completed"):
        assert part in rows[0]
    assert "Failed" in rows[1]
    assert "No picture" in rows[1]


def test_the_list_is_filtered_by_camera_day_and_status(visitor):
    assert "1 recording," in text_of(visitor, "/recordings?day=2026-03-01")
    assert "1 recording," in text_of(visitor, "/recordings?status=failed&camera=1")
    assert "No recording matches" in text_of(visitor, "/recordings?camera=2")
    assert "2 recordings," in text_of(visitor, "/recordings?day=soon&camera=x&status=y")


def test_without_script_a_recording_is_protected_deleted_and_restored(archive):
    home, shelf = archive
    id = shelf.recording(1, MORNING, 5, name="Parcel")
    client = home.client
    form = {"back": "/recordings?camera=1", "protected": "yes"}
    answer = client.post(f"/recordings/{id}/protect", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/recordings?camera=1")
    assert client.get(f"/api/recordings/{id}").json["protected"] is True
    client.post(f"/recordings/{id}/protect", data={**form, "protected": "no"})
    answer = client.post(f"/recordings/{id}/delete", data={"back": "https://evil.example/"})
    assert answer.headers["Location"] == f"/recordings?deleted={id}"
    page = client.get(answer.headers["Location"]).text
    assert "Recording deleted" in page
    assert "Parcel" not in page
    client.post(f"/recordings/{id}/restore", data={"back": "/recordings"})
    assert "Parcel" in client.get("/recordings").text
    client.post(f"/recordings/{id}/delete")


def test_recently_deleted_recordings_are_listed_and_restored(archive):
    home, shelf = archive
    id = shelf.recording(1, MORNING, 5, name="Lorry")
    visitor = Browser(home.client)
    home.client.post(f"/recordings/{id}/delete")
    page = visitor.visit("/recordings?status=deleted&camera=1&day=2026-03-01")
    rows = [row for row in page.find_one("tbody").find("tr") if "Lorry" in row.text]
    assert "Gate" in rows[0].text
    assert "Restore until" in page.text
    assert "Delivery" not in page.find_one("tbody").text
    assert "No deleted recording matches" in text_of(visitor, "/recordings?status=deleted&camera=2")
    visitor.press(page.form(f"/recordings/{id}/restore"))
    assert "Lorry" in text_of(visitor, "/recordings?camera=1")
    assert "Lorry" not in text_of(visitor, "/recordings?status=deleted")
    home.client.post(f"/recordings/{id}/delete")


def test_without_script_each_recorded_time_is_a_link_that_plays(visitor):
    page = visitor.visit("/recordings/1?day=2026-03-01")
    links = [link for link in page.find("a") if "08:00:00 to" in link.text]
    (link,) = links
    assert "08:00:00 to 08:00:20" in link.text
    playing = visitor.visit(str(link["href"]))
    assert "/api/cameras/1/playback.mp4?" in str(playing.find_one("video")["src"])
    assert str(playing.find_one("video")["src"]).endswith("#t=0.0")


def test_the_day_says_what_is_missing_and_that_a_day_has_nothing(visitor):
    day = visitor.visit("/recordings/1?day=2026-03-01")
    drawn = {rect["class"]: rect.text for rect in day.find("rect") if rect.get("class")}
    assert "00:00:00 to 08:00:00: Not scheduled" in str(day.find_one("svg", width="100%").text)
    assert "line-gap" not in drawn
    assert "Nothing is missing" in day.text
    empty = text_of(visitor, "/recordings/2?day=2026-02-20")
    assert "Nothing was recorded on this day" in empty
    assert "Nothing was recorded at this time" in text_of(
        visitor, "/recordings/1?at=2026-02-20T10:00:00Z"
    )
    assert visitor.client.get("/recordings/99").status_code == 404


def test_the_day_says_what_was_deleted(archive, clips):
    home, shelf = archive
    at = MORNING + timedelta(hours=2)
    shelf.segment(1, at, 20, clips / "film.mp4", rate=10.0)
    id = shelf.recording(1, at, 20, name="Parcel")
    home.client.post(f"/recordings/{id}/delete")
    text = text_of(Browser(home.client), "/recordings/1?day=2026-03-01")
    assert "10:00:00 to 10:00:20 20 s, Deleted by a user" in text


def test_a_recording_of_two_formats_offers_its_parts_and_a_link_to_each(archive, clips, tmp_path):
    home, shelf = archive
    clip(tmp_path, "large.mp4", 4, sound=False, picture="testsrc2=s=96x64:r=10")
    at = MORNING + timedelta(hours=5)
    shelf.segment(1, at, 20, clips / "film.mp4", rate=10.0)
    shelf.segment(1, at + timedelta(seconds=20), 4, tmp_path / "large.mp4", width=96)
    id = shelf.recording(1, at, 24, name="Parcel")
    page = read(home.client.get("/recordings?camera=1").text)
    (parts,) = page.find("details", **{"class": "parts"})
    urls = [link["href"] for link in parts.find("a")]
    assert urls == [f"/api/recordings/{id}/download", f"/api/recordings/{id}/download?part=2"]
    assert [home.client.head(url).status_code for url in urls] == [200, 200]
    assert "13:00:20 to 13:00:24" in parts.text
    url = f"/recordings/{id}/link"
    assert read(home.client.get(url).text).form(url)["data-parts"] == "2"
    made = read(home.client.post(url, data={"minutes": "60"}).text)
    links = made.find_one("code").text.split()
    assert [link.endswith("&part=2") for link in links] == [False, True]
    paths = [link.partition("localhost")[2] for link in links]
    assert [home.client.head(path).status_code for path in paths] == [200, 200]
    assert "valid for 60 min" in home.monitor.audit.find(limit=1)[0].text
    home.client.post(f"/recordings/{id}/delete")


# -- a real browser --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filmed(monitor: Running, clips: Path) -> datetime:
    """A real monitor with a film of yesterday, from noon on this server; when it begins."""
    body = {"name": "Gate", "ip_address": "127.20.0.9", "vendor": "other"}
    assert monitor.request("POST", "/api/cameras", body).status == 201
    day = datetime.now().astimezone() - timedelta(days=1)
    noon = day.replace(hour=12, minute=0, second=0, microsecond=0).astimezone(UTC)
    engine = open_engine(default_url(monitor.folder / "data"))
    shelf = Shelf(engine, monitor.folder / "media" / "recordings")
    film = clips / "film.mp4"
    shape = {"codecs": "avc1.42c00b", "audio": "", "width": 320, "height": 180}
    shelf.segment(1, noon, 20, film, **shape)
    shelf.segment(1, noon + timedelta(hours=1), 20, film, **shape)
    later = noon + timedelta(hours=3)
    shelf.segment(1, later, 600, None, **{**shape, "codec": "h265", "codecs": "hvc1.1.6.L93.B0"})
    shelf.recording(1, noon, 4000, name="Delivery")
    engine.dispose()
    return noon


@pytest.fixture(scope="module")
def run_monitor(monitor: Running) -> Running:
    return monitor


def picture(page: Page) -> list[int]:
    """Some pixels of the film as it is shown now."""
    return page.evaluate(
        """() => {
          const video = document.querySelector("#film video");
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [32, 18];
          const context = canvas.getContext("2d");
          context.drawImage(video, 0, 0, 32, 18);
          return [...context.getImageData(0, 0, 32, 18).data];
        }"""
    )


def click_at(page: Page, part: float) -> None:
    """Click on the line of the day, at a part of its width."""
    box = page.locator("#line").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * part, box["y"] + 27)


def wait_for_time(page: Page, least: float) -> None:
    page.wait_for_function(
        "least => { const v = document.querySelector('#film video');"
        " return v.readyState >= 2 && v.currentTime >= least; }",
        arg=least,
    )


def test_a_click_on_the_line_plays_and_the_pixels_change(
    tab: Tab, monitor: Running, filmed: datetime
) -> None:
    day = filmed.astimezone().date()
    page = tab(monitor, f"/recordings/1?day={day}")
    click_at(page, 0.4)  # hours before anything was recorded: the next one plays
    wait_for_time(page, 0.3)
    first = picture(page)
    page.wait_for_function(
        "start => document.querySelector('#film video').currentTime > start + 1",
        arg=page.evaluate("document.querySelector('#film video').currentTime"),
    )
    assert picture(page) != first
    assert len(set(first)) > 8, "it is a picture, not one colour"
    expect(page.locator(".film-time")).to_contain_text("12:00:0")
    page.locator(FILM).evaluate("video => video.pause()")
    page.wait_for_function("() => new URLSearchParams(location.search).has('at')")
    at = page.evaluate("new URLSearchParams(location.search).get('at')")
    assert timedelta() <= datetime.fromisoformat(at) - filmed < timedelta(seconds=20)

    # The same moment again by its URL, and the next film by keyboard: three hours on, then Enter.
    page.goto(path(page))
    wait_for_time(page, 0.1)
    line = page.locator("#line")
    line.focus()
    line.press("PageUp")
    expect(line).to_have_attribute("aria-valuetext", re.compile(r"^13:00:[0-2]\d$"))
    line.press("Enter")
    expect(page.locator(".film-time")).to_contain_text("13:00:")
    for width in (360, 768):
        page.set_viewport_size({"width": width, "height": 800})
        assert overflow(page) <= 0


def test_a_film_that_the_browser_cannot_play_is_told_with_the_ways_out(
    tab: Tab, monitor: Running, filmed: datetime
) -> None:
    at = (filmed + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    page = tab(monitor, f"/recordings/1?day={filmed.astimezone().date()}")
    body = {
        "url": "/api/cameras/1/playback.mp4",
        "at": at,
        "position": 0,
        "duration": 600,
        "type": 'video/mp4; codecs="hvc1.1.6.L93.B0"',
        "codec": "h265",
        "pieces": [{"at": at, "position": 0, "seconds": 600}],
    }
    page.route("**/api/cameras/1/playback?*", lambda route: route.fulfill(json=body))
    click_at(page, 0.7)
    problem = page.locator(".film-problem")
    expect(problem).to_contain_text("This browser cannot play H.265.")
    expect(problem).to_contain_text("H.265 decoder")
    # Nothing of it was recorded on this day.
    expect(problem.get_by_role("link", name="Show the sub stream")).to_have_count(0)
    expect(problem.get_by_role("link", name="Download the recording")).to_be_visible()


def test_the_button_copies_a_link_that_plays_without_a_login(
    tab: Tab, monitor: Running, filmed: datetime
) -> None:
    page = tab(monitor, "/recordings")
    page.get_by_role("link", name="Copy link to Delivery").click()
    expect(page.get_by_role("heading", name="Link to Delivery")).to_be_visible()
    page.wait_for_load_state()
    page.get_by_label("7 days").check()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".toast")).to_contain_text("Copied")
    link = page.locator("#recording-link").inner_text()
    assert link.startswith(f"http://127.0.0.1:{monitor.port}/api/recordings/1/shared.mp4?until=")
    ends = int(re.findall(r"until=(\d+)", link)[0])
    assert abs(ends - datetime.now(UTC).timestamp() - 7 * 86_400) < 600
    assert page.request.head(link).status == 200
