"""A JSON file that survives `kill -9`, a full disk and edits by hand.

A write is durable (file and folder on disk) before it returns, and is either wholly
there or not at all. The last good copies are kept; a damaged file is kept too, beside them.
One process at a time owns the file.
"""

import errno
import glob
import logging
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Generic, TypeVar

from filelock import FileLock, Timeout

from store.folders import make_private, sync_folder
from store.path_guard import PathGuard

log = logging.getLogger(__name__)
T = TypeVar("T")
COPIES = 5
"""Number of good copies kept, and of contents that somebody else wrote."""
ROTATE_EVERY = 60.0
"""Seconds covered by one copy: within them the newest one is renewed."""

MOUNT_ESCAPES = {ord(letter): f"\\{ord(letter):03o}" for letter in " \t\n\\"}
"""How the kernel writes these characters of a path in its list of mounts, see proc(5)."""


class CannotKeep(Exception):
    """The file could not be written; the text is for people."""


class CannotOpen(Exception):
    """The file cannot be used; the monitor must not start."""


@dataclass(frozen=True, slots=True)
class LoadedFile(Generic[T]):
    """The data that was read. `damage` is a sentence when it came from a copy."""

    value: T
    damage: str = ""


class JsonFile:
    """The file at `path`; copies and the staged content live in `data_dir`."""

    def __init__(self, path: Path, data_dir: Path) -> None:
        self.path = path
        self.copies_dir = data_dir / "copies"
        self.data_dir = data_dir
        # Two: a second monitor may share the file, or only the folder.
        self._locks = (
            FileLock(str(data_dir / f"{path.name}.lock"), mode=0o600),
            FileLock(str(path.resolve().with_name(f".{path.resolve().name}.lock"))),
        )
        self._guards: tuple[PathGuard, ...] = ()
        self._rotated_at = float("-inf")
        self._copies_fail = False
        self.foreign_change = ""
        """The notice about a change of the file by somebody else while the program runs."""
        self._fingerprint: tuple[int, int, int] | None = None
        # While this is there, a write in place has not come to its end.
        self._pending = data_dir / f"{path.name}.pending"

    # -- owning ------------------------------------------------------------------------

    def acquire(self) -> None:
        """Lock the file until the process ends. Raises CannotOpen."""
        try:
            self.copies_dir.mkdir(parents=True, exist_ok=True)
            self.data_dir.chmod(0o700)
            if self.path.resolve().parent != self.data_dir.resolve():
                make_private(self.data_dir)
            # Where no file can be made, a lock looks as if another held it.
            tempfile.TemporaryFile(dir=self.data_dir).close()
            if trouble := self.unwritable(0):
                raise CannotOpen(
                    f"{trouble} Free disk space or allow this user to write there, or set "
                    "DATABASE_PATH to another location."
                )
            self._acquire_locks()
            real = self.path.resolve()
            self._guards = (
                PathGuard(self.data_dir),
                PathGuard(real if self.is_mounted() else real.parent),
            )
            for guard in self._guards:
                guard.mark()
        except Timeout:
            self.release()
            raise CannotOpen(
                f"{self.path} is in use by another Camera Monitor. Stop that one first, or "
                "set DATABASE_PATH and DATA_DIR to other locations."
            ) from None
        except OSError as error:
            raise CannotOpen(
                f"{self.data_dir} cannot be written ({error.strerror}). Allow this user to "
                "write there, or set DATA_DIR to another folder."
            ) from error

    def missing(self) -> str:
        """The reason why a write would be lost: the folder of the file or DATA_DIR is gone, or
        another one is at its path. Else empty."""
        return next(filter(None, (guard.trouble() for guard in self._guards)), "")

    def unwritable(self, size: int = 4096) -> str:
        """The reason why `size` bytes could not be written now; empty if they could."""
        if missing := self.missing():
            return missing
        try:
            if self.is_mounted():
                self.path.open("r+b").close()
            folder = self.data_dir if self.is_mounted() else self.path.resolve().parent
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"x" * size)
        except OSError as error:
            return f"{self.path} cannot be written ({error.strerror})."
        return ""

    def is_mounted(self) -> bool:
        """True if the file itself is a mount point, such as a container's bind mount.

        The kernel's list is asked: on the same disk the file's numbers do not tell.
        """
        name = str(self.path.resolve()).translate(MOUNT_ESCAPES)
        with suppress(OSError):
            lines = os.fsdecode(Path("/proc/self/mountinfo").read_bytes()).split("\n")
            return any(line.split(" ")[4:5] == [name] for line in lines)
        return self.path.is_mount()

    def _acquire_locks(self) -> None:
        """Acquire both locks; a mounted file needs none beside it, where nobody else can look."""
        self._locks[0].acquire(timeout=0)
        if not self.is_mounted() and os.access(self.path.resolve().parent, os.W_OK):
            self._locks[1].acquire(timeout=0)

    def release(self) -> None:
        for lock in self._locks:
            lock.release()

    # -- reading -----------------------------------------------------------------------

    def load(self, parse: Callable[[bytes], T]) -> LoadedFile[T]:
        """Load the newest good content with `parse`, which raises ValueError for damage.

        A damaged file is kept beside it and the newest good copy used instead. Raises
        CannotOpen when there is a file but nothing good of it, FileNotFoundError when
        there is no file and no copy.
        """
        self._fingerprint = self._current_fingerprint()
        try:
            data = read_regular_file(self.path)
        except FileNotFoundError:
            return self._from_copies(parse, f"{self.path} is missing")
        except OSError as error:
            raise CannotOpen(f"{self.path} cannot be read ({error.strerror}).") from error
        if self._pending.exists():
            return self._from_copies(parse, f"{self.path} was not written completely")
        try:
            value = parse(data)
        except ValueError as error:
            preserved = self._preserve(data)
            return self._from_copies(
                parse, f"{self.path} is damaged: {error}. Its content is kept in {preserved}"
            )
        self._copy(data)
        return LoadedFile(value)

    def _from_copies(self, parse: Callable[[bytes], T], trouble: str) -> LoadedFile[T]:
        copies = self.copies()
        for copy in copies:
            with suppress(ValueError, OSError):
                value = parse(copy.read_bytes())
                when = datetime.fromtimestamp(copy.stat().st_mtime, UTC).astimezone()
                return LoadedFile(
                    value,
                    f"{trouble}. The copy of {when:%Y-%m-%d %H:%M:%S} is used. Later changes "
                    "may be missing; the next scan finds the devices that are online.",
                )
        if trouble.endswith("is missing") and not copies:
            raise FileNotFoundError(self.path)
        raise CannotOpen(
            f"{trouble}, and there is no good copy in {self.copies_dir}. Restore a good file, "
            "or move the damaged one away to start with an empty fleet."
        )

    def _preserve(self, data: bytes, label: str = "damaged", limit: int = 0) -> Path:
        """Keep these bytes, for ever or the `limit` newest; the same bytes are kept once.

        Raises CannotOpen.
        """
        new = self.copies_dir / f".{self.path.name}.aside"
        kept = self._numbered_files(label)
        number = _number_of(kept[-1]) + 1 if kept else 1
        aside = self.copies_dir / f"{self.path.name}.{label}-{number}"
        try:
            for file in kept:
                if file.read_bytes() == data:
                    return file
            _write_durably(new, data)
            new.replace(aside)
            for extra in kept[: max(0, len(kept) + 1 - limit)] if limit else ():
                extra.unlink()
        except OSError as error:
            raise CannotOpen(
                f"The content of {self.path} cannot be saved in {self.copies_dir} "
                f"({error.strerror}). Free disk space there first."
            ) from error
        finally:
            with suppress(OSError):
                new.unlink()
        return aside

    def _numbered_files(self, label: str) -> list[Path]:
        """The files of one kind beside the copies, in the order of their numbers."""
        copies = self.copies_dir.glob(f"{glob.escape(self.path.name)}.{label}-*")
        return sorted((copy for copy in copies if _number_of(copy)), key=_number_of)

    def copies(self) -> list[Path]:
        """The last good copies, newest first."""
        # By number, not by time: the clock may have been set meanwhile.
        copies = self._numbered_files("copy")
        if self._pending.exists():
            copies.append(self._pending)
        return copies[::-1]

    # -- writing -----------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Make `data` the content, durably. Raises CannotKeep; then nothing changed."""
        if missing := self.missing():
            raise CannotKeep(missing)
        try:
            self._preserve_foreign_change()
            if self.is_mounted():
                self._write_in_place(data)
            else:
                self._replace(data)
            self._fingerprint = self._current_fingerprint()
        except CannotOpen as error:
            raise CannotKeep(str(error)) from error
        except OSError as error:
            raise CannotKeep(
                f"{self.path} cannot be written ({error.strerror}). Free disk space or allow "
                "this user to write the file."
            ) from error
        # The content is safe by now: a copy that fails is no reason to say otherwise.
        self._copy(data)

    def _replace(self, data: bytes) -> None:
        real = self.path.resolve()
        staged = real.with_name(f".{real.name}.new")
        try:
            _write_durably(staged, data)
            staged.replace(real)
        except OSError:
            with suppress(OSError):
                staged.unlink()
            raise
        sync_folder(real.parent)

    def _write_in_place(self, data: bytes) -> None:
        """Write into a file that is itself a mount point, where a rename fails: whole in
        `data_dir` first, so that the next start repairs a torn write from there."""
        new = self._pending.with_suffix(".new")
        try:
            _write_durably(new, data)
            new.replace(self._pending)
            sync_folder(self.data_dir)
            _overwrite(self.path, data)
        finally:
            for file in (new, self._pending):
                with suppress(OSError):
                    file.unlink()

    def _copy(self, data: bytes) -> None:
        """Keep a good copy if possible; a copy that fails is logged once."""
        try:
            self._renew_copy(data)
            self._copies_fail = False
        except OSError as error:
            if not self._copies_fail:
                log.warning("Cannot save a copy in %s (%s)", self.copies_dir, error.strerror)
            self._copies_fail = True

    def _renew_copy(self, data: bytes) -> None:
        """Renew the newest copy, or begin a new one and delete the oldest.

        Not forced to disk: it need not outlive a power cut, the older ones do.
        """
        copies = self._numbered_files("copy")
        number = _number_of(copies[-1]) if copies else 0
        if monotonic() - self._rotated_at >= ROTATE_EVERY:
            self._rotated_at = monotonic()
            number += 1
        new = self.copies_dir / f".{self.path.name}.new"
        try:
            new.write_bytes(data)
            new.replace(self.copies_dir / f"{self.path.name}.copy-{number:09d}")
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise
        for extra in self._numbered_files("copy")[:-COPIES]:
            extra.unlink()

    def keep_original(self, data: bytes) -> Path:
        """Keep for ever the bytes that were there before our first write."""
        return self._preserve(data, "original")

    def keep_version(self, data: bytes, version: int) -> Path:
        """Keep for ever the bytes of an older version of the format."""
        return self._preserve(data, f"version{version}")

    def keep_replaced(self, data: bytes) -> Path:
        """Keep for ever a content that somebody replaced with another one."""
        return self._preserve(data, "replaced")

    def has_foreign_change(self) -> bool:
        """True if somebody else wrote the file since our last write."""
        return self._current_fingerprint() not in (self._fingerprint, None)

    def _preserve_foreign_change(self) -> None:
        """Keep the bytes that somebody else wrote since our last write."""
        if not self.has_foreign_change():
            return
        data, copies = read_regular_file(self.path), self.copies()
        if copies and copies[0].read_bytes() == data:
            return  # Only its date changed.
        preserved = self._preserve(data, "changed", COPIES)
        is_first = not self.foreign_change
        self.foreign_change = (
            f"{self.path} was changed while Camera Monitor was running. That change was not "
            f"used; it is kept in {preserved}. To edit the file, stop Camera Monitor first."
        )
        if is_first:
            log.warning("%s", self.foreign_change)

    def _current_fingerprint(self) -> tuple[int, int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _number_of(path: Path) -> int:
    """The number at the end of its name; 0 for a file of somebody else."""
    digits = path.name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() and digits.isascii() else 0


def read_regular_file(path: Path) -> bytes:
    """Read a regular file; reading a pipe or a device in its place could wait without end.
    Raises OSError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return file.read()


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _overwrite(path: Path, data: bytes) -> None:
    """Write over the file without a rename. Room is taken first, so that a full disk is
    known before anything is lost; what fails later is put back as it was."""
    with path.open("r+b") as file:
        old = file.read()
        try:
            if len(data) > len(old):
                os.posix_fallocate(file.fileno(), 0, len(data))
            _write_all(file, data)
        except OSError:
            with suppress(OSError):
                _write_all(file, old)
            raise


def _write_all(file: BinaryIO, data: bytes) -> None:
    file.seek(0)
    file.write(data)
    file.truncate()
    file.flush()
    os.fsync(file.fileno())
