"""Codec strings of RFC 6381, as MediaSource expects them, and the Format they stand in. Pure.

ISO/IEC 14496-15, E.3 for H.265.
"""

from collections.abc import Sequence

from fleet import parameter_sets
from video.model import Format
from video.packets import AudioCoding, VideoCoding

LOW_COMPLEXITY = "mp4a.40.2"
"""AAC as encoders make it."""


def avc1(sequence: bytes) -> str:
    """`avc1.PPCCLL` of an H.264 sequence parameter set with its NAL header."""
    return f"avc1.{sequence[1:4].hex()}"


def hvc1(sequence: bytes) -> str:
    """`hvc1....` of an H.265 sequence parameter set with its NAL header, such as
    `hvc1.1.6.L93.B0`."""
    data = parameter_sets.unescape(sequence)
    profile, compatible, constraints, level = data[3], data[4:8], data[8:14], data[14]
    space = ("", "A", "B", "C")[profile >> 6]
    flags = int(f"{int.from_bytes(compatible, 'big'):032b}"[::-1], 2)
    tier = "H" if profile & 0x20 else "L"
    ends = [f"{byte:X}" for byte in constraints.rstrip(b"\0")]
    return ".".join((f"hvc1.{space}{profile & 0x1F}", f"{flags:X}", f"{tier}{level}", *ends))


def mp4a(config: bytes) -> str:
    """`mp4a.40.N` of an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1)."""
    kind = config[0] >> 3 if config else 2
    if kind == 31 and len(config) > 1:
        kind = 32 + ((config[0] & 7) << 3 | config[1] >> 5)
    return f"mp4a.40.{kind or 2}"


def format_of(
    video: VideoCoding, audio: AudioCoding | None = None, notes: Sequence[str] = ()
) -> Format:
    """The Format of a stream as MP4 holds it: other sound than AAC becomes AAC (video/audio.py)."""
    codecs = [video.codec] if video.codec else []
    if codecs and audio is not None:
        codecs.append(audio.codec or LOW_COMPLEXITY)
    return Format(
        video.encoding,
        video.width,
        video.height,
        ",".join(codecs),
        video.rate,
        "aac" if audio is not None else "",
        tuple(notes),
    )
