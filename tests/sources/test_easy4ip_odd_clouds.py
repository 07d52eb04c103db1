"""Clouds that deviate from the protocol: odd CSeq values, shed requests, long silences."""

from typing import Any

import pytest

from simulators.easy4ip import Cloud, Recorder, fleet
from tests.home import until
from tests.sources.easy4ip_sweeps import (
    SenderRecordingCloud,
    some_offline,
    sweeping,
    with_online_recorders,
)


def test_a_server_that_sends_every_first_request_away_is_not_busy():
    cloud = Cloud(fleet(120, 2), servers=2)
    cloud.regions[0].sheds_first = True
    cloud.recorders["SIM00004PAZ0004"].state = "gone"
    with sweeping(cloud, waits=(0.5, 0.5)) as sweeper:
        for _ in range(2):
            result = sweeper.sweep()
            assert set(result.offline) == {"SIM00004PAZ0004"}
            assert len(result.online) == 119
            assert result.failed_scopes == set()
            assert not any("is rejecting requests" in note for note in result.coverage.notes)


def test_who_refuses_the_repetition_too_is_busy():
    cloud = Cloud(fleet(60, 1), servers=1)
    cloud.busy = 1.0
    with sweeping(cloud, waits=(0.5, 0.5)) as sweeper:
        result = sweeper.sweep()
        assert any("is rejecting requests" in note for note in result.coverage.notes)
        asked = cloud.asked.total()
        sweeper.sweep()
        assert cloud.asked.total() == asked


@pytest.mark.parametrize("state", ["online", "offline", "gone", "silent"])
def test_an_answer_with_cseq_0_counts_on_a_socket_of_its_own(state):
    cloud = SenderRecordingCloud(
        with_online_recorders(Recorder("AB12345", 0, state, cseq="zero")), servers=2
    )
    with sweeping(cloud) as sweeper:
        result = sweeper.sweep()
        assert set(result.offline) == ({"AB12345"} if state != "online" else set())
        assert result.failed_scopes == set()
    assert len(cloud.senders["main"]) >= 2


def test_a_cloud_that_always_answers_with_cseq_0_is_understood():
    cloud = Cloud(some_offline(300)[0])
    cloud.cseq = "zero"
    with sweeping(cloud, alone=40) as sweeper:
        result = sweeper.sweep()
    assert set(result.offline) == some_offline(300)[1]
    assert len(result.online) == 296


def test_who_is_silent_by_numbers_is_not_asked_once_more():
    cloud = Cloud(with_online_recorders(Recorder("AB12345", 0, "silent")), servers=2)
    with sweeping(cloud) as sweeper:
        assert set(sweeper.sweep().offline) == {"AB12345"}
        assert cloud.asked["lookup", "AB12345"] == 2


def test_a_server_that_says_404_of_a_recorder_elsewhere_is_alive():
    recorders = [Recorder("AB12340", 0, "silent"), Recorder("AB12341", 1)]
    with sweeping(Cloud(recorders, servers=2)) as sweeper:
        result = sweeper.sweep()
        assert set(result.offline) == {"AB12340"}
        assert set(result.online) == {"AB12341"}
        assert result.failed_scopes == set()
        assert sweeper.pretend.asked["probe", "AB12341"] > 1


def test_a_recorder_that_answers_while_its_server_is_proved_is_online():
    silent = Recorder("AB12340", 0, "silent")
    cloud = Cloud([silent, Recorder("AB12341", 1)], servers=2)

    def delay(server: Any, asked: Any) -> float:
        if server is cloud.regions[0] and asked.serial == "AB12341":
            silent.state = "online"
        return 0.01

    with sweeping(cloud) as sweeper:
        cloud.delay = delay
        result = sweeper.sweep()
    assert result.offline == {}
    assert set(result.online) == {"AB12340", "AB12341"}


def test_the_only_recorder_of_a_dead_server_is_offline_after_a_long_silence():
    cloud = Cloud([Recorder("AB12340", 0), Recorder("AB12341", 1)], servers=2)
    with sweeping(cloud, long_silence=2.5) as sweeper:
        cloud.regions[0].silent = True
        result = sweeper.sweep()
        assert result.offline == {}
        assert result.failed_scopes == {f"dahua:127.0.0.1:{cloud.regions[0].port}"}
        until(lambda: (result := sweeper.sweep()).offline or result.failed_scopes == set())
        result = sweeper.sweep()
        assert "while the main server responds" in result.offline["AB12340"]
        assert result.failed_scopes == set()
        cloud.regions[0].silent = False
        assert set(sweeper.sweep().online) == {"AB12340", "AB12341"}
        cloud.regions[0].silent = True
        assert sweeper.sweep().offline == {}, "the ten minutes begin again"


def test_nobody_is_offline_by_a_silence_in_which_the_cloud_was_away():
    cloud = Cloud([Recorder("AB12340", 0)], servers=1)
    with sweeping(cloud, long_silence=1.5) as sweeper:
        cloud.regions[0].silent = True
        assert sweeper.sweep().offline == {}
        cloud.main.silent = True
        assert sweeper.sweep().cannot.scope == "dahua"
        cloud.main.silent = False
        assert sweeper.sweep().offline == {}


def test_two_recorders_of_a_dead_server_are_never_offline_by_silence():
    cloud = Cloud([Recorder("AB12340", 0), Recorder("AB12341", 0)], servers=1)
    with sweeping(cloud, long_silence=0.0) as sweeper:
        cloud.regions[0].silent = True
        assert sweeper.sweep().offline == {}


def test_a_serial_is_asked_as_typed_when_the_cloud_does_not_know_it_in_capitals():
    recorders = [Recorder("ab12Cd7"), Recorder("AB12341"), Recorder("xy12345", 0, "offline")]
    with sweeping(Cloud(recorders, servers=1)) as sweeper:
        result = sweeper.sweep(["ab12Cd7", "ab12341", "xy12345"])
        assert set(result.online) == {"ab12Cd7", "ab12341"}
        assert set(result.offline) == {"xy12345"}
        assert sweeper.pretend.asked["lookup", "ab12341"] == 0
        sweeper.sweep(["ab12Cd7"])
        assert sweeper.pretend.asked["lookup", "ab12Cd7"] == 1, "the spelling is remembered"
