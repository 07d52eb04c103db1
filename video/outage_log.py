"""Note when streams have no picture and why, and when this server runs.

What streams report is kept in memory and written every few seconds, so an unavailable database
delays it and loses nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from video import outage_rows, outages
from video.model import ENDED, PLAYING, RETRYING, StreamKey, StreamState
from video.model import NO_PICTURE as SENDS_NO_PICTURE
from video.outages import CUT, DISK, EVERYTHING, NO_PICTURE, OFF, RUNNING, Outage, is_restart

if TYPE_CHECKING:
    from sqlalchemy import Engine

ALIVE_EVERY = 30.0
"""Seconds between two notes that this server runs."""
MOST_WAITING = 10_000


@dataclass(slots=True, eq=False)
class _Entry:
    """An outage. `has_cut`: the camera cut or refused a connection in it; `is_written`: SQL has
    all."""

    outage: Outage
    has_cut: bool = False
    is_written: bool = False


class OutageLog:
    """The outages of all streams. Methods can be called from any thread."""

    def __init__(
        self, engine: "Engine", clock: Callable[[], datetime], timer: Callable[[], float]
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._timer = timer
        self._lock = Lock()
        self._flushing = Lock()
        self._open: dict[StreamKey, _Entry] = {}
        self._waiting: list[_Entry] = []
        self._run: Outage | None = None
        self._alive_at = float("-inf")

    def begin(self) -> None:
        """Note that this server runs from now on, and end what lasted when it was killed. Raises
        Unreachable."""
        now = self._clock()
        last = outage_rows.last_running(self._engine)
        outage_rows.end_all(self._engine, min(last, now) if last else now)
        self._run = Outage(EVERYTHING, "", now, now, RUNNING)

    def run(self) -> Outage | None:
        """The time that this server has run until now, of which SQL knows the most; None before
        the beginning."""
        run = self._run
        return replace(run, ended=max(self._clock(), run.began)) if run else None

    def note(self, key: StreamKey, state: StreamState) -> None:
        """Note what a stream does now."""
        if state.activity in (PLAYING, ENDED):
            self._end(key)
        elif state.activity == SENDS_NO_PICTURE:
            self._begin(key, NO_PICTURE, state)
        elif state.activity == RETRYING:
            self._begin(key, OFF if state.cause == CUT else state.cause, state)

    def note_disk(self, trouble: str) -> None:
        """Note why nothing can be recorded, or an empty text when everything can."""
        key = StreamKey(EVERYTHING, "")
        if trouble:
            self._begin(key, DISK, StreamState(RETRYING, self._clock(), trouble))
        else:
            self._end(key)

    def _begin(self, key: StreamKey, cause: str, state: StreamState) -> None:
        with self._lock:
            entry = self._open.get(key)
            if entry and entry.outage.cause == cause:
                entry.has_cut = entry.has_cut or state.cause == CUT
                return
            if entry:
                self._close(key, state.since)
            outage = Outage(key.device, key.name, state.since, None, cause, state.reason)
            entry = self._open[key] = _Entry(outage, state.cause == CUT)
            self._waiting = [*self._waiting[-MOST_WAITING:], entry]

    def _end(self, key: StreamKey) -> None:
        with self._lock:
            if key in self._open:
                self._close(key, self._clock())

    def _close(self, key: StreamKey, at: datetime) -> None:
        entry = self._open.pop(key)
        outage = entry.outage
        ended = max(at, outage.began)
        is_known = is_restart(outage.cause, ended - outage.began, has_cut=entry.has_cut)
        cause = outages.RESTARTED if is_known else outage.cause
        entry.outage = replace(outage, ended=ended, cause=cause)
        entry.is_written = False
        if entry not in self._waiting:
            self._waiting.append(entry)

    def flush(self, *, is_last: bool = False) -> None:
        """Write what is not in SQL yet. Raises Unreachable."""
        with self._flushing:
            with self._lock:
                waiting = list(self._waiting)
            for entry in waiting:
                self._write(entry)
                with self._lock:
                    # Too many newer ones may have taken its place meanwhile.
                    if entry.is_written and entry in self._waiting:
                        self._waiting.remove(entry)
            if self._run and (is_last or self._timer() - self._alive_at >= ALIVE_EVERY):
                self._note_running(self._run)

    def _write(self, entry: _Entry) -> None:
        outage = entry.outage
        if not outage.id:
            id = outage_rows.add(self._engine, outage)
            with self._lock:
                entry.outage = replace(entry.outage, id=id)
                entry.is_written = entry.outage.ended == outage.ended
        elif outage.ended:
            outage_rows.end(self._engine, outage.id, outage.ended, outage.cause)
            entry.is_written = True
        else:
            entry.is_written = True

    def _note_running(self, run: Outage) -> None:
        now = max(self._clock(), run.began)
        if run.id:
            outage_rows.end(self._engine, run.id, now)
        else:
            run = replace(run, ended=now)
            self._run = replace(run, id=outage_rows.add(self._engine, run))
        self._alive_at = self._timer()
