"""The jobs that run by themselves, by APScheduler, in UTC."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from fleet.model import CannotAsk

log = logging.getLogger(__name__)


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
    """How a job went the last time. `took` is in seconds."""

    last_run: datetime | None = None
    took: float | None = None
    last_result: str = ""
    last_error: str = ""


class Scheduler:
    """APScheduler, with a memory of how each job went."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.jobs = {job.name: job for job in jobs}
        self.states = {name: JobState() for name in self.jobs}
        self._scheduler: Any = None

    def start(self) -> None:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        # Its own words about every run are noise; a failing job is logged by us.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(4)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for job in self.jobs.values():
            start = None if job.paused else datetime.now(UTC) + timedelta(seconds=min(job.every, 5))
            self._scheduler.add_job(
                self._run, "interval", (job,), id=job.name, seconds=job.every, next_run_time=start
            )
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)

    def _run(self, job: Job) -> None:
        state = self.states[job.name]
        state.last_run, begun = datetime.now(UTC), monotonic()
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
