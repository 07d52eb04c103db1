"""A machine that is short of threads or descriptors: the server answers again afterwards."""

import resource
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.home import Running, until
from tests.web.http.test_slow_clients import events, worker_of

NO_THREADS = """
import os, threading
start = threading.Thread.start
def start_or_fail(thread):
    if thread.name.startswith("request") and os.path.exists(os.environ["NO_THREADS"]):
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = start_or_fail
import sys
import serving
sys.argv = ["app.py"]
serving.main()
"""
"""As under a limit of processes: it spares root, so that a test cannot set a real one."""


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Running]:
    """A server that can start no thread while the file `full` is there."""
    monitor = Running(tmp_path, NO_THREADS=str(tmp_path / "full"))
    try:
        yield monitor.start(sys.executable, "-c", NO_THREADS)
    finally:
        monitor.kill()


def test_a_request_without_a_thread_is_refused_and_the_next_one_is_answered(
    crowded: Running,
) -> None:
    worker = worker_of(crowded)
    full = crowded.folder / "full"
    with ExitStack() as stack:
        # Each stream occupies a thread, so that none is idle.
        for _ in range(3):
            stack.enter_context(events(crowded.port))
        full.touch()
        # A thread that has just become idle takes the first ones.
        until(lambda: crowded.get("/healthz").status == 503 or streams(stack, crowded))
        answers = [crowded.get("/healthz") for _ in range(3)]
        assert [answer.status for answer in answers] == [503] * 3
        assert b"Try again in a minute" in answers[0].body
        full.unlink()
        assert crowded.get("/healthz").status == 200
    # What was refused waits in the pool no more than its thread: nothing is answered twice.
    assert [crowded.get("/healthz").status for _ in range(5)] == [200] * 5
    until(lambda: "Starting threads for requests again" in crowded.text(), what="its end is told")
    assert worker_of(crowded) == worker
    assert crowded.text().count("Cannot start a thread for a request") == 1
    assert "Traceback" not in crowded.text()


def streams(stack: ExitStack, monitor: Running) -> bool:
    """Occupy one more idle thread."""
    stack.enter_context(events(monitor.port))
    return False


def test_a_shortage_of_descriptors_is_told_once_and_its_end_too(
    run_monitor: Callable[..., Running],
) -> None:
    monitor = run_monitor()
    pid = worker_of(monitor)
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with ExitStack() as stack:

        def client() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", monitor.port), 30))

        first = [client() for _ in range(6)]
        assert monitor.get("/healthz").status == 200
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, usual[1]))
        for _ in range(6):
            client()
        # Each failure lets one of them go.
        until(lambda: all(connection.recv(1) == b"" for connection in first), what="six failures")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
        until(lambda: "Accepting connections again" in monitor.text(), what="its end is told")
    assert monitor.get("/healthz").status == 200
    assert monitor.text().count("Cannot accept a connection") == 1
    assert monitor.text().count("Accepting connections again") == 1
