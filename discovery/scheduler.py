"""The jobs that run by themselves, by APScheduler.

APScheduler compares wall-clock times. Each job therefore also keeps when it is due by the
monotonic clock, and a thread moves APScheduler's times whenever the two disagree: a clock that
is set does not stop, delay or repeat a job.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from threading import Thread
from time import CLOCK_BOOTTIME, clock_gettime, monotonic, time
from typing import Any

from fleet.model import CannotAsk

log = logging.getLogger(__name__)
COMPARE_EVERY = 1.0
SLACK = timedelta(seconds=2)
"""How far the two clocks may differ about one job."""
TOLD = 10.0
"""Seconds of a step of the clock from which on it is told."""


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the table of jobs: what runs every so many seconds.

    `run` returns a sentence about what it did. `paused`: it waits until it is resumed.
    """

    name: str
    title: str
    every: float
    run: Callable[[], str]
    paused: bool = False


@dataclass(slots=True)
class JobState:
    """How a job went the last time. `took` is in seconds, `began` by the monotonic clock."""

    last_run: datetime | None = None
    took: float | None = None
    last_result: str = ""
    last_error: str = ""
    began: float | None = None


def _trigger(every: float, timer: Callable[[], float]) -> Any:
    """Every so many seconds; `due` says when by the monotonic clock.

    APScheduler's own counts interval by interval up to now: after a leap of two years, twelve
    million times.
    """
    from apscheduler.triggers.base import BaseTrigger

    class Every(BaseTrigger):  # type: ignore[misc]
        due = timer()

        def after(self, _previous: datetime | None, now: datetime) -> datetime:
            self.due = timer() + every
            return now + timedelta(seconds=every)

        get_next_fire_time = after

    return Every()


class Scheduler:
    """APScheduler, with a memory of how each job went.

    `on_step` is called with the seconds by which the wall clock was set while it runs, ahead
    or back. `timer` is the monotonic clock.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        on_step: Callable[[float], None] = lambda seconds: None,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self.jobs = {job.name: job for job in jobs}
        self.states = {name: JobState() for name in self.jobs}
        self.timer = timer
        self.on_step = on_step
        self._started = timer()
        self._scheduler: Any = None
        self._error = ""
        self._over = Flag()
        self._thread = Thread(target=self._compare, name="clock", daemon=True)

    def start(self) -> None:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        # Its own words about every run are noise; a failing job is logged by us.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._started = self.timer()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(4)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for job in self.jobs.values():
            first, trigger = min(job.every, 5), _trigger(job.every, self.timer)
            trigger.due = self.timer() + first
            start = None if job.paused else datetime.now(UTC) + timedelta(seconds=first)
            self._scheduler.add_job(self._run, trigger, (job,), id=job.name, next_run_time=start)
        self._scheduler.start()
        self._thread.start()

    def _compare(self) -> None:
        """Once a second: bring APScheduler's times in line, and notice steps of the clock."""
        wall, steady = time(), clock_gettime(CLOCK_BOOTTIME)
        while not self._over.wait(COMPARE_EVERY):
            self._try_to_align()
            # A machine that slept was not set: this clock goes on meanwhile.
            was, wall, since, steady = wall, time(), steady, clock_gettime(CLOCK_BOOTTIME)
            step = (wall - was) - (steady - since)
            if abs(step) >= TOLD:
                self._scheduler.add_job(self.on_step, args=(step,))

    def _try_to_align(self) -> None:
        """Without this thread, a clock that is set stops the jobs: it outlives every error,
        such as a job that is removed meanwhile. Each is logged once."""
        try:
            self.align()
        except Exception as error:
            if repr(error) != self._error:
                log.exception("The times of the jobs were not compared; trying again")
            self._error = repr(error)

    def align(self) -> None:
        """Let every job run when it is due by the monotonic clock."""
        for name in self.jobs:
            job = self._scheduler.get_job(name)
            if job is None or job.next_run_time is None:
                continue
            left = max(0.0, job.trigger.due - self.timer())
            due = datetime.now(UTC) + timedelta(seconds=left)
            if abs(job.next_run_time - due) > SLACK:
                job.modify(next_run_time=due)

    def silence(self, name: str) -> float:
        """Seconds since the job began last, or since the start."""
        began = self.states[name].began
        return self.timer() - (self._started if began is None else began)

    def stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(5)
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)

    def _run(self, job: Job) -> None:
        state = self.states[job.name]
        state.last_run, state.began, begun = datetime.now(UTC), self.timer(), monotonic()
        try:
            state.last_result, state.last_error = job.run(), ""
        except CannotAsk as error:
            # Told once as an event of its source, and not again at every run.
            state.last_error = error.reason
        except Exception as error:
            state.last_error = str(error) or type(error).__name__
            log.exception("%s failed", job.title)
        finally:
            state.took = monotonic() - begun

    def resume(self, name: str) -> None:
        """Run the job now, and from then on at its interval."""
        job = self._scheduler.get_job(name)
        job.resume()
        job.trigger.due = self.timer()
        job.modify(next_run_time=datetime.now(UTC))

    def run_now(self, name: str) -> bool:
        """Run the job once, out of turn; False when there is no such job."""
        if name not in self.jobs or self._scheduler is None:
            return False
        self._scheduler.add_job(self._run, args=(self.jobs[name],))
        return True

    def pause(self, name: str) -> None:
        self._scheduler.pause_job(name)

    def next_run(self, name: str) -> datetime | None:
        job = self._scheduler.get_job(name) if self._scheduler else None
        found: datetime | None = job.next_run_time if job else None
        return found

    def is_running(self) -> bool:
        return bool(self._scheduler and self._scheduler.running)
