"""Cameras that are connected to this computer itself: the Raspberry Pi camera and USB cameras.

Nothing is sent to a network, so they are found without a scan: at the start, when the kernel's
video devices change, and every few minutes. The libraries run in a process of their own, and only
where the kernel has a video device at all.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from fleet.model import DEFAULT_SITE, CannotAsk, Coverage, Miss, Report, Sighting, SourceDown
from sources import camera_messages, camera_troubles
from sources.camera_process import CameraProcesses, Hung, Limits, Lost
from sources.local_capture import Machine, ask_first, machine_of
from sources.source import Reports, Source

NAME = "local"
PI, USB = f"{NAME}:pi", f"{NAME}:usb"
"""The scopes of the two kinds of cameras. Those of a Pi need a library that can be missing."""
LIST_LIMITS = Limits(30.0, 0.0)
TIMEOUT = 70.0
"""Seconds: each of two Pythons has the limit of a list."""
WATCH_EVERY = 5.0
"""Seconds between two looks at the names of the video devices."""
LIST_EVERY = 300.0
"""Seconds after which cameras are listed again where there are some, or the library fails: half of
what their status is good for."""
GONE = "not connected to this server"


@dataclass(frozen=True, slots=True)
class Options:
    """Options of this source, by their names in `settings.py`."""

    local_cameras: str
    camera_python: Path | None


def build(options: Options, clock: Callable[[], datetime]) -> Source:
    """Build the source with the options of `settings.py`."""
    return source(machine_of(options.local_cameras, options.camera_python), clock)


def source(
    machine: Machine,
    clock: Callable[[], datetime],
    watch_every: float = WATCH_EVERY,
    list_every: float = LIST_EVERY,
) -> Source:
    finder = Finder(machine, clock, watch_every, list_every)
    return Source(
        NAME,
        "Cameras of this server",
        timeout=TIMEOUT,
        discover=finder.discover,
        listen=finder.listen,
        close=finder.close,
    )


class Finder:
    """Lists the connected cameras, and remembers which it has reported."""

    def __init__(
        self,
        machine: Machine,
        clock: Callable[[], datetime],
        watch_every: float,
        list_every: float,
    ) -> None:
        self._machine = machine
        self._clock = clock
        self._watch_every = watch_every
        self._list_every = list_every
        self._processes = CameraProcesses()
        self._connected: set[str] = set()
        self._trouble = ""
        self._is_down = False

    async def discover(self) -> Reports:
        """List the cameras. Raises CannotAsk if that fails."""
        reports = await self._reports(self._machine.nodes())
        for report in reports:
            if not isinstance(report, SourceDown):
                yield report
        count = sum(isinstance(report, Sighting) for report in reports)
        failed = {PI: self._trouble} if self._trouble else {}
        yield Coverage(NAME, (PI, USB), 1, count, failed=failed)

    async def listen(self) -> Reports:
        """Report the cameras at the start and whenever they may have changed, and those that are
        gone."""
        before: tuple[str, ...] = ()
        listed_at = monotonic()
        while True:
            nodes = self._machine.nodes()
            is_awaited = bool(self._connected or self._trouble or self._is_down)
            is_due = is_awaited and monotonic() - listed_at >= self._list_every
            if nodes != before or is_due:
                before, listed_at = nodes, monotonic()
                for report in await self._told(nodes):
                    yield report
            await asyncio.sleep(self._watch_every)

    async def _told(self, nodes: tuple[str, ...]) -> list[Report]:
        """As `_reports`, with the failure of the list as a report."""
        try:
            reports = await self._reports(nodes)
        except CannotAsk as error:
            self._is_down = True
            return [SourceDown(error.scope, self._clock(), error.reason)]
        if self._is_down:
            reports.append(SourceDown(NAME, self._clock(), "", up=True))
        self._is_down = False
        return reports

    def close(self) -> None:
        self._processes.stop()

    async def _reports(self, nodes: tuple[str, ...]) -> list[Report]:
        """What is connected now, what no longer is, and a change of what is wrong."""
        answer = await asyncio.to_thread(self._list) if nodes else {}
        cameras = [
            camera for camera in answer.get("cameras", []) if self._machine.uses(camera["key"])
        ]
        trouble = ""
        if "code" in answer:
            code = answer["code"]
            trouble = camera_troubles.REASONS.get(code, answer.get("detail", ""))
            trouble = f"{trouble}. {camera_troubles.hint_of(code, 'pi:')}".strip()
        connected = {camera["key"] for camera in cameras}
        if trouble:  # A library that fails says nothing about the cameras that it knew.
            connected |= {key for key in self._connected if _scope_of(key) == PI}
        reports: list[Report] = [
            *self._sightings(cameras),
            *self._misses(self._connected - connected),
            *self._changed(trouble),
        ]
        self._connected = connected
        self._trouble = trouble
        return reports

    def _list(self) -> Any:
        """Ask a camera process. Raises CannotAsk."""
        machine = self._machine
        request = {"do": "list", "sys": str(machine.sys), "dev": str(machine.dev)}
        try:
            head, _data = ask_first(self._processes, machine.pythons, request, LIST_LIMITS)
        except Hung:
            raise CannotAsk(NAME, "the camera library did not answer in time") from None
        except Lost as lost:
            raise CannotAsk(NAME, f"the camera library failed ({lost})") from None
        except OSError as error:
            raise CannotAsk(NAME, f"{machine.pythons[0]} cannot be started: {error}") from None
        if head.get("kind") == camera_messages.TROUBLE:
            raise CannotAsk(NAME, str(head.get("detail", "")))
        return head

    def _sightings(self, cameras: list[dict[str, str]]) -> Iterator[Sighting]:
        for camera in cameras:
            yield Sighting(
                DEFAULT_SITE,
                (camera["key"],),
                NAME,
                self._clock(),
                name=camera["name"] or None,
                model=camera["model"] or None,
                scope=_scope_of(camera["key"]),
            )

    def _misses(self, gone: set[str]) -> Iterator[Miss]:
        for key in sorted(gone):
            yield Miss(key, NAME, self._clock(), GONE)

    def _changed(self, trouble: str) -> Iterator[SourceDown]:
        if trouble != self._trouble:
            yield SourceDown(PI, self._clock(), trouble, up=not trouble)


def _scope_of(key: str) -> str:
    return PI if key.startswith("pi:") else USB
