"""All schedules: kept in SQL, held in memory. Every change can be undone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import RLock
from typing import TYPE_CHECKING

from fleet.labels import counted
from fleet.model import NotFound, Refused
from video import schedule_rows as rows
from video.schedule import Schedule
from video.schedule_check import checked
from video.schedule_rows import StoredSchedule

if TYPE_CHECKING:
    from sqlalchemy import Engine

MAX_SCHEDULES = 1000
KEPT = timedelta(days=30)
"""How long a deleted schedule can be restored."""


class Schedules:
    """The registry of schedules. `on_change` is called after each change, from its thread.

    Every change is in SQL before it takes effect. Methods raise Refused (Invalid, NotFound), which
    names the field, and Unreachable.
    """

    def __init__(self, engine: "Engine", clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.on_change: Callable[[], None] = lambda: None
        self._engine = engine
        self._lock = RLock()
        self._all: Mapping[int, StoredSchedule] = {}

    def open(self) -> None:
        """Load all schedules; the tables must exist. Also after an outage of the database, whose
        last write may have succeeded or not."""
        with self._lock:
            self._all = {stored.id: stored for stored in rows.load(self._engine)}
        self.on_change()

    def listed(self) -> list[StoredSchedule]:
        """The schedules by number, without deleted ones."""
        return [stored for stored in self._all.values() if stored.deleted_at is None]

    def schedules(self) -> list[Schedule]:
        """The same, without what is known of their changes."""
        return [stored.schedule for stored in self.listed()]

    def find(self, id: int) -> StoredSchedule:
        """One schedule. Raises NotFound."""
        stored = self._all.get(id)
        if stored is None or stored.deleted_at is not None:
            raise no_schedule(id)
        return stored

    def find_deleted(self, id: int) -> StoredSchedule:
        """One schedule, also if it was deleted and can be restored. Raises NotFound."""
        stored = self._all.get(id)
        return stored if stored is not None else self.find(id)

    def add(self, schedule: Schedule, by: str) -> StoredSchedule:
        """Add a schedule; its number is given here."""
        now = self.clock()
        stored = StoredSchedule(checked(schedule, now), by, now, now)
        with self._lock:
            self._check_room()
            id = rows.add(self._engine, stored)
            stored = replace(stored, schedule=replace(stored.schedule, id=id))
            self._all = {**self._all, id: stored}
        self.on_change()
        return stored

    def _check_room(self) -> None:
        if len(self.listed()) >= MAX_SCHEDULES:
            raise Refused(
                f"There are {MAX_SCHEDULES:,} schedules already",
                "Delete those that are not needed, or add the camera to one of them.",
            )

    def change(self, id: int, make: Callable[[Schedule], Schedule]) -> StoredSchedule:
        """Change a schedule to what `make` returns for it; nobody writes in between."""
        with self._lock:
            stored, now = self.find(id), self.clock()
            schedule = checked(make(stored.schedule), now)
            if schedule == stored.schedule:
                return stored
            changed = replace(
                stored,
                schedule=schedule,
                previous=stored.schedule,
                changed_at=now,
                revision=stored.revision + 1,
            )
            return self._save(changed)

    def set_active(self, id: int, is_active: bool) -> StoredSchedule:
        """Activate or deactivate a schedule."""
        return self.change(id, lambda schedule: replace(schedule, is_active=is_active))

    def delete(self, id: int) -> StoredSchedule:
        """Delete a schedule. It can be restored for some days."""
        with self._lock:
            stored, now = self.find(id), self.clock()
            return self._save(replace(stored, deleted_at=now, revision=stored.revision + 1))

    def undo(self, id: int, revision: int) -> StoredSchedule:
        """Undo the last change, which led to that revision: restore a deleted schedule, give a
        changed one its former values, delete a new one."""
        with self._lock:
            stored, now = self.find_deleted(id), self.clock()
            if stored.revision != revision:
                raise Refused(
                    "The schedule was changed since then", "Reload the page, then edit it."
                )
            following = replace(stored, changed_at=now, revision=revision + 1)
            if stored.deleted_at is not None:
                self._check_room()
                return self._save(replace(following, deleted_at=None))
            if stored.previous is None:
                return self._save(replace(following, deleted_at=now))
            former = replace(following, schedule=stored.previous, previous=stored.schedule)
            return self._save(former)

    def _save(self, stored: StoredSchedule) -> StoredSchedule:
        with self._lock:
            rows.save(self._engine, stored, self.clock())
            self._all = {**self._all, stored.id: stored}
        self.on_change()
        return stored

    def forget(self) -> str:
        """Remove for good what was deleted long ago; what and how much."""
        before = self.clock() - KEPT
        with self._lock:
            count = rows.remove_deleted(self._engine, before)
            self._all = {
                id: stored
                for id, stored in self._all.items()
                if stored.deleted_at is None or stored.deleted_at >= before
            }
        return counted(count, "schedule") if count else ""

    def forget_devices(self, ids: Sequence[int]) -> None:
        """Take deleted devices out of all schedules. One that was for them alone is deleted."""
        gone, now = {*ids}, self.clock()
        with self._lock:
            for stored in self._all.values():
                devices = stored.schedule.devices
                left = tuple(device for device in devices if device not in gone)
                if left == devices:
                    continue
                schedule = replace(stored.schedule, devices=left)
                deleted_at = stored.deleted_at if left else stored.deleted_at or now
                self._save(replace(stored, schedule=schedule, deleted_at=deleted_at))


def no_schedule(id: int) -> NotFound:
    """The error that a schedule does not exist."""
    return NotFound(f"Schedule {id} does not exist", "GET /api/schedules lists the schedules.")
