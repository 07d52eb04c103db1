"""The sound of recorded files: AAC on a line without overlaps, whatever its stamps say."""

from video.mp4_samples import Sample
from video.packets import AudioCoding, EncodedPacket

SAMPLES = 1024
"""In one block of AAC."""
TOLERANCE = 0.2
"""Seconds by which stamps can be off before the sound is moved."""
MAX_SILENCE = 10.0
"""Seconds without sound after which a file is begun without a track for it."""
MAX_AHEAD = 3.0
"""Seconds by which sound can be ahead of its arrival: more is a camera that lies."""
MAX_WAITING = 1 << 20
"""Bytes of sound that wait for the picture."""


class AudioLine:
    """The sound of one file. `base`: the time of its first picture."""

    def __init__(self, base: float) -> None:
        self._base = base
        self._coding: AudioCoding | None = None
        self._is_fixed = False
        self._next: int | None = None
        self._waiting: list[tuple[bytes, int]] = []
        self._size = 0

    def expect(self, coding: AudioCoding) -> None:
        """Make room for sound of this kind, though none has come yet."""
        if not self._is_fixed:
            self._coding = coding

    def chosen(self) -> AudioCoding | None:
        """The sound that the file has room for. Another kind is for the next file."""
        self._is_fixed = True
        return self._coding

    def add(self, block: EncodedPacket, coding: AudioCoding) -> None:
        """Take a block if the file has room for its kind, and its time fits."""
        if not self._is_fixed and not self._waiting:
            self._coding = coding
        if coding != self._coding or self._size > MAX_WAITING:
            return
        if block.dts - block.arrived > MAX_AHEAD:
            return
        tick = round((block.dts - self._base) * coding.rate)
        slack = TOLERANCE * coding.rate
        if self._next is not None and abs(tick - self._next) <= slack:
            tick = self._next
        elif tick < (self._next or 0) - slack:
            return
        tick = max(tick, self._next or 0)
        self._next = tick + SAMPLES
        self._waiting.append((block.data, tick))
        self._size += len(block.data)

    def taken(self) -> list[Sample]:
        """The blocks that wait, which are written now."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        ends = [tick for _data, tick in waiting[1:]]
        ends.append(self._next or 0)
        return [
            Sample(data, tick, end - tick) for (data, tick), end in zip(waiting, ends, strict=False)
        ]
