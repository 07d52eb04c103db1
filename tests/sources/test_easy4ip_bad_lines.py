"""Lost, late, forged and repeated datagrams, and outages within a sweep: no wrong verdict."""

import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulators.easy4ip import Cloud, fleet
from sources.easy4ip_cloud import CloudClock
from tests.sources.easy4ip_sweeps import some_offline, sweeping


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_five_per_cent_loss_each_way_makes_no_wrong_verdict(seed):
    recorders, down = some_offline(300)
    cloud = Cloud(recorders, seed=seed)
    cloud.request_loss = cloud.answer_loss = 0.05
    with sweeping(cloud, waits=(0.2, 0.2, 0.2)) as sweeper:
        result = sweeper.sweep()
        assert sum(server.tally.repeats for server in cloud.servers) > 50
        assert sum(server.tally.stale_repeats for server in cloud.servers) == 0
        assert cloud.refused == 0
    assert set(result.offline) == down
    assert len(result.online) == 296
    assert result.failed_scopes == set()


def test_forged_answers_change_no_verdict():
    recorders, down = some_offline(300)
    cloud = Cloud(recorders)
    cloud.forgers = {"address", "port", "cseq"}
    with sweeping(cloud, waits=(0.2, 0.2, 0.2)) as sweeper:
        result = sweeper.sweep()
    assert set(result.offline) == down
    assert len(result.online) == 296
    assert result.coverage.refused["unexpected response: late, repeated or forged"] >= 500


@pytest.mark.parametrize("skew", [3600, -3600])
def test_a_clock_that_is_an_hour_off_is_learned_from_the_first_refusal(skew):
    recorders, down = some_offline(300)
    cloud = Cloud(recorders)
    cloud.skew = skew
    with sweeping(cloud, waits=(0.2, 0.2, 0.2)) as sweeper:
        assert set(sweeper.sweep().offline) == down
        before = cloud.asked["lookup", recorders[7].serial]
        assert set(sweeper.sweep().offline) == down
        assert cloud.asked["lookup", recorders[7].serial] == before + 2
        assert cloud.refused == 0


def test_an_answer_to_an_earlier_sending_counts():
    cloud = Cloud(fleet(20), seed=4)
    cloud.delay = 0.12
    with sweeping(cloud) as sweeper:
        result = sweeper.sweep()
        assert sum(server.tally.repeats for server in cloud.servers) >= 20
    assert len(result.online) == 20


def test_late_and_repeated_answers_are_never_taken_for_another_one():
    recorders, down = some_offline(300)
    cloud = Cloud(recorders, seed=5)
    cloud.duplicates, cloud.late, cloud.lateness = 0.5, 0.2, 0.3
    with sweeping(cloud, waits=(0.2, 0.2, 0.2)) as sweeper:
        result = sweeper.sweep()
    assert set(result.offline) == down
    assert len(result.online) == 296
    assert result.coverage.refused["unexpected response: late, repeated or forged"] >= 100


def test_a_recorder_whose_answers_take_longer_than_a_round_is_online():
    cloud = Cloud(fleet(12, 2))
    slow = cloud.recorders["SIM00003PAZ0003"]
    cloud.delay = lambda _server, asked: 0.45 if asked.serial == slow.serial else 0.01
    with sweeping(cloud) as sweeper:
        result = sweeper.sweep()
    assert result.offline == {}
    assert slow.serial in result.online


def test_a_cloud_whose_answers_all_take_longer_than_a_round_is_waited_for():
    cloud = Cloud(fleet(40, 4))
    cloud.recorders["SIM00003PAZ0003"].state = "offline"
    cloud.delay = 0.5
    with sweeping(cloud) as sweeper:
        result = sweeper.sweep()
        assert set(result.offline) == {"SIM00003PAZ0003"}
        assert len(result.online) == 39
        cloud.delay = 1.2
        sweeper.sweep()
        result = sweeper.sweep()
    assert set(result.offline) == {"SIM00003PAZ0003"}
    assert any("the cloud is slow" in note for note in result.coverage.notes)


def after(number: int, happens: Callable[[], Any], delay: float = 0.01) -> Callable[..., float]:
    """A delay of answers, in which something happens with the answer of that number."""
    heard = itertools.count(1)

    def wait(_server: Any, _request: Any) -> float:
        if next(heard) == number:
            happens()
        return delay

    return wait


@pytest.mark.parametrize("number", [40, 80, 110])
def test_a_region_that_dies_in_the_middle_of_a_sweep_takes_nobody_offline(number):
    cloud = Cloud(fleet(40, 2))
    with sweeping(cloud) as sweeper:
        cloud.delay = after(number, lambda: setattr(cloud.regions[0], "silent", True))
        result = sweeper.sweep(spread=1.0)
        assert result.offline == {}
        assert result.failed_scopes == {f"dahua:127.0.0.1:{cloud.regions[0].port}"}


@pytest.mark.parametrize("number", [10, 60, 110])
def test_what_the_cloud_says_of_all_for_a_moment_takes_nobody_offline(number):
    cloud = Cloud(fleet(40, 2))

    def say(state: str) -> None:
        for recorder in cloud.recorders.values():
            recorder.state = state

    def forget() -> None:
        say("offline")
        threading.Timer(0.25, say, ("online",)).start()

    with sweeping(cloud) as sweeper:
        cloud.delay = after(number, forget)
        # A recorder is asked again after a quarter of this: later than the moment ends.
        result = sweeper.sweep(spread=2.0)
    assert result.offline == {}
    assert len(result.online) == 40


@pytest.mark.parametrize("number", [20, 70, 115])
def test_a_region_that_becomes_slow_in_the_middle_of_a_sweep_takes_nobody_offline(number):
    cloud = Cloud(fleet(40, 2))
    heard = itertools.count(1)

    def delay(server: Any, _request: Any) -> float:
        return 0.8 if next(heard) > number and server is cloud.regions[0] else 0.01

    with sweeping(cloud) as sweeper:
        cloud.delay = delay
        result = sweeper.sweep(spread=1.0)
    assert result.offline == {}


@pytest.mark.parametrize("number", [40, 110])
def test_a_line_that_breaks_in_the_middle_of_a_sweep_is_told_as_the_whole_source(number):
    cloud = Cloud(fleet(40, 2))

    def silence() -> None:
        for server in cloud.servers:
            server.silent = True

    with sweeping(cloud) as sweeper:
        cloud.delay = after(number, silence)
        result = sweeper.sweep(spread=1.0)
        assert result.offline == {}
        assert result.failed_scopes == {"dahua"}
        assert sweeper.sweep().cannot.scope == "dahua"


def test_a_few_who_are_sent_away_wake_nobody():
    cloud = Cloud(fleet(60))
    cloud.busy = 0.45
    with sweeping(cloud, waits=(0.2, 0.2)) as sweeper:
        for _ in range(3):
            result = sweeper.sweep()
            assert result.offline == {}
            assert 54 < len(result.online) <= 60
            assert result.failed_scopes == set()


def test_the_time_that_an_answer_took_is_no_fault_of_the_clock():
    now = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
    clock = CloudClock(lambda: now)
    for shown, took, off in ((-8, 8.0, 0), (-8, 2.0, -5), (40, 1.0, 40), (0, 0.1, 0)):
        clock.note_date(now + timedelta(seconds=shown), took)
        assert clock.seen == timedelta(seconds=off)
