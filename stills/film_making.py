"""Make a film of stills in a process of its own, which is killed when it hangs or is not wanted."""

import json
import logging
import os
import select
import subprocess  # nosec B404 (our own program, with fixed arguments)
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

log = logging.getLogger(__name__)
COMMAND = (sys.executable, "-I", str(Path(__file__).with_name("film_child.py")))
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
"""All that the child knows of the monitor's environment, which holds secrets."""
STALL = 60.0
"""Seconds for one picture, or for the end of the film."""
LOOK = 0.25
"""Seconds between two looks whether the film is still wanted."""
KILLED_WITHIN = 2.0


class NotMade(Exception):
    """There is no film: `reason` is a sentence, `hint` says what to do."""

    def __init__(self, reason: str, hint: str = "Try again.") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class Cancelled(Exception):
    """Nobody wants the film any more."""


@dataclass(frozen=True, slots=True)
class FilmOrder:
    """What to write where: `pictures` are (path, orientation in Exif, longer side in pixels),
    `rate` is in frames per second. Width and height are even."""

    output: str
    width: int
    height: int
    rate: int
    pictures: Sequence[tuple[str, int, int]]


def make_film(
    order: FilmOrder,
    on_picture: Callable[[], object],
    is_unwanted: Callable[[], bool],
    stall: float = STALL,
    command: Sequence[str] = COMMAND,
) -> int:
    """Write the film; the number of its frames. `on_picture` is called after each picture, also
    after one that is left out. Raises NotMade and Cancelled."""
    try:
        process = _started(order, command)
    except OSError as error:
        raise NotMade(f"This server cannot start a process ({error.strerror}).") from error
    try:
        return _followed(process, on_picture, is_unwanted, stall)
    finally:
        _end(process)


def _started(order: FilmOrder, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """The process. Its order is in memory, so that nobody waits until it has read it."""
    with os.fdopen(os.memfd_create("film order"), "wb+") as text:
        text.write(json.dumps(asdict(order)).encode())
        text.flush()
        text.seek(0)
        return subprocess.Popen(  # nosec B603 (no shell, and nothing of a request in it)
            command,
            env=ENVIRONMENT,
            stdin=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _followed(
    process: subprocess.Popen[bytes],
    on_picture: Callable[[], object],
    is_unwanted: Callable[[], bool],
    stall: float,
) -> int:
    """The number of frames, once the film is written."""
    if process.stdout is None:
        raise RuntimeError("the output of the process that makes films is not read")
    poll, frames, rest, heard_at = select.poll(), 0, b"", monotonic()
    poll.register(process.stdout, select.POLLIN)
    while True:
        if is_unwanted():
            raise Cancelled
        if not poll.poll(LOOK * 1000):
            if monotonic() - heard_at >= stall:
                raise NotMade(
                    f"Making the time-lapse stopped: nothing happened for {stall:.0f} s.",
                    "Check the disk of the stills, and try again.",
                )
            continue
        heard_at = monotonic()
        data = os.read(process.stdout.fileno(), 4096)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            match line[:1]:
                case b"+" | b"-":
                    frames += line == b"+"
                    on_picture()
                case b"=":
                    return frames
                case b"!":
                    reason = line[1:].decode(errors="replace")
                    raise NotMade(f"The time-lapse cannot be saved ({reason}).", "Free disk space.")
        if not data:
            raise NotMade("The process that makes the time-lapse has ended early.")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    if process.stdout is not None:
        process.stdout.close()
    try:
        process.wait(KILLED_WITHIN)
    except subprocess.TimeoutExpired:
        log.warning("The killed process %d has not ended yet", process.pid)
