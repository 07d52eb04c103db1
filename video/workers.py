"""The child processes that read streams: started when they are needed, replaced when they die.

A crash inside a native library ends one group of streams for a second and never the monitor.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from threading import Lock, Thread, current_thread
from time import monotonic
from typing import Any

from fleet.labels import counted
from video import messages
from video.message_values import open_head
from video.messages import Channel, Closed, Malformed, Message
from video.model import OpenedStream
from video.rhythm import Patience

log = logging.getLogger(__name__)
ROOT = Path(__file__).parent.parent
GROUP = 16
"""Streams of one child."""
SILENCE = 10.0
"""Seconds after which a child that sends nothing is killed; it sends something each second."""
IDLE = 30.0
"""Seconds that a child without streams waits for the next one."""
STOP_WITHIN = 5.0
"""Seconds that the children have to close their files and their sessions."""
KILLED_WITHIN = 2.0
"""Seconds that a killed child is waited for: the kernel ends none inside of a call to a disk that
does not answer."""
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
"""All that a child knows of the monitor's environment, which holds secrets."""


class NoWorker(Exception):
    """This server cannot start a child process, or cannot hand it a stream; in words."""


class Worker:
    """A child process: its streams by number, and the thread that reads what it sends."""

    def __init__(self, command: tuple[str, ...], silence: float) -> None:
        ours, theirs = socket.socketpair()
        with ExitStack() as unused, theirs:
            unused.enter_context(ours)
            self.process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                cwd=ROOT,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
            unused.pop_all()
        ours.settimeout(silence)
        self.channel = Channel(ours)
        self.sending = Lock()
        self.streams: set[int] = set()
        self.is_alone = False
        self.is_ending = False
        self.empty_since = monotonic()

    def send(self, message: Message) -> None:
        """Send a message. Raises Closed; a child that does not read any more is killed."""
        try:
            with self.sending:
                self.channel.send(message)
        except TimeoutError:
            self.process.kill()
            raise Closed("it does not read") from None

    def reap(self, seconds: float) -> int:
        """Its exit code; it is killed when it has not ended by then. One that cannot end even so is
        left behind."""
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(KILLED_WITHIN)
        log.warning("The killed process %d has not ended yet: a disk holds it", self.process.pid)
        Thread(target=self.process.wait, name="killed", daemon=True).start()
        return -signal.SIGKILL


