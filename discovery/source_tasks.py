"""Run the work of a source in a task that ends at its deadline, whatever the source does."""

import asyncio
import logging
from collections import Counter
from typing import Any

from discovery.probe_tasks import GRACE, MAX_ABANDONED
from fleet.model import CannotAsk
from sources.source import Source

log = logging.getLogger(__name__)


class SourceTasks:
    """Waits for the tasks of sources (`outcomes.outcome`), and counts those that were abandoned."""

    def __init__(self) -> None:
        self.abandoned: Counter[str] = Counter()
        """How many scans and sweeps of each source ignored their end and still run."""

    def check(self, source: Source) -> None:
        """Raise CannotAsk while too many abandoned scans of the source still run."""
        if self.abandoned[source.name] >= MAX_ABANDONED:
            reason = (
                f"{MAX_ABANDONED} earlier scans of it are still running. Restart Camera "
                "Monitor, and report this as a bug."
            )
            raise CannotAsk(source.name, reason)

    async def wait(self, source: Source, task: asyncio.Task[Any], seconds: float) -> None:
        """Wait until the task is done, for so many seconds; its result is in it.

        Raises TimeoutError after that, and CannotAsk when the task then goes on all the same. When
        the waiting is cancelled, so is the task.
        """
        try:
            await asyncio.wait((task,), timeout=seconds)
        except asyncio.CancelledError:
            await self._stop(source, task)
            raise
        if task.done():
            return
        if not await self._stop(source, task):
            raise CannotAsk(source.name, f"it did not stop at its deadline of {seconds:.0f} s")
        raise TimeoutError

    async def _stop(self, source: Source, task: asyncio.Task[Any]) -> bool:
        """Cancel the task; False if it goes on, which is abandoned then."""
        task.cancel()
        await asyncio.wait((task,), timeout=GRACE)
        if task.done():
            return True
        if not self.abandoned[source.name]:
            log.error("%s: a scan did not stop at its deadline and was abandoned", source.title)
        self.abandoned[source.name] += 1
        task.add_done_callback(lambda task: self._ended(source, task))
        return False

    def _ended(self, source: Source, task: asyncio.Task[Any]) -> None:
        self.abandoned[source.name] -= 1
        if not task.cancelled() and isinstance(error := task.result(), BaseException):
            log.error("%s: an abandoned scan ended with %r", source.title, error)
