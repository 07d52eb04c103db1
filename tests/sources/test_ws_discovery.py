"""WS-Discovery on real sockets: one address, and a search."""

import asyncio
import socket

import pytest

from fleet.model import CannotAsk
from sources.ws_discovery import Line, Search, SearchOptions, unicast_probe
from sources.ws_discovery_wire import ProbeMatch
from tests.home import free_port
from tests.sources.probe_matches import ENDPOINT, TYPES, answer, match, responder

QUICK = (0.0, 0.05, 0.1)


def test_an_address_is_asked_and_answers() -> None:
    with responder(lambda question: [answer(match("http://127.0.0.1/onvif"))]) as port:
        (result,) = asyncio.run(unicast_probe("127.0.0.1", 5, port))
    assert (result.endpoint, result.sender) == (ENDPOINT, "127.0.0.1")


def test_junk_before_the_answer_does_not_hide_it() -> None:
    junk = [b"", b"junk", b"<!DOCTYPE html><html/>", answer(), b"\xff" * 60_000]
    replies = [*junk, answer(match("http://127.0.0.1/onvif"))]
    with responder(lambda question: replies) as port:
        (result,) = asyncio.run(unicast_probe("127.0.0.1", 5, port))
    assert result.endpoint == ENDPOINT


def test_a_device_that_answers_only_one_kind_of_question_is_heard() -> None:
    data = answer(match("http://127.0.0.1/onvif"))
    for types in (b"<d:Types/>", b"NetworkVideoTransmitter<"):

        def replies(question: bytes, types: bytes = types) -> list[bytes]:
            return [data] if types in question else []

        with responder(replies) as port:
            assert asyncio.run(unicast_probe("127.0.0.1", 5, port))


def test_a_lost_question_is_repeated() -> None:
    questions: list[bytes] = []

    def replies(question: bytes) -> list[bytes]:
        questions.append(question)
        return [answer(match("http://127.0.0.1/onvif"))] if len(questions) > 2 else []

    with responder(replies) as port:
        assert asyncio.run(unicast_probe("127.0.0.1", 0.6, port))
    assert len(set(questions)) == len(questions), "each has its own id"


def test_an_address_that_says_nothing_gives_nothing() -> None:
    with responder(lambda question: []) as port:
        assert asyncio.run(unicast_probe("127.0.0.1", 0.1, port)) == []
    assert asyncio.run(unicast_probe("127.0.0.1", 0.1, port)) == [], "and none is there"


def test_an_answer_from_another_address_proves_nothing() -> None:
    forged = [answer(match("http://127.0.0.1/onvif"))]
    with responder(lambda question: forged, speaks_from="127.0.0.9") as port:
        assert asyncio.run(unicast_probe("127.0.0.1", 0.1, port)) == []
    with responder(lambda question: forged, "127.0.0.9") as port:
        assert asyncio.run(unicast_probe("127.0.0.9", 5, port)), "its own is one"


async def search(port: int, *targets: str, window: float = 0.4) -> tuple[Search, list[ProbeMatch]]:
    running = Search(SearchOptions(targets, port, QUICK, window))
    return running, [result async for result in running.run()]


def test_a_search_hears_each_device_once_and_counts_the_rest() -> None:
    port = free_port(socket.SOCK_DGRAM)
    camera = [answer(match("http://127.0.0.2/onvif"))]
    printer = [answer(match("http://x/", "urn:uuid:2", "<d:Types>wprt:Print</d:Types>", ""))]
    with (
        responder(lambda question: camera, "127.0.0.2", port),
        responder(lambda question: printer, "127.0.0.3", port),
    ):
        running, results = asyncio.run(search(port, "127.0.0.2", "127.0.0.3", "127.0.0.4"))
    assert [(result.endpoint, result.sender) for result in results] == [(ENDPOINT, "127.0.0.2")]
    assert running.answers == 6
    assert running.refused == {"not an ONVIF device": 6}
    assert running.scopes == {"onvif:lo": 18}


def test_cameras_that_share_an_endpoint_are_all_heard() -> None:
    port = free_port(socket.SOCK_DGRAM)
    same = [answer(match("http://0.0.0.0/onvif", types=TYPES))]
    with (
        responder(lambda question: same, "127.0.0.2", port),
        responder(lambda question: same, "127.0.0.3", port),
    ):
        _, results = asyncio.run(search(port, "127.0.0.2", "127.0.0.3"))
    assert {result.sender for result in results} == {"127.0.0.2", "127.0.0.3"}


def test_a_sender_that_changes_its_endpoint_each_time_adds_nothing() -> None:
    port, count = free_port(socket.SOCK_DGRAM), iter(range(10**6))

    def replies(question: bytes) -> list[bytes]:
        return [answer(match("", f"urn:uuid:{next(count):032x}")) for _ in range(50)]

    with responder(replies, "127.0.0.2", port):
        running, results = asyncio.run(search(port, "127.0.0.2"))
    assert results == []
    assert running.refused["contradictory responses"] > 100


def test_other_work_gets_its_turn_while_large_answers_are_read() -> None:
    running = Search(SearchOptions())
    states = set[int]()

    async def read_all(sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(sock, running._read, Line("lo", sock, ()))
        while running.refused.total() < 10:
            states.add(running.refused.total())
            await asyncio.sleep(0)
        loop.remove_reader(sock)

    data = b"<r>" + b"<b/>" * 4000 + b"</r>"
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device,
    ):
        ours.setblocking(False)
        ours.bind(("127.0.0.1", 0))
        for _ in range(10):
            assert device.sendto(data, ours.getsockname()) == len(data)
        asyncio.run(asyncio.wait_for(read_all(ours), 30))
    assert running.refused == {"not a probe match": 10}
    assert len(states) > 2, "all of it was read in one turn"


def test_without_a_route_nothing_was_asked() -> None:
    with pytest.raises(CannotAsk, match="no route to 192.0.2.1"):
        asyncio.run(search(3702, "192.0.2.1", window=0.1))
