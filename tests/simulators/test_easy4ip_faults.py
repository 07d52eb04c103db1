"""Faults that the pretend Easy4IP cloud makes on order: loss, delay, forgery, dead servers."""

import math

import pytest

from simulators.easy4ip import Recorder, fleet
from tests.simulators.easy4ip_client import (
    HELLO,
    NOON,
    SERIAL,
    SERIALS,
    answered,
    cloud_of,
    created,
    request_bytes,
    wait_until,
)


@pytest.mark.parametrize("way", ["request_loss", "answer_loss"])
def test_loss_is_about_what_was_asked_for_and_the_same_for_the_same_seed(client, way):
    def run(seed: int) -> list[int]:
        with cloud_of(*fleet(200, 2), seed=seed) as cloud:
            setattr(cloud, way, 0.3)
            first = client.cseq
            return [heard.cseq - first for heard in answered(client, cloud, SERIALS)]

    heard = run(1)
    assert 110 <= len(heard) <= 170  # 140 expected, 6.5 is the standard deviation
    assert run(1) == heard
    assert run(2) != heard


def test_loss_strikes_both_ways(client):
    with cloud_of(*fleet(200, 2)) as cloud:
        cloud.request_loss = cloud.answer_loss = 0.5
        assert 25 <= len(answered(client, cloud, SERIALS)) <= 75


def test_a_lost_request_is_counted_but_changes_nothing(client, cloud, recorder):
    recorder.once = {"lookup": "404"}
    cloud.request_loss = 1.0
    assert answered(client, cloud, [SERIAL], 3) == []
    assert (cloud.main.tally.counts["lookup"], recorder.once) == (3, {"lookup": "404"})
    cloud.request_loss = 0.0
    assert client.lookup(cloud).code == 404


