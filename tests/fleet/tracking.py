"""A tracker by itself, over a real file; and what the kernel saw of its writes."""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleet.database import record
from fleet.database.json_store import JsonStore
from fleet.model import Fleet
from fleet.tracker import Tracker
from tests.fleet.reports import RULES

FILE = "camera_database.json"


def tracker_in(folder: Path, data_dir: Path | None = None) -> Tracker:
    """A tracker that is not opened yet."""
    folder.mkdir(parents=True, exist_ok=True)
    return Tracker(JsonStore(folder / FILE, data_dir or folder / "data"), lambda: RULES)


@contextmanager
def opened(folder: Path, data_dir: Path | None = None) -> Iterator[Tracker]:
    tracker = tracker_in(folder, data_dir)
    tracker.open()
    try:
        yield tracker
    finally:
        tracker.close()


def on_disk(folder: Path) -> Fleet:
    """The fleet in the file as it is now."""
    return record.decode((folder / FILE).read_bytes())


class Writes:
    """A counter, by inotify, of how often a file was replaced by a new one."""

    MOVED_FROM, MOVED_TO = 0x40, 0x80
    HEAD = struct.Struct("iIII")

    def __init__(self, path: Path) -> None:
        self._name = path.name.encode()
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        # Both halves of a rename: the kernel would make one of equal events in a row.
        mask = self.MOVED_FROM | self.MOVED_TO
        assert libc.inotify_add_watch(self._handle, bytes(path.parent), mask) >= 0

    def close(self) -> None:
        os.close(self._handle)

    def __call__(self) -> int:
        """The number of writes since the last call."""
        try:
            data = os.read(self._handle, 1 << 20)
        except BlockingIOError:
            return 0
        count = at = 0
        while at < len(data):
            _watch, mask, _cookie, length = self.HEAD.unpack_from(data, at)
            name = data[at + self.HEAD.size : at + self.HEAD.size + length].rstrip(b"\0")
            count += mask == self.MOVED_TO and name == self._name
            at += self.HEAD.size + length
        return count


@contextmanager
def counting_writes(path: Path) -> Iterator[Writes]:
    writes = Writes(path)
    try:
        yield writes
    finally:
        writes.close()
