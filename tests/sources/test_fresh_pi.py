"""A monitor on a Raspberry Pi: its camera is there at once, and a still of it too."""

from pathlib import Path

from fleet.status import DOWN
from sources import local_cameras
from stills.build import StillsPackage
from tests.home import Clock, Home, until
from tests.sources.pi_stand_in import PI, SMALL, Computer, needs_picamera2

pytestmark = needs_picamera2


def test_a_fresh_pi_lists_its_camera_without_a_scan_and_takes_a_still(tmp_path: Path) -> None:
    (tmp_path / "pi").mkdir()
    computer, clock = Computer(tmp_path / "pi"), Clock()
    node = computer.folder / "dev" / "media0"
    node.touch()
    source = local_cameras.source(computer.machine(), clock, watch_every=0.02)
    home = Home(tmp_path, clock, sources=(source,), camera_python=computer.python)
    try:
        [camera] = until(home.devices, what="the camera is in the list")
        assert (camera.identities, camera.kind) == ((PI,), "camera")
        assert home.status(str(camera.id)) == "ACTIVE"
        page = home.client.get(f"/cameras/{camera.id}").text
        assert "Raspberry Pi Camera Module 2" in page
        still = home.monitor.packages.find(StillsPackage).stills.take(camera.id)
        assert (still.way, still.width, still.height) == ("pi", *SMALL)
        home.scan()
        assert home.status(str(camera.id)) == "ACTIVE"
        node.unlink()
        until(lambda: home.status(str(camera.id)) in DOWN, what="the unplugged camera is offline")
        assert "not connected to this server" in home.client.get(f"/cameras/{camera.id}").text
    finally:
        home.close()
