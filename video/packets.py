"""The values between the reader of a stream and those who use it, all inside one process."""

from dataclasses import dataclass, field

VIDEO, AUDIO = "video", "audio"


@dataclass(frozen=True, slots=True)
class VideoCoding:
    """How a picture is coded. A new one begins with the packet whose parameter sets differ.

    `encoding`: `h264`, `h265` or `mjpeg`. `sets`: NAL units without start codes, in the order VPS,
    SPS, PPS; empty for MJPEG. `codec`: its RFC 6381 string, such as `avc1.64001f`. `reorder`:
    pictures that can come before one that is shown earlier, None where nothing tells.
    """

    encoding: str
    width: int
    height: int
    sets: tuple[bytes, ...] = field(default=(), repr=False)
    codec: str = ""
    rate: float | None = None
    reorder: int | None = None

    def is_like(self, other: "VideoCoding") -> bool:
        """True if a file can go on with `other`: same codec and size."""
        return (self.encoding, self.width, self.height) == (
            other.encoding,
            other.width,
            other.height,
        )


@dataclass(frozen=True, slots=True)
class AudioCoding:
    """How sound is coded. `encoding`: `aac`, or what libav calls the decoder (`pcm_alaw`,
    `pcm_mulaw`, `g722`, `pcm_s16be`, `g726`). `config`: the AudioSpecificConfig of AAC."""

    encoding: str
    rate: int
    channels: int
    config: bytes = field(default=b"", repr=False)
    codec: str = ""


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One picture, or one block of sound.

    `data`: video as Annex B (a key frame begins with its parameter sets) or as a whole JPEG; AAC
    without ADTS; other sound as it came. `pts` and `dts` are seconds of the monotonic clock, of the
    same scale as `arrived`: repaired (video/timestamps.py), `dts` strictly increasing within a
    kind, `pts >= dts`. `at` is the Unix time of the arrival.
    """

    kind: str
    data: bytes = field(repr=False)
    pts: float
    dts: float
    is_key: bool
    arrived: float
    at: float
    coding: VideoCoding | AudioCoding
