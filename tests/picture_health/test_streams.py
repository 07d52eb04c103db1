"""Picture health of real RTSP streams, from the stream to the finding."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.model import Access
from picture_health.build import PictureHealthPackage
from sources import rtsp
from tests.discovery import listed as fleets
from tests.gst_server import gst_server, needs_gst
from tests.home import Home, until
from tests.picture_health.scenes import Camera as Scene
from tests.picture_health.scenes import Moment
from video.build import VideoPackage
from video.model import MAIN, StreamKey
from video.watching import MP4

pytestmark = needs_gst
FROZEN, EMPTY, GONE = 1, 2, 3
SHOWN = {FROZEN: "frozen", EMPTY: ""}
INTERVAL = 30
FRAMES = 37
"""At five a second, with a key frame each second: no multiple, so that key frames differ."""


class Ward:
    """A monitor whose sampler runs as fast as a test lets time pass."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.package = home.monitor.packages.find(PictureHealthPackage)
        self.health = self.package.health
        self.seconds = 0.0
        self.package.sampler._timer = lambda: self.seconds

    def sample(self) -> None:
        """Let an interval pass, in which each camera is sampled once."""
        sampler = self.package.sampler
        self.seconds += INTERVAL
        sampler.turn()
        until(lambda: not sampler._flying, what="all cameras are sampled")

    def findings(self, device: int) -> set[str]:
        """What is wrong with the pictures of a camera."""
        findings = self.home.monitor.tracker.fleet().devices[device].findings
        return {each.kind for each in findings if each.source == "picture_health"}


def frames(folder: Path, fault: str) -> str:
    """A folder with pictures of an empty scene, in each of which a camera writes another time."""
    folder.mkdir()
    scene = Scene(3, "still")
    for number in range(FRAMES):
        (folder / f"{number:03}.jpg").write_bytes(scene.jpeg(Moment(number, fault, 0)))
    return str(folder)


@pytest.fixture
def ward(make_home: Callable[..., Home], tmp_path: Path) -> Iterator[Ward]:
    """Three cameras: one stands still while its clock runs, one shows an empty scene with noise,
    and one does not respond."""
    options = ("--size", "640x360", "--fps", "5", "--gop", "1", "--pictures")
    folders = {device: frames(tmp_path / str(device), fault) for device, fault in SHOWN.items()}
    with ExitStack() as stack:
        ports = {
            device: stack.enter_context(gst_server(f"127.84.16.{device}", *options, folder))
            for device, folder in folders.items()
        }
        known = [
            replace(
                fleets.listed(device, address=f"127.84.16.{device}", was_up=False),
                access={"rtsp": Access(port=port, path="/stream1")},
            )
            for device, port in (ports | {GONE: 9}).items()
        ]
        (tmp_path / "home").mkdir()
        fleets.write_fleet(tmp_path / "home" / "camera_database.json", known)
        home = make_home(sources=[rtsp.source(fleets.now)], picture_health_interval=INTERVAL)
        home.monitor.packages.find(VideoPackage).streams.start()
        yield Ward(home)


def test_g05_a_frozen_stream_is_found_while_its_clock_runs_and_an_empty_scene_is_not(
    ward: Ward,
) -> None:
    streams = ward.home.monitor.packages.find(VideoPackage).streams
    key_frames = dict[int, set[object]]({FROZEN: set(), EMPTY: set()})
    with ExitStack() as viewers:
        for device in key_frames:
            viewers.enter_context(streams.watch(StreamKey(device, MAIN), MP4, "otto"))

        def is_clear() -> bool:
            """True once the one is found, and the other was looked at as often."""
            ward.sample()
            for device, times in key_frames.items():
                times.add(ward.package.sampling.watched(device).taken_at)
            return bool(ward.findings(FROZEN)) and min(map(len, key_frames.values())) > 5

        until(is_clear, 60, what="the frozen stream is found")
    assert ward.findings(FROZEN) == {"picture.frozen"}
    assert ward.health.of(FROZEN).state == "faulty"
    assert (ward.health.of(EMPTY).state, ward.findings(EMPTY)) == ("healthy", set())
    assert ward.health.of(GONE).state == "unknown"
    assert ward.findings(GONE) == set()
    (raised,) = ward.health.of(FROZEN).faults
    assert raised.picture_id
    kept = ward.health.picture(FROZEN, raised.picture_id)
    assert (kept.width, kept.height) == (640, 360)
