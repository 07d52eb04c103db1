"""One probe in a task of its own: it ends at its deadline, whatever the source does meanwhile."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from discovery.due_queue import Question
from discovery.outcomes import outcome, result_of
from fleet import validation
from fleet.model import (
    Finding,
    Miss,
    NoAnswer,
    Report,
    Sighting,
    SourceDown,
    Target,
)
from sources.source import Source

log = logging.getLogger(__name__)
GRACE = 0.5
"""Seconds that a probe has to clean up after it was cancelled."""
MAX_ABANDONED = 2
"""Probes of one question that may run on without end; no more are begun beside them."""


class ProbeTasks:
    """The probes that run, and those that were abandoned."""

    def __init__(self) -> None:
        self.abandoned: Counter[Question] = Counter()
        """How many probes that ignored their deadline still run."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._logged: set[str] = set()

    async def run(self, source: Source, question: Question, target: Target) -> tuple[Report, ...]:
        """The reports of one probe, checked.

        Raises what the probe raises, TimeoutError at the deadline, AbnormalExit, and TypeError
        or InvalidValue for a result that is none. What comes after the deadline is dropped.
        """
        if self.abandoned[question] >= MAX_ABANDONED:
            raise NoAnswer(f"{MAX_ABANDONED} earlier checks of it are still running")
        probe = source.probe
        assert probe is not None
        task = asyncio.get_running_loop().create_task(outcome(lambda: probe(target)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await asyncio.wait((task,), timeout=source.timeout)
            is_late = not task.done()
        finally:
            task.cancel()
        if is_late:
            await asyncio.wait((task,), timeout=GRACE)
            if not task.done():
                self._abandon(source, question, task)
            raise TimeoutError
        return _reports(result_of(task.result()))

    async def close(self) -> None:
        """Cancel what runs, and wait a moment for it."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=GRACE)

    def _abandon(self, source: Source, question: Question, task: asyncio.Task[Any]) -> None:
        self.abandoned[question] += 1
        task.add_done_callback(lambda task: self.abandoned.subtract((question,)))
        if source.name not in self._logged:
            self._logged.add(source.name)
            log.error("%s: a check did not stop at its deadline and was abandoned", source.title)


def _reports(result: Any) -> tuple[Report, ...]:
    if not isinstance(result, Sequence):
        raise TypeError(f"a probe returned {type(result).__name__}, not a list of reports")
    for report in result:
        if not isinstance(report, Sighting | Miss | Finding | SourceDown):
            raise TypeError(f"a probe returned {type(report).__name__} as a report")
        validation.check_report(report)
    return tuple(result)
