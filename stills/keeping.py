"""Delete stills that are too old or too large in sum, and keep the newest ones on a full disk."""

import logging
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from fleet.labels import counted
from stills import still_rows as rows
from stills.files import StillFiles
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


class Disk(NamedTuple):
    """A disk, in bytes. `free` is what this program may still write."""

    total: int
    free: int


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

    def run(self) -> str:
        """Delete the oldest stills while all together are too large, or the disk is too full; what
        was done. Raises Unreachable."""
        if not rows.last_id(self._engine):
            return ""
        if trouble := self._prove():
            return f"Nothing deleted: {trouble}"
        disk = self._disk()
        most = self._max_bytes or int(disk.total * AUTOMATIC_SHARE)
        over = rows.total_size(self._engine) - most
        lacking = _kept_free(disk) - disk.free
        if over <= 0 and lacking <= 0:
            self._note_calm()
            return ""
        deleted, freed = self._free(max(over, lacking))
        limit = (
            "the disk is full" if lacking > over else f"all stills are limited to {most / GB:g} GB"
        )
        if freed >= max(over, lacking):
            self._tell(f"The oldest stills were deleted before their time: {limit}.")
        else:
            self._tell(f"Only the newest still of each camera is left to delete: {limit}.")
        return f"{counted(deleted, 'still')} deleted" if deleted else ""

    def make_room(self, size: int) -> bool:
        """Free twice that size at once, on a disk that is full. False if nothing can be deleted.
        Raises Unreachable."""
        self._tell("The oldest stills were deleted before their time: the disk is full.")
        return self._free(2 * size)[1] >= size

    def forget(self) -> str:
        """Delete what is older than its days, and what a crash left behind; what and how much.
        Called while the clock is trusted. Raises Unreachable."""
        before = self._clock() - timedelta(days=self._keep_days)
        rows.forget_missed(self._engine, before)
        if not rows.last_id(self._engine) or self._prove():
            return ""
        number = 0
        for _round in range(MAX_ROUNDS):
            old = rows.too_old(self._engine, before)
            if not old or not (deleted := self._delete(old)):
                break
            number += deleted
        self._remove_strays()
        return counted(number, "still") if number else ""

    def _remove_strays(self) -> None:
        # By the clock of the disk, which is that of the files: ours can be set.
        before = datetime.now(UTC) - STRAY_AGE
        for device in self._files.devices():
            known = rows.names(self._engine, device)
            self._files.remove_strays(device, known, before)

    def _free(self, size: int) -> tuple[int, int]:
        """Delete the oldest stills until so many bytes are free; their number and size."""
        number = freed = 0
        for _round in range(MAX_ROUNDS):
            chosen: list[Still] = []
            for still in rows.oldest(self._engine):
                if freed + sum(each.size for each in chosen) >= size:
                    break
                chosen.append(still)
            if not chosen:
                break
            number += self._delete(chosen)
            freed += sum(each.size for each in chosen)
        return number, freed

    def _delete(self, chosen: Sequence[Still]) -> int:
        """Delete files and then their rows; the number of those that could be deleted."""
        gone = []
        for still in chosen:
            try:
                self._files.remove(still.device, still.name)
            except OSError as error:
                log.warning("%s cannot be deleted (%s)", self._files.path(still), error.strerror)
                break
            gone.append(still.id)
        try:
            rows.remove(self._engine, gone)
        finally:
            self.on_deleted()
        return len(gone)

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.warning("%s", trouble)
        self.trouble, self._told_at = trouble, self._timer()

    def _note_calm(self) -> None:
        """Nothing had to go: after a day of that, all is well again."""
        if self._timer() - self._told_at >= CALM:
            self.trouble = ""

    def _disk(self) -> Disk:
        disk = os.statvfs(self._files.folder)
        return Disk(disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize)


def _kept_free(disk: Disk) -> int:
    return min(int(disk.total * FREE_SHARE), FREE_MOST)