def test_the_luck_of_one_serial_does_not_depend_on_the_others(client):
    with cloud_of(*fleet(9, 2), seed=3) as cloud:
        cloud.answer_loss = 0.5
        first = client.cseq
        alone = [heard.cseq - first for heard in answered(client, cloud, SERIALS[:1], 12)]
        first = client.cseq
        among_others = [heard.cseq - first for heard in answered(client, cloud, SERIALS[:9], 12)]
    assert 0 < len(alone) < 12
    assert alone == [number // 9 + 1 for number in among_others if number % 9 == 1]


def test_a_busy_cloud_sends_a_share_away_though_their_time_is_right(client):
    with cloud_of(*fleet(200, 2)) as cloud:
        cloud.busy = 0.25
        heard = answered(client, cloud, SERIALS)
        away = [answer for answer in heard if answer.code == 401]
        assert len(heard) == 200
        assert 25 <= len(away) <= 75
        assert {answer.body for answer in away} == {"<body><Error>Error TimeOut</Error></body>"}
        assert {answer.header("Date") for answer in away} == {created(NOON)}


def test_a_held_answer_comes_when_it_is_released(client, cloud):
    cloud.delay = lambda server, request: math.inf if request.step == "lookup" else 0.0
    held = [client.send(cloud.main, f"/online/p2psrv/{SERIAL}") for _ in range(2)]
    assert client.ask(cloud.main, HELLO).cseq == held[-1] + 1
    cloud.release()
    assert [client.hear().cseq for _ in range(2)] == held


def test_a_delay_may_differ_by_server(client, cloud):
    cloud.delay = lambda server, request: math.inf if server is cloud.main else 0.0
    held = client.send(cloud.main, f"/online/p2psrv/{SERIAL}")
    assert client.probe(cloud).code == 200
    wait_until(lambda: cloud.asked["lookup", SERIAL] == 1)
    cloud.release()
    assert client.hear().cseq == held


def test_a_delayed_answer_comes_after_one_that_was_asked_later_but_trying_does_not(
    client, cloud, recorder
):
    recorder.trying = 1
    cloud.delay = lambda server, request: 0.2 if request.step == "lookup" else 0.0
    with cloud.lock:  # it takes neither before both are there
        client.send(cloud.main, f"/online/p2psrv/{SERIAL}")
        client.send(cloud.main, HELLO)
    assert [(heard.code, heard.cseq) for heard in (client.hear() for _ in range(3))] == [
        (100, 1),
        (200, 2),
        (200, 1),
    ]


def test_a_share_of_the_answers_is_late(client):
    with cloud_of(*fleet(200, 2)) as cloud:
        cloud.late, cloud.lateness = 0.25, math.inf
        in_time = answered(client, cloud, SERIALS)
        assert 125 <= len(in_time) <= 175
        cloud.release()
        wait_until(lambda: cloud.is_quiet)
        late = [client.hear() for _ in range(200 - len(in_time))]
        assert len({answer.cseq for answer in in_time + late}) == 200


def test_a_share_of_the_answers_comes_twice(client):
    with cloud_of(*fleet(200, 2)) as cloud:
        cloud.duplicates = 0.25
        heard = [answer.cseq for answer in answered(client, cloud, SERIALS)]
        assert len(set(heard)) == 200
        assert 225 <= len(heard) <= 275


@pytest.mark.parametrize(
    ("cseq", "header"),
    [("same", "5"), ("wrong", str(5 ^ 1 << 30)), ("zero", "0"), ("missing", None)],
)
def test_answers_carry_the_cseq_that_was_ordered(client, cloud, cseq, header):
    cloud.cseq = cseq
    assert client.lookup(cloud, cseq=5).header("CSeq") == header


@pytest.mark.parametrize(
    ("forger", "host", "is_right_port", "is_right_cseq"),
    [
        ("address", "127.66.6.6", True, True),
        ("port", "127.0.0.1", False, True),
        ("cseq", "127.0.0.1", True, False),
    ],
)
@pytest.mark.parametrize(("state", "lie", "truth"), [("online", 404, 200), ("offline", 200, 404)])
def test_a_forger_says_the_opposite_first_and_from_elsewhere(
    client, cloud, recorder, forger, host, is_right_port, is_right_cseq, state, lie, truth
):
    recorder.state = state
    cloud.forgers = {forger}
    us = cloud.regions[1]
    for server, path in (
        (cloud.main, "/online/p2psrv/"),
        (us, "/probe/device/"),
        (us, "/info/device/"),
    ):
        asked = client.send(server, path + SERIAL)
        forged, true = client.hear(), client.hear()
        assert (true.code, true.sender, true.cseq) == (truth, server.address, asked)
        assert (forged.code, forged.sender[0]) == (lie, host)
        assert (forged.sender[1] == server.port) == is_right_port
        assert (forged.cseq == asked) == is_right_cseq
        assert lie == 404 or bool(forged.body) == (path != "/probe/device/")


def test_forgers_also_answer_for_a_silent_device(client, cloud, recorder):
    recorder.state = "silent"
    cloud.forgers = {"address", "cseq", "port"}
    client.send(cloud.regions[1], f"/info/device/{SERIAL}")
    assert [client.hear().code for _ in range(3)] == [200] * 3
    assert client.hear_all(cloud, 1) == []


def test_a_connected_socket_never_hears_a_forger_from_elsewhere(client, cloud):
    cloud.forgers = {"address", "port"}
    client.socket.connect(cloud.main.address)
    client.socket.send(request_bytes(f"/online/p2psrv/{SERIAL}"))
    assert [heard.code for heard in client.hear_all(cloud, 1)] == [200]


def test_a_silent_main_server_hears_and_does_not_answer(client, cloud):
    cloud.main_silent = True
    assert answered(client, cloud, [SERIAL]) == []
    assert client.probe(cloud).code == 200
    cloud.main_silent = False
    assert client.lookup(cloud).code == 200


def test_a_silent_region_leaves_the_other_alone(client):
    with cloud_of(Recorder("A1", 0), Recorder("B1", 1)) as cloud:
        cloud.regions[0].silent = True
        client.send(cloud.regions[0], "/probe/device/A1")
        assert client.hear_all(cloud, 1) == []
        assert client.ask(cloud.regions[1], "/probe/device/B1").code == 200


def test_a_dead_server_refuses_until_it_is_back_on_the_same_port(client, cloud):
    us = cloud.regions[1]
    before = us.address
    us.dead = True
    client.socket.connect(us.address)
    client.socket.send(request_bytes(f"/probe/device/{SERIAL}"))
    with pytest.raises(ConnectionRefusedError):
        client.hear()
    us.dead = False
    client.socket.send(request_bytes(f"/probe/device/{SERIAL}"))
    assert client.hear().code == 200
    assert (us.address, cloud.asked.total()) == (before, 1)


def test_what_a_server_still_had_to_say_dies_with_it(client, cloud):
    cloud.delay = math.inf
    client.send(cloud.regions[1], f"/probe/device/{SERIAL}")
    wait_until(lambda: cloud.asked.total() == 1)
    cloud.regions[1].dead = True
    cloud.release()
    assert client.hear_all(cloud, 1) == []
