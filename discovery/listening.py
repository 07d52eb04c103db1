"""Hears the devices that announce themselves, for as long as the monitor runs."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing
from datetime import datetime
from functools import partial

from discovery.device_tracker import DeviceTracker
from discovery.inbox import Inbox
from discovery.outcomes import outcome, result_of
from discovery.unverified import UnverifiedDevices
from fleet import identity
from fleet.model import CannotAsk, Coverage, Report, Sighting, SourceDown
from sources.source import Source

log = logging.getLogger(__name__)
LISTEN_AGAIN = 15.0
"""Seconds until a source that could not listen tries again."""


class Listener:
    """Takes what sources hear between scans; `may_confirm` says whether a device that was only
    heard may be asked."""

    def __init__(
        self,
        tracker: DeviceTracker,
        clock: Callable[[], datetime],
        inbox: Inbox,
        unverified: UnverifiedDevices,
        may_confirm: Callable[[], bool],
    ) -> None:
        self._tracker = tracker
        self._clock = clock
        self._inbox = inbox
        self._unverified = unverified
        self._may_confirm = may_confirm

    async def listen(self, source: Source) -> None:
        """Hear a source for as long as the monitor runs; try again when it cannot be heard."""
        while True:
            try:
                result_of(await outcome(partial(self._listen_once, source)))
            except CannotAsk as error:
                self._inbox.add([SourceDown(error.scope, self._clock(), error.reason)])
            except Exception:
                log.exception("%s: internal error while listening", source.title)
            await asyncio.sleep(LISTEN_AGAIN)

    async def _listen_once(self, source: Source) -> None:
        """Hear a source until it ends. Raises whatever it does."""
        assert source.listen is not None
        async with aclosing(source.listen()) as reports:  # type: ignore[type-var]
            async for report in reports:
                self._overhear(source, report)

    def _overhear(self, source: Source, report: Report | Coverage) -> None:
        """Take a report that a source hears between scans. A device that proves nothing and is not
        at its known address goes on the list of the unverified; a new one is asked, if allowed."""
        if isinstance(report, Coverage):
            return
        if isinstance(report, Sighting) and report.identities:
            device = self._tracker.known(proved_key(report, self._tracker.disputed()), report.site)
            is_there = device is not None and device.retired_at is None
            is_at_home = device is not None and is_there and device.address == report.address
            if report.only_alive and not is_at_home:
                self._unverified.note(report, device)
                if not is_there:
                    self._confirm(source, report)
                return
            self._unverified.forget(report.identities[0])
        self._inbox.add([report])

    def _confirm(self, source: Source, sighting: Sighting) -> None:
        """Ask a device that was only heard, rarely enough that nobody can make us flood."""
        address = sighting.address
        if address is None or source.confirm is None or not self._may_confirm():
            return
        if self._unverified.may_ask(address) and source.confirm(sighting):
            self._unverified.asked(address)


def proved_key(sighting: Sighting, disputed: Mapping[str, datetime]) -> str:
    """The first identity that the sighting proves, or else the first that it claims."""
    return (*identity.proved(sighting, disputed), *sighting.identities)[0]
