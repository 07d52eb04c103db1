"""Sound as AAC, which MP4 and browsers take: G.711 and other sound of cameras is recoded.

It is cheap: G.711 costs a few thousandths of a processor core. Used in the child only.
"""

from dataclasses import replace
from typing import Any

from video.codec_strings import mp4a
from video.packets import AudioCoding, EncodedPacket
from video.rtp_audio import RATES, SAMPLES

BITS_PER_SAMPLE = 4
"""Of AAC: 32 kbit/s for the 8000 samples a second of G.711."""
MAX_BIT_RATE = 128_000
TOLERANCE = 0.2
"""Seconds by which times of packets can differ from the count of their samples, before the sound is
moved: the silence of a pause, or a camera whose clock runs wrong."""
NAMES = {
    "pcm_alaw": "G.711",
    "pcm_mulaw": "G.711",
    "g722": "G.722",
    "pcm_s16be": "L16",
}
"""What people call the encodings."""


class Undecodable(Exception):
    """Sound that cannot be recoded; the text is a sentence about it."""


class AacEncoder:
    """Packets of one coding in, blocks of AAC out. `coding` is that of the blocks.

    Raises Undecodable only when it is made. Packets that cannot be decoded are counted in `errors`.
    """

    def __init__(self, source: AudioCoding) -> None:
        self.errors = 0
        self.source = source
        rate = source.rate if source.rate in RATES[3:] else 48_000
        channels = min(source.channels, 2)
        layout = "mono" if channels == 1 else "stereo"
        self._open(source, rate, layout)
        config = bytes(self._encoder.extradata or b"")
        self.coding = AudioCoding("aac", rate, channels, config, mp4a(config))
        self._fed = 0
        self._begin: float | None = None

    def _open(self, source: AudioCoding, rate: int, layout: str) -> None:
        import av
        from av.codec.context import Flags

        try:
            decoder: Any = av.CodecContext.create(source.encoding, "r")
            decoder.sample_rate = source.rate
            decoder.layout = "mono" if source.channels == 1 else f"{source.channels}c"
            encoder: Any = av.CodecContext.create("aac", "w")
            encoder.sample_rate, encoder.layout, encoder.format = rate, layout, "fltp"
            encoder.bit_rate = min(rate * BITS_PER_SAMPLE, MAX_BIT_RATE)
            encoder.flags |= Flags.global_header
            encoder.open()
            self._decoder, self._encoder = decoder, encoder
            self._resampler = av.AudioResampler("fltp", layout, rate, frame_size=SAMPLES)
        except (ValueError, av.error.FFmpegError) as error:
            raise Undecodable(f"The sound ({_name(source)}) is left out.") from error

    def encode(self, packet: EncodedPacket) -> list[EncodedPacket]:
        """The blocks that are complete with this packet; none for most."""
        import av

        blocks: list[EncodedPacket] = []
        try:
            for frame in self._decoder.decode(av.Packet(packet.data)):
                self._place(packet.dts)
                frame.pts = None
                for part in self._resampler.resample(frame):
                    part.pts, self._fed = self._fed, self._fed + part.samples
                    blocks += [self._block(data, packet) for data in self._encoder.encode(part)]
        except (ValueError, av.error.FFmpegError):
            self.errors += 1
        return blocks

    def _place(self, time: float) -> None:
        """Say that the next sample is of this time, where the count of samples is not near it."""
        # What waits in the resampler, less than a block, makes it early by so much at most.
        counted = self._fed / self.coding.rate
        if self._begin is None or abs(self._begin + counted - time) > TOLERANCE + self._slack:
            self._begin = time - counted

    @property
    def _slack(self) -> float:
        return SAMPLES / self.coding.rate

    def _block(self, data: Any, packet: EncodedPacket) -> EncodedPacket:
        time = (self._begin or 0.0) + (data.pts or 0) / self.coding.rate
        return replace(
            packet, data=bytes(data), pts=time, dts=time, is_key=True, coding=self.coding
        )


class Sound:
    """Sound of any kind, also one that changes, as AAC. `note` says what cannot be done with it."""

    def __init__(self) -> None:
        self.note = ""
        self._encoder: AacEncoder | None = None
        self._refused: AudioCoding | None = None

    def as_aac(self, packet: EncodedPacket) -> list[EncodedPacket]:
        """The blocks of AAC that a packet makes; none for what cannot be recoded."""
        coding = packet.coding
        if not isinstance(coding, AudioCoding) or coding == self._refused:
            return []
        if coding.encoding == "aac":
            return [packet]
        if self._encoder is None or self._encoder.source != coding:
            try:
                self._encoder, self.note = AacEncoder(coding), ""
            except Undecodable as error:
                self._refused, self.note = coding, str(error)
                return []
        return self._encoder.encode(packet)


def _name(coding: AudioCoding) -> str:
    return NAMES.get(coding.encoding, coding.encoding)


def silence(coding: AudioCoding) -> bytes:
    """A block of AAC of this coding in which nothing is heard; empty where it cannot be made."""
    import av

    layout = {1: "mono", 2: "stereo"}.get(coding.channels)
    if layout is None:
        return b""
    try:
        encoder: Any = av.CodecContext.create("aac", "w")
        encoder.sample_rate, encoder.layout, encoder.format = coding.rate, layout, "fltp"
        frame = av.AudioFrame(format="fltp", layout=layout, samples=SAMPLES)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate = coding.rate
        # The first block is what the encoder needs before the sound begins.
        blocks = [bytes(block) for _ in range(4) for block in encoder.encode(frame)]
    except (ValueError, av.error.FFmpegError):
        return b""
    return blocks[-1] if blocks else b""
