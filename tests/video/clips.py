"""Clips of a few seconds that ffmpeg makes, and their RTP packets as libavformat makes them."""

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from video.depacketizer import Arrival
from video.model import OpenedMedium

ENCODINGS = {
    "h264": ("H264", 90_000),
    "hevc": ("H265", 90_000),
    "mjpeg": ("JPEG", 90_000),
    "aac": ("MPEG4-GENERIC", None),
    "pcm_alaw": ("PCMA", None),
    "pcm_mulaw": ("PCMU", None),
}
START_AT = 1000.0
"""The monotonic clock when the first packet comes."""
UNIX = 1_800_000_000.0


def make(
    path: Path, *options: str, size: str = "320x180", rate: int = 15, seconds: float = 2
) -> Path:
    """Write a clip of a moving picture and a tone, coded as the options say."""
    picture = f"testsrc2=s={size}:r={rate}"
    sound = "sine=f=440:r=8000"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    command = ["ffmpeg", "-v", "error", "-y", *inputs, "-t", str(seconds), "-threads", "1"]
    subprocess.run([*command, *options, str(path)], check=True, timeout=60)
    return path


class _Packets:
    """A file to which a muxer of libav writes one RTP packet at a time."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.sent.append(bytes(data))
        return len(data)


@dataclass(frozen=True)
class Recorded:
    """A clip as a camera sends it: its description, its media, and its packets in their order,
    each with the time in the clip at which it is sent."""

    description: bytes
    media: tuple[OpenedMedium, ...]
    packets: tuple[tuple[int, bytes, float], ...]

    def arrivals(self) -> Iterator[Arrival]:
        for channel, data, time in self.packets:
            yield Arrival(channel, data, START_AT + time, UNIX + time)


def recorded(path: Path) -> Recorded:
    """The packets of a clip. Its parameter sets are in the description if its file keeps them apart
    (MOV), and in the packets if it keeps them there (MPEG-TS)."""
    sections, media, packets = list[str](), list[OpenedMedium](), list[tuple[int, bytes, float]]()
    with av.open(str(path)) as clip:
        for number, stream in enumerate(clip.streams):
            encoding, clock = ENCODINGS[stream.codec_context.name]
            channel, payload_type = number * 2, 96 + number
            sections += _section(stream, encoding, clock, payload_type)
            media.append(OpenedMedium(stream.type, encoding, channel))
    for number, medium in enumerate(media):
        packets += _rtp(path, number, medium.channel, 96 + number)
    packets.sort(key=lambda packet: packet[2])
    head = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    description = "\r\n".join([*head, *sections, ""]).encode()
    return Recorded(description, tuple(media), tuple(packets))


def _section(stream: Any, encoding: str, clock: int | None, payload_type: int) -> list[str]:
    context = stream.codec_context
    lines = [f"m={stream.type} 0 RTP/AVP {payload_type}"]
    ending = "" if clock else f"/{context.channels}"
    lines.append(f"a=rtpmap:{payload_type} {encoding}/{clock or context.sample_rate}{ending}")
    if encoding == "MPEG4-GENERIC":
        config = bytes(context.extradata).hex()
        mode = "mode=AAC-hbr; sizelength=13; indexlength=3; indexdeltalength=3"
        lines.append(f"a=fmtp:{payload_type} {mode}; config={config}")
    elif encoding == "H264" and bytes(context.extradata or b"")[:1] == b"\1":
        sets = [
            base64.b64encode(unit).decode() for unit in _sets(context) if unit[0] & 31 in (7, 8)
        ]
        lines.append(f"a=fmtp:{payload_type} sprop-parameter-sets={','.join(sets)}")
    return lines


def _sets(context: Any) -> list[bytes]:
    """The units of an `avcC` box (ISO/IEC 14496-15, 5.3.3.1)."""
    data, place, units = bytes(context.extradata), 6, []
    for number in (data[5] & 31, 1):
        for _ in range(number):
            size = int.from_bytes(data[place : place + 2], "big")
            units.append(data[place + 2 : place + 2 + size])
            place += 2 + size
        place += 1
    return units


def _rtp(
    path: Path, number: int, channel: int, payload_type: int
) -> list[tuple[int, bytes, float]]:
    file, packets = _Packets(), list[tuple[int, bytes, float]]()
    options = {"payload_type": str(payload_type)}
    with (
        av.open(str(path)) as clip,
        av.open(file, "w", format="rtp", buffer_size=1400, options=options) as output,
    ):
        stream = output.add_stream_from_template(clip.streams[number])
        time, begin = 0.0, None
        for packet in clip.demux(clip.streams[number]):
            if packet.dts is None:
                continue
            begin = packet.dts if begin is None else begin
            time = max(time, float((packet.dts - begin) * packet.time_base))
            packet.stream = stream
            output.mux(packet)
            for data in file.sent:
                offset = 1 if 200 <= data[1] <= 204 else 0
                packets.append((channel + offset, data, time))
            file.sent.clear()
    return packets
