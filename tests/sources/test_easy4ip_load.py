"""How much the Easy4IP source asks of the cloud: rate, sockets, and only listed serials."""

import math
import threading

from simulators.easy4ip import Cloud, fleet
from tests.home import until
from tests.sources.easy4ip_sweeps import Attentive, SweepResult, asking


def test_only_the_listed_serials_are_asked_about():
    recorders = fleet(10)
    listed = [recorder.serial for recorder in recorders[:3]]
    with asking(Cloud(recorders)) as asker:
        assert set(asker.sweep(listed).online) == set(listed)
        assert {serial for _step, serial in asker.pretend.asked} == set(listed)


def test_nobody_is_asked_when_nobody_is_listed():
    with asking(Cloud(fleet(2))) as asker:
        assert asker.sweep([]).coverage.requests == 0
        assert asker.pretend.asked.total() == 0


def test_no_server_gets_more_than_burst_and_rate_in_a_second():
    cloud = Cloud(fleet(120, 2), servers=2)
    with asking(cloud, rate=50.0, burst=20.0) as asker:
        assert len(asker.sweep().online) == 120
        peaks = [server.tally.peak for server in cloud.servers]
        assert max(peaks) <= 72  # two more: the wire hears them a moment closer than they left
        assert peaks[0] > 30


def test_each_server_is_spoken_to_from_one_socket_only():
    cloud = Attentive(fleet(40, 4), servers=4)
    with asking(cloud) as asker:
        asker.sweep()
        asker.sweep()
    assert {name: len(senders) for name, senders in cloud.senders.items()} == dict.fromkeys(
        ("main", "US0", "US1", "US2", "US3"), 1
    )


def test_a_server_that_was_silent_is_spoken_to_from_another_socket():
    cloud = Attentive(fleet(2, 1), servers=1)
    with asking(cloud) as asker:
        cloud.main.silent = True
        asker.sweep()
        cloud.main.silent = False
        assert len(asker.sweep().online) == 2
    assert len(cloud.senders["main"]) == 2


def test_the_requests_are_spread_over_the_interval():
    cloud = Cloud(fleet(40, 1), servers=1)
    with asking(cloud) as asker:
        assert len(asker.sweep(spread=2.0).online) == 40
        assert cloud.main.tally.peak < 35


def test_the_place_of_a_recorder_is_remembered_until_it_is_not_there():
    cloud = Cloud(fleet(1, 2), servers=2)
    serial = next(iter(cloud.recorders))
    with asking(cloud) as asker:
        asker.sweep()
        asker.sweep()
        assert cloud.asked["lookup", serial] == 1
        cloud.recorders[serial].server = 1
        assert set(asker.sweep().online) == {serial}
        assert cloud.asked["lookup", serial] == 2
        cloud.regions[1].silent = True
        asker.sweep()
        looked = cloud.asked["lookup", serial]
        assert looked > 2
        cloud.regions[1].silent, cloud.recorders[serial].server = False, 0
        assert set(asker.sweep().online) == {serial}


def test_a_held_answer_keeps_nobody_else_waiting():
    cloud = Cloud(fleet(30))
    held = next(iter(cloud.recorders))
    cloud.delay = lambda _server, request: math.inf if request.serial == held else 0.0
    with asking(cloud, waits=(3.0, 3.0, 3.0)) as asker:
        results: list[SweepResult] = []
        thread = threading.Thread(target=lambda: results.append(asker.sweep()))
        thread.start()
        until(lambda: sum(cloud.asked["info", serial] for serial in cloud.recorders) == 29)
        until(lambda: cloud.asked["lookup", held])
        cloud.delay = 0.0
        cloud.release()
        thread.join(30)
        assert len(results[0].online) == 30
