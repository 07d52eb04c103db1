"""A scan of a range by itself: what it reads in an answer, and that it ends whatever fails."""

import asyncio
import logging
import socket
import threading
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from discovery import range_scan
from discovery.range_scan import DONE, FAILED, RUNNING, RangeAnswer, RangeProgress, RangeScans
from discovery.ranges import RangePlan
from store.sql import Unreachable
from tests.home import free_port, until
from tests.sources.probe_matches import answer, match, responder


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


@pytest.fixture
def open_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class Inbox:
    """Keeps answers, unless `fault` says that it cannot."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.fault: Exception | None = None
        self.answers: list[RangeAnswer] = []

    def begin(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def keep(self, progress: RangeProgress, answers: Sequence[RangeAnswer]) -> None:
        if self.fault:
            raise self.fault
        self.answers += answers


def run(scans: RangeScans, plan: RangePlan) -> str:
    assert scans.start(plan, "a person")
    progress = scans.progress
    assert progress
    until(lambda: progress.state != RUNNING, what="the scan has ended")
    return progress.state


def test_answers_that_cannot_be_saved_do_not_stop_later_scans(
    loop: asyncio.AbstractEventLoop, open_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox(loop)
    scans = RangeScans(inbox.begin, inbox.keep, open_port)
    plan = RangePlan("127.0.0.1", ["127.0.0.1"], open_port, open_port)
    inbox.fault = RuntimeError("no room")
    with caplog.at_level(logging.ERROR):
        assert run(scans, plan) == FAILED
        until(lambda: "no room" in caplog.text, what="the reason is in the log")
    assert scans.progress
    assert scans.progress.error == "an internal error, see the log"
    inbox.fault = None
    assert run(scans, plan) == DONE
    assert [each.address for each in inbox.answers] == ["127.0.0.1"]


def test_an_answer_that_could_not_be_saved_is_saved_with_the_next_ones(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, failed = Inbox(loop), list[int]()

    def keep(progress: RangeProgress, answers: Sequence[RangeAnswer]) -> None:
        if answers and not failed:
            failed.append(len(answers))
            raise Unreachable("the disk is full")
        inbox.answers += answers

    scans = RangeScans(inbox.begin, keep, free_port(socket.SOCK_DGRAM))
    monkeypatch.setattr(range_scan, "KEEP_EVERY", 0.01)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        port = server.getsockname()[1]
        assert run(scans, RangePlan("net", ["127.0.0.1"] * 40, free_port(), port)) == DONE
    assert failed
    assert len(inbox.answers) == 40


def test_a_scan_whose_results_cannot_be_saved_has_failed_and_says_so(
    loop: asyncio.AbstractEventLoop, open_port: int
) -> None:
    inbox = Inbox(loop)
    inbox.fault = Unreachable("the disk is full")
    scans = RangeScans(inbox.begin, inbox.keep, open_port)
    assert run(scans, RangePlan("127.0.0.1", ["127.0.0.1"], open_port, open_port)) == FAILED
    assert scans.progress
    assert scans.progress.error.startswith("1 of these results could not be saved")


def test_an_answer_is_read_as_in_a_search_of_all_networks(
    loop: asyncio.AbstractEventLoop, open_port: int
) -> None:
    inbox = Inbox(loop)
    scopes = "onvif://www.onvif.org/name/Front_Door onvif://www.onvif.org/Hardware/IPC%201"
    xaddrs = "rtsp://127.0.0.1:1/x http://169.254.3.4:123456x/a http://10.20.1.9:8080/svc"
    with responder(lambda question: [answer(match(xaddrs, scopes=scopes))]) as port:
        scans = RangeScans(inbox.begin, inbox.keep, port)
        assert run(scans, RangePlan("127.0.0.1", ["127.0.0.1"], open_port, open_port)) == DONE
    (device,) = inbox.answers
    assert (device.name, device.model) == ("Front Door", "IPC 1")
    assert (device.onvif_port, device.onvif_path, device.is_tls) == (8080, "/svc", False)


@pytest.mark.parametrize(
    ("spoken", "ports"),
    [
        (b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n", (True, False)),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", (False, True)),
        (b"SSH-2.0-OpenSSH_9.6\r\n", (False, False)),
        (b"", (False, False)),
        pytest.param(None, (True, False), id="silent"),
    ],
)
def test_an_open_port_that_speaks_something_else_is_no_rtsp_server(
    loop: asyncio.AbstractEventLoop, spoken: bytes | None, ports: tuple[bool, bool]
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\r\n\r\n") == b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
        if spoken is None:
            await reader.read()
        else:
            writer.write(spoken)
        writer.close()

    begun = asyncio.run_coroutine_threadsafe(asyncio.start_server(answer, "127.0.0.1", 0), loop)
    server, inbox = begun.result(10), Inbox(loop)
    port = server.sockets[0].getsockname()[1]
    scans = RangeScans(inbox.begin, inbox.keep, free_port(socket.SOCK_DGRAM))
    run(scans, RangePlan("127.0.0.1", ["127.0.0.1"], port, free_port()))
    loop.call_soon_threadsafe(server.close)
    answered = [(each.rtsp_port == port, each.http_port == port) for each in inbox.answers]
    assert answered == ([ports] if any(ports) else [])