class Workers:
    """All child processes. `on_message` and `on_lost` are called in the thread of the child; the
    latter with the streams that a child took along, and whether it crashed."""

    def __init__(
        self,
        on_message: Callable[[Message], None],
        on_lost: Callable[[frozenset[int], bool], None],
        *,
        group: int = GROUP,
        silence: float = SILENCE,
        idle: float = IDLE,
        command: tuple[str, ...] = (sys.executable, "-m", "video_worker"),
    ) -> None:
        self._on_message = on_message
        self._on_lost = on_lost
        self._group = group
        self._silence = silence
        self._idle = idle
        self._command = command
        self._lock = Lock()
        self._workers: list[Worker] = []
        self._threads: set[Thread] = set()
        self._is_stopped = False

    def prepare(self) -> None:
        """Start a child where none has room, so that it is there when a stream is open. Raises
        NoWorker."""
        with self._lock:
            self._with_room(is_alone=False)

    def open(
        self, number: int, opened: OpenedStream, patience: Patience, *, is_alone: bool = False
    ) -> None:
        """Hand an opened stream to a child, which owns its sockets from now on and ends it when it
        is without video for too long. `is_alone`: to a child of its own, for a stream that may have
        crashed others. Raises NoWorker, and leaves the sockets open then."""
        data = opened.description + opened.rest
        head = {"patience": asdict(patience), **open_head(opened)}
        message = Message(messages.OPEN, number, head, data, opened.sockets)
        with self._lock:
            worker = self._with_room(is_alone=is_alone)
            worker.streams.add(number)
        self._send_first(worker, message)
        for sock in opened.sockets:
            sock.close()

    def _send_first(self, worker: Worker, message: Message) -> None:
        try:
            worker.send(message)
        except Closed:
            with self._lock:
                worker.streams.discard(message.stream)
            raise NoWorker("The process that reads streams has ended") from None

    def tell(self, kind: int, number: int, head: Mapping[str, Any] | None = None) -> None:
        """Send a message about a stream to its child; nothing when it has gone."""
        with self._lock:
            worker = next((worker for worker in self._workers if number in worker.streams), None)
        if worker is not None:
            try:
                worker.send(Message(kind, number, head or {}))
            except Closed:
                return  # its thread sees it, and tells that its streams are lost

    def processes(self) -> dict[int, frozenset[int]]:
        """The streams by the number of the process that reads them."""
        with self._lock:
            return {worker.process.pid: frozenset(worker.streams) for worker in self._workers}

    def stop(self) -> None:
        """End all children: they close files and sessions first."""
        with self._lock:
            self._is_stopped = True
            for worker in self._workers:
                self._end(worker)
            threads = tuple(self._threads)
        until = monotonic() + STOP_WITHIN
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))
        with self._lock:
            for worker in self._workers:
                worker.process.kill()
        for thread in threads:
            thread.join()

    def _with_room(self, *, is_alone: bool) -> Worker:
        """The fullest child that has room, or a new one."""
        if self._is_stopped:
            raise NoWorker("Camera Monitor is stopping")
        usable = [
            worker
            for worker in self._workers
            if not (worker.is_ending or worker.is_alone)
            and len(worker.streams) < (1 if is_alone else self._group)
        ]
        worker = max(usable, key=lambda worker: len(worker.streams), default=None)
        worker = worker or self._start()
        worker.is_alone = is_alone
        return worker

    def _start(self) -> Worker:
        try:
            worker = Worker(self._command, self._silence)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise NoWorker(
                f"This server cannot start a process to read streams: {reason}"
            ) from None
        thread = Thread(target=self._read, args=(worker,), name="streams", daemon=True)
        self._workers.append(worker)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._workers.remove(worker)
            self._threads.discard(thread)
            worker.process.kill()
            worker.process.wait()
            worker.channel.close()
            raise NoWorker("This server cannot start a thread to read streams") from None
        return worker

    def _end(self, worker: Worker) -> None:
        worker.is_ending = True
        try:
            worker.send(Message(messages.END))
        except Closed:
            return  # it has ended already

    # -- the thread of a child ------------------------------------------------------------

    def _read(self, worker: Worker) -> None:
        reason = ""
        try:
            while True:
                for message in worker.channel.receive():
                    self._receive(worker, message)
        except TimeoutError:
            reason = f"it sent nothing for {self._silence:.0f} s"
        except Malformed as error:
            reason = f"it sent {error}"
        except Closed:
            reason = ""
        finally:
            self._lose(worker, reason)
            self._threads.discard(current_thread())

    def _receive(self, worker: Worker, message: Message) -> None:
        if message.kind == messages.BEAT:
            self._end_if_idle(worker)
        elif message.kind == messages.ENDED:
            with self._lock:
                worker.streams.discard(message.stream)
                worker.empty_since = monotonic()
        self._on_message(message)

    def _end_if_idle(self, worker: Worker) -> None:
        with self._lock:
            is_idle = not worker.streams and monotonic() - worker.empty_since > self._idle
            if is_idle and not worker.is_ending:
                self._end(worker)

    def _lose(self, worker: Worker, reason: str) -> None:
        """Remove a child that has ended, or is to be ended for this reason."""
        with self._lock:
            if worker in self._workers:
                self._workers.remove(worker)
            lost = frozenset(worker.streams)
            was_asked = worker.is_ending
        if reason:
            worker.process.kill()
        code = worker.reap(1.0)
        worker.channel.close()
        is_crash = bool(code or reason) and not was_asked
        if is_crash:
            reads = f" that reads {counted(len(lost), 'stream')}" if lost else " for live video"
            cause = reason or _cause(code)
            log.error("A process%s has ended: %s. It is replaced.", reads, cause)
        self._on_lost(lost, is_crash)


def _cause(code: int) -> str:
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"
