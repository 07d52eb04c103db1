"""The leases of one stream, and what it does: the records of `video/streams.py`."""

from collections.abc import Callable
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from video.message_values import plan_head
from video.model import LinkCounts, SegmentPlan, SegmentProgress, StreamKey, StreamState
from video.watching import KEY, MP4, Viewers


class RecordingLease:
    """A stream that is recorded until `stop`."""

    def __init__(
        self,
        key: StreamKey,
        plan: SegmentPlan,
        on_segment: Callable[[SegmentProgress], object],
        number: int,
        on_stop: Callable[["RecordingLease"], None],
    ) -> None:
        self.key = key
        self.plan = plan
        self.on_segment = on_segment
        self.number = number
        self._on_stop = on_stop

    def head(self) -> dict[str, Any]:
        """What the child has to know of it."""
        device, name = self.key
        plan = plan_head(self.plan)
        return {"lease": self.number, "device": device, "name": name, "plan": plan}

    def stop(self) -> None:
        """End the recording. The last segment is closed meanwhile, and comes to `on_segment`."""
        self._on_stop(self)


@dataclass(slots=True, eq=False)
class Stream:
    """A stream that somebody needs, or has needed a moment ago. `number`: of the connection in a
    child. `due`: when the next attempt comes; None while it opens or is open. `lingers`: it was
    needed for more than the picture of a key frame."""

    key: StreamKey
    state: StreamState
    due: float | None
    viewers: Viewers = field(default_factory=Viewers)
    recording: RecordingLease | None = None
    number: int = 0
    is_opening: bool = False
    is_closing: bool = False
    unneeded_since: float | None = None
    failures: int = 0
    crashes: list[float] = field(default_factory=list)
    proven_at: float = 0.0
    alive_at: float = 0.0
    version: int = 0
    openings: int = 0
    told_openings: int = 1
    stalls: int = 0
    lingers: bool = False

    def is_for_keys(self) -> bool:
        """True if it is needed for pictures of key frames alone: it is tried once, and closed at
        once."""
        return not self.lingers and all(watch.kind == KEY for watch in self.viewers.watches())

    def is_needed(self) -> bool:
        return self.recording is not None or bool(self.viewers.watches())

    def wants(self) -> dict[str, Any]:
        """What the child has to make of the packets now."""
        self.version += 1
        lease = self.recording
        return {
            "version": self.version,
            "mp4": self.viewers.is_watched_as(MP4),
            "pictures": sorted(self.viewers.picture_options()),
            "keys": sorted(astuple(wish) for wish in self.viewers.key_wishes()),
            "record": lease.head() if lease else None,
        }

    def with_failures(self, counts: LinkCounts) -> LinkCounts:
        """The counts of a connection with what ended those before, each told once."""
        reconnects, stalls = self.openings - self.told_openings, counts.stalls + self.stalls
        self.told_openings, self.stalls = self.openings, 0
        return replace(counts, reconnects=reconnects, stalls=stalls)
