"""The scheduler of background jobs, on top of APScheduler.

APScheduler compares wall-clock times. Each job therefore also keeps when it is due by the
monotonic clock, and a thread moves APScheduler's times whenever the two disagree: a clock that
is set does not stop, delay or repeat a job.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from threading import RLock, Thread
from time import CLOCK_BOOTTIME, clock_gettime, monotonic, time
from typing import Any

from fleet.model import CannotAsk
from fleet.package import Job, JobSkipped

log = logging.getLogger(__name__)
COMPARE_EVERY = 1.0
SLACK = timedelta(seconds=2)
"""How far the two clocks may differ about one job."""
MIN_STEP = 10.0
"""Seconds by which the clock must jump to be reported."""


@dataclass(slots=True)
class JobState:
    """The last run of a job. `took` is in seconds, `began` by the monotonic clock."""

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
    """The table of jobs, run by APScheduler, with the last result of each.

    Jobs can be added, changed and removed while it runs. Each has a thread of its own, so a
    long one delays no other, and never runs twice at once. `on_step` is called with the seconds
    by which the wall clock was set while it runs, ahead or back. `timer` is the monotonic clock.
    """

    def __init__(
        self,
        jobs: Iterable[Job] = (),
        on_step: Callable[[float], None] = lambda seconds: None,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        # Both are replaced whole, never changed in place: readers need no lock.
        self.jobs: Mapping[str, Job] = {}
        self.states: Mapping[str, JobState] = {}
        self.timer = timer
        self.on_step = on_step
        self._lock = RLock()
        self._executors: dict[str, Any] = {}
        self._started = timer()
        self._scheduler: Any = None
        self._error = ""
        self._over = Flag()
        self._thread = Thread(target=self._compare, name="clock", daemon=True)
        for job in jobs:
            self.add(job)

    def start(self) -> None:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        # Its own words about every run are noise; a failing job is logged by us.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        with self._lock:
            self._started = self.timer()
            self._scheduler = BackgroundScheduler(
                timezone=UTC,
                executors={"default": ThreadPoolExecutor(1)},
                job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            )
            for job in self.jobs.values():
                self._schedule(job)
            self._scheduler.start()
        self._thread.start()

    # -- the table -----------------------------------------------------------------------

    def add(self, job: Job) -> None:
        """Run one more job, the first time as it says and within five seconds.

        Raises ValueError when there is one of that name.
        """
        with self._lock:
            if job.name in self.jobs:
                raise ValueError(f"there is a job {job.name} already")
            self.jobs = {**self.jobs, job.name: job}
            self.states = {**self.states, job.name: JobState()}
            if self._scheduler is not None:
                self._schedule(job)

    def change(self, name: str, every: float | None = None, paused: bool | None = None) -> None:
        """Give a job another interval, pause it, or let it run again, which it does at once.

        A new interval is measured from the last run. Raises KeyError when there is no such job.
        """
        if every is not None:
            with self._lock:
                job = self._replace(replace(self.jobs[name], every=every))
                self._set_interval(job)
        if paused is not None:
            (self.pause if paused else self.resume)(name)

    def remove(self, name: str) -> None:
        """Never run the job again; a run under way comes to its end. Raises KeyError."""
        with self._lock:
            jobs, states = dict(self.jobs), dict(self.states)
            del jobs[name], states[name]
            self.jobs, self.states = jobs, states
            if self._scheduler is None:
                return
            for planned in (name, _now(name)):
                if self._scheduler.get_job(planned) is not None:
                    self._scheduler.remove_job(planned)
            self._scheduler.remove_executor(name, shutdown=False)
            self._executors.pop(name).shutdown(wait=False)

    def rows(self) -> list[tuple[Job, JobState, datetime | None]]:
        """Every job, how it went the last time, and when it runs next."""
        with self._lock:
            return [
                (job, self.states[name], self.next_run(name)) for name, job in self.jobs.items()
            ]

    def resume(self, name: str) -> None:
        """Run the job now, and from then on at its interval."""
        with self._lock:
            self._replace(replace(self.jobs[name], paused=False))
            if (planned := self._planned(name)) is not None:
                planned.trigger.due = self.timer()
                planned.modify(next_run_time=datetime.now(UTC))

    def pause(self, name: str) -> None:
        """Do not run the job until it is resumed; a run under way comes to its end."""
        with self._lock:
            self._replace(replace(self.jobs[name], paused=True))
            if (planned := self._planned(name)) is not None:
                planned.pause()

    def run_now(self, name: str) -> bool:
        """Run the job once, out of turn, after a run under way; False when there is no such job.

        Further calls while one waits add nothing.
        """
        with self._lock:
            if name not in self.jobs or self._scheduler is None:
                return False
            self._scheduler.add_job(
                self._run,
                args=(name,),
                id=_now(name),
                executor=name,
                max_instances=2,  # one that runs, one that waits
                replace_existing=True,
            )
            return True

    def next_run(self, name: str) -> datetime | None:
        planned = self._planned(name)
        at: datetime | None = planned.next_run_time if planned else None
        return at

    def _replace(self, job: Job) -> Job:
        self.jobs = {**self.jobs, job.name: job}
        return job

    def _planned(self, name: str) -> Any:
        """The job as APScheduler has it; None before the start."""
        return self._scheduler.get_job(name) if self._scheduler is not None else None

    def _schedule(self, job: Job) -> None:
        """Hand a job to APScheduler, with a thread of its own."""
        from apscheduler.executors.pool import ThreadPoolExecutor

        first = 0.0 if job.at_once else min(job.every, 5)
        trigger = _trigger(job.every, self.timer)
        trigger.due = self.timer() + first
        at = None if job.paused else datetime.now(UTC) + timedelta(seconds=first)
        self._executors[job.name] = ThreadPoolExecutor(1, {"thread_name_prefix": job.name})
        self._scheduler.add_executor(self._executors[job.name], job.name)
        self._scheduler.add_job(
            self._run, trigger, (job.name,), id=job.name, executor=job.name, next_run_time=at
        )

    def _set_interval(self, job: Job) -> None:
        planned = self._planned(job.name)
        if planned is None:
            return
        began, now = self.states[job.name].began, self.timer()
        trigger = _trigger(job.every, self.timer)
        trigger.due = max(now, (now if began is None else began) + job.every)
        at = datetime.now(UTC) + timedelta(seconds=trigger.due - now)
        planned.modify(trigger=trigger, next_run_time=None if job.paused else at)

    # -- running -------------------------------------------------------------------------

    def _run(self, name: str) -> None:
        job, state = self.jobs.get(name), self.states.get(name)
        if job is None or state is None:
            return  # removed while this run waited
        state.last_run, state.began, begun = datetime.now(UTC), self.timer(), monotonic()
        try:
            state.last_result, state.last_error = job.run(), ""
        except JobSkipped as reason:
            state.last_result = str(reason)
        except CannotAsk as error:
            # Told once as an event of its source, and not again at every run.
            state.last_error = error.reason
        except Exception as error:
            state.last_error = str(error) or type(error).__name__
            log.exception("%s failed", job.title)
        finally:
            state.took = monotonic() - begun

    def silence(self, name: str) -> float:
        """Seconds since the job began last, or since the start."""
        began = self.states[name].began
        return self.timer() - (self._started if began is None else began)

    def is_running(self) -> bool:
        return bool(self._scheduler and self._scheduler.running)

    def stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(5)
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)

    # -- clocks --------------------------------------------------------------------------

    def _compare(self) -> None:
        """Align APScheduler's times once a second, and notice steps of the clock."""
        wall, steady = time(), clock_gettime(CLOCK_BOOTTIME)
        while not self._over.wait(COMPARE_EVERY):
            self._try_to_align()
            # A machine that slept was not set: this clock goes on meanwhile.
            was, wall, since, steady = wall, time(), steady, clock_gettime(CLOCK_BOOTTIME)
            step = (wall - was) - (steady - since)
            if abs(step) >= MIN_STEP:
                self._scheduler.add_job(self.on_step, args=(step,))

    def _try_to_align(self) -> None:
        """Align; log an error once and go on, as a clock that is set would stop the jobs without
        this thread."""
        try:
            self.align()
        except Exception as error:
            if repr(error) != self._error:
                log.exception("Could not compare the job times with the clock; retrying")
            self._error = repr(error)

    def align(self) -> None:
        """Set the next run of every job to when it is due by the monotonic clock."""
        for name in self.jobs:
            with self._lock:
                planned = self._planned(name)
                if planned is None or planned.next_run_time is None:
                    continue
                left = max(0.0, planned.trigger.due - self.timer())
                due = datetime.now(UTC) + timedelta(seconds=left)
                if abs(planned.next_run_time - due) > SLACK:
                    planned.modify(next_run_time=due)


def _now(name: str) -> str:
    """APScheduler's id of one run out of turn."""
    return f"{name} now"
