"""The package in a whole monitor: its jobs, its settings, and where its files are."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from fleet.pictures import NotTaken, TakenPicture
from settings import BadOption, load
from simulators.panasonic import Camera
from stills import still_rows
from stills.build import StillsPackage
from stills.taking import LOCAL, Way
from tests.home import Clock, Home, until
from tests.stills.studio import jpeg


def test_a_monitor_takes_a_still_of_each_camera_in_each_hour(
    make_home: Callable[..., Home], clock: Clock
) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"), stills_interval=3600)
    home.scan()
    package = home.monitor.packages.find(StillsPackage)
    assert {job.name for job in package.jobs()} == {"stills", "old_stills"}
    assert package.hourly.run() == ""

    def take(_device: int, _timeout: float) -> TakenPicture:
        return TakenPicture(jpeg(), 64, 48, clock(), "pi")

    package.stills.ways = (Way(LOCAL, take),)
    clock.forward(minutes=10)
    assert package.hourly.run() == "1 still taken"
    assert package.keeping.run() == ""
    still = package.shelf.newest(1)
    assert still
    assert still.why == "hour"
    assert package.shelf.path(still) == home.settings.media_dir / "stills" / "1" / still.name
    assert (home.settings.data_dir / "stills_folder.json").exists()
    assert not (home.settings.data_dir / "recordings_folder.json").exists()
    folder = home.settings.media_dir / "stills"
    folder.rename(folder.with_name("elsewhere"))
    folder.mkdir()
    with pytest.raises(NotTaken, match="is not the folder of the stills"):
        package.stills.take(1)
    folder.rmdir()
    folder.with_name("elsewhere").rename(folder)
    assert package.shelf.newest_of_all() == {1: still}
    clock.forward(days=31)
    assert package.forget() == "1 still"
    assert package.shelf.newest_of_all() == {}
    assert not package.shelf.path(still).exists()
    still_rows.set_interval(package.shelf.engine, 1, 600)
    writer = home.monitor.journal_writer
    writer.trouble = "The database was down."
    writer._report_recovery()
    assert package.intervals.own(1) == 600, "intervals are read again after an outage"


def test_nobody_waits_for_a_still_once_the_server_stops(
    make_home: Callable[..., Home], clock: Clock
) -> None:
    home, may_go = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1")), Event()
    home.scan()
    stills = home.monitor.packages.find(StillsPackage).stills

    def take(_device: int, _timeout: float) -> TakenPicture:
        may_go.wait(20)
        return TakenPicture(jpeg(), 64, 48, clock(), "pi")

    stills.ways = (Way(LOCAL, take),)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(stills.take, 1)
        until(lambda: stills.is_taking(1))
        home.monitor.end_streams()
        with pytest.raises(NotTaken, match="is stopping"):
            waiting.result(10)
        may_go.set()


def test_an_interval_of_less_than_a_minute_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLS_INTERVAL", "59")
    with pytest.raises(BadOption, match="must be 0, or a whole number from 60 to 604800"):
        load()
