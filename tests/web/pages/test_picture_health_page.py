"""The page of picture health without script; and in a real browser, of a real RTSP camera that
shows another picture after its reference was set."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from fleet.model import Finding
from fleet.pictures import NotTaken
from picture_health.build import PictureHealthPackage
from picture_health.camera_health import SOURCE
from tests.gst_server import gst_server, needs_gst
from tests.home import Clock, Home, Running, running
from tests.web.browser import Browser, Element
from tests.web.chromium import Listener, Tab, overflow
from tests.web.closed import body_of
from tests.web.health_cameras import BLACK, SCENE, HealthCameras, health_cameras
from tests.web.still_cameras import add_cameras

PAGE, API = "/cameras/1/picture-health", "/api/cameras/1/picture-health"
ADDRESS = "127.83.9.1"


# -- without script --------------------------------------------------------------------------


@dataclass
class Studio:
    """Gate (1), whose pictures are judged when a test says so."""

    home: Home
    cameras: HealthCameras

    def visit(self, path: str = PAGE) -> Element:
        return Browser(self.home.client).visit(path)

    def press(self, do: str, status: int = 303, **fields: Any) -> str:
        """Send the form of a button; the text of what the browser then shows."""
        self.home.clock.forward(seconds=1)  # type: ignore[attr-defined]
        answer = self.home.client.post(PAGE, data={"do": do, **fields})
        assert answer.status_code == status, answer.text
        shown = answer if status != 303 else self.home.client.get(answer.headers["Location"])
        return str(shown.text)

    def set(self, **changes: Any) -> None:
        body_of(self.home.client.patch(API, json=changes))

    def settings(self) -> Any:
        return body_of(self.home.client.get(API))["settings"]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = Home(tmp_path_factory.mktemp("health"), Clock())
    try:
        add_cameras(home, "Gate")
        yield Studio(home, health_cameras(home))
    finally:
        home.close()


def state_of(page: Element) -> str:
    return page.find_one("h2", id="state-title").text


def test_off_unknown_and_healthy_say_why_and_what_to_do(studio: Studio) -> None:
    studio.set(mode="off", repeats=True)
    page = studio.visit()
    assert state_of(page) == "Off"
    assert "Turned off for this camera" in page.text
    assert "Check now" not in page.text
    studio.set(mode="on", interval=86400)
    page = studio.visit()
    assert state_of(page) == "Unknown"
    assert "Not sampled since" in page.text
    assert "Without a reference" in page.text
    assert "Checked." in studio.press("check")
    assert state_of(studio.visit()) == "No fault found"
    studio.cameras.trouble = NotTaken("The camera is busy.", "Close it.")
    assert "The camera is busy. Close it." in studio.press("check", 503)
    assert "The camera is busy" in studio.visit().find_one("div", id="health").text
    studio.cameras.trouble = None


def test_every_button_works_without_script(studio: Studio) -> None:
    studio.set(mode="on", interval=86400, repeats=True)
    studio.cameras.shows = SCENE
    assert "Reference set." in studio.press("normal")
    still = body_of(studio.home.client.post("/api/cameras/1/stills"))["still"]["id"]
    assert "Reference set." in studio.press("normal", still=str(still))
    studio.cameras.shows = BLACK
    for _time in range(3):
        studio.press("check")
    page = studio.visit()
    assert state_of(page) == "1 fault found"
    card = page.find_one("section", **{"aria-labelledby": "fault-black"})
    assert [picture.find("b")[0].text for picture in card.find("figure")] == [
        "Reference",
        "Then",
        "Now",
    ]
    assert [image["alt"] for image in card.find("img")] == ["Reference", "Then", "Now"]
    for image in card.find("img"):
        assert studio.home.client.get(image["src"]).mimetype == "image/jpeg"
    assert "This is normal" not in card.text, "no reference makes a black picture good"
    (chip,) = (link for link in studio.visit("/cameras/1").find("a") if link.text == "Picture")
    assert chip["href"] == card.find("img")[1]["src"], "the event leads to the picture"
    assert studio.visit("/events").find("a", href=chip["href"])
    (picture,) = {part["value"] for part in card.find("input", name="picture")}
    assert "not reported" in studio.press("expected", picture=picture)
    page = studio.visit()
    assert not page.find("section", **{"aria-labelledby": "fault-black"})
    kept = [part["value"] for part in page.find("input", name="picture")]
    assert len(kept) == 3
    asked = [len(part.find("button", value="remove")) for part in page.find("details")]
    assert asked.count(1) == 3, "nothing is removed by one press"
    for number in kept:
        assert "Removed." in studio.press("remove", picture=number)
    assert not studio.visit().find("input", name="picture")
    assert "does not exist" in studio.press("remove", 404, picture="999")
    assert "cannot do this" in studio.press("dance", 422)


def test_a_frozen_picture_is_not_offered_as_expected(studio: Studio) -> None:
    studio.set(mode="off")
    studio.set(mode="on", interval=86400, sensitivity="high", repeats=False)
    studio.cameras.shows = SCENE
    for _time in range(4):
        studio.press("check")
    page = studio.visit()
    card = page.find_one("section", **{"aria-labelledby": "fault-frozen"})
    assert "turn on “Repeats its last picture” below" in card.text
    assert not page.find("button", value="expected"), "the normal view would be expected"
    (picture,) = body_of(studio.home.client.get(API))["faults"]
    number = picture["picture"].rpartition("/")[2]
    assert "A frozen picture cannot be expected." in studio.press("expected", 422, picture=number)
    assert card.find_one("button", value="repeats").text == "Repeats its last picture"
    assert "This camera is not reported as frozen." in studio.press("repeats")
    assert studio.settings()["repeats"] is True
    assert state_of(studio.visit()) == "No fault found"


def test_an_event_leads_to_its_picture_that_was_kept_after_it(studio: Studio) -> None:
    package = studio.home.monitor.packages.find(PictureHealthPackage)
    studio.cameras.shows = SCENE
    now, picture = studio.home.clock(), studio.cameras.take(1, 1)
    moved = Finding("id:1", "picture.moved", now, "it was moved", SOURCE)
    package.fleet.tracker.apply([moved], now)

    def chips() -> list[Element]:
        return [link for link in studio.visit("/cameras/1").find("a") if link.text == "Picture"]

    before = len(chips())
    sample = package.sampling.measured(picture)
    made = package.kept.scaled(1, picture, sample, "evidence", fault="moved")
    kept = package.kept.add(made)
    assert len(chips()) == before + 1
    assert chips()[0]["href"] == f"{API}/pictures/{kept.id}"
    package.fleet.tracker.apply([replace(moved, cleared=True)], now)


def test_the_form_keeps_what_was_typed_and_names_what_is_wrong(studio: Studio) -> None:
    form = {"mode": "on", "sensitivity": "high", "interval": "900", "line": ["0", "1"]}
    night = {"days-0": ["friday", "saturday"], "starts-0": "22:00", "ends-0": "06:30"}
    assert "Settings saved." in studio.press("save", **form, **night)
    settings = studio.settings()
    assert settings == {
        "mode": "on",
        "sensitivity": "high",
        "interval": 900,
        "repeats": False,
        "expected_hours": [
            {"days": ["friday", "saturday"], "starts": "22:00", "ends": "06:30"},
        ],
    }
    page = studio.visit()
    assert len(page.find("input", name="line")) == 2, "that of the hours, and an empty one"
    wrong = studio.press("save", 422, **form, **{**night, "ends-0": ""})
    assert 'role="alert"' in wrong
    assert 'value="22:00"' in wrong
    assert "Enter the time at which the expected hours end, such as 06:00." in wrong
    dayless = studio.press("save", 422, **form, **{"starts-0": "22:00"})
    assert "Choose at least one day." in dayless
    assert studio.settings() == settings
    assert "Settings saved." in studio.press("save", mode="off", sensitivity="low", line="0")
    assert studio.settings()["expected_hours"] == []


def test_the_details_of_the_camera_lead_to_the_page(studio: Studio) -> None:
    studio.set(mode="off")
    details = studio.visit("/cameras/1")
    assert details.find("a", href=PAGE)
    assert "Picture health: off" in details.text
    for path in (PAGE, "/cameras/1/stills", "/recordings/1"):
        back = studio.visit(path).find_one("a", href="/cameras/1")
        assert back.text == "Back to the camera", path


# -- in a browser ----------------------------------------------------------------------------


@dataclass
class Gate:
    """A real RTSP camera that shows one picture, and another one after it was restarted."""

    monitor: Running
    stack: ExitStack
    port: int = 0
    pattern: str = ""
    servers: list[ExitStack] = field(default_factory=list)

    def show(self, pattern: str) -> None:
        """Restart the camera with this picture, at the same port."""
        while self.servers:
            self.servers.pop().close()
        server = self.stack.enter_context(ExitStack())
        options = ("--pattern", pattern, "--gop", "1", "--port", str(self.port))
        self.port = server.enter_context(gst_server(ADDRESS, *options))
        self.servers.append(server)


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    folder: Path = tmp_path_factory.mktemp("gate")
    with running(folder, PICTURE_HEALTH_INTERVAL="0") as monitor, ExitStack() as stack:
        gate = Gate(monitor, stack)
        gate.show("pinwheel")
        body = {"name": "Loading dock", "rtsp_url": f"rtsp://{ADDRESS}:{gate.port}/stream1"}
        assert monitor.request("POST", "/api/cameras", body).status == 201
        settings = {"sensitivity": "high", "interval": 86400, "repeats": True}
        assert monitor.request("PATCH", API, settings).status == 200
        yield gate


def press(page: Page, name: str, done: str) -> None:
    """Press a button, and wait until the page says that it is done."""
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.locator("#health-said")).to_have_text(done)


def loaded(picture: Locator) -> str:
    """The URL of a picture that the page shows."""
    handle = picture.locator("img")
    expect(handle).to_be_visible()
    width = handle.evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert width > 0
    return str(handle.get_attribute("src"))


@needs_gst
def test_a_camera_that_shows_another_picture_is_found_with_three_pictures(
    gate: Gate, tab: Tab, listener: Listener
) -> None:
    page = tab(gate.monitor, PAGE)
    expect(page.locator("#state-title")).to_have_text("Unknown")
    press(page, "Check now", "Checked.")
    expect(page.locator("#state-title")).to_have_text("No fault found")
    press(page, "Use current picture", "Reference set.")
    expect(page.locator("#health .health-kept img")).to_have_count(1)
    assert gate.monitor.request("POST", "/api/cameras/1/stills").status == 201
    page.reload()
    page.get_by_text("Use a still").click()
    still = page.locator(".health-kept .still-box > img")
    expect(still).to_be_visible()
    for side in ("left", "right"):
        inside = f"image => image.parentElement.getBoundingClientRect().{side}"
        edge = f"image => image.getBoundingClientRect().{side}"
        assert still.evaluate(edge) == still.evaluate(inside), "no picture lies on the next one"
    gate.show("white")
    press(page, "Check now", "Checked.")
    expect(page.locator("#state-title")).to_have_text("A fault is suspected")
    press(page, "Check now", "Checked.")
    card = page.locator(".health-fault")
    expect(card).to_have_count(1)
    expect(card.locator("h2")).to_contain_text("Lens is covered")
    reference, then, now = (loaded(card.locator("figure").nth(place)) for place in range(3))
    assert len({reference, then, now}) == 3
    assert "newest" in now
    card.locator("figure a").nth(1).click()
    expect(page.locator("#enlarged")).to_be_visible()
    page.keyboard.press("Escape")
    details = tab(gate.monitor, "/cameras/1")
    details.get_by_role("link", name="Compare its pictures").click()
    expect(details.locator(".health-fault")).to_have_count(1)
    assert overflow(page) <= 0
    press(page, "Expected: do not report", "Saved. Similar pictures are not reported.")
    expect(card).to_have_count(0)
    press(page, "Check now", "Checked.")
    expect(page.locator("#state-title")).to_have_text("Expected")


@needs_gst
def test_the_page_says_what_it_does_and_why_it_could_not(
    gate: Gate, tab: Tab, listener: Listener
) -> None:
    listener.allowed.append("503")
    page = tab(gate.monitor, PAGE, viewport={"width": 360, "height": 780})
    held: list[Route] = []
    page.route("**/check", lambda route: held.append(route))
    button = page.get_by_role("button", name="Check now")
    button.click()
    expect(page.locator("#health-said")).to_contain_text("can take half a minute")
    expect(page.get_by_role("button", name="Checking...")).to_have_class("busy")
    body = '{"error": "The camera is busy", "hint": "Close it."}'
    held.pop().fulfill(status=503, content_type="application/json", body=body)
    expect(page.locator("#health-said")).to_have_text("The camera is busy. Close it.")
    expect(button).to_be_visible()
    assert overflow(page) <= 0
