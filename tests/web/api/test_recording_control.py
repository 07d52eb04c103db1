"""Recording by hand over the API: start, stop and status, for whom it is allowed."""

from collections.abc import Callable
from typing import Any

import pytest

from simulators.panasonic import Camera
from tests.home import Home
from video.build import VideoPackage
from video.recorder import Recorder

GATE = Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate")
Make = Callable[..., Home]


@pytest.fixture
def home(make_home: Make) -> Home:
    home = make_home(GATE)
    home.scan()
    return home


def recorder(home: Home) -> Recorder:
    return home.monitor.packages.find(VideoPackage).recorder


def ask(home: Home, method: str, what: str, body: Any = None, code: int = 200) -> Any:
    answer = home.client.open(f"/v0/api/cctv/cameras/1/{what}", method=method, json=body)
    assert answer.status_code == code, answer.json
    return answer.json


def test_the_documented_recording_is_started_shown_and_stopped(home: Home) -> None:
    assert ask(home, "GET", "recording_status/")["status"] is None
    body = {"duration_minutes": 60, "recording_name": "Manual Security Check"}
    started = ask(home, "POST", "start_recording/", body, 201)
    assert started["success"] is True
    recording = started["recording"]
    assert (recording["name"], recording["status"], recording["kind"]) == (
        "Manual Security Check",
        "recording",
        "manual",
    )
    assert recording["due_until"] == "2026-03-01T13:00:01+00:00"
    assert recording["url"] == f"/v0/api/cctv/recordings/{recording['id']}/"
    home.clock.forward(minutes=10)
    status = ask(home, "GET", "recording_status/")
    assert (status["is_recording"], status["status"]) == (True, "recording")
    assert (status["elapsed_seconds"], status["remaining_seconds"]) == (600, 3000)
    assert status["recordings"] == [recording]
    stopped = ask(home, "POST", "stop_recording/")
    assert stopped["recording"]["ended_at"] == "2026-03-01T12:10:01+00:00"
    recorder(home).step()
    status = ask(home, "GET", "recording_status/")
    assert (status["is_recording"], status["status"]) == (False, "failed")
    assert status["reason"] != ""
    events = home.events(kinds=("recording.started", "recording.failed"))
    assert [event.text for event in events] == [
        "Gate: recording Manual Security Check started",
        f"Gate: recording Manual Security Check failed ({status['reason'].removesuffix('.')})",
    ]
    texts = [entry.text for entry in home.monitor.audit.find(action="recording.")]
    assert texts == [
        "Recording Manual Security Check stopped",
        "Recording Manual Security Check started for 60 min",
    ]


def test_without_a_body_it_records_an_hour(home: Home) -> None:
    answer = home.client.post("/v0/api/cctv/cameras/1/start_recording")
    assert answer.status_code == 201
    assert answer.json["recording"]["name"] == "Manual recording"
    assert answer.json["recording"]["due_until"] == "2026-03-01T13:00:01+00:00"


def test_what_cannot_be_is_refused_in_words(home: Home) -> None:
    refused = ask(home, "POST", "stop_recording/", code=409)
    assert refused["error"] == "This camera is not being recorded"
    ask(home, "POST", "start_recording/", {"recording_name": "../../etc/a.mp4"}, 201)
    refused = ask(home, "POST", "start_recording/", {}, 409)
    assert refused["error"] == "This camera is already being recorded"
    for body in ({"duration_minutes": 0}, {"duration_minutes": 1441}, {"minutes": 5}):
        ask(home, "POST", "start_recording/", body, 422)
    missing = home.client.get("/v0/api/cctv/cameras/99/recording_status/")
    assert missing.status_code == 404


def test_a_name_is_never_part_of_a_path(home: Home) -> None:
    ask(home, "POST", "start_recording/", {"recording_name": "../../etc/a.mp4"}, 201)
    recorder(home).step()
    folder = home.settings.media_dir / "recordings"
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert names == {"1"}
    assert (folder / "1").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_written_is_said_at_the_start(home: Home) -> None:
    home.settings.media_dir.mkdir(exist_ok=True)
    (home.settings.media_dir / "recordings").write_text("a file")
    refused = ask(home, "POST", "start_recording/", {}, 409)
    assert "recordings cannot be written" in refused["error"]
