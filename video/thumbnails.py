"""Small pictures of recorded files: made once by a process of its own, then kept on the disk."""

import logging
import os
import subprocess  # nosec B404 (our own program, with fixed arguments)
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore, Lock

from video.mp4_boxes import BrokenMp4
from video.mp4_fragments import NO_KEY, Scan, opened, read_at

log = logging.getLogger(__name__)
CHILD = Path(__file__).with_name("thumbnail_child.py")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
"""All that the child knows of the monitor's environment, which holds secrets."""
WIDTH = 320
TIMEOUT = 10.0
AT_ONCE = 2
WAIT = 8.0
"""Seconds to wait for others' pictures before a caller is sent away."""
MOST_FAILED = 1000
MOST_FRAGMENT = 32 << 20


class TooBusy(Exception):
    """Too many pictures are being made; try again."""


@dataclass(slots=True)
class Thumbnails:
    """The pictures in `folder`, one for each place in a file. `scan` finds its fragments."""

    folder: Path
    scan: Callable[[Path], Scan]
    _turns: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(AT_ONCE))
    _failed: "OrderedDict[str, None]" = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def picture(self, segment: int, path: Path, seconds: float = 0.0) -> bytes | None:
        """A JPEG of the first key frame of a file, or of the last one within so many seconds; None
        if there is none that can be decoded. Raises TooBusy."""
        try:
            scanned = self.scan(path)
            number = _fragment_at(scanned, seconds)
            if number is None:
                return None
            name = f"{segment}-{number}.jpg"
            return self._kept(name) or self._make(name, path, scanned, number)
        except BrokenMp4:
            return None

    def _kept(self, name: str) -> bytes | None:
        with suppress(OSError):
            return (self.folder / name).read_bytes() or None
        return None

    def _make(self, name: str, path: Path, scanned: Scan, number: int) -> bytes | None:
        with self._lock:
            if name in self._failed:
                return None
        if not self._turns.acquire(timeout=WAIT):
            raise TooBusy
        try:
            picture = self._kept(name) or _decoded(path, scanned, number)
        finally:
            self._turns.release()
        if picture:
            self._keep(name, picture)
            return picture
        with self._lock:
            self._failed[name] = None
            while len(self._failed) > MOST_FAILED:
                self._failed.popitem(last=False)
        return None

    def _keep(self, name: str, picture: bytes) -> None:
        """Keep a picture for next time; without a disk it is made again."""
        staged = self.folder / f".{name}.new"
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(file, "wb") as output:
                output.write(picture)
            staged.replace(self.folder / name)

    def forget(self, segments: Iterable[int]) -> int:
        """Delete the pictures of files that are not among these; their number."""
        kept = {str(segment) for segment in segments}
        return self._delete(lambda number: number not in kept)

    def remove(self, segments: Iterable[int]) -> int:
        """Delete the pictures of these files; their number."""
        gone = {str(segment) for segment in segments}
        return self._delete(lambda number: number in gone) if gone else 0

    def _delete(self, is_unwanted: Callable[[str], bool]) -> int:
        count = 0
        with suppress(OSError):
            for path in self.folder.glob("*-*.jpg"):
                if is_unwanted(path.name.partition("-")[0]):
                    path.unlink(missing_ok=True)
                    count += 1
        return count


def _fragment_at(scanned: Scan, seconds: float) -> int | None:
    """The last fragment with a key frame that begins within `seconds`, else the first one."""
    keys = [number for number in range(len(scanned)) if scanned.keys[number] != NO_KEY]
    if not keys:
        return None
    return next(
        (number for number in reversed(keys) if scanned.seconds(number) <= seconds), keys[0]
    )


def _decoded(path: Path, scanned: Scan, number: int) -> bytes | None:
    """The key frame of a fragment, decoded by a process that cannot outlive its limits."""
    size = scanned.sizes[number]
    if size > MOST_FRAGMENT:
        return None
    with opened(path) as file:
        data = scanned.header.data + read_at(file, size, scanned.offsets[number])
    return _made_by_child(data, path.name)


def small_jpeg(data: bytes, width: int = WIDTH) -> bytes | None:
    """A JPEG of this width or less of a larger one; None if it cannot be decoded."""
    return _made_by_child(data, "a picture", width)


def _made_by_child(data: bytes, name: str, width: int = WIDTH) -> bytes | None:
    command = [sys.executable, "-I", str(CHILD), str(width)]
    try:
        result = subprocess.run(  # nosec B603 (no shell, and nothing of a request in it)
            command,
            env=ENVIRONMENT,
            input=data,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.info("No thumbnail of %s: %s", name, type(error).__name__)
        return None
    return result.stdout if result.returncode == 0 and result.stdout[:2] == b"\xff\xd8" else None
