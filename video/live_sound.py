"""The sound of live MP4: without holes, for a player that has no sound shows no picture either.

Used in the child only.
"""

from video.audio import AacEncoder, Undecodable, silence
from video.mp4_samples import Sample
from video.packets import AudioCoding, EncodedPacket
from video.rtp_audio import SAMPLES

TOLERANCE = 0.2
"""Seconds by which times can differ from the count of samples, before the sound is moved."""
MISSING = 1.0
"""Seconds by which sound is later than the picture, until silence takes its place: some cameras
promise sound and send none, or stop sending it."""
MAX_WAITING = 512
"""Blocks; more than a player would take at once."""


class LiveSound:
    """Sound that a description promises, as AAC. `coding` is None where MP4 cannot hold it; `note`
    then says so."""

    def __init__(self, promised: AudioCoding | None) -> None:
        self.coding: AudioCoding | None = None
        self.note = ""
        self._encoder: AacEncoder | None = None
        self._silence: bytes | None = None
        self._next: int | None = None
        self._heard: float | None = None
        self._waiting: list[Sample] = []
        if promised is not None:
            self._promise(promised)

    def _promise(self, coding: AudioCoding) -> None:
        if coding.encoding == "aac":
            self.coding = coding
            return
        try:
            self._encoder = AacEncoder(coding)
            self.coding = self._encoder.coding
        except Undecodable as error:
            self.note = str(error)

    def add(self, packet: EncodedPacket, base: float) -> None:
        """Take what the camera sent. `base`: the time of the first picture."""
        if self.coding is None:
            return
        for block in self._encoder.encode(packet) if self._encoder else [packet]:
            self._place(block, base, self.coding.rate)

    def _place(self, block: EncodedPacket, base: float, rate: int) -> None:
        self._heard = max(self._heard or block.dts, block.dts)
        tick, slack = round((block.dts - base) * rate), TOLERANCE * rate
        if self._next is not None and abs(tick - self._next) <= slack:
            tick = self._next
        if tick >= (self._next or 0) and len(self._waiting) < MAX_WAITING:
            self._waiting.append(Sample(block.data, tick, SAMPLES))
            self._next = tick + SAMPLES

    def taken(self, time: float, base: float) -> list[Sample]:
        """The blocks that wait; up to `time`, that of the picture, where sound is missing."""
        if self.coding is not None and time - (self._heard or base) > MISSING:
            self._fill(round((time - base) * self.coding.rate), self.coding)
        waiting, self._waiting = self._waiting, []
        return waiting

    @property
    def waits(self) -> bool:
        """True if there is sound that no fragment holds yet."""
        return bool(self._waiting)

    def _fill(self, until: int, coding: AudioCoding) -> None:
        if self._silence is None:
            self._silence = silence(coding)
        tick = self._next or 0
        if until - tick > MAX_WAITING * SAMPLES:
            tick = until
        while self._silence and tick <= until:
            self._waiting.append(Sample(self._silence, tick, SAMPLES))
            tick += SAMPLES
        self._next = tick
