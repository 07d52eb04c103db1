"""The scan engine, over real sockets and a pretended network."""

from collections.abc import Callable

from simulators.panasonic import Camera
from tests.home import Clock, Home

Make = Callable[..., Home]


def test_a_scan_finds_every_camera_that_answers(make_home: Make) -> None:
    home = make_home(*(Camera(f"d4:2d:c5:00:00:{n:02x}", f"127.20.0.{n}") for n in range(1, 31)))
    did = home.scan()
    assert did["found"] == 30
    assert {home.status(str(device.id)) for device in home.devices()} == {"ACTIVE"}


def test_a_camera_that_stops_answering_goes_offline_and_comes_back(make_home: Make) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1", name="Gate"))
    home.scan()
    home.network.cameras[0].on = False
    home.scan()
    assert home.status() == "OFFLINE"
    home.network.cameras[0].on = True
    home.scan()
    assert home.status() == "ACTIVE"
    assert home.kinds() == ["device.found", "device.offline", "device.back"]


def test_silence_for_a_day_makes_a_found_camera_missing(make_home: Make, clock: Clock) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    home.network.cameras[0].on = False
    home.scan()
    clock.forward(hours=25)
    home.tick()
    assert home.status() == "MISSING"
    assert home.kinds()[-1] == "device.missing"


def test_a_moved_camera_says_so_until_the_next_scan_finds_it_there(make_home: Make) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    home.network.cameras[0].ip = "127.20.0.77"
    home.scan()
    assert home.status() == "IP_CHANGED"
    assert home.device().address == "127.20.0.77"
    home.scan()
    assert home.status() == "ACTIVE"
    assert [one.ip for one in home.device().addresses] == ["127.20.0.1", "127.20.0.77"]
