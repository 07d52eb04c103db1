"""The beginning of a fragmented MP4 file, `ftyp` and `moov`, for packets that are kept as they are.

ISO/IEC 14496-12 (boxes), 14496-15 (`avcC`, `hvcC`), 14496-1 (`esds`). H.265 has the sample entry
`hvc1`: players of Apple refuse `hev1`.
"""

import struct

from video.mp4_boxes import as_box
from video.packets import AudioCoding, VideoCoding

VIDEO_TRACK, AUDIO_TRACK = 1, 2
VIDEO_SCALE = 90_000
"""Ticks in a second of video; those of sound are its samples."""
MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
UNDETERMINED = 0x55C4
"""The language `und`."""
MPEG4_AUDIO, JPEG = 0x40, 0x6C
"""Object types of `esds`."""
WITH_CHROMA = frozenset({100, 110, 122, 144})
"""Profiles of H.264 whose `avcC` says how colours are sampled."""
UNITS_OF_H265 = (32, 33, 34)
"""VPS, SPS and PPS."""


def header(video: VideoCoding, audio: AudioCoding | None = None) -> bytes:
    """`ftyp` and `moov` with one track of video, and one of sound where it is AAC."""
    tracks = [_video_track(video)]
    extends = [_extends(VIDEO_TRACK)]
    if audio is not None:
        tracks.append(_audio_track(audio))
        extends.append(_extends(AUDIO_TRACK))
    movie = _full(
        b"mvhd",
        struct.pack(">IIII", 0, 0, 1000, 0)
        + struct.pack(">IHHII", 0x10000, 0x100, 0, 0, 0)
        + MATRIX
        + bytes(24)
        + struct.pack(">I", len(tracks) + 1),
    )
    brands = struct.pack(">4sI", b"iso5", 512) + b"iso5iso6mp41"
    moov = as_box(b"moov", movie + b"".join(tracks) + as_box(b"mvex", b"".join(extends)))
    return as_box(b"ftyp", brands) + moov


def _full(kind: bytes, content: bytes, flags: int = 0) -> bytes:
    return as_box(kind, struct.pack(">I", flags) + content)


def _extends(number: int) -> bytes:
    """`trex`: the samples of the track are in fragments."""
    return _full(b"trex", struct.pack(">IIIII", number, 1, 0, 0, 0))


def _video_track(video: VideoCoding) -> bytes:
    size = struct.pack(">II", video.width << 16, video.height << 16)
    media_header = _full(b"vmhd", bytes(8), 1)
    media = _media(b"vide", VIDEO_SCALE, media_header, _video_entry(video))
    return as_box(b"trak", _track_header(VIDEO_TRACK, 0, size) + media)


def _audio_track(audio: AudioCoding) -> bytes:
    media = _media(b"soun", audio.rate, _full(b"smhd", bytes(4)), _audio_entry(audio))
    return as_box(b"trak", _track_header(AUDIO_TRACK, 0x100, bytes(8)) + media)


def _track_header(number: int, volume: int, size: bytes) -> bytes:
    times = struct.pack(">IIIII", 0, 0, number, 0, 0)
    return _full(
        b"tkhd", times + bytes(8) + struct.pack(">HHHH", 0, 0, volume, 0) + MATRIX + size, 3
    )


def _media(handler: bytes, scale: int, media_header: bytes, entry: bytes) -> bytes:
    times = _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, scale, 0, UNDETERMINED, 0))
    kind = _full(b"hdlr", struct.pack(">I4s12s", 0, handler, b"") + b"\0")
    reference = _full(b"dref", struct.pack(">I", 1) + _full(b"url ", b"", 1))
    described = _full(b"stsd", struct.pack(">I", 1) + entry)
    empty = [_full(name, bytes(4)) for name in (b"stts", b"stsc", b"stco")]
    table = as_box(b"stbl", described + b"".join(empty) + _full(b"stsz", bytes(8)))
    information = as_box(b"minf", media_header + as_box(b"dinf", reference) + table)
    return as_box(b"mdia", times + kind + information)


def _video_entry(video: VideoCoding) -> bytes:
    if video.encoding == "h264":
        kind, configuration = b"avc1", as_box(b"avcC", _h264_configuration(video.sets))
    elif video.encoding == "h265":
        kind, configuration = b"hvc1", as_box(b"hvcC", _h265_configuration(video.sets))
    else:
        kind, configuration = b"mp4v", _descriptor(JPEG, 4, b"")
    size = struct.pack(">HH", video.width, video.height)
    resolution = struct.pack(">IIIH", 0x480000, 0x480000, 0, 1)
    fixed = bytes(6) + struct.pack(">H", 1) + bytes(16) + size + resolution
    return as_box(kind, fixed + bytes(32) + struct.pack(">Hh", 24, -1) + configuration)


def _h264_configuration(sets: tuple[bytes, ...]) -> bytes:
    """`avcC` (14496-15, 5.3.3.1.2)."""
    sequences = [unit for unit in sets if unit[0] & 0x1F == 7]
    pictures = [unit for unit in sets if unit[0] & 0x1F == 8]
    profile = sequences[0][1]
    parts = [b"\x01", sequences[0][1:4], b"\xff", bytes([0xE0 | len(sequences)])]
    parts += [_sized(unit) for unit in sequences]
    parts += [bytes([len(pictures)]), *(_sized(unit) for unit in pictures)]
    if profile in WITH_CHROMA:
        parts.append(b"\xfd\xf8\xf8\x00")  # 4:2:0 with 8 bits, as cameras have it
    return b"".join(parts)


def _h265_configuration(sets: tuple[bytes, ...]) -> bytes:
    """`hvcC` (14496-15, 8.3.3.1.2)."""
    by_kind = {
        kind: [unit for unit in sets if unit[0] >> 1 & 0x3F == kind] for kind in (32, 33, 34)
    }
    sequence = by_kind[33][0].replace(b"\0\0\x03", b"\0\0")
    profile = sequence[3:15]
    depth = 2 if profile[0] & 0x1F == 2 else 0  # beyond 8 bits
    parts = [b"\x01", profile, b"\xf0\x00\xfc\xfd", bytes([0xF8 | depth, 0xF8 | depth])]
    parts.append(b"\0\0\x0f" + bytes([len(UNITS_OF_H265)]))
    for kind in UNITS_OF_H265:
        parts.append(struct.pack(">BH", 0x80 | kind, len(by_kind[kind])))
        parts += [_sized(unit) for unit in by_kind[kind]]
    return b"".join(parts)


def _sized(unit: bytes) -> bytes:
    return struct.pack(">H", len(unit)) + unit


def _audio_entry(audio: AudioCoding) -> bytes:
    fixed = bytes(6) + struct.pack(">H", 1) + bytes(8)
    fixed += struct.pack(">HHII", audio.channels, 16, 0, (audio.rate & 0xFFFF) << 16)
    return as_box(b"mp4a", fixed + _descriptor(MPEG4_AUDIO, 5, audio.config))


def _descriptor(object_type: int, stream_type: int, config: bytes) -> bytes:
    """`esds` (14496-1, 7.2.6)."""
    specific = _tagged(5, config) if config else b""
    fixed = struct.pack(">BB3xII", object_type, stream_type << 2 | 1, 0, 0)
    decoder = _tagged(4, fixed + specific)
    return _full(b"esds", _tagged(3, struct.pack(">HB", 1, 0) + decoder + _tagged(6, b"\x02")))


def _tagged(tag: int, content: bytes) -> bytes:
    length = len(content)
    return bytes([tag, 0x80 | length >> 7, length & 0x7F]) + content
