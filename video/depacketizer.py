"""What a stream holds: encoded packets with times that can be believed, from RTP packets.

It is done here and not by libavformat, which gives each picture only when the next one begins (at
one picture a second that is a second late), mixes media of one payload type, and tells neither the
arrival nor what was lost. Nothing here raises for what a camera sends.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from video.access_units import Assembler, NalAssembler, Unit
from video.codec_strings import format_of
from video.model import Format, OpenedMedium
from video.nal_units import H264, H265, ParameterSets
from video.packets import AUDIO, VIDEO, AudioCoding, EncodedPacket, VideoCoding
from video.rtp import Receiver
from video.rtp_audio import PLAIN, AacAssembler, PlainAssembler, aac_coding
from video.rtp_jpeg import JpegAssembler
from video.session_media import SessionMedium, session_media
from video.timestamps import DecodingOrder, StampClock

INTERLEAVED = (
    "The video (H264, packetization-mode=2) is left out: its packets are interleaved. Choose "
    "another stream of the camera."
)


class Arrival(NamedTuple):
    """One RTP or RTCP packet: its channel (`OpenedMedium.channel`, RTCP one more), and when it
    came, on the monotonic clock and in Unix time."""

    channel: int
    data: bytes
    arrived: float
    at: float


@dataclass(slots=True)
class _Track:
    kind: str
    receiver: Receiver
    assembler: Assembler
    clock: StampClock
    order: DecodingOrder
    coding: VideoCoding | AudioCoding | None = None


class Depacketizer:
    """One stream. `feed()` gives the packets that an arrival completes; iterating over
    `packets_from()` does it for all of a queue.

    `format` is known from the first key frame on, and changes with the stream's. `notes` are
    sentences about what is left out. Packets of video before the first key frame are given too
    (they show that the camera sends): their coding can have the size 0x0, and nothing begins there.
    """

    def __init__(self, description: bytes, media: Sequence[OpenedMedium]) -> None:
        self.notes: list[str] = []
        self.format: Format | None = None
        self._tracks: dict[int, _Track] = {}
        described = session_media(description)
        for opened, medium in zip(media, described, strict=False):
            if opened.kind in (VIDEO, AUDIO) and not self._has(opened.kind):
                self._add(opened, medium)

    @property
    def lost(self) -> int:
        """RTP packets that never came."""
        return sum(track.receiver.lost for track in self._tracks.values())

    @property
    def unbelievable(self) -> int:
        """Stamps that were replaced."""
        return sum(track.clock.unbelievable for track in self._tracks.values())

    @property
    def damaged(self) -> int:
        """Pictures and blocks of sound of which something is missing."""
        return sum(track.assembler.damaged for track in self._tracks.values())

    @property
    def has_video(self) -> bool:
        """False if nothing in the stream can be shown; `notes` say why."""
        return self._has(VIDEO)

    @property
    def audio(self) -> AudioCoding | None:
        """How the sound is coded, known from the beginning; None without sound."""
        for track in self._tracks.values():
            if isinstance(track.coding, AudioCoding):
                return track.coding
        return None

    def feed(self, arrival: Arrival) -> Iterator[EncodedPacket]:
        """The packets that this arrival completes. RTCP and unknown channels complete none."""
        track = self._tracks.get(arrival.channel)
        if track is None:
            return
        for packet in track.receiver.feed(arrival.data, arrival.arrived):
            for unit in track.assembler.feed(packet):
                yield self._timed(track, unit, arrival)

    def packets_from(self, arrivals: Iterable[Arrival]) -> Iterator[EncodedPacket]:
        """The packets of all arrivals, such as `iter(queue.get, None)`."""
        for arrival in arrivals:
            yield from self.feed(arrival)

    def _has(self, kind: str) -> bool:
        return any(track.kind == kind for track in self._tracks.values())

    def _add(self, opened: OpenedMedium, medium: SessionMedium) -> None:
        assembler, coding = _assembler(medium)
        is_sound = coding is not None
        if medium.encoding == "H264" and medium.parameters.get("packetization-mode") == "2":
            self.notes.append(INTERLEAVED)
            return
        if assembler is None or is_sound != (opened.kind == AUDIO):
            what = "sound" if opened.kind == AUDIO else "video"
            self.notes.append(f"The {what} ({medium.encoding or 'unknown'}) is left out.")
            return
        self._tracks[opened.channel] = _Track(
            opened.kind,
            Receiver(medium.payload_type),
            assembler,
            StampClock(medium.clock),
            DecodingOrder(),
            coding,
        )

    def _timed(self, track: _Track, unit: Unit, arrival: Arrival) -> EncodedPacket:
        coding = unit.coding
        if coding is None:
            coding = VideoCoding("", 0, 0)
        elif coding is not track.coding and unit.is_key:
            if isinstance(coding, VideoCoding):
                if track.coding is None:
                    track.order = DecodingOrder(coding.reorder, 1 / (coding.rate or 25))
                self.format = format_of(coding, self.audio, self.notes)
            track.coding = coding
        pts, dts = track.order.times(track.clock.time_of(unit.stamp, arrival.arrived))
        return EncodedPacket(
            track.kind, unit.data, pts, dts, unit.is_key, arrival.arrived, arrival.at, coding
        )


def _assembler(medium: SessionMedium) -> tuple[Assembler | None, AudioCoding | None]:
    encoding = medium.encoding
    if encoding in ("H264", "H265", "HEVC"):
        return _nal_assembler(medium), None
    if encoding == "JPEG":
        return JpegAssembler(medium.size), None
    if encoding in PLAIN:
        plain = PlainAssembler(medium)
        return plain, plain.coding
    if encoding in ("MPEG4-GENERIC", "MP4A-LATM"):
        coding = aac_coding(medium)
        return (AacAssembler(medium, coding), coding) if coding else (None, None)
    return None, None


def _nal_assembler(medium: SessionMedium) -> NalAssembler:
    sets = ParameterSets(H264 if medium.encoding == "H264" else H265)
    names = ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets")
    for text in ",".join(medium.parameters.get(name, "") for name in names).split(","):
        try:
            sets.take(base64.b64decode(text + "=" * (-len(text) % 4)))
        except (binascii.Error, ValueError):
            continue
    has_numbers = medium.parameters.get("sprop-max-don-diff", "0").strip("0") != ""
    return NalAssembler(sets, has_numbers)
