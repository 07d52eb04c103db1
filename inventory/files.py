"""The file of the workbook: detect that it is open, and replace it."""

import errno
import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from store.folders import sync_folder


@dataclass(frozen=True, slots=True)
class EditorLock:
    """The lock file that a program keeps beside a file that it has open."""

    program: str
    name: str

    @property
    def leftover(self) -> str:
        return f"If nobody has it open, delete {self.name}, which was left over."


def find_lock(path: Path) -> EditorLock | None:
    """Find the lock of the program that has the file, or the target of its link, open."""
    for candidate in {path, path.resolve()}:
        for program, name in (
            ("Excel", f"~${candidate.name}"),
            ("LibreOffice", f".~lock.{candidate.name}#"),
        ):
            if os.path.lexists(candidate.with_name(name)):
                return EditorLock(program, name)
    return None


def write_atomically(path: Path, data: bytes, expected: bytes | None = None) -> bool:
    """Write the file whole or not at all, with its mode and owner. Raises OSError.

    False, and nothing is written, when the file is not `expected` any more, or was opened.
    """
    real = path.resolve()
    if real.exists() and not (os.access(real, os.W_OK) and real.stat().st_mode & 0o222):
        # Replacing the file would still work, but a read-only file is not meant to be changed.
        raise PermissionError(errno.EACCES, "the file is read-only")
    staged = real.with_name(f".{real.name}.new")
    try:
        staged.unlink(missing_ok=True)
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _copy_metadata(staged, real)
        if expected is not None and not _is_unchanged(path, expected):
            return False
        staged.replace(real)
        sync_folder(real.parent)
        return True
    finally:
        with suppress(OSError):
            staged.unlink()


def _copy_metadata(staged: Path, real: Path) -> None:
    """Copy owner, mode and attributes of the file to be replaced, as far as permitted."""
    if not real.exists():
        staged.chmod(0o644)
        return
    stat = real.stat()
    for owner in ((stat.st_uid, stat.st_gid), (-1, stat.st_gid)):
        with suppress(PermissionError):
            os.chown(staged, *owner)
            break
    shutil.copystat(real, staged)
    os.utime(staged)


def _is_unchanged(path: Path, data: bytes) -> bool:
    """True if the file is unchanged and not open: the last check, as writing can take long."""
    before = path.stat()
    is_same = digest(path.read_bytes()) == digest(data)
    return is_same and find_lock(path) is None and path.stat() == before


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
