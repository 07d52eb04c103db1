"""The streams that are recorded: one lease for each, while the folder of the recordings is proved
and agrees with its index."""

import logging
from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Condition
from typing import Protocol

from video.disk_calls import DiskCalls
from video.healing import Healed
from video.model import SUB, SegmentPlan, SegmentProgress, StreamKey, StreamState
from video.outages import NO_SUB
from video.retention import SEGMENT_SECONDS
from video.segment_index import SegmentIndex

log = logging.getLogger(__name__)
PROVE_EVERY = 5.0
"""Seconds between two proofs of the folder, while it is used and while it cannot be."""
LONGEST_HEALING = 600.0
"""Seconds for comparing the folder with its index."""
DISK = "disk"


class Lease(Protocol):
    """A stream that is recorded until `stop`."""

    def stop(self) -> None: ...


class Recorded(Protocol):
    """The streams, as far as they are recorded (video/streams.py)."""

    def record(
        self, key: StreamKey, plan: SegmentPlan, on_segment: Callable[[SegmentProgress], object]
    ) -> Lease: ...
    def state(self, key: StreamKey) -> StreamState | None: ...


@dataclass(slots=True)
class _RecordedStream:
    """A stream that is to be recorded. `trouble`: why nothing is, as far as this server knows."""

    lease: Lease | None = None
    retry_at: float = 0.0
    trouble: str = ""


class RecordedStreams:
    """What a recorder records. `prove` returns why nothing can be recorded in `folder` now, or an
    empty text; `heals` makes folder and index agree, apart from the growing files that it gets.
    `changed` is the lock of the recorder, which is told of each report of a stream.
    """

    def __init__(
        self,
        folder: Path,
        streams: Recorded,
        index: SegmentIndex,
        prove: Callable[[], str],
        heals: Callable[[set[tuple[int, str]]], Healed],
        timer: Callable[[], float],
        calls: DiskCalls,
        changed: Condition,
    ) -> None:
        self.segment_seconds: Callable[[], float] = lambda: SEGMENT_SECONDS
        self._folder = folder
        self._streams = streams
        self._index = index
        self._prove = prove
        self._heals = heals
        self._timer = timer
        self._calls = calls
        self._changed = changed
        self._recorded: dict[StreamKey, _RecordedStream] = {}
        self._proved_at = float("-inf")
        self._trouble = ""
        self._is_healed = False

    def look_after(self, wanted: Set[StreamKey]) -> None:
        """Keep one lease for each of these streams, and none of others, while the folder can be
        used. Raises Unreachable."""
        with self._changed:
            for key in self._recorded.keys() - wanted:
                self._release(self._recorded.pop(key))
            for key in wanted - self._recorded.keys():
                self._recorded[key] = _RecordedStream()
        trouble = self.proved()
        if not trouble and not self._is_healed:
            self._heal()
        for key, stream in tuple(self._recorded.items()):
            if trouble:
                self._is_healed = False
                self._release(stream)
                stream.trouble = trouble
            elif stream.lease is None and self._timer() >= stream.retry_at:
                self._begin(key, stream)

    def release_all(self) -> None:
        """End all files; the next look begins others. For a holder of the lock."""
        for stream in self._recorded.values():
            self._release(stream)

    def is_missing(self, key: StreamKey) -> bool:
        """True for the sub stream of a camera that turned out to have none."""
        state = self._streams.state(key) if key.name == SUB else None
        return state is not None and state.cause == NO_SUB

    def _heal(self) -> None:
        """Make the index and the folder agree, at the start and when the folder is back. Raises
        Unreachable."""
        growing = {(file.device, file.file) for file in self._index.growing()}
        try:
            healed = self._calls.read(partial(self._heals, growing), LONGEST_HEALING)
        except OSError as error:
            log.warning("Recordings cannot be compared with their index: %s", error)
            return
        self._is_healed = True
        if healed != Healed():
            log.info("Recorded files compared with their index: %s", healed)

    def heal_silent(self) -> None:
        """Close the files whose process is gone. Raises Unreachable."""
        if self._trouble:
            return
        try:
            self._calls.read(self._index.heal_silent)
        except OSError as error:
            log.warning("Files of a process that has ended cannot be read: %s", error)

    def proved(self, *, is_forced: bool = False) -> str:
        """Why nothing can be recorded now; asked of the disk every few seconds."""
        now = self._timer()
        if is_forced or now - self._proved_at >= PROVE_EVERY:
            self._trouble, self._proved_at = self._prove(), now
        return self._trouble

    def _begin(self, key: StreamKey, stream: _RecordedStream) -> None:
        folder = self._folder / str(key.device)
        try:
            self._calls.ask(partial(folder.mkdir, mode=0o700, exist_ok=True))
            plan = SegmentPlan(folder, self.segment_seconds())
            with self._changed:  # so that a report which comes at once finds the lease
                stream.lease = self._streams.record(key, plan, partial(self._take, key))
        except OSError as error:
            self._fail(stream, f"{folder} cannot be created ({error.strerror}).")
        except ValueError:
            self._fail(stream, "The previous recording is still being closed.")

    def _take(self, key: StreamKey, progress: SegmentProgress) -> None:
        """Note what a stream reports about a file."""
        self._index.note(key, progress)
        with self._changed:
            stream = self._recorded.get(key)
            if stream is not None and progress.reason == DISK:
                text = f"Recordings cannot be written ({progress.error})."
                if stream.trouble != text:
                    log.error("Recording of device %d stopped. %s", key.device, text)
                self._release(stream)
                self._fail(stream, text)
            elif stream is not None and not progress.is_closed:
                stream.trouble = ""
            self._changed.notify_all()

    def _fail(self, stream: _RecordedStream, trouble: str) -> None:
        stream.trouble = trouble
        stream.retry_at = self._timer() + PROVE_EVERY
        self._proved_at = float("-inf")

    def _release(self, stream: _RecordedStream) -> None:
        lease, stream.lease = stream.lease, None
        if lease is not None:
            lease.stop()

    def reason(self, key: StreamKey) -> str:
        """Why no video is received; empty while it is, and while nothing is known yet."""
        stream = self._recorded.get(key)
        if stream is not None and stream.trouble:
            return stream.trouble
        state = self._streams.state(key)
        return state.reason if state is not None else ""
