"""How much the Easy4IP source asks of the cloud: rate, sockets, and only listed serials."""

import math
import threading

from simulators.easy4ip import Cloud, fleet
from tests.home import until
from tests.sources.easy4ip_sweeps import SenderRecordingCloud, SweepResult, sweeping


def test_only_the_listed_serials_are_asked_about():
    recorders = fleet(10)
    listed = [recorder.serial for recorder in recorders[:3]]
    with sweeping(Cloud(recorders)) as sweeper:
        assert set(sweeper.sweep(listed).online) == set(listed)
        assert {serial for _step, serial in sweeper.pretend.asked} == set(listed)


def test_nobody_is_asked_when_nobody_is_listed():
    with sweeping(Cloud(fleet(2))) as sweeper:
        assert sweeper.sweep([]).coverage.requests == 0
        assert sweeper.pretend.asked.total() == 0


def test_no_server_gets_more_than_burst_and_rate_in_a_second():
    cloud = Cloud(fleet(120, 2), servers=2)
    with sweeping(cloud, rate=50.0, burst=20.0) as sweeper:
        assert len(sweeper.sweep().online) == 120
        peaks = [server.tally.peak for server in cloud.servers]
        assert max(peaks) <= 72  # two more: the wire hears them a moment closer than they left
        assert peaks[0] > 30


def test_each_server_is_spoken_to_from_one_socket_only():
    cloud = SenderRecordingCloud(fleet(40, 4), servers=4)
    with sweeping(cloud) as sweeper:
        sweeper.sweep()
        sweeper.sweep()
    assert {name: len(senders) for name, senders in cloud.senders.items()} == dict.fromkeys(
        ("main", "US0", "US1", "US2", "US3"), 1
    )


def test_a_server_that_was_silent_is_spoken_to_from_another_socket():
    cloud = SenderRecordingCloud(fleet(2, 1), servers=1)
    with sweeping(cloud) as sweeper:
        cloud.main.silent = True
        sweeper.sweep()
        cloud.main.silent = False
        assert len(sweeper.sweep().online) == 2
    assert len(cloud.senders["main"]) == 2


def test_the_requests_are_spread_over_the_interval():
    cloud = Cloud(fleet(40, 1), servers=1)
    with sweeping(cloud) as sweeper:
        assert len(sweeper.sweep(spread=2.0).online) == 40
        assert cloud.main.tally.peak < 35


def test_the_place_of_a_recorder_is_remembered_until_it_is_not_there():
    cloud = Cloud(fleet(1, 2), servers=2)
    serial = next(iter(cloud.recorders))
    with sweeping(cloud) as sweeper:
        sweeper.sweep()
        sweeper.sweep()
        assert cloud.asked["lookup", serial] == 1
        cloud.recorders[serial].server = 1
        assert set(sweeper.sweep().online) == {serial}
        assert cloud.asked["lookup", serial] == 2
        cloud.regions[1].silent = True
        sweeper.sweep()
        looked = cloud.asked["lookup", serial]
        assert looked > 2
        cloud.regions[1].silent, cloud.recorders[serial].server = False, 0
        assert set(sweeper.sweep().online) == {serial}


def test_a_held_answer_keeps_nobody_else_waiting():
    cloud = Cloud(fleet(30))
    held = next(iter(cloud.recorders))
    cloud.delay = lambda _server, request: math.inf if request.serial == held else 0.0
    with sweeping(cloud, waits=(3.0, 3.0, 3.0)) as sweeper:
        results: list[SweepResult] = []
        thread = threading.Thread(target=lambda: results.append(sweeper.sweep()))
        thread.start()
        until(lambda: sum(cloud.asked["info", serial] for serial in cloud.recorders) == 29)
        until(lambda: cloud.asked["lookup", held])
        cloud.delay = 0.0
        cloud.release()
        thread.join(30)
        assert len(results[0].online) == 30
