"""Run the process that uses the cameras of this computer (camera_child.py), within its limits."""

import json
import os
import selectors
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from sources import camera_messages
from sources.camera_messages import Message

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
"""All that the process knows of the monitor's environment, which holds secrets."""
PIECE = 256 * 1024
MOST_TEXT = 4096
"""Bytes kept of what the libraries write to the standard error."""
CLOSED_WITHIN = 3.0
"""Seconds that a process has to close the camera after its last message."""
KILLED_WITHIN = 2.0
"""Seconds that a killed process is waited for: the kernel ends none inside of a driver that does
not answer."""


class Lost(Exception):
    """The process ended without an answer: its exit code, and the end of what it wrote."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"exit code {code}")
        self.code = code
        self.text = text


class Hung(Exception):
    """The process did not answer in time and was killed. `process`: one that not even a kill has
    ended yet."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        super().__init__("no answer in time")
        self.process = process


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds until the camera runs, and until its picture is there from then on."""

    start: float = 25.0
    picture: float = 8.0


@dataclass(slots=True)
class CameraProcesses:
    """Starts camera processes, and can kill all that run."""

    command: tuple[str, ...] = ("-m", "camera_child")
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)
    _is_stopped: bool = False

    def ask(self, python: str, request: Mapping[str, Any], limits: Limits) -> Message:
        """The answer of a new process to a request. Raises Lost, Hung, and OSError when the process
        cannot be started."""
        read, write = os.pipe()
        with ExitStack() as descriptors:
            descriptors.callback(os.close, read)
            with ExitStack() as theirs:
                theirs.callback(os.close, write)
                process = self._start(python, write, request)
            try:
                return _answer(process, read, limits)
            finally:
                self._end(process)

    def _start(
        self, python: str, channel: int, request: Mapping[str, Any]
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_stopped:
                raise OSError("Camera Monitor is stopping")
            process = subprocess.Popen(
                [python, *self.command, str(channel), json.dumps(request)],
                cwd=ROOT,
                env=ENVIRONMENT,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(channel,),
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._running.discard(process)
        for pipe in (process.stdin, process.stderr):
            if pipe:
                pipe.close()

    def stop(self) -> None:
        """Kill what runs, and start nothing any more."""
        with self._lock:
            self._is_stopped = True
            for process in self._running:
                process.kill()


def _answer(process: subprocess.Popen[bytes], channel: int, limits: Limits) -> Message:
    """Read messages until the one that answers, or until the process ends or is out of time."""
    assert process.stderr is not None
    decoder, text = camera_messages.Decoder(), bytearray()
    until = monotonic() + limits.start
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        while True:
            ready = selector.select(max(0.0, until - monotonic()))
            if not ready or monotonic() >= until:
                raise Hung(_killed(process))
            for key, _events in ready:
                data = os.read(key.fd, PIECE)
                if key.fd != channel:
                    text = (text + data)[-MOST_TEXT:]
                    if not data:
                        selector.unregister(key.fileobj)
                    continue
                if not data:
                    raise Lost(_ended(process), text.decode(errors="replace"))
                for message in _messages(decoder, data, process):
                    if message[0].get("kind") != camera_messages.STARTED:
                        _ended(process)
                        return message
                    until = monotonic() + limits.picture


def _messages(
    decoder: camera_messages.Decoder, data: bytes, process: subprocess.Popen[bytes]
) -> list[Message]:
    """Decode the messages. Raises Lost for a process that sends anything else."""
    try:
        return decoder.feed(data)
    except camera_messages.Malformed as error:
        _killed(process)
        raise Lost(0, str(error)) from None


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process that is done; it is killed if closing the camera hangs."""
    with suppress(subprocess.TimeoutExpired):
        return process.wait(CLOSED_WITHIN)
    _killed(process)
    return -1


def _killed(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes] | None:
    """Kill a process; the process itself if that does not end it."""
    process.kill()
    try:
        process.wait(KILLED_WITHIN)
    except subprocess.TimeoutExpired:
        return process
    return None
