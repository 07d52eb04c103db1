"""What is kept of stills: write them, find them, and show the hours of a day."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta, tzinfo
from itertools import chain
from pathlib import Path
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import TYPE_CHECKING

from fleet.merged import numbers_of
from fleet.model import Fleet, Invalid
from fleet.pictures import NotTaken, TakenPicture
from stills import still_rows as rows
from stills.exif import kept_of, stamped, stamped_parts
from stills.files import FULL, StillFiles
from stills.hours import Hour, day_bounds, day_hours, hour_bounds, hour_of
from stills.intervals import Intervals
from stills.model import BELIEVABLE_FROM, Missed, Still
from store.sql import Unreachable

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
THUMBNAILS_AT_ONCE = 2
THUMBNAIL_WAIT = 8.0
"""Seconds to wait for other thumbnails before a caller gets none."""
FIRST_DAY, LAST_DAY = date(1969, 12, 31), date(2199, 12, 31)
"""From the first day that a clock without a battery shows in any zone."""
MOST_FAILED = 1000
MOST_ROOMS = 3
"""Times that room is made for one still on a full disk."""
FAILED_REST = 600.0
"""Seconds until a thumbnail that could not be made is tried again: the machine may be slow now."""
FARTHEST = timedelta(days=365)
"""How far a clock in doubt can be ahead of the newest still, and be right."""


class Shelf:
    """All stills that are kept. Those of records that were merged into another belong to it.

    `make_thumbnail` makes a small JPEG of a large one, or None; `make_room` frees so many bytes
    on the disk by deleting the oldest stills, and says whether it could. `doubt` is why the clock
    is not trusted, or empty; `prove` says why the folder is not ours now, or nothing: a share that
    dropped out leaves an ordinary folder behind. Methods raise Unreachable."""

    def __init__(
        self,
        engine: "Engine",
        files: StillFiles,
        fleet: Callable[[], Fleet],
        intervals: Intervals,
        clock: Callable[[], datetime],
        zone: Callable[[], tzinfo],
        doubt: Callable[[], str],
        make_thumbnail: Callable[[bytes], bytes | None],
        prove: Callable[[], str] = lambda: "",
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self.engine = engine
        self.files = files
        self.make_room: Callable[[int], bool] = lambda _size: False
        self._fleet = fleet
        self._intervals = intervals
        self._clock = clock
        self._zone = zone
        self._doubt = doubt
        self._make_thumbnail = make_thumbnail
        self._prove = prove
        self._turns = BoundedSemaphore(THUMBNAILS_AT_ONCE)
        self._timer = timer
        self._failed: dict[int, float] = {}
        self._lock = Lock()
        self._newest: dict[int, Still] | None = None

    # -- writing -------------------------------------------------------------------------

    def keep(
        self, device: int, picture: TakenPicture, why: str, slot: datetime | None = None
    ) -> Still:
        """Keep a picture as it came, with its time of capture in Exif. Raises NotTaken where the
        disk cannot store it."""
        clock_known = self._is_believable(picture.taken_at)
        local = picture.taken_at.astimezone(self._zone())
        parts = stamped_parts(picture.data, local, clock_known, kept_of(picture.data))
        name = self._write(device, picture.taken_at, parts)
        still = Still(
            id=0,
            device=device,
            taken_at=picture.taken_at,
            clock_known=clock_known,
            way=picture.way,
            width=picture.width,
            height=picture.height,
            size=sum(map(len, parts)),
            name=name,
            why=why,
            slot=slot,
            notes=picture.notes,
        )
        try:
            id = rows.add(self.engine, still)
        except Unreachable:
            with suppress(OSError):
                self.files.remove(device, name)
            raise
        still = replace(still, id=id)
        with self._lock:
            if self._newest is not None:
                self._newest[device] = still
        return still

    def folder_trouble(self) -> str:
        """Why no still can be kept in the folder now; empty if one can. The first call creates the
        folder."""
        return self._prove()

    def _is_believable(self, at: datetime) -> bool:
        """True if the clock was set. One without a battery begins in 1970 at each start and is in
        doubt for a day after that, but not by years."""
        if at < BELIEVABLE_FROM:
            return False
        last = rows.last_known_time(self.engine) if self._doubt() else None
        return last is None or at - last < FARTHEST

    def give_slot(self, still: Still, slot: datetime) -> None:
        """Keep a still that was taken for another reason as the one of that slot, if it has none
        yet."""
        if still.slot is None:
            rows.give_slot(self.engine, still, slot)
            self.reload_newest()

    def _write(self, device: int, taken_at: datetime, parts: Sequence[memoryview]) -> str:
        """Write a file; on a full disk again, after room was made."""
        if trouble := self._prove():
            raise NotTaken(trouble)
        names = rows.names_at(self.engine, device, taken_at)
        try:
            for _attempt in range(MOST_ROOMS):  # Others can take the room that was made.
                try:
                    return self.files.write(device, taken_at, *parts, taken=names)
                except OSError as error:
                    if error.errno not in FULL or not self.make_room(sum(map(len, parts))):
                        raise
            return self.files.write(device, taken_at, *parts, taken=names)
        except OSError as error:
            log.warning("A still cannot be written to %s (%s)", self.files.folder, error.strerror)
            raise NotTaken(
                f"The picture cannot be saved in {self.files.folder} ({error.strerror}).",
                "Free disk space there."
                if error.errno in FULL
                else "Allow this user to write there, or set MEDIA_DIR to another folder.",
            ) from error

    # -- reading -------------------------------------------------------------------------

    def find(self, device: int, id: int) -> Still | None:
        """The still with that number, if it is of this device."""
        return rows.find(self.engine, self.numbers(device), id)

    def newest(self, device: int) -> Still | None:
        """The still that was taken last."""
        return rows.newest(self.engine, self.numbers(device))

    def newest_of_all(self) -> dict[int, Still]:
        """The still of each device that was taken last."""
        redirects = self._fleet().redirects
        with self._lock:
            if self._newest is None:
                newest = rows.newest_of_each(self.engine)
                self._newest = {still.device: still for still in newest}
            in_order = sorted(self._newest.values(), key=lambda still: still.id)
        return {redirects.get(still.device, still.device): still for still in in_order}

    def reload_newest(self) -> None:
        """Read the newest stills again: rows were changed or deleted."""
        with self._lock:
            self._newest = None

    def latest(self, device: int, limit: int) -> list[Still]:
        """The stills that were taken last, the newest first."""
        return rows.latest(self.engine, self.numbers(device), limit)

    def between(self, device: int, since: datetime, until: datetime) -> list[Still]:
        """The stills of that time, the oldest first."""
        return rows.between(self.engine, self.numbers(device), since, until)

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """The beginning and the end of a day of this server's zone. Raises Invalid."""
        return day_bounds(_checked(day), self._zone())

    def of_days(self, device: int, first: date, last: date, limit: int) -> list[Still]:
        """The stills from one day of this server's zone to another one, both included, the oldest
        first; so many at the most. Raises Invalid."""
        since, until = self.bounds(first)[0], self.bounds(last)[1]
        return rows.between(self.engine, self.numbers(device), since, until, limit)

    def of_day(self, device: int, day: date) -> list[Still]:
        """The stills of a day of this server's zone, the oldest first. Raises Invalid."""
        return self.between(device, *self.bounds(day))

    def hours(self, device: int, day: date) -> tuple[Hour, ...]:
        """The hours of a day of this server's zone, with what was taken and what is missing. Raises
        Invalid."""
        zone, numbers = self._zone(), self.numbers(device)
        since, until = day_bounds(_checked(day), zone)
        return day_hours(
            day,
            zone,
            self._intervals.of(device),
            rows.between(self.engine, numbers, since, until),
            rows.missed_between(self.engine, numbers, since, until),
            rows.first_slot(self.engine, numbers),
            self._clock(),
        )

    def hour_of_each(self, devices: Sequence[int], day: date, number: int) -> dict[int, Hour]:
        """The hour of a day with this number, of each of these devices. Raises Invalid, and
        IndexError where the day does not have so many hours."""
        zone, now = self._zone(), self._clock()
        bounds = hour_bounds(_checked(day), zone)[number]
        numbers = {device: self.numbers(device) for device in devices}
        every = [each for behind in numbers.values() for each in behind]
        taken, missed = defaultdict[int, list[Still]](list), defaultdict[int, list[Missed]](list)
        for still in rows.between(self.engine, every, *bounds):
            taken[still.device].append(still)
        for each in rows.missed_between(self.engine, every, *bounds):
            missed[each.device].append(each)
        firsts = rows.first_slots(self.engine, every)
        return {
            device: hour_of(
                bounds,
                zone,
                self._intervals.of(device),
                sorted(chain(*(taken[each] for each in behind)), key=_in_time),
                list(chain(*(missed[each] for each in behind))),
                min((firsts[each] for each in behind if each in firsts), default=None),
                now,
            )
            for device, behind in numbers.items()
        }

    def first_day(self, device: int) -> date | None:
        """The first day of this server's zone on which a still was taken or missed; stills from
        before the clock was set are left out."""
        numbers = self.numbers(device)
        firsts = (rows.first_time(self.engine, numbers), rows.first_slot(self.engine, numbers))
        first = min((at for at in firsts if at), default=None)
        return first.astimezone(self._zone()).date() if first else None

    def days(self, device: int) -> list[date]:
        """The days of this server's zone that have stills, in order."""
        zone = self._zone()
        times = rows.times(self.engine, self.numbers(device))
        return list(dict.fromkeys(at.astimezone(zone).date() for at in times))

    def numbers(self, device: int) -> Sequence[int]:
        """The number of a device and of the records that were merged into it."""
        return numbers_of(self._fleet(), device)

    # -- pictures ------------------------------------------------------------------------

    def path(self, still: Still) -> Path:
        """The file of a still."""
        return self.files.path(still)

    def opened(self, still: Still) -> int:
        """The descriptor of its file, for the caller to close. Raises OSError."""
        return self.files.opened(still)

    def thumbnail(self, still: Still) -> bytes | None:
        """A JPEG of 320 pixels width or less, made when it is first asked for; None if there is no
        file, it cannot be decoded, or too many are being made."""
        if small := self._kept_thumbnail(still):
            return small
        if self._timer() < self._failed.get(still.id, 0.0):
            return None
        if not self._turns.acquire(timeout=THUMBNAIL_WAIT):
            return None
        try:
            return self._kept_thumbnail(still) or self._made_thumbnail(still)
        finally:
            self._turns.release()

    def _kept_thumbnail(self, still: Still) -> bytes | None:
        with suppress(OSError):
            return self.files.read_thumbnail(still)
        return None

    def _made_thumbnail(self, still: Still) -> bytes | None:
        try:
            data = self.files.read(still)
        except OSError:
            return None
        small = self._make_thumbnail(data)
        if not small:
            with self._lock:
                if len(self._failed) >= MOST_FAILED:
                    self._failed.clear()
                self._failed[still.id] = self._timer() + FAILED_REST
            return None
        local = still.taken_at.astimezone(self._zone())
        small = stamped(small, local, still.clock_known, kept_of(data))
        with suppress(OSError):
            self.files.write_thumbnail(still, small)
        return small


def _in_time(still: Still) -> tuple[datetime, int]:
    return still.taken_at, still.id


def _checked(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        invalid = Invalid(
            f"The day {day} is out of range", f"Use a day from {FIRST_DAY} to {LAST_DAY}."
        )
        invalid.field = "day"
        raise invalid
    return day
