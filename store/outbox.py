"""Lines on disk that wait for the SQL database: durable when added, in order."""

import os
from pathlib import Path
from threading import Lock

from store.folders import sync_folder


class Outbox:
    """An append-only file. A reader calls `oldest`, stores the lines, then calls `drop`.

    After a crash between the two calls the reader gets the same lines again: each needs a
    unique mark.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._read = 0

    def add(self, line: bytes) -> None:
        """Append one line without a line break in it. Raises OSError; then it is not there."""
        with self._lock:
            is_new = not self.path.exists()
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                end = os.fstat(handle).st_size
                # What was torn by a crash must not take the next line with it.
                torn = end and os.pread(handle, 1, end - 1) != b"\n"
                self._append(handle, end, (b"\n" if torn else b"") + line + b"\n")
            finally:
                os.close(handle)
            if is_new:
                sync_folder(self.path.parent)

    @staticmethod
    def _append(handle: int, end: int, data: bytes) -> None:
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(handle, data[written:], end + written)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, end)
            raise

    def oldest(self, limit: int = 500) -> list[bytes]:
        """Read the oldest lines that were not dropped yet. Raises OSError."""
        with self._lock:
            try:
                with self.path.open("rb") as file:
                    file.seek(self._read)
                    return [line for _, line in zip(range(limit), file, strict=False)]
            except FileNotFoundError:
                self._read = 0
                return []

    def drop(self, lines: list[bytes]) -> None:
        """Delete the lines that `oldest` returned. Raises OSError."""
        with self._lock:
            self._read += sum(map(len, lines))
            if self.path.exists() and self.path.stat().st_size <= self._read:
                os.truncate(self.path, 0)
                self._read = 0
