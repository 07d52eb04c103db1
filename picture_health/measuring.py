"""Measure pictures in a process of its own: started when it is needed, replaced when it dies, ended
when it has nothing to do, which gives its memory back."""

import importlib.util
import json
import logging
import socket
import subprocess  # nosec B404 (our own program, with fixed arguments)
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic

from picture_health.frames import MOST_BYTES, Ended, receive, send
from picture_health.model import CannotMeasure, Comparison, Measures, Sample

log = logging.getLogger(__name__)
ROOT = Path(__file__).parent.parent
LIBRARY = "cv2"
COMMAND = (sys.executable, "-m", "picture_health.measuring_child")
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_LOG_LEVEL": "OFF",
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(8 << 20),
}
"""All that the child knows of the monitor's environment, which holds secrets. A thread for each
processor would only take address space; and memory that went back to the system after each step of
a measure would cost a fifth of it."""
TIMEOUT = 10.0
"""Seconds for one picture, the start of the child included."""
KILLED_WITHIN = 2.0
NOT_INSTALLED = CannotMeasure(
    "Picture health is off: OpenCV is not installed",
    "Install what requirements.txt lists. On 32-bit ARM, for which PyPI has no OpenCV: "
    "sudo apt install python3-opencv, then make the virtual environment again.",
)


def is_available() -> bool:
    """True if OpenCV is installed. Without it everything else works."""
    return importlib.util.find_spec(LIBRARY) is not None


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    connection: socket.socket

    def kill(self) -> None:
        self.connection.close()
        self.process.kill()
        try:
            self.process.wait(KILLED_WITHIN)
        except subprocess.TimeoutExpired:
            log.warning("The killed process %d has not ended yet", self.process.pid)


class Measuring:
    """Measures pictures, one after the other, from any thread."""

    def __init__(self, timeout: float = TIMEOUT, command: tuple[str, ...] = COMMAND) -> None:
        self._timeout = timeout
        self._command = command
        self._lock = Lock()
        self._child: _Child | None = None
        self._used_at = 0.0
        self._ends = False

    def sample(self, picture: bytes, earlier: Sequence[bytes] = ()) -> Sample:
        """Measure a JPEG or a grey picture, also beside earlier descriptors (empty ones give None).

        Raises CannotMeasure: OpenCV is missing, the picture is broken or too large, or the child
        took too long or died of it. The next picture then gets a new child.
        """
        if self._child is None and not is_available():
            raise NOT_INSTALLED
        if len(picture) + sum(map(len, earlier)) > MOST_BYTES:
            raise CannotMeasure(f"The picture is too large: {len(picture)} bytes")
        if not self._lock.acquire(timeout=self._timeout):
            raise CannotMeasure("Other pictures take too long to measure", "Try again in a moment.")
        try:
            parts = self._asked(picture, earlier)
        except TimeoutError:
            self._end()
            raise CannotMeasure("Measuring the picture took too long") from None
        except Ended:
            self._end()
            raise CannotMeasure("The process that measures pictures has ended") from None
        except OSError as error:
            raise CannotMeasure(f"This server cannot start a process: {error}") from None
        finally:
            self._used_at = monotonic()
            self._lock.release()
        return _sample(parts)

    def end_if_idle(self, seconds: float) -> None:
        """End the child if it had nothing to do for so long."""
        if not self._lock.acquire(blocking=False):
            return  # It measures.
        try:
            if monotonic() - self._used_at >= seconds:
                self._end()
        finally:
            self._lock.release()

    def stop(self) -> None:
        """End the child, also in the middle of a picture, and start no other one."""
        self._ends = True
        if (child := self._child) is not None:
            child.process.kill()
        with self._lock:
            self._end()

    def pid(self) -> int | None:
        """The child's process, if there is one."""
        child = self._child
        return child.process.pid if child else None

    def _asked(self, picture: bytes, earlier: Sequence[bytes]) -> list[bytes]:
        until = monotonic() + self._timeout
        if self._child is not None and self._child.process.poll() is not None:
            self._end()
        if self._ends:
            raise Ended
        if self._child is None:
            self._child = self._started()
        connection = self._child.connection
        connection.settimeout(self._timeout)
        send(connection, picture, *earlier)
        return receive(connection, until)

    def _started(self) -> _Child:
        ours, theirs = socket.socketpair()
        with ExitStack() as unused, theirs:
            unused.enter_context(ours)
            process = subprocess.Popen(  # nosec B603 (no shell, and nothing of a request in it)
                [*self._command, str(theirs.fileno())],
                cwd=ROOT,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
            unused.pop_all()
        return _Child(process, ours)

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None


def _sample(parts: list[bytes]) -> Sample:
    """The answer of the child. Raises CannotMeasure."""
    try:
        head, descriptor = json.loads(parts[0]), parts[1]
        if "reason" in head:
            raise CannotMeasure(head["reason"])
        comparisons = [values and Comparison(**values) for values in head["comparisons"]]
        return Sample(Measures(**head["measures"]), descriptor, tuple(comparisons))
    except (IndexError, KeyError, TypeError, ValueError):
        raise CannotMeasure("The process that measures pictures sent no sample") from None
