"""Fragmented MP4 for MediaSource: a fragment for each picture, at once, and nothing is decoded.

The boxes are written here (video/mp4_header.py, video/mp4_samples.py), not by libavformat: it gives
a picture only when the next one has come, whose time it needs, and cannot begin again with other
parameter sets. Used in the child only.
"""

from collections.abc import Iterator, Sequence

from video.codec_strings import format_of
from video.live_sound import LiveSound
from video.model import Fragment, Init
from video.mp4_header import AUDIO_TRACK, VIDEO_SCALE, VIDEO_TRACK, header
from video.mp4_samples import Run, Sample, fragment, length_prefixed
from video.packets import VIDEO, AudioCoding, EncodedPacket, VideoCoding

USUAL = 0.04
"""Seconds for which the first picture is shown where nothing tells."""
LONGEST = 10.0
"""Seconds for which a picture is shown at most; what comes later corrects it."""
ALONE = 0.15
"""Seconds for which sound waits for a picture, before it is sent without one."""


class LiveMp4:
    """One stream. `audio`: the sound that its description promises. It begins with an Init at the
    first key frame; another Init follows when parameter sets change. MJPEG gives nothing."""

    def __init__(self, audio: AudioCoding | None = None, notes: Sequence[str] = ()) -> None:
        self._sound = LiveSound(audio)
        self._notes = (*notes, self._sound.note) if self._sound.note else tuple(notes)
        self._coding: VideoCoding | None = None
        self._base: float | None = None
        self._last: float | None = None
        self._duration = USUAL
        self._sent = 0.0
        self._number = 0

    def feed(self, packet: EncodedPacket) -> Iterator[Init | Fragment]:
        """What a packet completes."""
        if packet.kind == VIDEO:
            yield from self._take_video(packet)
        elif self._base is not None:
            self._sound.add(packet, self._base)
            if packet.arrived - self._sent > ALONE and self._sound.waits:
                self._sent = packet.arrived
                runs = [Run(AUDIO_TRACK, self._sound.taken(packet.dts, self._base))]
                yield self._fragment(runs, packet, is_key=False)

    def _take_video(self, packet: EncodedPacket) -> Iterator[Init | Fragment]:
        coding = packet.coding
        assert isinstance(coding, VideoCoding)
        if packet.is_key and coding.codec and coding != self._coding:
            self._coding = coding
            yield Init(
                format_of(coding, self._sound.coding, self._notes),
                header(coding, self._sound.coding),
            )
        if self._coding is None:
            return
        if self._base is None:
            self._base = packet.dts
        runs = [Run(VIDEO_TRACK, [self._sample(packet, self._base)])]
        if sound := self._sound.taken(packet.dts, self._base):
            runs.append(Run(AUDIO_TRACK, sound))
        self._sent = packet.arrived
        yield self._fragment(runs, packet, is_key=packet.is_key)

    def _sample(self, packet: EncodedPacket, base: float) -> Sample:
        """Its duration is that of the picture before: the next one says in its fragment when it
        begins."""
        if self._last is not None:
            self._duration = min(packet.dts - self._last, LONGEST)
        elif isinstance(packet.coding, VideoCoding) and packet.coding.rate:
            self._duration = 1 / packet.coding.rate
        self._last = packet.dts
        sets = self._coding.sets if self._coding and packet.is_key else ()
        return Sample(
            length_prefixed(packet.data, sets),
            round((packet.dts - base) * VIDEO_SCALE),
            max(round(self._duration * VIDEO_SCALE), 1),
            packet.is_key,
            round((packet.pts - packet.dts) * VIDEO_SCALE),
        )

    def _fragment(self, runs: Sequence[Run], packet: EncodedPacket, *, is_key: bool) -> Fragment:
        self._number += 1
        return Fragment(fragment(self._number, runs), is_key, packet.at)
