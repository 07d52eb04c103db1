"""What keeps the Easy4IP source from asking: dead servers, refused keys, a busy cloud."""

import socket
from typing import Any

import pytest

from simulators import easy4ip_wire as wire
from simulators.easy4ip import Cloud, Recorder, fleet
from sources.easy4ip_wire import KeyPair
from tests.sources.easy4ip_sweeps import sweeping, with_online_recorders


@pytest.mark.parametrize("mark", ["dead", "silent"])
def test_a_dead_region_says_nothing_of_its_recorders(mark):
    cloud = Cloud(fleet(24, 8))
    with sweeping(cloud) as sweeper:
        setattr(cloud.regions[3], mark, True)
        result = sweeper.sweep()
        scope = f"dahua:127.0.0.1:{cloud.regions[3].port}"
        assert result.failed_scopes == {scope}
        assert len(result.online) == 21
        assert result.offline == {}
        setattr(cloud.regions[3], mark, False)
        result = sweeper.sweep()
        assert len(result.online) == 24
        assert result.failed_scopes == set()


def test_a_silent_recorder_is_offline_when_another_on_its_server_answers():
    recorders = [Recorder("AB12340", 0, "silent"), Recorder("AB12341", 0)]
    with sweeping(Cloud(recorders, servers=1)) as sweeper:
        result = sweeper.sweep()
    assert set(result.offline) == {"AB12340"}
    assert set(result.online) == {"AB12341"}
    assert result.failed_scopes == set()


def test_a_silent_recorder_is_offline_when_its_server_says_404_of_another():
    recorders = [Recorder("AB12340", 0, "silent"), Recorder("AB12341", 0, "gone")]
    with sweeping(Cloud(recorders, servers=1)) as sweeper:
        assert set(sweeper.sweep().offline) == {"AB12340", "AB12341"}


def test_a_server_to_which_no_way_leads_keeps_nobody_else_from_being_asked():
    # The guard of the tests refuses this address before anything is sent.
    recorder = Recorder("AB12340", 0, us="192.0.2.1:8803")
    with sweeping(Cloud(with_online_recorders(recorder), servers=2)) as sweeper:
        result = sweeper.sweep()
    assert result.cannot is None
    assert len(result.online) == 2
    assert result.offline == {}
    assert result.failed_scopes == {"dahua:192.0.2.1:8803"}


@pytest.mark.parametrize("mark", ["dead", "silent"])
def test_without_the_main_server_nobody_can_be_asked(mark):
    cloud = Cloud(fleet(12))
    with sweeping(cloud) as sweeper:
        setattr(cloud.main, mark, True)
        result = sweeper.sweep()
        assert result.cannot.scope == "dahua"
        assert "is not responding" in result.cannot.reason
        assert result.online == result.offline == {}
        assert result.coverage is None
        setattr(cloud.main, mark, False)
        assert len(sweeper.sweep().online) == 12


def test_a_cloud_that_falls_silent_after_it_answered_takes_nobody_offline():
    cloud = Cloud(fleet(12))
    with sweeping(cloud) as sweeper:
        assert len(sweeper.sweep().online) == 12
        for server in cloud.servers:
            server.silent = True
        result = sweeper.sweep()
        assert result.cannot.scope == "dahua"
        assert result.offline == {}


def test_a_name_that_leads_nowhere_is_said():
    cloud = Cloud(fleet(2))
    with sweeping(cloud, server=("cloud.invalid", 8800)) as sweeper:
        result = sweeper.sweep()
        assert "cloud.invalid" in result.cannot.reason
        assert result.online == result.offline == {}
        assert cloud.asked.total() == 0


@pytest.mark.parametrize("way", ["403", "key_error"])
def test_a_refused_key_pair_is_said_and_takes_nobody_offline(way):
    cloud = Cloud(fleet(12))
    cloud.refuses_keys = way
    with sweeping(cloud) as sweeper:
        result = sweeper.sweep()
    assert result.online == result.offline == {}
    assert result.failed_scopes == {"dahua:refused"}
    assert "EASY4IP_KEY" in result.coverage.failed["dahua:refused"]


def test_a_wrong_key_is_said_and_takes_nobody_offline():
    cloud = Cloud(fleet(3))
    with sweeping(cloud, keys=KeyPair(wire.USER, "wrong")) as sweeper:
        result = sweeper.sweep()
        assert cloud.refused > 0
    assert result.offline == {}
    assert result.failed_scopes == {"dahua:refused"}


