"""What the CCTV system documents, from the first request to the downloaded file, with real cameras:
one with Digest, sound of telephones and a sub stream of pictures, one with Basic."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest

from tests.gst_server import gst_server, needs_gst
from tests.home import Running, running, until
from tests.web.live_pictures import PICTURE, following

pytestmark = needs_gst
PATH = "/v0/api/cctv"
CAMERAS = {
    "127.84.0.1": ("--digest", "--audio", "pcma", "--sub", "mjpeg", "--size", "640x360"),
    "127.84.0.2": (),
}
DIGEST, BASIC = CAMERAS
G711 = "The sound (G.711) is recorded as AAC."


@dataclass
class Site:
    """A monitor that knows no camera yet, and where the cameras are."""

    monitor: Running
    ports: dict[str, int]

    def ask(self, method: str, path: str, body: Any = None, code: int = 200) -> Any:
        answer = self.monitor.request(method, PATH + path, body)
        assert answer.status == code, answer.body
        return answer.json

    def add(self, address: str, **more: Any) -> int:
        """Add a camera by the documented example."""
        place = f"{address}:{self.ports[address]}"
        body = {
            "name": "Front Door Camera",
            "description": "Main entrance monitoring",
            "ip_address": address,
            "port": self.ports[address],
            "username": "admin",
            "password": "password123",
            "rtsp_url": f"rtsp://admin:password123@{place}/stream1",
            "location": f"Front Door {address}",
            **more,
        }
        return int(self.ask("POST", "/cameras/", body, 201)["id"])

    def file(self, recording: int) -> Any:
        """The downloaded file, opened."""
        answer = self.monitor.get(f"{PATH}/recordings/{recording}/download/")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "video/mp4")
        return av.open(io.BytesIO(answer.body))

    def recorded(self, camera: int) -> Any:
        """The answer that starts a recording, once there is something in its file."""
        started = self.ask("POST", f"/cameras/{camera}/start_recording/", MANUAL, 201)
        state = f"/cameras/{camera}/recording_status/"
        until(lambda: self.ask("GET", state)["size"], 30, "it is recorded")
        return started["recording"]

    def stop(self, camera: int, recording: int) -> Any:
        """Stop it; the recording as it is shown from the moment on at which it is complete."""
        path = f"/recordings/{recording}/"
        self.ask("POST", f"/cameras/{camera}/stop_recording/")
        until(lambda: self.ask("GET", path)["status"] != "recording", 30, "its file is closed")
        return self.ask("GET", path)


MANUAL = {"duration_minutes": 60, "recording_name": "Manual Security Check"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("cctv")
    login = ("--login", "admin:password123")
    with (
        gst_server(DIGEST, *login, *CAMERAS[DIGEST]) as first,
        gst_server(BASIC, *login, *CAMERAS[BASIC]) as second,
        running(folder) as monitor,
    ):
        yield Site(monitor, {DIGEST: first, BASIC: second})


@pytest.mark.parametrize("address", CAMERAS)
def test_a_camera_is_added_watched_recorded_and_downloaded(site: Site, address: str) -> None:
    camera = site.add(address, auto_record=False, record_quality="high")
    checked = site.ask("POST", f"/cameras/{camera}/test_connection/")
    assert (checked["success"], checked["status"]) == (True, "online")
    recording = site.recorded(camera)
    path = f"{PATH}/cameras/{camera}/stream/?quality=main"
    with following(site.monitor, path, **{"User-Agent": "A browser"}) as live:
        until(lambda: live.data.count(b"\xff\xd9\r\n--picture") > 2, what="pictures")
        (session,) = site.ask("GET", "/streams/active/")
    assert (session["camera"], session["quality"], session["kind"]) == (camera, "main", "mjpeg")
    assert (session["client_ip"], session["user_agent"]) == ("127.0.0.1", "A browser")
    shown = site.stop(camera, recording["id"])
    assert (shown["name"], shown["status"]) == ("Manual Security Check", "completed")
    size = "640x360" if address == DIGEST else "320x240"
    assert (shown["resolution"], shown["codec"]) == (size, "h264")
    assert shown["frame_rate"] == pytest.approx(15, abs=2)
    sound = ("aac", [G711]) if address == DIGEST else (None, [])
    assert (shown["audio"], shown["notes"]) == sound
    listed = next(row for row in site.ask("GET", "/recordings/") if row["id"] == shown["id"])
    assert {**listed, "parts": shown["parts"]} == shown
    with site.file(recording["id"]) as file:
        pictures = sum(1 for _ in file.decode(video=0))
        assert pictures / 15 == pytest.approx(shown["duration"], abs=1)
        assert len(file.streams.audio) == (address == DIGEST)


def test_the_small_stream_may_be_of_pictures(site: Site) -> None:
    camera = site.add(DIGEST, location="Yard", sub_path="/stream2", record_quality="low")
    with following(site.monitor, f"{PATH}/cameras/{camera}/stream/?quality=sub") as live:
        until(lambda: live.data.count(b"\xff\xd9\r\n--picture") > 2, what="pictures")
        assert live.answer.headers["X-Stream"] == "sub"
        assert "X-Note" not in live.answer.headers
    with following(site.monitor, f"/api/live?tiles={camera}:sub") as page:
        until(lambda: page.frames(0, PICTURE), what="a picture in a tile")
    recording = site.recorded(camera)
    assert recording["stream"] == "sub"
    shown = site.stop(camera, recording["id"])
    assert (shown["status"], shown["codec"], shown["resolution"]) == (
        *("completed", "mjpeg"),
        "640x360",
    )
    with site.file(recording["id"]) as file:
        assert next(file.decode(video=0)).width == 640


def test_a_schedule_records_from_its_activation_until_it_is_deactivated(site: Site) -> None:
    camera = site.add(BASIC, location="Gate")
    body = {"name": "All day", "camera": str(camera), "schedule_type": "continuous"}
    schedule = site.ask("POST", "/schedules/", {**body, "is_active": False}, 201)["id"]
    state = f"/cameras/{camera}/recording_status/"
    assert not site.ask("GET", state)["is_recording"]
    site.ask("POST", f"/schedules/{schedule}/activate/")
    until(lambda: site.ask("GET", state)["size"], 30, "it is recorded")
    recording = site.ask("GET", state)["recording"]
    assert (recording["kind"], recording["schedule"]) == ("schedule", schedule)
    site.ask("POST", f"/schedules/{schedule}/deactivate/")
    until(lambda: not site.ask("GET", state)["is_recording"], what="it has ended")
    path = f"/recordings/{recording['id']}/"
    until(lambda: site.ask("GET", path)["status"] == "completed", 30, "its last file is closed")


def test_a_camera_with_auto_record_is_recorded_until_it_is_switched_off(site: Site) -> None:
    camera = site.add(BASIC, location="Cellar", auto_record=True)
    state = f"/cameras/{camera}/recording_status/"
    until(lambda: site.ask("GET", state)["size"], 30, "it is recorded")
    recording = site.ask("GET", state)["recording"]
    assert (recording["kind"], recording["schedule"]) == ("auto", None)
    site.ask("PUT", f"/cameras/{camera}/", {"auto_record": False})
    until(lambda: not site.ask("GET", state)["is_recording"], what="it has ended")
    path = f"/recordings/{recording['id']}/"
    until(lambda: site.ask("GET", path)["status"] == "completed", 30, "its last file is closed")
