"""Delete recordings that are too old or too large in sum, and report how full their disk is.

Files are deleted relative to the open folder, which proved who it is, and no link is followed.
"""

import logging
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from fleet.labels import counted
from video import recording_rows, retention_rows, segment_rows
from video.folder_proof import FolderProof, NotProved, space_of
from video.retention import (
    GB,
    Cleanup,
    DeviceUse,
    DiskSpace,
    Forecast,
    Limits,
    RecordingRange,
    Removal,
    StoredSegment,
    forecast,
    next_removal,
    plan_cleanup,
    removal_counts,
    size_text,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
BY_AGE_EVERY = 60.0
"""Seconds between two looks for files that are too old; free space is looked at each time."""
USES_EVERY = 300.0
"""Seconds between two sums over all files."""
HEADROOM_SHARE, HEADROOM_MOST = 0.01, GB
HEADROOM_SECONDS = 20.0
"""Free space beyond the limit is for what is written in this time: a share of the disk at least."""
MAX_ROUNDS = 20
"""Parts of the index that one clean-up goes through; the rest waits for the next one."""
MAX_STUCK = 100
"""Files that cannot be deleted, after which a clean-up tries no others."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The disk of the recordings at a time. `oldest`: the file that is deleted next when space is
    needed. `trouble`: why nothing can be recorded, or empty."""

    path: Path
    disk: DiskSpace | None
    kept_free: int
    max_bytes: int
    forecast: Forecast | None
    uses: tuple[DeviceUse, ...]
    oldest: StoredSegment | None
    trouble: str


class Cleaner:
    """The clean-up of the folder of recordings. `doubt` is why the clock is not trusted, or empty;
    `in_use` are the devices that are being recorded."""

    def __init__(
        self,
        engine: "Engine",
        proof: FolderProof,
        limits: Callable[[], Limits],
        clock: Callable[[], datetime],
        doubt: Callable[[], str] = lambda: "",
        in_use: Callable[[], Iterable[int]] = tuple,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self.engine = engine
        self.proof = proof
        self.limits = limits
        self.clock = clock
        self.doubt = doubt
        self.in_use = in_use
        self.timer = timer
        self.on_removed: Callable[[Sequence[int]], object] = len
        """Called with the numbers of deleted files, to delete what was made of them."""
        self._looked_at = float("-inf")
        self._free: tuple[float, int] | None = None
        self._rate = 0.0
        self._uses: tuple[float, tuple[DeviceUse, ...]] | None = None
        self._failures: frozenset[str] = frozenset()

    def run(self) -> str:
        """Look at the free space, and each minute at the age of all files; delete what must go.
        Return what was done. Raises Unreachable."""
        if self.proof.is_new():
            return ""
        try:
            with self.proof.opened() as folder:
                return self._run(folder)
        except NotProved as error:
            return f"Nothing deleted: {error}"

    def _run(self, folder: int) -> str:
        disk, limits = space_of(folder), self.limits()
        headroom = self._headroom(disk)
        is_short = disk.free < limits.free_on(disk) + headroom // 2
        now = self.timer()
        if not is_short and now - self._looked_at < BY_AGE_EVERY:
            return ""
        self._looked_at = now
        removals = self._clean(folder, limits, headroom)
        self._free = (self.timer(), space_of(folder).free)
        text = _sentence(removals)
        if removals:
            log.info("%s", text)
        return text

    def _headroom(self, disk: DiskSpace) -> int:
        """Free bytes to have beyond the limit, by how fast they have become fewer."""
        now, before = self.timer(), self._free
        self._free = (now, disk.free)
        if before and now > before[0]:
            rate = (before[1] - disk.free) / (now - before[0])
            self._rate = max(rate, self._rate * 0.9, 0.0)
        least = min(int(disk.total * HEADROOM_SHARE), HEADROOM_MOST)
        return min(max(least, int(self._rate * HEADROOM_SECONDS)), disk.total // 4)

    def _clean(self, folder: int, limits: Limits, headroom: int) -> list[Removal]:
        now, is_trusted = self.clock(), not self.doubt()
        removed: list[Removal] = []
        stuck: dict[int, str] = {}
        for _ in range(MAX_ROUNDS):
            known = retention_rows.candidates(self.engine, now, limits, by_age=is_trusted)
            files = [segment for segment in known.files if segment.id not in stuck]
            ranges = retention_rows.ranges(self.engine, files)
            cleanup = plan_cleanup(
                files,
                ranges,
                space_of(folder),
                limits,
                now,
                clock_is_trusted=is_trusted,
                used=segment_rows.total_size(self.engine),
                headroom=headroom,
            )
            done, failed = self._delete(folder, cleanup.removals)
            removed += done
            stuck.update(failed)
            self._remove_recordings(done, ranges)
            if len(stuck) > MAX_STUCK or not (failed or (done and known.has_more)):
                break
        if not (stuck or (done and known.has_more)):
            recording_rows.remove(self.engine, known.discarded)
        self._note_failures(stuck.values())
        self._note_shortage(space_of(folder), limits, cleanup)
        if removed:
            self._remove_empty_folders(folder)
        return removed

    def _remove_recordings(
        self, removals: Sequence[Removal], ranges: Sequence[RecordingRange]
    ) -> None:
        """Remove the recordings that have ended and lost their last file."""
        touched = {(each.segment.device, each.segment.stream) for each in removals}
        ended = [each for each in ranges if (each.device, each.stream) in touched and each.ended_at]
        gone = [each.id for each in ended if not retention_rows.has_files(self.engine, each)]
        recording_rows.remove(self.engine, gone)

    def _note_shortage(self, disk: DiskSpace, limits: Limits, cleanup: Cleanup) -> None:
        """Stop recording while the disk has too little space and nothing is left to delete."""
        least = limits.free_on(disk)
        self.proof.shortage = ""
        if disk.free < least:
            self.proof.shortage = (
                f"Only {size_text(disk.free)} of the required {size_text(least)} are free on the "
                f"disk of {self.proof.folder}, and nothing is left to delete: all recordings are "
                "protected or being written. Free disk space there."
            )
        elif limits.max_bytes and cleanup.shortfall:
            self.proof.shortage = (
                f"The recordings in {self.proof.folder} are larger than "
                f"{size_text(limits.max_bytes)}, and all are protected or being written. Remove "
                "the protection of some, or raise RECORDINGS_MAX_GB."
            )

    def _delete(
        self, folder: int, removals: Sequence[Removal]
    ) -> tuple[list[Removal], dict[int, str]]:
        """Delete the files, then their rows; a file that is missing already is deleted, too.
        Return also the files that cannot be deleted, by number, and why."""
        done, failed = list[Removal](), dict[int, str]()
        for removal in removals:
            segment = removal.segment
            try:
                _unlink(folder, segment.device, segment.name)
            except OSError as error:
                failed[segment.id] = f"{segment.device}/{segment.name}: {error.strerror}"
                if len(failed) > MAX_STUCK:
                    break
            else:
                done.append(removal)
        ids = [removal.segment.id for removal in done]
        segment_rows.remove(self.engine, ids)
        self.on_removed(ids)
        return done, failed

    def _note_failures(self, texts: Iterable[str]) -> None:
        """Log each file that cannot be deleted, once as long as that lasts."""
        failures = frozenset(texts)
        for text in sorted(failures - self._failures):
            log.warning("Cannot delete the recorded file %s", text)
        self._failures = failures

    def _remove_empty_folders(self, folder: int) -> None:
        """Remove folders of devices that have no files and are not recorded."""
        kept = segment_rows.devices(self.engine) | set(self.in_use())
        for name in os.listdir(folder):
            if name.isdecimal() and int(name) not in kept:
                with suppress(OSError):
                    os.rmdir(name, dir_fd=folder)

    # -- what people see -----------------------------------------------------------------

    def storage(self) -> Storage:
        """The disk now, and what it will hold. Raises Unreachable."""
        limits, trouble, disk = self.limits(), "", None
        try:
            if self.proof.is_new():
                disk = self.proof.space_before()
            else:
                disk, trouble = self.proof.space(), self.proof.shortage
        except NotProved as error:
            trouble = str(error)
        uses = self._current_uses()
        foreseen = forecast(uses, disk, limits, self.clock()) if disk else None
        kept_free = limits.free_on(disk) if disk else 0
        known = retention_rows.candidates(self.engine, self.clock(), limits, by_age=False, part=1)
        oldest = next_removal(known.files, retention_rows.ranges(self.engine, known.files))
        return Storage(
            *(self.proof.folder, disk, kept_free, limits.max_bytes, foreseen, uses),
            oldest=oldest,
            trouble=trouble,
        )

    def _current_uses(self) -> tuple[DeviceUse, ...]:
        now, known = self.timer(), self._uses
        if known is None or now - known[0] >= USES_EVERY:
            known = (now, tuple(retention_rows.uses(self.engine, self.clock())))
            self._uses = known
        return known[1]


def _unlink(folder: int, device: int, name: str) -> None:
    """Delete a file of a device; one that is missing is no error. Raises OSError."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(str(device), flags, dir_fd=folder)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=handle)
    except FileNotFoundError:
        pass
    finally:
        os.close(handle)


def _sentence(removals: Sequence[Removal]) -> str:
    """What was deleted, for the log: number, size, and why."""
    if not removals:
        return ""
    size = sum(removal.segment.size for removal in removals)
    files = counted(len(removals), "recorded file")
    reasons = ", ".join(f"{count} {reason}" for reason, count, _size in removal_counts(removals))
    return f"Deleted {files} ({size_text(size)}): {reasons}"
