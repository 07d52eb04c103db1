"""The files of stills: one folder for each device, with its thumbnails beside."""

import errno
import os
import re
import stat
from collections.abc import Iterator, Set
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from typing_extensions import Buffer

from fleet.pictures import MOST_BYTES
from stills.model import Still
from store.folders import sync_folder

THUMBNAILS = "thumbnails"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a disk says that takes no more."""
LARGEST = MOST_BYTES + (1 << 20)
"""Bytes that are read of a file: a picture, and the time that was written into it."""
STAGED = ".new"
"""The end of the name of a file that is not whole yet."""
_OURS = re.compile(r"\.?[0-9]{8}T[0-9]{9}Z(?:-[0-9]+)?\.jpg(?:\.new)?")
"""The names of files that this program wrote. Whatever else is in its folders belongs to people."""
_DEVICE = re.compile(r"[1-9][0-9]{0,8}")


class StillFiles:
    """The files in `folder`. A file has its name only once all of it is on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, still: Still) -> Path:
        """Where the picture is."""
        return self.folder / str(still.device) / still.name

    def thumbnail_path(self, still: Still) -> Path:
        """Where its small picture is, once it was made."""
        return self.folder / str(still.device) / THUMBNAILS / still.name

    def opened(self, still: Still) -> int:
        """The descriptor of its picture, for the caller to close. Raises OSError, also where
        something else is in the place of the file."""
        return opened(self.path(still))

    def read(self, still: Still) -> bytes:
        """Its picture. Raises OSError."""
        return _read(self.path(still))

    def read_thumbnail(self, still: Still) -> bytes:
        """Its small picture. Raises OSError."""
        return _read(self.thumbnail_path(still))

    def write(
        self, device: int, taken_at: datetime, *data: Buffer, taken: Set[str] = frozenset()
    ) -> str:
        """Write a picture, in these parts, and return the name of its file, which is none of those
        that are `taken`: their files were deleted by somebody. Raises OSError."""
        folder = self.folder / str(device)
        _make(self.folder, folder)
        # No lock: one write that hangs on a share would hold up the stills of all cameras.
        names = (name for name in _names(taken_at) if name not in taken)
        while True:
            path = folder / next(names)
            with suppress(FileExistsError):
                _write(path, *data, may_replace=False)
                return path.name

    def write_thumbnail(self, still: Still, data: bytes) -> None:
        """Keep a small picture. Raises OSError, also while another one writes it."""
        path = self.thumbnail_path(still)
        _make(path.parent)
        _write(path, data, may_replace=True)

    def remove(self, device: int, name: str) -> None:
        """Delete a picture and its thumbnail, as far as they exist. Raises OSError."""
        folder = self.folder / str(device)
        for path in (folder / THUMBNAILS / name, folder / name):
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()

    def devices(self) -> list[int]:
        """The devices that have a folder."""
        with suppress(OSError):
            names = [each.name for each in self.folder.iterdir() if _is_folder(each)]
            return sorted(int(name) for name in names if _DEVICE.fullmatch(name))
        return []

    def remove_strays(
        self, device: int, known: Set[str], torn_before: datetime, whole_before: datetime
    ) -> int:
        """Delete files of no still: those that a crash left half written, and whole ones, each if
        last written before then. Return their number."""
        number = 0
        folder = self.folder / str(device)
        for place in filter(_is_folder, (folder, folder / THUMBNAILS)):
            with suppress(OSError):
                for path in list(place.iterdir()):
                    is_stray = _OURS.fullmatch(path.name) and path.name not in known
                    before = torn_before if path.name.endswith(STAGED) else whole_before
                    if is_stray and _is_older(path, before):
                        path.unlink(missing_ok=True)
                        number += 1
        return number


def _is_folder(path: Path) -> bool:
    """True for a folder that is really there: a link leads to files that are not ours."""
    return path.is_dir() and not path.is_symlink()


def _is_older(path: Path, before: datetime) -> bool:
    """True for a file that was last written before then."""
    return not path.is_dir() and path.lstat().st_mtime < before.timestamp()


def name_of(taken_at: datetime) -> str:
    """The name of a file by the time of capture, such as `20261128T140500123Z`."""
    at = taken_at.astimezone(UTC)
    return f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}Z"


def _names(taken_at: datetime) -> Iterator[str]:
    """The names that a file can have: after a step of the clock a time can come again."""
    stem = name_of(taken_at)
    yield f"{stem}.jpg"
    yield from (f"{stem}-{number}.jpg" for number in count(2))


def _make(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def opened(path: Path) -> int:
    """The descriptor of a file, for the caller to close. Raises OSError, also where something else
    is in its place."""
    # Neither a link nor a pipe: they lead away from the folder, or never end.
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is not a file")
    return file


def _read(path: Path) -> bytes:
    with os.fdopen(opened(path), "rb") as file:
        return file.read(LARGEST)


def _write(path: Path, *data: Buffer, may_replace: bool) -> None:
    """Write a file whole and durably; nothing is left of one that does not fit. Raises
    FileExistsError where another one writes it now, or wrote it."""
    staged = path.with_name(f".{path.name}{STAGED}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(staged, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            # Whoever has the staged file has the name: nobody else can make this file now.
            if not may_replace and os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, "there is a file of that name")
            for part in data:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    except OSError:
        with suppress(OSError):
            staged.unlink()
        raise
    sync_folder(path.parent)
