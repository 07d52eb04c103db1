"""The thread that hands over what is due, each time that it changes."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event, Thread

from fleet.model import Fleet
from video.due import Due, due_now, next_change_of
from video.schedule import Schedule

log = logging.getLogger(__name__)
LONGEST_WAIT = 5.0
"""Seconds. So soon it notices a step of the wall clock, and a device that was retired, deleted or
is to be recorded always."""
SHORTEST_WAIT = 0.05


class DueWatch:
    """Calls `set_due` with all that is due: at the start, and after each change of it. Without a
    recorder that does nothing.

    It waits by the monotonic clock, so a step of the wall clock neither stops nor hurries it.
    """

    def __init__(
        self,
        schedules: Callable[[], Sequence[Schedule]],
        fleet: Callable[[], Fleet],
        clock: Callable[[], datetime],
        set_due: Callable[[frozenset[Due]], None] = lambda _due: None,
    ) -> None:
        self.set_due = set_due
        self._schedules = schedules
        self._fleet = fleet
        self._clock = clock
        self._due: frozenset[Due] | None = None
        self._wakes = Event()
        self._ends = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._ends = False
        self._thread = Thread(target=self._run, name="schedules", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look at once: a schedule was changed."""
        self._wakes.set()

    def stop(self) -> None:
        """End the thread. What is due stays as it was handed over."""
        self._ends = True
        self._wakes.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def look(self) -> float:
        """Hand over what is due, if that changed; the seconds until the next look."""
        now, schedules = self._clock(), self._schedules()
        due = due_now(schedules, self._fleet(), now)
        if due != self._due:
            self.set_due(due)
            self._due = due
        change = next_change_of(schedules, now)
        seconds = (change - now).total_seconds() if change else LONGEST_WAIT
        return min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)

    def _run(self) -> None:
        while not self._ends:
            try:
                seconds = self.look()
            except Exception:
                log.exception("Internal error while starting what is due")
                seconds = LONGEST_WAIT
            self._wakes.wait(seconds)
            self._wakes.clear()
