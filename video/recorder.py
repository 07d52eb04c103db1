"""Record by hand, by schedules, and always: which recordings run, and what becomes of their rows.
Recordings of a stream that overlap share its files (video/recorded_streams.py).

A thread looks each second at what is wanted, and at what the streams make of it. Lengths of time
run on the monotonic clock: a clock that is set ends no recording and starts none again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Condition, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

from fleet.model import Device, Fleet, Refused
from store.sql import Unreachable
from video import recording_rows, segment_rows
from video.disk_calls import DiskCalls
from video.due import Due, quality_of
from video.healing import heal
from video.model import MAIN, SUB, StreamKey
from video.recorded import AUTO, COMPLETED, FAILED, LOW, MANUAL, SCHEDULE, Recording, Segment
from video.recorded_streams import Recorded, RecordedStreams
from video.segment_index import SegmentIndex

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
STEP = 1.0
"""Seconds between two looks."""
DEFAULT_MINUTES, MOST_MINUTES = 60, 1440
PART = timedelta(hours=24)
"""After so long, a recording that goes on by itself is completed and another one begins."""
CLOSING = 15.0
"""Seconds that the last file of a recording has to be closed, before that is judged."""
PATIENCE = 3.0
"""Seconds that a person who stops a recording waits for its last file."""
CLOCK_STEP = 5.0
"""Seconds by which the clock is set, or this server was suspended, that part a recording in two: it
is a range of times, and such a range would hold what it did not record, or end before it began."""
NOTHING = "No video was received while it ran."


@dataclass(slots=True)
class _Running:
    """A recording that runs, or whose last file is being closed. `deadline`: when it ends by
    itself, `ended_at`: when it ended, both on the monotonic clock. Without `recording.id` it is
    not in SQL yet."""

    recording: Recording
    deadline: float | None = None
    ended_at: float | None = None

    @property
    def key(self) -> StreamKey:
        return StreamKey(self.recording.device, self.recording.stream)

    @property
    def wish(self) -> tuple[int, int | None]:
        return self.recording.device, self.recording.schedule


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """The recordings of a device now. `recordings` run; `last` is the newest one, running or not.
    `reason`: why no video is received, or empty. `files`: those that grow."""

    recordings: tuple[Recording, ...]
    last: Recording | None
    reason: str
    files: tuple[Segment, ...]


class Recorder:
    """Starts and ends recordings. Methods can be called from any thread; those that change
    something raise Refused, and Unreachable.

    `prove` returns why nothing can be recorded in `folder` now, or an empty text.
    """

    def __init__(
        self,
        engine: "Engine",
        folder: Path,
        streams: Recorded,
        fleet: Callable[[], Fleet],
        clock: Callable[[], datetime],
        prove: Callable[[], str],
        timer: Callable[[], float] = monotonic,
        calls: DiskCalls | None = None,
    ) -> None:
        self.index = SegmentIndex(engine, folder, timer)
        self.on_change: Callable[[Recording], object] = lambda _recording: None
        self._engine = engine
        self._fleet = fleet
        self._clock = clock
        self._timer = timer
        self._changed = Condition()
        heals = partial(heal, engine, folder)
        self._streams = RecordedStreams(
            folder, streams, self.index, prove, heals, timer, calls or DiskCalls(), self._changed
        )
        self._running: list[_Running] = []
        self._due: frozenset[Due] | None = None
        self._without_sub: set[int] = set()
        self._outage = ""
        self._starting = Lock()
        self._ends = False
        self._thread: Thread | None = None
        self._looked_at = (clock(), timer())

    def set_segment_seconds(self, seconds: Callable[[], float]) -> None:
        """Ask this for the length of each file that begins from now on."""
        self._streams.segment_seconds = seconds

    # -- what others use -------------------------------------------------------------------

    def start_recording(
        self, device: Device, minutes: float = DEFAULT_MINUTES, name: str = "", by: str = ""
    ) -> Recording:
        """Record a device by hand for so many minutes."""
        with self._starting:
            self._check_can_start(device)
            now = self._clock()
            recording = Recording(
                device.id,
                self._stream_of(device.id, quality_of(device)),
                name or "Manual recording",
                MANUAL,
                now,
                quality_of(device),
                due_until=now + timedelta(minutes=minutes),
                by=by,
            )
            recording = replace(recording, id=recording_rows.add(self._engine, recording))
            with self._changed:
                self._running.append(_Running(recording, self._timer() + minutes * 60))
                self._changed.notify_all()
        self.on_change(recording)
        return recording

    def _check_can_start(self, device: Device) -> None:
        if device.retired_at is not None:
            raise Refused("This camera is retired", "Restore it first.")
        if any(running.recording.kind == MANUAL for running in self._of(device.id)):
            raise Refused(
                "This camera is already being recorded",
                "Stop that recording, or wait until it ends.",
            )
        if trouble := self._streams.proved(is_forced=True):
            raise Refused(trouble, "Then start the recording again.")

    def stop_recording(self, device: Device) -> Recording:
        """End the recording of a device that was started by hand, and wait a moment until its last
        file is closed."""
        running = self._of(device.id)
        manual = next((item for item in running if item.recording.kind == MANUAL), None)
        if manual is None and running:
            raise Refused(
                f"This camera is being recorded by {running[0].recording.name}",
                "Deactivate the schedule, or switch auto_record off.",
            )
        if manual is None:
            raise Refused("This camera is not being recorded", "There is nothing to stop.")
        with self._changed:
            self._end(manual)
            self._changed.notify_all()
            if self._thread is not None:
                self._changed.wait_for(lambda: manual not in self._running, PATIENCE)
        return manual.recording

    def status(self, device: int) -> RecordingStatus:
        """What is recorded of a device. Raises Unreachable."""
        running = self._of(device)
        files = tuple(file for file in self.index.growing() if file.device == device)
        recordings = tuple(item.recording for item in running)
        last = recordings[-1] if recordings else recording_rows.newest(self._engine, device)
        return RecordingStatus(recordings, last, self.trouble(device), files)

    def trouble(self, device: int) -> str:
        """Why nothing arrives that the newest recording of a device could have, or empty."""
        running = self._of(device)
        return self._streams.reason(running[-1].key) if running else ""

    def running(self) -> list[Recording]:
        """The recordings that run."""
        with self._changed:
            return [item.recording for item in self._running if item.ended_at is None]

    def devices(self) -> frozenset[int]:
        """The devices whose folders are written to."""
        with self._changed:
            return frozenset(item.recording.device for item in self._running)

    def set_due(self, due: frozenset[Due]) -> None:
        """Record what schedules and devices want now, and nothing else of theirs. Never raises."""
        with self._changed:
            self._due = due
            self._changed.notify_all()

    # -- opening and ending ----------------------------------------------------------------

    def open(self) -> None:
        """Take up what ran when the program ended, as far as it still has time. Raises
        Unreachable."""
        now = self._clock()
        for recording in recording_rows.unfinished(self._engine):
            left = None
            if recording.due_until is not None:
                # No longer than it was to be, also where the clock runs behind its beginning.
                began = max(now, recording.started_at)
                left = (recording.due_until - began).total_seconds()
            running = _Running(recording, None if left is None else self._timer() + left)
            if left is not None and left <= 0:
                running.recording = replace(recording, ended_at=recording.due_until)
                running.ended_at = self._timer() - CLOSING
            self._running.append(running)
            if now < recording.started_at and running.ended_at is None:
                self._part(running, self._last_file(recording))
        self._looked_at = (now, self._timer())

    def start(self) -> None:
        """Start the thread that records."""
        self._ends = False
        self._thread = Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Recordings go on until the streams stop, and after the next start."""
        with self._changed:
            self._ends = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        """Write what the streams reported last, when they have stopped."""
        try:
            self.index.flush(is_last=True)
        except Unreachable as error:
            log.warning("The index of recordings will be repaired at the next start: %s", error)

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ends:
            try:
                self.step()
            except Exception:
                log.exception("Internal error while recording")
            with self._changed:
                if not self._ends:
                    self._changed.wait(STEP)

    def step(self) -> None:
        """Start and end what is to be, once."""
        self._follow_clock()
        self._end_what_is_over()
        self._take_due()
        try:
            self._note_missing_streams()
            self._streams.look_after({item.key for item in self._active()})
            self._save_new()
            self.index.flush()
            self._judge_ended()
            self._streams.heal_silent()
            self._note_outage("")
        except Unreachable as error:
            self._note_outage(str(error))

    def _note_outage(self, outage: str) -> None:
        if outage and not self._outage:
            log.warning("Recordings are indexed once the database is available again: %s", outage)
        self._outage = outage

    def _follow_clock(self) -> None:
        """Part what runs where the clock was set, and its files too."""
        wall, timer = self._looked_at
        self._looked_at = now, later = self._clock(), self._timer()
        expected = wall + timedelta(seconds=later - timer)
        if abs(now - expected) < timedelta(seconds=CLOCK_STEP):
            return
        log.warning("The clock was set from %s to %s", f"{expected:%F %T}", f"{now:%F %T}")
        with self._changed:
            self._streams.release_all()
            for item in self._active():
                self._part(item, expected)

    def _part(self, item: _Running, end: datetime, device: int | None = None) -> None:
        """End a recording at this time of the clock that it had, and go on with another one, of
        another device where one is given."""
        now, timer = self._clock(), self._timer()
        recording = item.recording
        item.ended_at = timer
        item.recording = replace(recording, ended_at=max(end, recording.started_at))
        due_until = None
        if item.deadline is not None:
            due_until = now + timedelta(seconds=item.deadline - timer)
        number = recording.device if device is None else device
        following = replace(recording, id=0, device=number, started_at=now, due_until=due_until)
        self._running.append(_Running(following, item.deadline))

    def _last_file(self, recording: Recording) -> datetime:
        """The end of what was recorded of it. Raises Unreachable."""
        since, place = recording.started_at, (recording.device, recording.stream)
        files = segment_rows.between(self._engine, *place, since, since + PART)
        return max((file.ended_at for file in files), default=since)

    def _end_what_is_over(self) -> None:
        """End recordings whose time is over, and those of devices that are gone. One by hand goes
        on with the record that remains where two were merged."""
        now, fleet = self._timer(), self._fleet()
        with self._changed:
            for item in self._active():
                is_gone = not _is_in_service(fleet, item.recording.device)
                if item.deadline is not None:
                    is_over = now >= item.deadline
                else:
                    is_over = self._clock() - item.recording.started_at >= PART
                remaining = fleet.redirects.get(item.recording.device)
                if not is_over and remaining is not None and self._can_go_on(item, remaining):
                    self._part(item, self._clock(), remaining)
                elif is_gone or is_over:
                    self._end(item)

    def _can_go_on(self, item: _Running, device: int) -> bool:
        """True for a recording by hand where no other one by hand runs."""
        others = (other.recording.kind for other in self._of(device))
        is_free = _is_in_service(self._fleet(), device) and MANUAL not in others
        return item.recording.kind == MANUAL and is_free

    def _end(self, item: _Running) -> None:
        if item.ended_at is None:
            item.ended_at = self._timer()
            ended_at = max(self._clock(), item.recording.started_at)
            item.recording = replace(item.recording, ended_at=ended_at)

    def _take_due(self) -> None:
        """Begin and end the recordings of schedules and devices."""
        fleet = self._fleet()
        with self._changed:
            if self._due is None:
                return
            # What is due is told a few seconds after a device was deleted or retired.
            wishes = {
                (wish.device, wish.schedule_id): wish
                for wish in self._due
                if _is_in_service(fleet, wish.device)
            }
            for item in self._active():
                if item.recording.kind == MANUAL:
                    continue
                wish = wishes.get(item.wish)
                if wish is None or wish.quality != item.recording.quality:
                    self._end(item)
                else:
                    del wishes[item.wish]
            self._running += [_Running(self._recording_of(wish)) for wish in wishes.values()]

    def _recording_of(self, wish: Due) -> Recording:
        return Recording(
            wish.device,
            self._stream_of(wish.device, wish.quality),
            wish.name,
            AUTO if wish.schedule_id is None else SCHEDULE,
            self._clock(),
            wish.quality,
            wish.schedule_id,
        )

    def _stream_of(self, device: int, quality: str) -> str:
        return SUB if quality == LOW and device not in self._without_sub else MAIN

    def _note_missing_streams(self) -> None:
        """Record the main stream of a camera that turns out to have no sub stream. Raises
        Unreachable."""
        for item in self._active():
            if not self._streams.is_missing(item.key):
                continue
            if item.recording.id:
                # Without the lock: a database that waits must hold up nobody who asks.
                recording_rows.change(self._engine, item.recording.id, stream=MAIN)
            with self._changed:
                self._without_sub.add(item.recording.device)
                item.recording = replace(item.recording, stream=MAIN)

    # -- rows ------------------------------------------------------------------------------

    def _save_new(self) -> None:
        """Give a number to the recordings that have none. Raises Unreachable."""
        for item in self._items():
            if not item.recording.id:
                id = recording_rows.add(self._engine, item.recording)
                item.recording = replace(item.recording, id=id)
                self.on_change(item.recording)

    def _judge_ended(self) -> None:
        """Complete what has ended as soon as its last file is closed and its row is saved, so that
        its size and length are the last ones. What recorded nothing at all has failed. Raises
        Unreachable."""
        for item in self._items():
            if item.ended_at is None:
                continue
            is_open = any((file.device, file.stream) == item.key for file in self.index.growing())
            is_shared = any(other.key == item.key for other in self._active())
            if is_open and not is_shared and self._timer() - item.ended_at < CLOSING:
                continue
            self._judge(item)
            with self._changed:
                self._running.remove(item)
                self._changed.notify_all()

    def _judge(self, item: _Running) -> None:
        recording = item.recording
        until = recording.ended_at or self._clock()
        has_files = self.index.has_files(item.key, recording.started_at, until)
        reason = "" if has_files else self._streams.reason(item.key) or recording.reason or NOTHING
        status = COMPLETED if has_files else FAILED
        recording_rows.change(
            self._engine, recording.id, status=status, reason=reason, ended_at=until
        )
        item.recording = replace(recording, status=status, reason=reason, ended_at=until)
        self.on_change(item.recording)

    def _items(self) -> Sequence[_Running]:
        with self._changed:
            return tuple(self._running)

    def _active(self) -> list[_Running]:
        return [item for item in self._items() if item.ended_at is None]

    def _of(self, device: int) -> list[_Running]:
        return [item for item in self._active() if item.recording.device == device]


def _is_in_service(fleet: Fleet, number: int) -> bool:
    """False for a device that is deleted or retired."""
    device = fleet.devices.get(number)
    return device is not None and device.retired_at is None
