"""Real cameras that record to a small disk, and to one that vanishes."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import pytest

from tests.gst_server import gst_server, needs_gst
from tests.home import Running, running, until
from tests.store.disks import Disks
from tests.video.test_cleaning import free
from tests.web.live_pictures import add

pytestmark = [needs_gst, pytest.mark.torture]
CAMERAS = 4
FULL = ("No space left", "does not take recordings", "Traceback")
"""What the log never says."""
LENGTH = 600
"""Seconds for which the small disk is recorded to."""


class Watching:
    """Looks at a disk all the time: the least free space, each file, and in which order they go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.least = free(folder)
        self.gone: list[str] = []
        self._known: set[Path] = set()
        self._is_over = Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.wait(0.05):
            self.least = min(self.least, free(self.folder))
            there = set(self.files())
            self.gone += sorted(path.name for path in self._known - there)
            self._known = there

    def files(self) -> list[Path]:
        return [*self.folder.glob("*/*.mp4")]

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()


@pytest.fixture
def cameras() -> Iterator[Callable[[Running], None]]:
    """Adds four real cameras that are always recorded, with 3 Mbit/s each."""
    with ExitStack() as stack:
        options = ("--pattern", "snow", "--bits", "3000000", "--size", "480x360")
        ports = [
            stack.enter_context(gst_server(f"127.85.0.{number}", *options))
            for number in range(1, CAMERAS + 1)
        ]

        def add_to(monitor: Running) -> None:
            for number, port in enumerate(ports, 1):
                add(monitor, number, f"rtsp://127.85.0.{number}:{port}/stream1", "", "")
                changed = monitor.request("PATCH", f"/api/cameras/{number}", {"auto_record": True})
                assert changed.status == 200, changed.body

        yield add_to


def storage(monitor: Running) -> Any:
    return monitor.get("/api/recordings/storage").json


def protect_first(monitor: Running) -> list[str]:
    """Record the first camera by hand for some seconds, protect that; the names of its files."""
    camera = "/v0/api/cctv/cameras/1"
    started = monitor.request("POST", f"{camera}/start_recording", {"recording_name": "Kept"})
    assert started.status == 201, started.body
    sleep(8)
    assert monitor.request("POST", f"{camera}/stop_recording", {}).status == 200
    (kept,) = [
        each for each in monitor.get("/api/recordings").json["recordings"] if each["name"] == "Kept"
    ]
    path = f"/api/recordings/{kept['id']}"
    assert monitor.request("PATCH", path, {"protected": True}).status == 200
    return [path.name for path in (monitor.folder / "media/recordings/1").glob("*.mp4")]


