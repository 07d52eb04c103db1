"""The pages of stills without script: the newest one, the hours of a day, the contact sheet."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from urllib.parse import urlencode

import pytest

from fleet.model import Miss
from fleet.pictures import NotTaken
from simulators.panasonic import Camera
from stills import still_rows
from stills.build import StillsPackage
from stills.hours import NONE, TAKEN, Hour
from stills.model import ASKED, HOUR, Missed, Still
from tests.home import Clock, Home
from tests.web.browser import Browser, Element
from tests.web.still_cameras import StillCameras, add_cameras
from video.folder_proof import FolderProof
from web.pages import stills

GATE = "/cameras/1/stills"


@dataclass
class Studio:
    """Gate (1) with a still at 09:00 and one at 11:30, and a reason for 10:00; Shed (2) with one
    at 09:00; Attic (3) without stills; Panel (4), which cannot give any. It is 12:00."""

    home: Home
    cameras: StillCameras

    def visit(self, path: str) -> Element:
        return Browser(self.home.client).visit(path)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    clock = Clock()
    panel = Camera("d4:2d:c5:00:00:04", "127.20.0.9", "Panel")
    home = Home(tmp_path_factory.mktemp("stills"), clock, panel, stills_interval=3600)
    try:
        noon = clock.now
        cameras = add_cameras(home, "Gate", "Shed", "Attic")
        home.scan()
        package = home.monitor.packages.find(StillsPackage)
        clock.now = noon - timedelta(hours=3)
        for number in (1, 2):
            package.stills.take(number, why=HOUR, slot=clock.now)
        reason = "The camera was offline."
        missed = Missed(1, noon - timedelta(hours=2), reason)
        still_rows.miss(home.monitor.journal.engine, [missed])
        clock.now = noon - timedelta(minutes=30)
        package.stills.take(1)
        clock.now = noon
        yield Studio(home, cameras)
    finally:
        home.close()


def items_of(page: Element) -> dict[str, Element]:
    items = page.find_one("div", id="hours").find("li")
    return {item.find("b")[0].text: item for item in items if item.find("b")}


def local(studio: Studio, hours: float) -> str:
    at = studio.home.clock() + timedelta(hours=hours)
    return at.astimezone().strftime("%H:%M")


def test_the_page_comes_at_once_with_the_last_still_and_its_age(studio: Studio) -> None:
    asked = len(studio.cameras.asked)
    page = studio.visit(GATE)
    newest = page.find_one("div", id="newest")
    assert "Taken 30 min ago" in newest.text
    assert "640 x 360" in newest.text
    assert "Half size." in newest.text
    links = newest.find("a")
    full = links[0]["href"]
    assert [link["href"] for link in links] == [full, full]
    assert links[1].text == (studio.home.clock() - timedelta(minutes=30)).astimezone().strftime(
        "%Y-%m-%d %H:%M:%S"
    )
    assert newest.find_one("img")["src"] == f"{full}?size=thumbnail"
    assert len(studio.cameras.asked) == asked


def test_without_script_the_browser_asks_for_the_new_still_itself(studio: Studio) -> None:
    (picture,) = studio.visit(GATE).find_one("noscript").find("img")
    answer = studio.home.client.get(picture["src"])
    assert answer.mimetype == "image/jpeg"
    assert answer.headers["X-Taken-At"].startswith(f"{studio.home.clock():%Y-%m-%dT%H:%M}")


def test_the_hours_of_today_have_a_still_or_the_reason(studio: Studio) -> None:
    page = studio.visit(GATE)
    hours = items_of(page)
    assert len(hours) == 24
    assert hours[local(studio, -3)].find("img")
    missed = hours[local(studio, -2)]
    assert "Missed" in missed.text
    assert "The camera was offline." in missed.text
    assert not missed.find("img")
    assert "To come" in hours[local(studio, 3)].text
    assert "No still" in hours[local(studio, -5)].text


def test_an_hour_shows_the_still_that_was_due_or_else_its_first(studio: Studio) -> None:
    device, begin = studio.home.device(), studio.home.clock() - timedelta(hours=4)
    first, second, due = (
        Still(id, 1, begin, True, "snapshot", 64, 48, 9, f"{id}.jpg", ASKED) for id in (1, 2, 3)
    )
    due = replace(due, why=HOUR, slot=begin)
    for taken, main, others in (
        ((first, due, second), due, [first, second]),
        ((first, second), first, [second]),
        ((), None, []),
    ):
        hour = Hour(begin, begin + timedelta(hours=1), TAKEN if taken else NONE, taken)
        shown = stills._shown_hour(device, 8, hour)
        assert (shown.shown and shown.shown.still) == main
        assert [other.still for other in shown.others] == others


def test_other_days_are_a_link_away_and_take_nothing(studio: Studio) -> None:
    today = studio.home.clock().astimezone().date()
    slot = studio.home.clock() - timedelta(days=1)
    still_rows.miss(studio.home.monitor.journal.engine, [Missed(1, slot, "It was off.")])
    page = studio.visit(GATE)
    before = page.find_one("a", rel="prev")["href"]
    assert before == f"{GATE}?day={today - timedelta(days=1)}"
    assert not page.find("a", rel="next")
    earlier = studio.visit(before)
    assert not earlier.find("div", id="newest")
    assert not [img for img in earlier.find("img") if "take=1" in img.get("src", "")]
    assert "0 of 24 hours have a still" in earlier.text
    assert not earlier.find("a", rel="prev")
    assert earlier.find_one("a", rel="next")["href"] == f"{GATE}?day={today}"
    later = studio.visit(f"{GATE}?day={today + timedelta(days=3)}")
    assert "has not begun" in later.text
    page = studio.visit(f"{GATE}?day=soon")
    assert "24 hours" in page.text
    assert f"soon is not a date such as {today}. This is today." in page.text


def test_a_clock_that_was_not_set_has_its_days_too(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio.home.clock, "now", datetime(1970, 1, 1, 0, 10, tzinfo=UTC))
    page = studio.visit(GATE)
    assert "0 of 24 hours have a still" in page.text
    assert "3 h ago" not in page.text
    today = studio.home.clock().astimezone().date()
    assert "0 of 24 hours have a still" in studio.visit(f"{GATE}?day={today}").text
    assert studio.visit("/stills").find("ul", **{"class": "contact-sheet"})


def test_the_time_lapse_of_a_day_is_made_by_a_form_and_shown(studio: Studio) -> None:
    day = studio.home.clock().astimezone().date()
    part = studio.visit(f"{GATE}?day={day}").find_one("section", id="day-film")
    assert "Download all" in part.text
    answer = studio.home.client.post(f"{GATE}/film", data={"day": f"{day}", "do": "make"})
    assert answer.headers["Location"] == f"{GATE}?day={day}#day-film", answer.text
    pause = Event()
    while not (part := studio.visit(GATE).find_one("section", id="day-film")).find("video"):
        assert "Making the time-lapse: " in part.text
        assert part.find("button")[0].text == "Cancel"
        pause.wait(0.05)
    with studio.home.client.get(part.find_one("video")["src"]) as film:
        assert film.mimetype == "video/mp4"
    assert not studio.visit(f"{GATE}?day={day - timedelta(days=3)}").find("section", id="day-film")
    answer = studio.home.client.post(f"{GATE}/film", data={"day": f"{day}", "do": "cancel"})
    assert answer.status_code == 303


def test_the_interval_is_shown_in_words_and_changed_by_a_form(studio: Studio) -> None:
    browser = Browser(studio.home.client)
    (part,) = browser.visit(GATE).find("section", **{"aria-labelledby": "interval-title"})
    assert "A still is taken every hour. The next one is due in " in part.text
    chosen = [option.text for option in part.find("option") if "selected" in option.attributes]
    assert chosen == ["Default (every hour)"]
    assert part.find_one("label").text.startswith("Automatic stills")

    def choose(interval: str) -> str:
        answer = studio.home.client.post(f"{GATE}/interval", data={"interval": interval})
        assert answer.headers["Location"] == GATE, answer.text
        (part,) = browser.visit(GATE).find("section", **{"aria-labelledby": "interval-title"})
        return part.text

    assert "every 10 min" in choose("600")
    assert "No still is taken automatically." in choose("0")
    assert "taken every 2 min" in choose("120")
    assert "taken every hour" in choose("")
    answer = studio.home.client.post(f"{GATE}/interval", data={"interval": "soon"})
    assert answer.status_code == 422


def test_a_camera_that_can_give_none_says_what_to_enter(studio: Studio) -> None:
    page = studio.visit("/cameras/4/stills")
    assert "No stream or snapshot" in page.text
    assert page.find("a", href="/cameras/4/connection")
    assert not [part for part in page.all() if "data-take" in part.attributes]


def test_the_contact_sheet_shows_the_newest_of_each_camera(studio: Studio) -> None:
    page = studio.visit("/stills")
    sheet = {
        item.find("b")[0].text: item
        for item in page.find_one("ul", **{"class": "contact-sheet"}).find("li")
    }
    assert list(sheet) == ["Attic", "Gate", "Shed"]
    assert "First still due at " in sheet["Attic"].text
    assert "3 h ago" in sheet["Shed"].text
    assert sheet["Shed"].find("img")
    assert sheet["Gate"].find("a", href=GATE)


def test_all_cameras_at_the_same_hour(studio: Studio) -> None:
    today = studio.home.clock().astimezone().date()
    number = (studio.home.clock() - timedelta(hours=2)).astimezone().hour
    page = studio.visit(f"/stills?day={today}&hour={number}")
    sheet = {
        item.find("b")[0].text: item
        for item in page.find_one("ul", **{"class": "contact-sheet"}).find("li")
    }
    assert "The camera was offline." in sheet["Gate"].text
    assert not sheet["Shed"].find("img")
    assert "ZIP" not in page.text
    earlier = studio.visit(page.find_one("a", rel="prev")["href"])
    sheet = {
        item.find("b")[0].text: item
        for item in earlier.find_one("ul", **{"class": "contact-sheet"}).find("li")
    }
    assert sheet["Gate"].find("img")
    assert sheet["Shed"].find("img")
    assert sheet["Gate"].find("a", href=f"{GATE}?day={today}")
    (download,) = [link for link in earlier.find("a") if "ZIP" in link.text]
    assert studio.home.client.get(download["href"]).mimetype == "application/zip"
    later = studio.visit(f"/stills?day={today + timedelta(days=1)}")
    assert "has not begun" in later.text
    assert "Shed" in later.text
    odd_day = studio.visit("/stills?day=soon").text
    assert f"soon is not a date such as {today}. These are the newest stills." in odd_day
    for odd in ("?hour=99", "?day=x&hour=y", f"?day={today}&hour=-1", "?page=9999", "?site=none"):
        studio.visit(f"/stills{odd}")


def test_the_list_and_the_details_show_the_newest_still_with_its_age(studio: Studio) -> None:
    page = studio.visit("/?columns=still")
    cells = [cell for cell in page.find("td") if cell.get("class") == "c-still"]
    shown = [cell for cell in cells if cell.find("img")]
    assert len(cells) == 4
    assert len(shown) == 2
    assert all("ago" in cell.text or "just now" in cell.text for cell in shown)
    (part,) = studio.visit("/cameras/2").find("section", **{"aria-label": "Stills"})
    assert "3 h ago" in part.text
    assert part.find("a", href="/cameras/2/stills")
    (part,) = studio.visit("/cameras/3").find("section", **{"aria-label": "Stills"})
    assert "Take the first still" in part.text
    assert not studio.visit("/cameras/4").find("section", **{"aria-label": "Stills"})


def test_add_camera_shows_the_still_of_a_device_at_the_same_address(studio: Studio) -> None:
    form = {"address": "127.83.2.2", "do": "untested", "protocol": "onvif", "name": "Twin"}
    answer = studio.home.client.post("/cameras/add", data=form)
    assert answer.status_code == 422, answer.status_code
    assert "Its newest still" in answer.text
    assert "3 h ago" in answer.text


def sheet_item(page: Element, name: str) -> str:
    items = page.find_one("ul", **{"class": "contact-sheet"}).find("li")
    return next(item.text for item in items if item.find("b")[0].text == name)


def test_the_sheet_says_why_a_camera_has_no_still_yet(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = studio.home.monitor.packages.find(StillsPackage)
    assert "First still due at 1" in sheet_item(studio.visit("/stills"), "Attic")
    with monkeypatch.context() as patch:
        patch.setattr(studio.cameras, "trouble", NotTaken("The camera refused the connection."))
        studio.home.clock.forward(minutes=20)
        package.hourly.run()
    refused = sheet_item(studio.visit("/stills"), "Attic")
    assert "No still yet" in refused
    assert "The camera refused the connection." in refused
    studio.home.clock.forward(minutes=-20)
    tracker, at = studio.home.monitor.tracker, studio.home.clock()
    miss = Miss("id:3", "rtsp", at, "connection refused", asked=at)
    tracker.apply([miss, replace(miss, at=at + timedelta(seconds=1))], at)
    assert "Offline since 1 Mar 2026" in sheet_item(studio.visit("/stills"), "Attic")


def test_the_day_of_the_sheet_is_that_of_its_hours(studio: Studio) -> None:
    today = studio.home.clock().astimezone().date()
    browser = Browser(studio.home.client)
    form = browser.visit("/stills").find_one("form", action="/stills")
    assert form.find_one("input", name="day")["value"] == str(today)
    fields = {field["name"]: field["value"] for field in form.find("input")}
    assert "The newest of each camera" in browser.visit(f"/stills?{urlencode(fields)}").text
    assert "The newest of each" not in browser.visit(f"/stills?day={today}").text


def test_a_folder_that_cannot_be_used_is_said_on_the_sheet(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shelf = studio.home.monitor.packages.find(StillsPackage).shelf
    proof = FolderProof(Path("/proc/x"), tmp_path)
    monkeypatch.setattr(shelf, "_prove", proof.prove_identity)
    assert "/proc/x" in studio.visit("/stills").find_one("p", **{"class": "notice"}).text