def test_a_busy_cloud_takes_nobody_offline_and_is_left_alone_for_a_while():
    cloud = Cloud(fleet(12))
    cloud.busy = 1.0
    with sweeping(cloud, waits=(0.2, 0.2)) as sweeper:
        for _ in range(2):
            result = sweeper.sweep()
            assert result.online == result.offline == {}
            assert result.failed_scopes == {"dahua:busy"}
            cloud.busy = 0.0
            asked = cloud.asked.total()
        sweeper.sweep()
        assert cloud.asked.total() == asked


def test_a_cloud_that_is_busy_now_and_then_is_asked_again_at_once():
    cloud = Cloud(fleet(12))
    cloud.busy = 0.2
    with sweeping(cloud, waits=(0.2, 0.2)) as sweeper:
        assert len(sweeper.sweep().online) == 12
        assert cloud.asked.total() > 36


def test_one_recorder_that_is_always_sent_away_keeps_nobody_else_from_being_asked():
    recorder = Recorder("AB12345", 0, answers={"lookup": "timeout"})
    with sweeping(Cloud(with_online_recorders(recorder), servers=2), waits=(0.2, 0.2)) as sweeper:
        for _ in range(4):
            result = sweeper.sweep()
            assert len(result.online) == 2
            assert result.failed_scopes == {"dahua:busy"}
        newcomer = Recorder("AB12399", 1)
        sweeper.pretend.recorders[newcomer.serial] = newcomer
        assert newcomer.serial in sweeper.sweep().online


def test_a_busy_region_is_left_alone_and_the_others_are_asked_on():
    cloud = Cloud(fleet(80, 8))
    with sweeping(cloud, waits=(0.2, 0.2)) as sweeper:
        assert len(sweeper.sweep().online) == 80
        busy = [recorder for recorder in cloud.recorders.values() if recorder.server == 3]
        for recorder in busy:
            recorder.answers["probe"] = "timeout"
        assert sweeper.sweep().failed_scopes == {"dahua:busy"}
        heard = cloud.regions[3].tally.counts.total()
        result = sweeper.sweep()
        assert len(result.online) == 70
        assert result.offline == {}
        assert cloud.regions[3].tally.counts.total() == heard, "it is left alone"


def test_a_cloud_that_is_busy_for_all_ends_the_sweep_and_calls_nothing_up_again():
    cloud = Cloud(fleet(400, 8))
    cloud.busy = 1.0
    with sweeping(cloud, waits=(0.2, 0.2), rate=200.0, burst=50.0) as sweeper:
        result = sweeper.sweep()
        assert result.failed_scopes == {"dahua:busy"}
        assert result.coverage.scopes == ()
        assert any("is rejecting requests" in note for note in result.coverage.notes)
        assert cloud.asked.total() < 400, "nobody goes on asking a cloud that has no time"


async def two_addresses(*_question: Any, **_more: Any) -> list[Any]:
    """What a name server may say of a name with two addresses; nobody lives at the first."""
    kind = (socket.AF_INET, socket.SOCK_DGRAM, 17, "")
    return [(*kind, (host, 0)) for host in ("127.0.0.99", "127.0.0.1")]


def test_a_main_server_that_is_silent_gives_way_to_the_next_address_of_its_name():
    cloud = Cloud(fleet(6))
    with sweeping(cloud) as sweeper:
        sweeper.runner.get_loop().getaddrinfo = two_addresses
        assert len(sweeper.sweep().online) == 6
        sweeper.runner.get_loop().getaddrinfo = None
        assert len(sweeper.sweep().online) == 6, "who answered is asked again, by its address"


def test_an_error_of_the_cloud_about_one_recorder_keeps_nobody_else_from_being_asked():
    recorder = Recorder("AB12345", 0, answers={"lookup": "500"})
    with sweeping(Cloud(with_online_recorders(recorder), servers=2)) as sweeper:
        for _ in range(2):
            result = sweeper.sweep()
            assert len(result.online) == 2
            assert result.failed_scopes == {"dahua:failing"}


@pytest.mark.parametrize("cseq", ["wrong", "missing"])
def test_answers_that_belong_to_no_request_are_no_verdict(cseq):
    cloud = Cloud(fleet(3))
    cloud.cseq = cseq
    with sweeping(cloud) as sweeper:
        result = sweeper.sweep()
    assert result.offline == {}
    assert result.cannot.scope == "dahua"
