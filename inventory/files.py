"""The file of the workbook: who has it open, and putting another one in its place."""

import errno
import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from store.folders import sync_folder


@dataclass(frozen=True, slots=True)
class Locked:
    """A program lays a file of that name beside the one that it has open."""

    program: str
    name: str

    @property
    def leftover(self) -> str:
        return f"If nobody has it open, delete {self.name}, which was left over."


def lock_of(path: Path) -> Locked | None:
    """The program that has the file, or the target of its link, open."""
    for candidate in {path, path.resolve()}:
        for program, name in (
            ("Excel", f"~${candidate.name}"),
            ("LibreOffice", f".~lock.{candidate.name}#"),
        ):
            if os.path.lexists(candidate.with_name(name)):
                return Locked(program, name)
    return None


def write_whole(path: Path, data: bytes, instead_of: bytes | None = None) -> bool:
    """Wholly there or not at all, with the mode and the owner that it had. Raises OSError.

    False, and nothing is written, when the file is not `instead_of` any more, or was opened.
    """
    real = path.resolve()
    if real.exists() and not (os.access(real, os.W_OK) and real.stat().st_mode & 0o222):
        # A new file could take its place all the same: whoever locked it did not mean that.
        raise PermissionError(errno.EACCES, "the file is read-only")
    staged = real.with_name(f".{real.name}.new")
    try:
        staged.unlink(missing_ok=True)
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _dress(staged, real)
        if instead_of is not None and not _is_still(path, instead_of):
            return False
        staged.replace(real)
        sync_folder(real.parent)
        return True
    finally:
        with suppress(OSError):
            staged.unlink()


def _dress(staged: Path, real: Path) -> None:
    """Owner, rights and attributes of the file that it replaces, as far as this user may."""
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


def _is_still(path: Path, data: bytes) -> bool:
    """True if the file is unchanged and not open: the last check, as writing can take long."""
    before = path.stat()
    is_same = digest(path.read_bytes()) == digest(data)
    return is_same and lock_of(path) is None and path.stat() == before


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
