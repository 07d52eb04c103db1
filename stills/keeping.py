"""Delete stills that are too old or too large in sum, and keep the newest ones on a full disk."""

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from fleet.labels import counted
from stills import still_rows as rows
from stills.files import StillFiles
from stills.film_files import FilmFiles
from stills.model import Still

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
GB = 10**9
AUTOMATIC_SHARE = 0.1
"""Of the disk, for all stills, where no setting says how much."""
FREE_SHARE, FREE_MOST = 0.01, GB
"""Of the disk, what is kept free, and the most of it."""
MAX_ROUNDS = 100
"""Parts of the index that one clean-up goes through; the rest waits for the next one."""
CALM = 86_400.0
"""Seconds after which an early deletion is no longer told."""
STRAY_AGE = timedelta(hours=1)
"""Of a file of no still, before it is deleted: a younger one may be about to have a row."""


class Disk(NamedTuple):
    """A disk, in bytes. `free` is what this program may still write."""

    total: int
    free: int


class Deleted(NamedTuple):
    """What was deleted: the number of stills and their bytes. `failure`: a file that could not
    be, with the reason."""

    number: int
    size: int
    failure: str


class StillKeeping:
    """The clean-up of stills. `max_bytes`: 0 for a share of the disk. `trouble` says that stills
    are deleted before their time or cannot be kept, and is empty while all is well. `prove` says
    why the folder is not ours now, or nothing."""

    def __init__(
        self,
        engine: "Engine",
        files: StillFiles,
        clock: Callable[[], datetime],
        keep_days: int,
        max_bytes: int,
        timer: Callable[[], float] = monotonic,
        prove: Callable[[], str] = lambda: "",
    ) -> None:
        self.films = FilmFiles(files)
        self.trouble = ""
        self.on_deleted: Callable[[], None] = lambda: None
        self._engine = engine
        self._files = files
        self._clock = clock
        self._keep_days = keep_days
        self._max_bytes = max_bytes
        self._timer = timer
        self._prove = prove
        self._told_at = float("-inf")
        self._turn = Lock()

    def run(self) -> str:
        """Delete the oldest stills while all together are too large, or the disk is too full; what
        was done. Raises Unreachable."""
        if not rows.last_id(self._engine):
            return ""
        if trouble := self._prove():
            return f"Nothing deleted: {trouble}"
        disk = self._disk()
        most = self._max_bytes or int(disk.total * AUTOMATIC_SHARE)
        over = rows.total_size(self._engine) + self.films.total_size() - most
        lacking = _kept_free(disk) - disk.free
        if over <= 0 and lacking <= 0:
            self._note_calm()
            return ""
        size = max(over, lacking)
        size -= self.films.free(size)
        if size <= 0:
            return "Time-lapses deleted"
        if lacking > 0 and (strays := self._remove_strays(STRAY_AGE)):
            return f"{counted(strays, 'file')} of no still deleted"
        with self._turn:
            freed = self._free(size)
        limit = (
            "the disk is full" if lacking > over else f"all stills are limited to {most / GB:g} GB"
        )
        if freed.size >= size:
            self._tell(f"The oldest stills were deleted before their time: {limit}.")
        elif freed.failure:
            self._tell(f"Old stills cannot be deleted: {freed.failure}. But {limit}.")
        else:
            self._tell(f"Only the newest still of each camera is left to delete: {limit}.")
        return f"{counted(freed.number, 'still')} deleted" if freed.number else ""

    def make_room(self, size: int) -> bool:
        """Free twice that size at once, on a disk that is full. False if nothing can be deleted.
        Raises Unreachable."""
        with self._turn:  # Two at once would count the same files.
            if self.films.free(2 * size) >= size:
                return True
            freed = self._free(2 * size)
        if freed.number:
            self._tell("The oldest stills were deleted before their time: the disk is full.")
        return freed.size >= size

    def forget(self) -> str:
        """Delete what is older than its days, and what a crash left behind; what and how much.
        Called while the clock is trusted. Raises Unreachable."""
        before = self._clock() - timedelta(days=self._keep_days)
        rows.forget_missed(self._engine, before)
        if not rows.last_id(self._engine) or self._prove():
            return ""
        number = 0
        for _round in range(MAX_ROUNDS):
            gone = self._delete(rows.too_old(self._engine, before))
            if not gone.number:
                break
            number += gone.number
        self._remove_strays(timedelta(days=self._keep_days))
        return counted(number, "still") if number else ""

    def _remove_strays(self, age: timedelta) -> int:
        """Delete what a crash left behind, and whole files of no still that are older than that;
        their number. A database that was restored from a backup does not know the newest stills."""
        # By the clock of the disk, which is that of the files: ours can be set.
        now, number = datetime.now(UTC), 0
        for device in self._files.devices():
            known = rows.names(self._engine, device)
            number += self._files.remove_strays(device, known, now - STRAY_AGE, now - age)
        self.films.remove_strays(now - STRAY_AGE)
        return number

    def _free(self, size: int) -> Deleted:
        """Delete the oldest stills until so many bytes are free."""
        number, freed, failure, passed = 0, 0, "", set[int]()
        for _round in range(MAX_ROUNDS):
            rest = (still for still in rows.oldest(self._engine) if still.id not in passed)
            chosen = _first_of(rest, size - freed)
            if not chosen:
                break
            gone = self._delete(chosen)
            passed.update(still.id for still in chosen)
            number, freed, failure = number + gone.number, freed + gone.size, gone.failure
        return Deleted(number, freed, failure)

    def _delete(self, chosen: Sequence[Still]) -> Deleted:
        """Delete files and then their rows. A file that cannot be deleted keeps no other one."""
        gone, failures = list[Still](), list[str]()
        self.films.remove_of(chosen)
        for still in chosen:
            try:
                self._files.remove(still.device, still.name)
            except OSError as error:
                failures.append(f"{self._files.path(still)} ({error.strerror})")
            else:
                gone.append(still)
        if failures:
            log.warning("%s cannot be deleted: %s", counted(len(failures), "still"), failures[0])
        if gone:
            try:
                rows.remove(self._engine, [still.id for still in gone])
            finally:
                self.on_deleted()
        return Deleted(len(gone), sum(still.size for still in gone), next(iter(failures), ""))

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.warning("%s", trouble)
        self.trouble, self._told_at = trouble, self._timer()

    def _note_calm(self) -> None:
        """Nothing had to go: after a day of that, all is well again."""
        if self._timer() - self._told_at >= CALM:
            self.trouble = ""

    def _disk(self) -> Disk:
        folder = self._files.folder
        # Somebody may have deleted it; the next still creates it again.
        disk = os.statvfs(folder if folder.exists() else folder.parent)
        return Disk(disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize)


def _first_of(stills: Iterable[Still], size: int) -> list[Still]:
    """The first of these, until they have that many bytes together."""
    chosen: list[Still] = []
    for still in stills:
        if size <= 0:
            break
        chosen.append(still)
        size -= still.size
    return chosen


def _kept_free(disk: Disk) -> int:
    return min(int(disk.total * FREE_SHARE), FREE_MOST)
