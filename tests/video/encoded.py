"""Clips made by ffmpeg, as the packets that a reader of a stream makes of them."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from video.codec_strings import avc1, hvc1
from video.mp4_samples import units
from video.packets import AUDIO, VIDEO, AudioCoding, EncodedPacket, VideoCoding

NOON = 1_796_040_000.0
"""2026-11-30 12:00:00 UTC, when the first packet arrives."""
MONOTONIC = 5000.0
AAC = AudioCoding("aac", 16000, 1, b"\x14\x08", "mp4a.40.2")
SETS = {"h264": (7, 8), "h265": (32, 33, 34)}


def make_clip(path: Path, *options: str, size: str = "64x48", seconds: int = 6) -> Path:
    """A clip with 10 pictures in a second; the options are those of its codec."""
    source = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=10:d={seconds}"]
    command = ["ffmpeg", "-v", "error", *source, "-pix_fmt", "yuv420p", *options, str(path)]
    subprocess.run(command, check=True)
    return path


def h264(path: Path, gop: int = 10, *options: str, **changes: Any) -> Path:
    quick = ("-c:v", "libx264", "-preset", "ultrafast", "-g", str(gop), "-bf", "0")
    return make_clip(path, *quick, *options, **changes)


def other_pictures(folder: Path, encoding: str) -> list[EncodedPacket]:
    """Three seconds of H.265 or MJPEG, with 10 pictures a second."""
    if encoding == "h265":
        options = ("-c:v", "libx265", "-x265-params", "log-level=0:keyint=10:bframes=0")
        clip = make_clip(folder / "clip.ts", *options, seconds=3)
    else:
        clip = make_clip(folder / "clip.mjpeg", "-c:v", "mjpeg", seconds=3)
    return at_times(pictures(clip, encoding), [number / 10 for number in range(30)])


def pictures(path: Path, encoding: str = "h264") -> list[EncodedPacket]:
    """The pictures of a clip, as they arrive from a camera, the first one at NOON."""
    import av

    with av.open(path) as clip:
        stream = clip.streams.video[0]
        packets = [packet for packet in clip.demux(stream) if packet.size]
        base = min(float(packet.dts * packet.time_base) for packet in packets)
        result, sets = [], ()
        for packet in packets:
            data = bytes(packet)
            if encoding in SETS and packet.is_keyframe:
                sets = tuple(unit for unit in units(data) if kind(unit, encoding) in SETS[encoding])
            dts, pts = (float(at * packet.time_base) - base for at in (packet.dts, packet.pts))
            coding = coding_of(encoding, stream.width, stream.height, sets)
            result.append(
                picture(data, dts, pts, coding, is_key=encoding == "mjpeg" or packet.is_keyframe)
            )
        return result


def picture(
    data: bytes, dts: float, pts: float, coding: VideoCoding, *, is_key: bool
) -> EncodedPacket:
    times = (MONOTONIC + pts, MONOTONIC + dts)
    return EncodedPacket(VIDEO, data, *times, is_key, MONOTONIC + dts, NOON + dts, coding)


def kind(unit: bytes, encoding: str) -> int:
    return unit[0] & 0x1F if encoding == "h264" else unit[0] >> 1 & 0x3F


def coding_of(encoding: str, width: int, height: int, sets: tuple[bytes, ...]) -> VideoCoding:
    codec = {"h264": lambda: avc1(sets[0]), "h265": lambda: hvc1(sets[1])}
    text = codec[encoding]() if encoding in codec else ""
    return VideoCoding(encoding, width, height, sets, text, 10.0)


def at_times(packets: Sequence[EncodedPacket], times: Sequence[float]) -> list[EncodedPacket]:
    """The packets with other times, in seconds after NOON; repeated as often as there are times,
    with a key frame only where the first one comes again."""
    result = []
    for number, time in enumerate(times):
        packet = packets[number % len(packets)]
        moved = MONOTONIC + time
        result.append(replace(packet, dts=moved, pts=moved, arrived=moved, at=NOON + time))
    return result


def sound(seconds: float, start: float = 0.0, coding: AudioCoding = AAC) -> Iterator[EncodedPacket]:
    """Blocks of silence in AAC, 1024 samples each."""
    silence = b"\x01\x18\x20\x07"
    count = round(seconds * coding.rate / 1024)
    for number in range(count):
        time = MONOTONIC + start + number * 1024 / coding.rate
        at = NOON + time - MONOTONIC
        yield EncodedPacket(AUDIO, silence, time, time, True, time, at, coding)


def together(*lines: Sequence[EncodedPacket]) -> list[EncodedPacket]:
    """Picture and sound in the order in which they arrive."""
    return sorted((packet for line in lines for packet in line), key=lambda item: item.arrived)


def probed(path: Path, *options: str) -> dict[str, Any]:
    """What ffprobe says about a file; it must find no error in it."""
    command = ["ffprobe", "-v", "error", "-of", "json", *options, str(path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stderr == "", result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def frames_of(path: Path) -> list[dict[str, Any]]:
    """The pictures that a player decodes."""
    entries = ("-select_streams", "v", "-show_entries", "frame=pts_time,key_frame,width")
    frames: list[dict[str, Any]] = probed(path, *entries)["frames"]
    return frames
