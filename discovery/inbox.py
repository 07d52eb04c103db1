"""Reports on their way to the tracker, in batches."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from discovery.device_tracker import DeviceTracker
from fleet.model import Report
from fleet.rejected import RejectedReports
from store.json_file import CannotKeep

MAX_WAITING = 10_000
"""Reports that wait while the tracker cannot keep them."""


class Inbox:
    """Reports of the sources that the tracker does not have yet.

    Used in the Scanner's loop; the tracker, which may wait for the disk, works in a thread.
    """

    def __init__(self, tracker: DeviceTracker, clock: Callable[[], datetime]) -> None:
        self.tracker = tracker
        self.clock = clock
        self._reports: list[Report] = []
        self._rejected = RejectedReports()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="scanner-writer")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()

    def add(self, reports: Iterable[Report]) -> None:
        """Add reports to the next batch."""
        self._reports += reports

    async def hand_over(self) -> bool:
        """Give the tracker what has gathered; False when there was nothing. What others handed over
        before is with the tracker too when this returns. A caller that is cancelled meanwhile loses
        no report."""
        return await asyncio.shield(self._hand_over())

    async def keep(self, reports: Iterable[Report]) -> None:
        """Hand reports over and wait until the tracker has them: one write for all that wait."""
        self.add(reports)
        await self.hand_over()

    async def _hand_over(self) -> bool:
        async with self._turn:
            reports, self._reports = self._reports, []
            if reports:
                await self.in_thread(self._apply, reports)
            return bool(reports)

    def in_thread(self, work: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Do work that may wait for the disk in the writer's thread, in the order of the calls."""
        self._loop = loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._writer, work, *arguments)

    def close(self) -> None:
        """Hand over what is left, from any thread: the loop has ended or does not answer."""
        self._writer.shutdown()
        reports, self._reports = self._reports, []
        if reports:
            self._apply(reports)

    def _apply(self, reports: Sequence[Report]) -> None:
        """Apply the reports; one that the tracker rejects keeps none of the others from it."""
        if not self._is_applied(reports) and len(reports) > 1:
            for report in reports:
                self._is_applied([report])

    def _is_applied(self, reports: Sequence[Report]) -> bool:
        """False after an error. Reports that cannot be kept now are handed over again."""
        try:
            self.tracker.apply(reports, self.clock())
        except CannotKeep:
            if self._loop and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._put_back, reports)
        except Exception as error:  # noqa: BLE001  the table in tests/test_layout.py has it
            if len(reports) == 1:
                self._rejected.log_rejected(reports, error)
            return False
        return True

    def _put_back(self, reports: Sequence[Report]) -> None:
        """Put reports back before the newer ones; the oldest are dropped if too many wait."""
        self._reports = [*reports, *self._reports][-MAX_WAITING:]
