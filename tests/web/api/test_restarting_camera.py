"""A camera that restarts while its schedule records: from its server to the cause of the gap."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.gst_server import gst_server, needs_gst
from tests.home import Running, running, until
from tests.web.live_pictures import add
from video.coverage import SETTLED

pytestmark = needs_gst
ADDRESS = "127.86.0.1"
A_MOMENT = timedelta(seconds=1)
ALWAYS = {
    "name": "All day",
    "camera": 1,
    "schedule_type": "daily",
    "start_time": "00:00:00",
    "end_time": "00:00:00",
    "is_active": True,
}


def status(monitor: Running) -> Any:
    return monitor.get("/v0/api/cctv/cameras/1/recording_status").json


def gaps_that_are_over(monitor: Running) -> list[Any]:
    report = monitor.get("/api/recordings/coverage?camera=1").json
    gaps = [gap for camera in report["cameras"] for gap in camera["gaps"]]
    # What reaches to the end of what is judged can still go on.
    is_over = gaps and moment(gaps[-1]["end"]) < moment(report["end"]) - SETTLED - A_MOMENT
    return gaps if is_over else []


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.timeout(180)
def test_a_scheduled_camera_that_restarts_leaves_one_gap_with_its_cause(tmp_path: Path) -> None:
    with running(tmp_path) as monitor:
        with gst_server(ADDRESS) as port:
            add(monitor, 1, f"rtsp://{ADDRESS}:{port}/stream1", "", "")
            made = monitor.request("POST", "/v0/api/cctv/schedules/", ALWAYS)
            assert made.status == 201, made.body
            until(lambda: status(monitor)["size"], 40, "its schedule records it")
            files = [*tmp_path.glob("media/recordings/1/*.mp4")]
        until(lambda: "refused" in status(monitor)["reason"], 40, "it is off")
        with gst_server(ADDRESS, "--port", str(port)):
            until(
                lambda: len([*tmp_path.glob("media/recordings/1/*.mp4")]) > len(files),
                40,
                "it is recorded again",
            )
            until(lambda: gaps_that_are_over(monitor), 60, "it is old enough to be judged")
            (gap,) = gaps_that_are_over(monitor)
            recordings = monitor.get("/api/recordings").json["recordings"]
            assert monitor.stop() == 0
        text = monitor.text()
    assert (gap["cause"], gap["title"]) == ("restarted", "Camera restarted")
    assert 2 < gap["seconds"] < 60
    assert len(recordings) == 1, "a restart ends no recording"
    assert "Traceback" not in text
