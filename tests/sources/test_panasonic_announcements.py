"""Hearing is no proof: who speaks unasked is listed, asked at most, and born by the answer."""

from collections.abc import Callable
from typing import Any

import pytest

from fleet.model import AutoScan
from simulators.panasonic import Camera, Network
from simulators.panasonic_ghosts import claim, flood, ghosts
from tests.home import Clock, Home, until

Make = Callable[..., Home]
A, B = "d4:2d:c5:00:00:01", "d4:2d:c5:00:00:02"


def home_of(make_home: Make, *cameras: Camera, auto_scan: bool, **changes: Any) -> Home:
    """Cameras that hear and speak at their own addresses, as real ones do."""
    home = make_home(*cameras, **changes)
    home.network.stop()
    home.network = Network(
        list(cameras),
        listen=("127.0.0.1", home.settings.easy_ip_port),
        reply_to=("127.0.0.1", home.settings.easy_ip_reply_port),
        own_addresses=True,
    )
    home.network.start()
    if auto_scan:
        # The toggle alone: the scheduler of a test does not run.
        home.monitor.tracker.apply([AutoScan(True)], home.clock())
    return home


def heard(home: Home) -> list[str]:
    devices = home.client.get("/api/scan").json["heard"]
    return [device["identity"] for device in devices]


def announce(home: Home, mac: str) -> None:
    for _ in range(2):
        home.network.announce(mac)


def test_with_auto_scan_off_what_announces_itself_is_listed_and_nothing_is_sent(
    make_home: Make, clock: Clock
) -> None:
    home = home_of(make_home, Camera(A, "127.20.0.1", "Gate", family="AW"), auto_scan=False)
    announce(home, A)
    until(lambda: heard(home), what="it was heard")
    (device,) = home.client.get("/api/scan").json["heard"]
    assert (device["identity"], device["source"], device["address"]) == (
        f"mac:{A}",
        "panasonic",
        "127.20.0.1",
    )
    assert (device["name"], device["model"], device["times"]) == ("Gate", "CAM:HE130K", 1)
    assert device["first"] == device["last"] == clock().isoformat(timespec="seconds")
    assert device["camera"] is None
    page = home.client.get("/settings/sources").text
    assert "Heard, not confirmed" in page
    assert A in page
    assert home.devices() == []
    # A question that we sent to it would be there before the answer to this scan.
    assert home.network.requests == 0
    home.scan()
    assert [device.identities for device in home.devices()] == [(f"mac:{A}",)]
    assert heard(home) == []
    assert "Heard, not confirmed" not in home.client.get("/settings/sources").text


def test_with_auto_scan_on_what_announces_itself_is_asked_once_and_enters(make_home: Make) -> None:
    home = home_of(make_home, Camera(A, "127.20.0.1"), Camera(B, "127.20.0.2"), auto_scan=True)
    announce(home, A)
    until(home.devices, what="A answered")
    assert home.device(A).address == "127.20.0.1"
    assert home.status(A) == "ACTIVE"
    assert home.network.requests == 1, "one question, to A alone"
    assert [device.identities for device in home.devices()] == [(f"mac:{A}",)]
    assert heard(home) == []


def test_who_does_not_answer_the_question_stays_on_the_list(make_home: Make) -> None:
    home = home_of(make_home, Camera(A, "127.20.0.1"), auto_scan=True)
    # B is not there; the camera that is at the address it names is another one.
    for _ in range(2):
        home.network.send(claim(B, "127.20.0.1"))
    until(lambda: home.network.requests, what="the question came")
    until(lambda: home.network.is_quiet and heard(home) == [f"mac:{B}"], what="B is listed")
    assert home.devices() == []


def test_an_answer_from_another_address_than_the_asked_one_confirms_nothing(
    make_home: Make,
) -> None:
    home = home_of(make_home, Camera(A, "127.20.0.1"), auto_scan=True)
    home.network.cameras[0].on = False
    for _ in range(2):
        home.network.send(claim(A, "127.20.0.1"))
    until(lambda: home.network.requests, what="the question came")
    home.network.send(claim(A, "127.20.0.1", announced=False), "127.20.0.66")
    home.network.cameras[0].on = True
    announce(home, A)
    until(lambda: heard(home), what="it was heard")
    assert home.devices() == []


