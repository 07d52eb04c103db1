"""Try an address and a login before a device is saved: nothing of a trial is kept but
the keyed fingerprint of a login that was refused.

Each source is asked twice by its `probe`: first without the login, then with it.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore
from typing import Any

from discovery.logins import LoginGate
from discovery.proving import Proving
from discovery.trial_pictures import TrialPictures
from discovery.trial_probes import TrialLogin, TrialProbes
from discovery.trial_reports import certificate_of, findings_of, sightings_of
from discovery.trial_steps import (
    FAILED,
    RTSP,
    SKIPPED,
    Step,
    TrialConnection,
    TrialRequest,
    title_of,
)
from discovery.trial_writer import CHANGED, StepWriter
from fleet.model import Report
from fleet.pictures import NotOffered, NotTaken
from sources.source import Source

MAX_TRIALS = 8
"""Trials that run at once."""


class TooManyTrials(Exception):
    """So many trials run already that this one was not begun."""


class Trial:
    """A trial that runs. Iterating gives its steps as they come; `close()` ends it early."""

    def __init__(self) -> None:
        self._steps: SimpleQueue[Step | None] = SimpleQueue()
        self._call: Future[None] | None = None

    def __iter__(self) -> Iterator[Step]:
        return (step for step in self.steps() if step is not None)

    def steps(self, pause: float | None = None) -> Iterator[Step | None]:
        """The steps as they come; None after each `pause` in seconds without one, so that the
        caller can notice that nobody waits any more."""
        try:
            while True:
                try:
                    step = self._steps.get(timeout=pause)
                except Empty:
                    yield None
                    continue
                if step is None:
                    return
                yield step
        finally:
            self.close()

    def close(self) -> None:
        """End the trial, if it still runs."""
        if self._call is not None:
            self._call.cancel()

    def add(self, step: Step) -> None:
        self._steps.put(step)

    def follow(self, call: Future[None]) -> None:
        """End with the call that runs the trial."""
        self._call = call
        call.add_done_callback(lambda _call: self._steps.put(None))


class Trials:
    """Runs trials, in the loop of the Scanner."""

    def __init__(self, sources: Mapping[str, Source], gate: LoginGate, proving: Proving) -> None:
        self._probes = TrialProbes(sources, gate, proving)
        self._running: set[asyncio.Task[Any]] = set()
        self._places = BoundedSemaphore(MAX_TRIALS)
        self.pictures: TrialPictures | None = None

    def enter(self) -> None:
        """Take the place of one trial, which `leave` gives back. Raises TooManyTrials."""
        if not self._places.acquire(blocking=False):
            raise TooManyTrials

    def leave(self) -> None:
        """Give back the place of a trial that ended."""
        self._places.release()

    async def run(self, request: TrialRequest, receiver: Callable[[Step], None]) -> None:
        """Ask every source of the request, one after the other, and report each step."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            login = TrialLogin(self._probes, request)
            steps = StepWriter(request, receiver)
            await _Run(self._probes, login, steps, self.pictures).run()
        finally:
            self._running.discard(task)

    async def close(self) -> None:
        """End all trials."""
        for task in self._running:
            task.cancel()
        await self._probes.close()


@dataclass(frozen=True, slots=True)
class _Run:
    """One trial while it runs."""

    probes: TrialProbes
    login: TrialLogin
    steps: StepWriter
    pictures: TrialPictures | None
    shown_by: list[tuple[Source, TrialConnection, Sequence[Report]]] = field(default_factory=list)
    """The connections that work, and what the device reported with its login."""

    async def run(self) -> None:
        for connection in self.steps.request.connections:
            source = self.probes.source(connection.source)
            if source is None:
                text = f"{title_of(connection.source)} is not available on this server"
                self.steps.write("connect", SKIPPED, text, connection)
                continue
            await self.ask(source, self.with_found_path(connection))
        await self.take_picture()
        self.steps.write_result()

    def with_found_path(self, connection: TrialConnection) -> TrialConnection:
        """The connection to the stream that ONVIF reported, unless the person gave a path. At a
        port that the person did not give, or without the TLS that another connection has, the login
        is used with Digest only."""
        if connection.source != RTSP or connection.path:
            return connection
        stream = self.steps.stream_to_describe() or {}
        has_tls = any(other.tls for other in self.steps.request.connections)
        connection = replace(connection, path=str(stream.get("path") or ""))
        if connection.port is not None or connection.tls:
            return replace(connection, digest_only=has_tls and not connection.tls)
        port, tls = stream.get("port"), stream.get("tls") is True
        return replace(
            connection,
            port=port if type(port) is int else None,
            tls=tls,
            digest_only=bool(stream) or (has_tls and not tls),
        )

    async def ask(self, source: Source, connection: TrialConnection) -> None:
        reports = await self.login.without_login(source, connection)
        if not self.steps.write_connected(reports, source, connection):
            return
        self.steps.write_identity(sightings_of(reports), connection)
        if changed := findings_of(reports).get(CHANGED):
            self.steps.write("login", FAILED, changed.text, connection, {"reason": CHANGED})
            return
        if reason := await self.login.no_login_reason(connection, reports):
            for name in ("login", "describe" if connection.source == RTSP else "streams"):
                self.steps.write(name, SKIPPED, reason, connection)
            return
        # The device that was identified is the one that gets the login.
        connection = replace(connection, tls_pin=connection.tls_pin or certificate_of(reports))
        reports = await self.login.with_login(source, connection)
        if self.steps.write_login(reports, source, connection) and not isinstance(
            reports, BaseException
        ):
            self.steps.write_streams(reports, connection)
            self.shown_by.append((source, connection, reports))

    async def take_picture(self) -> None:
        """Take a picture of a camera over the first connection that gives one, after all were
        tested: a login that only the picture refuses stops no test."""
        steps = self.steps
        if self.pictures is None or not steps.request.wants_picture or steps.channels:
            return
        for source, connection, reports in self.shown_by:
            if connection.source not in steps.sources:
                continue
            try:
                picture = await self.pictures.take(self.login, source, connection, reports)
            except NotOffered:
                continue
            except NotTaken as error:
                steps.write("picture", SKIPPED, error.reason, connection)
                continue
            steps.write_picture(picture, connection)
            return