def when(name: str) -> datetime:
    """When a file began, by its name."""
    return datetime.strptime(name[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


@pytest.mark.timeout(LENGTH + 200)
def test_four_real_cameras_for_ten_minutes_never_fill_200_mb(
    tmp_path: Path, disks: Disks, cameras: Callable[[Running], None]
) -> None:
    folder = disks.small(tmp_path / "media" / "recordings", "200m").folder
    with running(tmp_path) as monitor:
        cameras(monitor)
        kept = until(lambda: [*folder.glob("1/*.mp4")], 30) and protect_first(monitor)
        watching, announced = Watching(folder), ""
        end = monotonic() + LENGTH
        while monotonic() < end:
            next_one = storage(monitor)["next_deleted"]
            if not watching.gone and next_one:
                announced = next_one["started_at"]
            sleep(0.5)
        watching.stop()
        limit = storage(monitor)["kept_free"]
        text = monitor.text()
    left = [path.name for path in watching.files()]
    print(
        f"least free {watching.least / 1e6:.1f} MB of {limit / 1e6:.1f} MB that are kept; "
        f"{len(watching.gone)} files deleted in {text.count('Deleted ')} times, {len(left)} left"
    )
    assert watching.least >= limit
    assert len(watching.gone) > 10
    assert not [words for words in FULL if words in text]
    assert set(kept) <= set(left)
    newest_gone = max(map(when, watching.gone))
    growing = sorted(left)[-CAMERAS:]
    assert all(when(name) >= newest_gone for name in left if name not in (*kept, *growing))
    first = datetime.fromisoformat(announced)
    assert abs((first - when(min(watching.gone))).total_seconds()) < 1, "it was told before"


@pytest.mark.timeout(300)
def test_a_share_that_vanishes_while_four_cameras_record(
    tmp_path: Path, disks: Disks, cameras: Callable[[Running], None]
) -> None:
    folder = disks.small(tmp_path / "media" / "recordings", "200m").folder
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with running(tmp_path) as monitor:
        cameras(monitor)
        until(lambda: len(growing(folder)) == CAMERAS, 60, "all cameras are recorded")
        disks.bind(folder, elsewhere)
        subprocess.run(["umount", "--lazy", folder], check=True)
        vanished = monotonic()
        until(lambda: "is not mounted" in storage(monitor)["trouble"], 30, "it is noticed")
        until(lambda: grows_no_more(elsewhere), 30, "no file grows any more")
        print(f"noticed, and all files closed, after {monotonic() - vanished:.1f} s")
        status = monitor.get("/v0/api/cctv/cameras/1/recording_status").body
        assert b"is not the folder of the recordings" in status
        assert monitor.get("/api/cameras").status == 200
        assert not [*folder.iterdir()], "the disk of the system got not one byte"
        before = growing(elsewhere)
        disks.bind(elsewhere, folder)
        back = monotonic()
        until(lambda: len(growing(folder) - before) == CAMERAS, 60, "all are recorded again")
        print(f"recorded again after {monotonic() - back:.1f} s")
        assert monitor.stop() == 0
        text = monitor.text()
    assert text.count("is not the folder of the recordings") == 1
    assert text.count("can be used again; recording continues") == 1
    assert "Traceback" not in text
    subprocess.run(["umount", "--lazy", folder], check=True)
    assert not [*folder.iterdir()]


@pytest.mark.timeout(300)
def test_a_share_that_hangs_while_four_cameras_record(
    tmp_path: Path, disks: Disks, cameras: Callable[[Running], None]
) -> None:
    folder = disks.small(tmp_path / "media" / "recordings", "200m").folder
    with running(tmp_path) as monitor:
        cameras(monitor)
        until(lambda: len(growing(folder)) == CAMERAS, 60, "all cameras are recorded")
        recordings = monitor.get("/api/recordings").json["recordings"]
        before = growing(folder)
        with disks.hanging(folder):
            hung, slowest = monotonic(), ask_all(monitor, recordings[0]["id"])
            until(lambda: "has not answered" in storage(monitor)["trouble"], 40, "it is noticed")
            print(f"noticed after {monotonic() - hung:.1f} s, slowest answer {slowest:.1f} s")
            print(f"from then on the slowest: {ask_all(monitor, recordings[0]['id']):.2f} s")
            until(lambda: "not answered" in reason(monitor), 40, "nothing is recorded, it says why")
            played = monitor.get(f"/api/recordings/{recordings[0]['id']}/download")
            assert (played.status, "has not answered" in played.json["error"]) == (503, True)
            assert monitor.get("/api/cameras/1/stream").json["activity"]
        back = monotonic()
        until(lambda: len(growing(folder) - before) == CAMERAS, 60, "all are recorded again")
        print(f"recorded again after {monotonic() - back:.1f} s")
        assert monitor.get(f"/api/recordings/{recordings[0]['id']}/download").status == 200
        assert monitor.stop() == 0
        text = monitor.text()
    assert text.count("has not answered for") == 1
    assert text.count("can be used again; recording continues") == 1
    assert "Traceback" not in text


def reason(monitor: Running) -> str:
    """Why the first camera is not recorded."""
    return str(monitor.get("/v0/api/cctv/cameras/1/recording_status").json["reason"])


def ask_all(monitor: Running, recording: int) -> float:
    """Ask for pages and all that reads recordings; the seconds of the slowest answer."""
    slowest = 0.0
    day = datetime.now(UTC).date()
    for path in (
        "/", "/recordings", "/api/recordings/storage", f"/api/recordings/{recording}",
        f"/api/recordings/{recording}/thumbnail.jpg", f"/api/cameras/1/days/{day}",
        f"/api/recordings/{recording}/download", "/api/recordings/coverage", "/api/cameras",
    ):  # fmt: skip
        begun = monotonic()
        answer = monitor.get(path)
        assert answer.status in (200, 404, 503), (path, answer.body)
        slowest = max(slowest, monotonic() - begun)
    return slowest


def growing(folder: Path) -> set[Path]:
    """The names of the files with pictures, each below the folder."""
    return {
        path.relative_to(folder) for path in folder.glob("*/*.mp4") if path.stat().st_size > 100_000
    }


def grows_no_more(folder: Path) -> bool:
    def sizes() -> dict[Path, int]:
        return {path: path.stat().st_size for path in folder.glob("*/*.mp4")}

    before = sizes()
    sleep(3)  # longer than a fragment
    return sizes() == before