@pytest.mark.parametrize("address", ["10.1.2.3", "8.8.8.8", "224.0.0.1", "0.0.0.0"])
def test_no_question_leaves_our_own_subnets(make_home: Make, address: str) -> None:
    home = home_of(make_home, Camera(A, "127.20.0.1"), auto_scan=True)
    for _ in range(2):
        home.network.send(claim(B, address))
    announce(home, A)
    # Each is handled in its order: when A is in, B was looked at.
    until(home.devices, what="A answered")
    assert heard(home) == [f"mac:{B}"]
    assert home.network.requests == 1


def test_a_thief_who_announces_the_macs_of_cameras_moves_none(make_home: Make) -> None:
    cameras = [Camera(f"d4:2d:c5:00:01:{n:02x}", f"127.20.1.{n}") for n in range(1, 31)]
    home = home_of(make_home, *cameras, auto_scan=True)
    home.scan()
    before = home.kinds()
    for number, camera in enumerate(cameras, start=1):
        for _ in range(2):
            home.network.send(claim(camera.mac, f"127.66.0.{number}"))
    until(lambda: len(heard(home)) == 30, what="the claims were heard")
    assert [home.device(camera.mac).address for camera in cameras] == [
        camera.ip for camera in cameras
    ]
    assert home.kinds() == before
    (device,) = [
        device
        for device in home.client.get("/api/scan").json["heard"]
        if device["address"] == "127.66.0.1"
    ]
    assert device["camera"] == home.device(cameras[0].mac).id


def test_an_announcement_changes_no_fact_and_no_finding(make_home: Make, clock: Clock) -> None:
    home = home_of(make_home, Camera(A, "127.20.0.1", "Gate"), auto_scan=True)
    home.scan()
    home.network.cameras[0].name, home.network.cameras[0].password_set = "Other", False
    clock.forward(minutes=5)
    announce(home, A)
    until(lambda: home.device(A).last_seen == clock(), what="it was heard")
    assert home.device(A).facts["panasonic"]["name"] == "Gate"
    assert home.device(A).findings == ()
    assert home.kinds() == ["device.found"]


def test_a_retired_camera_comes_back_by_its_answer_and_not_by_being_named(make_home: Make) -> None:
    home = home_of(make_home, Camera(A, "127.20.0.1"), auto_scan=False)
    home.scan()
    home.client.post(f"/api/camera/{A}/retire")
    announce(home, A)
    until(lambda: heard(home), what="it was heard")
    assert home.device(A).retired_at is not None
    home.monitor.tracker.apply([AutoScan(True)], home.clock())
    home.clock.forward(seconds=31)
    announce(home, A)
    until(lambda: home.device(A).retired_at is None, what="it answered")


def test_a_crowd_that_announces_itself_is_asked_thirty_times_a_minute(make_home: Make) -> None:
    cameras = [Camera(f"d4:2d:c5:00:02:{n:02x}", f"127.20.2.{n}") for n in range(1, 61)]
    home = home_of(make_home, *cameras, auto_scan=True)
    for camera in cameras:
        announce(home, camera.mac)
    until(lambda: len(home.devices()) == 30, what="half of them answered")
    until(lambda: len(heard(home)) == 30, what="the others are listed")
    assert home.network.requests == 30


def test_the_list_of_what_was_heard_is_bounded(make_home: Make) -> None:
    home = home_of(make_home, Camera(A, "127.20.0.1"), auto_scan=False)
    flood(home.settings.easy_ip_reply_port, ghosts(300, filled=True), each_second=2_000)
    announce(home, A)
    until(lambda: heard(home)[:1] == [f"mac:{A}"], what="the last one was heard")
    assert len(heard(home)) == 200
    assert home.devices() == []
    assert len(home.client.get("/api/scan").data) < 100_000
