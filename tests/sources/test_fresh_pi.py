"""A monitor on a computer with a camera of its own: it is there at once, and a still of it too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleet.model import Device
from fleet.pictures import jpeg_size
from fleet.status import DOWN
from sources import local_cameras
from sources.local_capture import LocalCameras
from stills.build import StillsPackage
from tests.home import Clock, Home, until
from tests.sources.pi_stand_in import PI, SMALL, STAND_INS, Computer, needs_picamera2
from video.build import VideoPackage

QUICK = 0.02


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    (tmp_path / "pi").mkdir()
    return Computer(tmp_path / "pi")


@contextmanager
def fresh(computer: Computer, folder: Path, list_every: float = 300.0) -> Iterator[Home]:
    """A monitor on this computer, whose files are read nowhere but in its folder."""
    clock = Clock()
    source = local_cameras.source(computer.machine(), clock, QUICK, list_every)
    home = Home(folder, clock, sources=(source,), camera_python=computer.python)
    home.monitor.packages.find(LocalCameras)._machine = computer.machine()
    home.monitor.packages.find(VideoPackage).streams.start()
    try:
        yield home
    finally:
        home.close()


def the_camera(home: Home) -> Device:
    [camera] = until(home.devices, what="the camera is in the list")
    return camera


@needs_picamera2
def test_a_fresh_pi_lists_its_camera_without_a_scan_and_takes_a_still(
    computer: Computer, tmp_path: Path
) -> None:
    node = computer.folder / "dev" / "media0"
    node.touch()
    with fresh(computer, tmp_path) as home:
        camera = the_camera(home)
        assert (camera.identities, camera.kind) == ((PI,), "camera")
        assert home.status(str(camera.id)) == "ACTIVE"
        for path in ("/", f"/cameras/{camera.id}"):
            page = home.client.get(path).text
            assert "Raspberry Pi Camera Module 2" in page
            assert f"/cameras/{camera.id}" in page
            assert "No devices yet" not in page
        still = home.monitor.packages.find(StillsPackage).stills.take(camera.id)
        assert (still.way, still.width, still.height) == ("pi", *SMALL)
        home.scan()
        assert home.status(str(camera.id)) == "ACTIVE"
        node.unlink()
        until(lambda: home.status(str(camera.id)) in DOWN, what="the unplugged camera is offline")
        assert "not connected to this server" in home.client.get(f"/cameras/{camera.id}").text


@needs_picamera2
def test_a_fresh_pi_without_the_library_names_its_command_until_it_is_there(
    computer: Computer, tmp_path: Path
) -> None:
    (computer.folder / "dev" / "media0").touch()
    plan = computer.folder / "plan.json"
    works = plan.read_text()
    plan.write_text("no JSON")
    with fresh(computer, tmp_path, list_every=0.5) as home:
        until(home.monitor.tracker.down, what="the library fails")
        page = home.client.get("/").text
        assert "sudo apt install" in page
        assert "python3-picamera2" in page
        plan.write_text(works)
        the_camera(home)
        until(lambda: not home.monitor.tracker.down(), what="the library works")


def test_a_usb_camera_is_listed_and_gives_stills_until_it_is_no_camera(
    computer: Computer, tmp_path: Path
) -> None:
    computer.python = computer.python_with(STAND_INS / "v4l2_stand_in")
    computer.plug_in("video0", "1-1.2", serial="4A1C22B0")
    computer.show({"video0": "testsrc2=size=640x360:rate=15"})
    with fresh(computer, tmp_path) as home:
        camera = the_camera(home)
        assert "HD Webcam" in home.client.get("/").text
        stills = f"/api/cameras/{camera.id}/stills"
        assert home.client.post(stills).status_code == 201
        assert jpeg_size(home.client.get(f"{stills}/newest").data) == (640, 360)
        assert f"{stills}/1" in home.client.get(f"/cameras/{camera.id}/stills").text
        computer.show({"video0": ""})
        refused = home.client.post(stills)
        assert refused.status_code == 503
        assert "camera" in refused.json["error"]
        assert refused.json["hint"].endswith(".")
        assert len(home.client.get(stills).json["stills"]) == 1
