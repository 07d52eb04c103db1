"""The films of days, beside the stills of their camera. They can be made again at any time."""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from stills.files import STAGED, StillFiles
from stills.model import Still
from store.folders import sync_folder

FILMS = "films"
_TIME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(
    r"([0-9]{8}T[0-9]{6}Z)-([0-9]{8}T[0-9]{6}Z)-([0-9a-f]{16})-([0-9]+)-([0-9]+)\.mp4"
)
_OURS = re.compile(r"\.[0-9A-Za-z-]+\.mp4\.new")


@dataclass(frozen=True, slots=True)
class Film:
    """A film of the time from `begin` to `end`: `frames` of its `total` stills are in it, the
    others could not be decoded. `digest` is that of all of them, `size` in bytes."""

    path: Path
    begin: datetime
    end: datetime
    digest: str
    frames: int
    total: int
    size: int

    def fits(self, stills: Iterable[Still]) -> bool:
        """True if it is made of exactly these stills, in their order."""
        return self.digest == digest_of(stills)


def digest_of(stills: Iterable[Still]) -> str:
    """What tells films of different stills apart; the bytes of a still never change."""
    return sha256(",".join(str(still.id) for still in stills).encode()).hexdigest()[:16]


class FilmFiles:
    """The films in the folders of the cameras. A file has its name only once it is whole."""

    def __init__(self, files: StillFiles) -> None:
        self._files = files

    def staged(self, device: int, begin: datetime) -> Path:
        """Where a film of that time is written; its folder exists. Raises OSError."""
        folder = self._folder(device)
        if folder.is_symlink():  # It leads to files that are not ours.
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / f".{begin.astimezone(UTC).strftime(_TIME)}-{token_hex(4)}.mp4{STAGED}"

    def keep(
        self, staged: Path, begin: datetime, end: datetime, stills: list[Still], frames: int
    ) -> Film:
        """Give a whole film its name, in place of the ones of the same time. Raises OSError."""
        times = "-".join(at.astimezone(UTC).strftime(_TIME) for at in (begin, end))
        name = f"{times}-{digest_of(stills)}-{frames}-{len(stills)}.mp4"
        path = staged.with_name(name)
        staged.chmod(0o600)
        staged.replace(path)
        sync_folder(path.parent)
        film = _film(path)
        if film is None:
            raise FileNotFoundError(path)
        for other in self._in(path.parent):
            if other.path != path and (other.begin, other.end) == (film.begin, film.end):
                other.path.unlink(missing_ok=True)
        return film

    def find(self, device: int, begin: datetime, end: datetime) -> Film | None:
        """The film of that time."""
        films = self._in(self._folder(device))
        return next((film for film in films if (film.begin, film.end) == (begin, end)), None)

    def total_size(self) -> int:
        """Bytes of all films."""
        return sum(film.size for film in self._every())

    def free(self, size: int) -> int:
        """Delete the films of the oldest days until so many bytes are free; how many are."""
        freed = 0
        for film in sorted(self._every(), key=lambda film: film.begin):
            if freed >= size:
                break
            with suppress(OSError):
                film.path.unlink(missing_ok=True)
                freed += film.size
        return freed

    def remove_of(self, stills: Iterable[Still]) -> None:
        """Delete the films in which these stills can be. One that cannot be deleted is not shown
        any more, as `Film.fits` tells."""
        times = [still.taken_at for still in stills]
        for film in self._every():
            if any(film.begin <= at < film.end for at in times):
                with suppress(OSError):
                    film.path.unlink(missing_ok=True)

    def remove_strays(self, before: datetime) -> None:
        """Delete what a crash left behind, last written before then."""
        for device in self._files.devices():
            with suppress(OSError):
                for path in list(self._folder(device).iterdir()):
                    if _OURS.fullmatch(path.name) and path.lstat().st_mtime < before.timestamp():
                        path.unlink(missing_ok=True)

    def _folder(self, device: int) -> Path:
        return self._files.folder / str(device) / FILMS

    def _every(self) -> Iterator[Film]:
        for device in self._files.devices():
            yield from self._in(self._folder(device))

    def _in(self, folder: Path) -> list[Film]:
        films = []
        with suppress(OSError):
            if not folder.is_symlink():
                films = [film for path in folder.iterdir() if (film := _film(path))]
        return films


def _film(path: Path) -> Film | None:
    """The film in a file, told by its name; None if it is none."""
    parts = _NAME.fullmatch(path.name)
    if parts is None:
        return None
    with suppress(OSError, ValueError):
        begin, end = (
            datetime.strptime(text, _TIME).replace(tzinfo=UTC) for text in parts.group(1, 2)
        )
        return Film(path, begin, end, parts[3], int(parts[4]), int(parts[5]), path.lstat().st_size)
    return None
