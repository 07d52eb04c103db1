"""Picture health in a whole monitor: its start and stop, a restart, and what is deleted."""

import threading
from collections.abc import Callable

import pytest

from fleet.model import Edit
from fleet.pictures import TakenPicture
from picture_health import health_rows as rows
from picture_health.build import PictureHealthPackage
from settings import BadOption, load
from simulators.panasonic import Camera
from tests.home import Clock, Home, until
from tests.picture_health.scenes import Camera as Scene
from tests.picture_health.scenes import Moment

CAMERAS = [Camera(f"d4:2d:c5:00:00:0{number}", f"127.20.0.{number}") for number in (1, 2)]


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_the_count_of_samples_in_a_row_goes_on_after_a_restart(
    make_home: Callable[..., Home], clock: Clock
) -> None:
    home = make_home(*CAMERAS, picture_health_interval=30)
    home.scan()
    package = home.monitor.packages.find(PictureHealthPackage)
    scene = Scene(1, "day")

    def take(device: int, _timeout: float) -> TakenPicture:
        clock.forward(seconds=1)
        picture = scene.jpeg(Moment(1, "black" if device == 1 else "", 1))
        return TakenPicture(picture, 640, 360, clock(), "stream")

    package.sampling.ways = (take,)
    package.settings.change(1, {"sensitivity": "low"})
    for _ in range(4):
        clock.forward(seconds=30)
        package.health.check(1)
    assert package.health.of(1).suspected[0].count == 4
    home.restart()
    health = home.monitor.packages.find(PictureHealthPackage).health
    assert health.of(1).suspected[0].count == 4
    assert (health.of(1).state, health.of(1).settings.sensitivity) == ("unknown", "low")


def test_the_thread_of_an_empty_monitor_ends_with_it_and_no_process_is_started(
    make_home: Callable[..., Home],
) -> None:
    home = make_home(picture_health_interval=30)
    package = home.monitor.packages.find(PictureHealthPackage)
    package.start()
    assert "picture-health" in threads()
    assert package.tick() == ""
    assert package.measuring.pid() is None
    package.stop()
    until(lambda: "picture-health" not in threads(), what="the thread has ended")


def test_rows_of_deleted_devices_go_and_evidence_after_30_days(
    make_home: Callable[..., Home], clock: Clock
) -> None:
    home = make_home(*CAMERAS, picture_health_interval=30)
    home.scan()
    package = home.monitor.packages.find(PictureHealthPackage)
    engine, health = package.fleet.journal.engine, package.health
    scene = Scene(1, "day")
    shown = ["black"]

    def take(_device: int, _timeout: float) -> TakenPicture:
        clock.forward(seconds=40)
        return TakenPicture(scene.jpeg(Moment(1, shown[0], 1)), 640, 360, clock(), "stream")

    package.sampling.ways = (take,)
    for device in (1, 2):
        health.set_settings(device, {"repeats": True})
        health.add_reference(device, "otto")
        for _ in range(3):
            health.check(device)
    number = health.of(1).faults[0].picture_id
    assert number
    shown[0] = ""
    for _ in range(3):
        health.check(1)
    assert health.of(1).faults == ()
    clock.forward(days=29)
    assert package.forget() == ""
    assert health.picture(1, number).data
    clock.forward(days=2)
    assert package.forget() == "1 picture"
    assert rows.devices(engine) == {1, 2}
    home.monitor.tracker.apply([Edit("delete", "id:2", {}, "otto", clock())], clock())
    package.forget()
    assert rows.devices(engine) == {1}
    assert health.of(1).settings.repeats


def test_an_interval_of_less_than_half_a_minute_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PICTURE_HEALTH_INTERVAL", "29")
    with pytest.raises(BadOption, match="must be 0, or a whole number from 30 to 86400"):
        load()
