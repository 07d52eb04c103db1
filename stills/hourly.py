"""Take the stills that are due: each hour, or as often as a camera's interval says.

A slot is an hour, or another interval, of the clock on the wall. A still is kept for a slot once,
whatever the clock does: how long to wait runs on a clock that nobody sets.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from threading import Event
from time import CLOCK_BOOTTIME, clock_gettime
from typing import NamedTuple

from fleet.clock import duration_text
from fleet.kinds import CAMERA, shown_as
from fleet.labels import counted
from fleet.model import Device, Fleet
from fleet.pictures import NotOffered, NotTaken, no_way
from fleet.status import DOWN
from stills import still_rows as rows
from stills.hours import delay_of, next_due, slot_of, slots_between
from stills.intervals import Intervals
from stills.model import HOUR, Missed
from stills.taking import TIMEOUT, Stills

log = logging.getLogger(__name__)
AT_ONCE = 4
MOST = 64
"""Stills of one run; the next run takes the others."""
STEP = 300.0
"""Seconds by which the clock must jump, before stills from before it are marked."""
LONGEST_GAP = timedelta(days=2)
"""Of a clock that was set forward, the time of which the slots are noted as missed."""
RETRIES = 4
"""Attempts at a still within its slot, at least."""
LONGEST_WAIT = 3600.0
"""Seconds until a still that failed is tried again, at most, also for a daily one."""
NO_WAY_REST = 3600.0
"""Seconds for which a device that offers no picture is left alone."""
OFFLINE = "The camera was offline."


def running_seconds() -> float:
    """A clock that nobody sets, and that goes on while the machine sleeps."""
    return clock_gettime(CLOCK_BOOTTIME)


class Due(NamedTuple):
    """A still that is due: of this device, for this slot."""

    device: int
    slot: datetime
    seconds: int


@dataclass(slots=True)
class _Attempt:
    """What came of the slot of a device so far. `again`: when to try next; None: it is done."""

    slot: datetime
    again: float | None
    reason: str = ""

    def is_due(self, steady: float) -> bool:
        """True if it is time to try again."""
        return self.again is not None and steady >= self.again


class HourlyStills:
    """The job that takes what is due. `statuses` has the status of each device."""

    def __init__(
        self,
        stills: Stills,
        intervals: Intervals,
        fleet: Callable[[], Fleet],
        statuses: Callable[[], Mapping[int, str]],
        clock: Callable[[], datetime],
        zone: Callable[[], tzinfo],
        timer: Callable[[], float] = running_seconds,
    ) -> None:
        self.stills = stills
        self.engine = stills.shelf.engine
        self.intervals = intervals
        self._fleet = fleet
        self._statuses = statuses
        self._clock = clock
        self._zone = zone
        self._timer = timer
        self._attempts: dict[int, _Attempt] = {}
        self._looked: tuple[datetime, float] | None = None
        self._first_id: int | None = None
        self._ends = Event()

    def run(self) -> str:
        """Take what is due now; a sentence about it. Raises Unreachable."""
        is_first = self._looked is None
        self._note_step()
        if not self.stills.ways:
            return ""
        if is_first and any(map(self._seconds, self._fleet().devices.values())):
            self.stills.shelf.folder_trouble()  # The log says it at the start, not an hour later.
        due = [each for each in self._due() if not self._is_kept(each)]
        statuses = self._statuses() if due else {}
        online, offline = list[Due](), list[Due]()
        for each in due:
            (offline if statuses.get(each.device) in DOWN else online).append(each)
        self._miss([(each, OFFLINE) for each in offline])
        with ThreadPoolExecutor(AT_ONCE, "stills") as pool:
            taken = sum(pool.map(self._take, online[:MOST]))
        return f"{counted(taken, 'still')} taken" if taken else ""

    def stop(self) -> None:
        """Begin no other still."""
        self._ends.set()

    # -- what is due ---------------------------------------------------------------------

    def _due(self) -> list[Due]:
        """What is due and was not tried a moment ago, in the order of its time."""
        devices = self._fleet().devices
        if not devices:
            return []
        now, steady, zone = self._clock(), self._timer(), self._zone()
        due = []
        for device in devices.values():
            seconds = self._seconds(device)
            if not seconds:
                continue
            slot = slot_of(now, seconds, zone)
            attempt = self._attempts.get(device.id)
            if attempt is not None and attempt.slot == slot and not attempt.is_due(steady):
                continue
            if now >= slot + delay_of(device.id, seconds):
                due.append(Due(device.id, slot, seconds))
        return sorted(due, key=lambda each: delay_of(each.device, each.seconds))

    def _seconds(self, device: Device) -> int:
        """Seconds between two stills of a device; 0 for one of which none is taken by itself."""
        is_camera = not device.retired_at and shown_as(device.kind) == CAMERA
        return self.intervals.of(device.id) if is_camera else 0

    def next_due(self, device: Device) -> datetime | None:
        """When the next still of a device is due; None if none is."""
        seconds = self._seconds(device)
        return next_due(device.id, seconds, self._clock(), self._zone()) if seconds else None

    def last_failure(self, device: int) -> str:
        """Why the newest slot of a device that was tried has no still; empty if it has one."""
        attempt = self._attempts.get(device)
        return attempt.reason if attempt else ""

    def _is_kept(self, due: Due) -> bool:
        """True if there is a still of the slot, from before a restart or a step of the clock."""
        numbers = self.stills.shelf.numbers(due.device)
        is_kept = rows.has_slot(self.engine, numbers, due.slot)
        if is_kept:
            self._attempts[due.device] = _Attempt(due.slot, None)
        return is_kept

    def _take(self, due: Due) -> bool:
        """Take a still; True if there is one."""
        if self._ends.is_set():
            return False
        try:
            self.stills.take(due.device, TIMEOUT, HOUR, due.slot)
        except NotOffered:
            again = self._timer() + NO_WAY_REST
            self._attempts[due.device] = _Attempt(due.slot, again, no_way().reason)
            return False
        except NotTaken as error:
            if self._ends.is_set():
                return False
            self._miss([(due, error.reason)])
            return False
        self._attempts[due.device] = _Attempt(due.slot, None)
        return True

    def _miss(self, failed: Sequence[tuple[Due, str]]) -> None:
        """Note why stills are missing so far, where that is news, and when to try again."""
        missed = []
        for due, reason in failed:
            before = self._attempts.get(due.device)
            if before is None or (before.slot, before.reason) != (due.slot, reason):
                missed.append(Missed(due.device, due.slot, reason))
            again = self._timer() + min(due.seconds / RETRIES, LONGEST_WAIT)
            self._attempts[due.device] = _Attempt(due.slot, again, reason)
        if missed:
            rows.miss(self.engine, missed)

    # -- steps of the clock --------------------------------------------------------------

    def _note_step(self) -> None:
        """Notice that the clock was set since the last run: stills from before it are marked, and
        slots that never were are missed for that reason."""
        now, steady = self._clock(), self._timer()
        if self._first_id is None:
            self._first_id = rows.last_id(self.engine)
        before, self._looked = self._looked, (now, steady)
        if before is None:
            return
        step = (now - before[0]).total_seconds() - (steady - before[1])
        if abs(step) < STEP:
            return
        count = rows.mark_clock_unknown(self.engine, self._first_id)
        self._first_id = rows.last_id(self.engine)
        self.stills.shelf.reload_newest()
        if count:
            log.warning(
                "The clock was set; the times of %s before are wrong", counted(count, "still")
            )
        if step > 0:
            self._miss_between(before[0], now, step)

    def _miss_between(self, before: datetime, now: datetime, step: float) -> None:
        if now - before > LONGEST_GAP:
            return
        reason = f"The clock of this server was set forward by {duration_text(step)}."
        zone, missed = self._zone(), []
        for device in self._attempts:
            seconds = self.intervals.of(device)
            if not seconds:
                continue
            for slot in slots_between(before, now, seconds, zone):
                if not rows.has_slot(self.engine, self.stills.shelf.numbers(device), slot):
                    missed.append(Missed(device, slot, reason))
        rows.miss(self.engine, missed)
