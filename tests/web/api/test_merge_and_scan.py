"""A person merges two live cameras, the network goes on answering, and takes it back."""

from collections.abc import Callable

import pytest

from fleet.reduce.disputes import SHARED
from fleet.status import ACTIVE
from simulators.panasonic import Camera
from tests.home import Home
from tests.web.closed import body_of

Make = Callable[..., Home]


@pytest.mark.parametrize(
    "serials", [("S1", "S1"), ("S1", "S2")], ids=["same serial", "two serials"]
)
def test_two_live_cameras_stay_merged_while_scanned_and_are_both_back_after_undo(
    make_home: Make, serials: tuple[str, str]
) -> None:
    cameras = [
        Camera(f"d4:2d:c5:00:00:0{number}", f"127.20.0.{number}", f"Cam {number}", serial=serial)
        for number, serial in enumerate(serials, start=1)
    ]
    home = make_home(*cameras)
    home.scan()
    merged = body_of(home.client.post("/api/camera/2/merge", json={"with": 1}))["undo"]
    for _ in range(3):
        home.clock.forward(minutes=5)
        home.scan()
    (device,) = home.devices()
    assert device.identities == tuple(f"mac:{camera.mac}" for camera in cameras)
    assert (device.findings, home.monitor.tracker.fleet().disputed) == ((), {})
    body_of(home.client.post("/api/undo", json={"event": merged}))
    for _ in range(3):
        home.clock.forward(minutes=5)
        home.scan()
    assert [device.id for device in home.devices()] == [1, 2]
    for device, camera in zip(home.devices(), cameras, strict=True):
        assert device.identities == (f"mac:{camera.mac}",)
        assert (device.address, home.status(str(device.id))) == (camera.ip, ACTIVE)
        assert device.facts["panasonic"]["serial"] == camera.serial
        assert device.findings == ()
    kinds = home.kinds()
    assert kinds.count("device.found") == 2
    assert not {"device.moved", "device.facts", "device.offline", SHARED} & {*kinds}
