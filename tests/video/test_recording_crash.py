"""kill -9 while eight cameras record: the files play, and the index agrees with the disk."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from simulators.rtsp import RtspDevice, RtspServers, Stream
from tests.home import Running, free_port, until
from tests.video import encoded
from video.healing import read_file
from video.recorded import Segment

CAMERAS = 8
LOSS = 5.0
"""Seconds that a camera can lose."""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Eight cameras that play a clip with a key frame each second."""
    clip = encoded.h264(tmp_path_factory.mktemp("clips") / "clip.h264", 10, seconds=5)
    devices = [
        RtspDevice(f"127.65.0.{number + 1}", streams={"/stream1": Stream(fps=10, clip=str(clip))})
        for number in range(CAMERAS)
    ]
    port = free_port()
    servers = RtspServers(devices, port).start()
    yield port
    servers.stop()


def begin(monitor: Running, port: int) -> None:
    """Add the cameras and record each of them by hand."""
    for number in range(CAMERAS):
        camera = {"name": f"Camera {number + 1}", "ip_address": f"127.65.0.{number + 1}"}
        url = f"rtsp://127.65.0.{number + 1}:{port}/stream1"
        body = {**camera, "port": port, "rtsp_url": url}
        added = monitor.request("POST", "/v0/api/cctv/cameras/", body)
        assert added.status == 201, added.body
        path = f"/v0/api/cctv/cameras/{added.json['id']}/start_recording/"
        assert monitor.request("POST", path, {"duration_minutes": 60}).status == 201


def files(folder: Path) -> dict[str, list[Path]]:
    """The recorded files of each camera, the oldest first."""
    return {
        device.name: sorted(device.iterdir())
        for device in (folder / "media" / "recordings").iterdir()
        if device.is_dir()
    }


def newest(folder: Path) -> list[Segment]:
    """What the newest file of each camera holds."""
    return [
        read_file(paths[-1], int(device), trims=False)
        for device, paths in files(folder).items()
        if paths
    ]


def is_under_way(folder: Path, since: float, seconds: float) -> bool:
    """True when every camera has a file of this run with so many seconds."""
    rows = [row for row in newest(folder) if row.started_at.timestamp() >= since]
    lengths = [(row.ended_at - row.started_at).total_seconds() for row in rows]
    return len(lengths) == CAMERAS and min(lengths) >= seconds


def check_index(folder: Path) -> int:
    """Every file has a row of its size that is not damaged, and every row a file; the number of
    those that are closed, each of which plays."""
    with closing(sqlite3.connect(folder / "data" / "camera_monitor.db")) as connection:
        rows = connection.execute(
            "SELECT device, file, size, frames, closed, damaged FROM segments"
        ).fetchall()
    there = {(int(device), path.name) for device, paths in files(folder).items() for path in paths}
    assert {(device, file) for device, file, *_rest in rows} == there
    number = 0
    for device, file, size, frames, is_closed, damaged in rows:
        assert damaged == ""
        path = folder / "media" / "recordings" / str(device) / file
        assert path.stat().st_mode & 0o777 == 0o600
        if is_closed:
            number += 1
            assert path.stat().st_size == size
            assert len(encoded.frames_of(path)) == frames > 0
    return number


def kill_and_check(folder: Path, port: int, rounds: int) -> None:
    monitor = Running(folder)
    try:
        for number in range(rounds):
            since = time.time()
            monitor.start()
            if number == 0:
                begin(monitor, port)
            until(lambda: is_under_way(folder, since, 2.0), 60, "all cameras are recorded")  # noqa: B023
            killed = time.time()
            monitor.kill()
            for row in newest(folder):
                assert killed - row.ended_at.timestamp() <= LOSS
        monitor.start()
        until(lambda: is_under_way(folder, killed, 1.0), 60, "what was recorded goes on")
        assert monitor.stop() == 0
        assert check_index(folder) == CAMERAS * (rounds + 1)
    finally:
        if monitor.process is not None and monitor.process.poll() is None:
            monitor.kill()


def test_kill_9_while_cameras_record_loses_seconds(tmp_path: Path, port: int) -> None:
    kill_and_check(tmp_path, port, 2)


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_kill_9_again_and_again(tmp_path: Path, port: int) -> None:
    kill_and_check(tmp_path, port, 20)
