"""What a stream does: frames, bytes, stalls, and how far its key frames are apart. Pure."""

from video.model import LinkCounts
from video.rhythm import PERIODS, Distances

STALL = 3.0
"""Seconds without video that are a stall, once it has come back; more where the pictures of a
camera are further apart."""


class Counting:
    """The counts of one stream since the last ones; times are those of the monotonic clock."""

    def __init__(self, now: float) -> None:
        self.video_at: float | None = None
        self.distances = Distances()
        self.key_distance: float | None = None
        self._key_at: float | None = None
        self._since = now
        self._lost = 0
        self._reset()

    def _reset(self) -> None:
        self._frames = self._bytes = self._stalls = 0
        self._longest = 0.0

    def add_video(self, at: float, time: float, *, is_key: bool) -> None:
        """Count a frame that arrived `at`, and was made at `time`."""
        usual = (self.distances.usual or 0.0) * PERIODS
        if self.video_at is not None and at - self.video_at > max(STALL, usual):
            self._stalls += 1
        self.distances.add(at)
        self.video_at = at
        self._frames += 1
        if is_key:
            if self._key_at is not None:
                self.key_distance = time - self._key_at
                self._longest = max(self._longest, self.key_distance)
            self._key_at = time

    def add_bytes(self, size: int) -> None:
        """Count bytes of packets, those of sound and of the protocol included."""
        self._bytes += size

    def take(self, now: float, lost: int) -> LinkCounts:
        """The counts since the last time; `lost` is the sum of all packets that never came."""
        longest = self._longest
        if self._key_at is not None:
            longest = max(longest, now - self._key_at)
        counts = LinkCounts(
            seconds=now - self._since,
            frames=self._frames,
            bytes=self._bytes,
            lost=max(0, lost - self._lost),
            reconnects=0,
            stalls=self._stalls,
            longest_key_distance=longest,
        )
        self._since, self._lost = now, lost
        self._reset()
        return counts
