"""Live pictures in a real browser: they move, and when they stop the page says so by itself."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from simulators.rtsp import RtspServers
from simulators.rtsp_device import RtspDevice
from simulators.rtsp_sdp import Stream
from tests.gst_server import gst_server, needs_gst, stalled
from tests.home import Running, free_port, until
from tests.video.clips import make
from tests.web.chromium import Listener, Tab
from tests.web.live_pictures import DEAD, GATE, H265, JPEG, add, monitor_with
from tests.web.pages.test_wall import wall

pytestmark = needs_gst
SOUND, WIDE, LARGE = 5, 6, 7
"""A camera with H.264 and sound, one with pictures that are wider than a tile, and one with H.265
whose sub stream is H.264."""
COLOURS = """(picture) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 48];
  const brush = canvas.getContext("2d");
  brush.drawImage(picture, 0, 0, 64, 48);
  return [...brush.getImageData(0, 0, 64, 48).data].join();
}"""

HIDE = """(isHidden) => {
  Object.defineProperty(document, "hidden", { get: () => isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with (
        gst_server("127.83.0.5", "--audio", "pcma") as port,
        gst_server("127.83.0.6", "--codec", "mjpeg", "--size", "1280x720", "--fps", "5") as wide,
        gst_server("127.83.0.7", "--codec", "h265", "--sub", "h264") as large,
        monitor_with(tmp_path_factory.mktemp("player"), H265, JPEG) as started,
    ):
        add(started, SOUND, f"rtsp://127.83.0.5:{port}/stream1", "", "")
        add(started, WIDE, f"rtsp://127.83.0.6:{wide}/stream1", "", "")
        add(started, LARGE, f"rtsp://127.83.0.7:{large}/stream1", "", "")
        yield started


def live(page: Page) -> Locator:
    return page.locator(".live").first


def colours(picture: Locator) -> str:
    return str(picture.evaluate(COLOURS))


def wait_until_it_moves(picture: Locator) -> None:
    """The picture is not black, and its pixels become other ones."""
    first = until(lambda: _not_black(picture), what="there is a picture")
    until(lambda: colours(picture) != first, what="the picture moves")


def _not_black(picture: Locator) -> str:
    shown = colours(picture)
    return shown if {*shown.split(",")} - {"0", "255"} else ""


@contextmanager
def stopped(monitor: Running) -> Iterator[None]:
    """The server exists and does nothing."""
    assert monitor.process is not None
    os.killpg(monitor.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(monitor.process.pid, signal.SIGCONT)


def streams(monitor: Running) -> Any:
    return monitor.get("/v0/api/cctv/streams/active/").json


def test_the_details_show_a_camera_that_moves_and_the_server_that_stops(
    tab: Tab, monitor: Running, listener: Listener
) -> None:
    page = tab(monitor, f"/cameras/{GATE}")
    expect(live(page).locator(".live-text")).to_have_text("Live")
    wait_until_it_moves(live(page).locator("video"))
    (session,) = streams(monitor)
    assert (session["camera"], session["kind"]) == (GATE, "wall")
    listener.allowed += ["net::ERR", "Failed to load resource"]
    with stopped(monitor):
        text = live(page).locator(".live-text")
        expect(text).to_contain_text("No signal since")
        expect(live(page)).to_have_class("live is-old")
    expect(live(page).locator(".live-text")).to_have_text("Live")
    wait_until_it_moves(live(page).locator("video"))


def test_details_that_are_renewed_go_on_showing_the_same_picture(
    tab: Tab, monitor: Running
) -> None:
    page = tab(monitor, f"/cameras/{GATE}")
    expect(live(page).locator(".live-text")).to_have_text("Live")
    page.evaluate("document.querySelector('.live').dataset.mark = 'same'")
    (before,) = streams(monitor)
    assert monitor.request("PATCH", f"/api/camera/{GATE}", {"notes": "renewed"}).status == 200
    expect(page.locator("#detail .notes")).to_have_text("renewed")
    assert live(page).get_attribute("data-mark") == "same"
    wait_until_it_moves(live(page).locator("video"))
    assert [row["id"] for row in streams(monitor)] == [before["id"]]
    page.locator("#close").click()
    until(lambda: streams(monitor) == [], what="nobody watches after the details are closed")


def test_the_button_records_and_the_picture_goes_on(tab: Tab, monitor: Running) -> None:
    page = tab(monitor, f"/cameras/{GATE}")
    expect(live(page).locator(".live-text")).to_have_text("Live")
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("Recording started")
    state = f"/v0/api/cctv/cameras/{GATE}/recording_status/"
    until(lambda: monitor.get(state).json["is_recording"], what="it records")
    wait_until_it_moves(live(page).locator("video"))
    expect(page.locator(".live-acts")).to_contain_text("Manual recording, until ")
    page.get_by_role("button", name="Stop recording").click()
    until(lambda: not monitor.get(state).json["is_recording"], what="it does not record")
    page = tab(monitor, f"/cameras/{GATE}", java_script_enabled=False)
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_role("button", name="Stop recording").click()
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_visible()


@pytest.fixture
def joined_midway(tmp_path: Path) -> Iterator[RtspServers]:
    """A camera whose next key frame does not come for a minute."""
    x264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "900", "-bsf:v")
    clip = make(tmp_path / "long.h264", *x264, "filter_units=remove_types=5-6", seconds=60)
    device = RtspDevice("127.83.2.1", streams={"/stream1": Stream(clip=str(clip))})
    with RtspServers([device], free_port()) as servers:
        yield servers


def test_a_picture_that_has_to_wait_for_a_key_frame_says_so(
    tab: Tab, monitor: Running, joined_midway: RtspServers
) -> None:
    url = f"rtsp://127.83.2.1:{joined_midway.port}/stream1"
    body = {"name": "Long", "rtsp_url": url, "vendor": "other"}
    added = monitor.request("POST", "/v0/api/cctv/cameras/", body)
    assert added.status == 201, added.body
    number = added.json["id"]
    text = live(tab(monitor, f"/cameras/{number}")).locator(".live-text")
    expect(text).to_have_text("Waiting for a key frame", timeout=30_000)


def test_pages_say_that_nothing_arrives_for_a_running_recording(monitor: Running) -> None:
    body = {"name": "Off", "rtsp_url": "rtsp://127.81.0.250:9/live", "vendor": "other"}
    number = monitor.request("POST", "/v0/api/cctv/cameras/", body).json["id"]
    path = f"/v0/api/cctv/cameras/{number}"
    assert monitor.request("POST", f"{path}/start_recording/", {}).status == 201
    reason = until(lambda: monitor.get(f"{path}/recording_status/").json["reason"])
    details, rows = (
        monitor.get(page).body.decode() for page in (f"/cameras/{number}", "/recordings")
    )
    assert f"Nothing is being recorded now: {reason}" in details
    assert f"No video received: {reason}" in rows
    assert monitor.request("POST", f"{path}/stop_recording/", {}).status == 200


def test_pictures_move_in_a_page_without_script(tab: Tab, monitor: Running) -> None:
    page = tab(monitor, f"/cameras/{GATE}", java_script_enabled=False)
    link = page.get_by_role("link", name="Open as pictures (MJPEG)")
    path = link.get_attribute("href")
    page = tab(monitor, "/account")
    page.evaluate(
        "(path) => { const img = new Image(); img.src = path; document.body.prepend(img); }", path
    )
    wait_until_it_moves(page.locator("img").first)
    page.close()
    until(lambda: streams(monitor) == [], what="nobody watches any more")


def test_a_codec_that_the_browser_cannot_play_is_named_with_the_ways_out(
    tab: Tab, monitor: Running
) -> None:
    page = tab(monitor, f"/cameras/{H265}")
    expect(live(page).locator(".live-text")).to_have_text("This browser cannot play H.265.")
    expect(live(page).get_by_role("link", name="Download")).to_be_visible()
    live(page).get_by_role("button", name="Show as pictures (MJPEG)").click()
    wait_until_it_moves(live(page).locator("img"))
    expect(live(page).locator(".live-text")).to_have_text("Live")


def test_the_sub_stream_is_another_way_out(tab: Tab, monitor: Running) -> None:
    form = urlencode(wall(LARGE, stream=["main"]), doseq=True)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    page = tab(monitor, "/wall/edit")
    page.goto(page.request.post("/wall", data=form, headers=kind).url)
    expect(live(page).locator(".live-text")).to_have_text("This browser cannot play H.265.")
    live(page).get_by_role("button", name="Show the sub stream").click()
    wait_until_it_moves(live(page).locator("video"))
    expect(live(page).locator(".live-text")).to_have_text("Live")
    (session,) = streams(monitor)
    assert (session["camera"], session["quality"]) == (LARGE, "sub")


def test_pictures_that_are_scaled_say_so(tab: Tab, monitor: Running) -> None:
    page = tab(monitor, f"/cameras/{WIDE}")
    wait_until_it_moves(live(page).locator("img"))
    expect(live(page).locator(".live-text")).to_have_text(
        "Live. Scaled from 1280×720 to 640 pixels wide."
    )
    page = tab(monitor, f"/cameras/{JPEG}")
    wait_until_it_moves(live(page).locator("img"))
    expect(live(page).locator(".live-text")).to_have_text("Live")


def test_a_camera_that_stalls_with_its_connection_open_has_no_signal(
    tab: Tab, monitor: Running
) -> None:
    page = tab(monitor, f"/cameras/{SOUND}")
    wait_until_it_moves(live(page).locator("video"))
    with stalled("127.83.0.5"):
        text = live(page).locator(".live-text")
        expect(text).to_contain_text("No signal since", timeout=60_000)
        assert "server does not respond" not in (text.text_content() or "")
        expect(live(page)).to_have_class("live is-old")
    wait_until_it_moves(live(page).locator("video"))


def test_a_camera_with_mjpeg_is_shown_and_one_that_is_off_says_why(
    tab: Tab, monitor: Running
) -> None:
    page = tab(monitor, f"/cameras/{JPEG}")
    wait_until_it_moves(live(page).locator("img"))
    page = tab(monitor, f"/cameras/{DEAD}")
    expect(live(page).locator(".live-text")).to_contain_text("No signal since")
    shown = live(page).locator(".live-text").inner_text()
    assert " AM" not in shown
    assert " PM" not in shown
    expect(live(page).locator(".live-text")).to_contain_text("Trying again.")


def test_sound_is_off_until_its_button_and_a_camera_without_any_says_so(
    tab: Tab, monitor: Running
) -> None:
    page = tab(monitor, f"/cameras/{SOUND}")
    button = live(page).get_by_role("button", name="Sound")
    expect(button).to_have_attribute("aria-pressed", "false")
    wait_until_it_moves(live(page).locator("video"))
    assert live(page).locator("video").evaluate("(video) => video.muted")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    heard = "(video) => !video.muted && !video.paused && video.webkitAudioDecodedByteCount > 0"
    until(lambda: live(page).locator("video").evaluate(heard), what="its sound is decoded")
    button.click()
    assert live(page).locator("video").evaluate("(video) => video.muted")
    expect(live(page).get_by_text("No sound")).to_be_hidden()
    page = tab(monitor, f"/cameras/{GATE}")
    expect(live(page).get_by_text("No sound")).to_be_visible()
    expect(live(page).get_by_role("button", name="Sound")).to_be_hidden()


def test_a_hidden_page_asks_nothing_of_a_camera(tab: Tab, monitor: Running) -> None:
    page = tab(monitor, f"/cameras/{GATE}")
    expect(live(page).locator(".live-text")).to_have_text("Live")
    page.evaluate(HIDE, True)
    until(lambda: streams(monitor) == [], 10, "its traffic has ended")
    page.evaluate(HIDE, False)
    until(lambda: len(streams(monitor)) == 1, what="it is back")
    wait_until_it_moves(live(page).locator("video"))
