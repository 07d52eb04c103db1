"""Child processes that do not do what they should."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.home import until
from video import workers as module
from video.messages import Message
from video.workers import NoWorker, Workers

GARBAGE = """
import socket, sys, time
socket.socket(fileno=int(sys.argv[1])).sendall(b"\\xff" * 100)
time.sleep(600)
"""
HOLDING = """
import ctypes, sys
PTRACE_SEIZE = 0x4206
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = (ctypes.c_long,) * 4
print(ptrace(PTRACE_SEIZE, int(sys.argv[1]), 0, 0), flush=True)
sys.stdin.read()
"""
"""A program that keeps its parent from seeing that a process ended, as with a disk that hangs."""
Make = Callable[..., Workers]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Workers] = []

    def start(
        on_message: Callable[[Message], None] = lambda _message: None, **given: Any
    ) -> Workers:
        made.append(Workers(on_message, lambda _lost, _is_crash: None, **given))
        made[-1].prepare()
        return made[-1]

    yield start
    for workers in made:
        workers.stop()


def test_a_child_that_sends_garbage_is_ended_and_says_why(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    workers = make(command=(sys.executable, "-c", GARBAGE))
    until(lambda: not workers.processes(), what="it has ended")
    [line] = until(lambda: [record.getMessage() for record in caplog.records])
    assert line.startswith("A process for live video has ended: ")
    assert "a message of 4294967295 and 4294967295 bytes" in line


def test_a_child_that_hangs_holds_up_no_stop(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_WITHIN", 0.2)
    beats: list[Message] = []
    workers = make(beats.append)
    until(lambda: beats, what="it runs")
    [pid] = workers.processes()
    os.kill(pid, signal.SIGSTOP)
    begun = monotonic()
    workers.stop()
    assert monotonic() - begun < module.SILENCE
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(NoWorker, match="stopping"):
        workers.prepare()


def test_a_killed_child_that_cannot_end_holds_up_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KILLED_WITHIN", 0.2)
    beats: list[Message] = []
    workers = make(beats.append, silence=3.0)
    until(lambda: beats, what="it runs")
    [pid] = workers.processes()
    command = [sys.executable, "-c", HOLDING, str(pid)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        if holder.stdout.readline() != "0\n":
            pytest.skip("needs ptrace")
        os.kill(pid, signal.SIGKILL)
        until(lambda: not workers.processes(), what="it is given up")
        until(lambda: not workers._threads, what="its thread has told that its streams are lost")
        assert Path(f"/proc/{pid}").exists(), "it has not ended"
        holder.stdin.close()


def test_where_memory_runs_out_a_child_is_ended_and_not_the_monitor(make: Make) -> None:
    beats: list[Message] = []
    workers = make(beats.append)
    until(lambda: beats, what="it runs")
    [pid] = workers.processes()
    own, child = (Path(f"/proc/{each}/oom_score_adj").read_text() for each in ("self", pid))
    assert int(child) > int(own)


def test_a_child_that_is_terminated_ends_in_order(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    beats: list[Message] = []
    workers = make(beats.append)
    until(lambda: beats, what="it runs")
    [pid] = workers.processes()
    os.kill(pid, signal.SIGTERM)
    until(lambda: not workers.processes(), what="it has ended")
    assert caplog.records == []
