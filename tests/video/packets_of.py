"""Packets of the clips, as the depacketizer gives them, and what decoders make of bytes."""

import io
from collections.abc import Iterable
from dataclasses import dataclass

import av

from tests.video.clips import Recorded
from video.depacketizer import Depacketizer
from video.packets import EncodedPacket


def packets_of(recorded: Recorded) -> list[EncodedPacket]:
    return list(
        Depacketizer(recorded.description, recorded.media).packets_from(recorded.arrivals())
    )


@dataclass(frozen=True)
class Played:
    """What a player shows of a file: times in seconds, sizes of pictures, samples of sound."""

    times: list[float]
    sizes: list[tuple[int, int]]
    keys: int
    codecs: list[str]
    tags: list[str]
    samples: int


def played(parts: Iterable[bytes]) -> Played:
    """Decode everything; raises where a player would stumble."""
    times, sizes, keys, samples = list[float](), list[tuple[int, int]](), 0, 0
    with av.open(io.BytesIO(b"".join(parts))) as file:
        codecs = [stream.codec_context.name for stream in file.streams]
        tags = [stream.codec_context.codec_tag for stream in file.streams]
        for packet in file.demux():
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    times.append(frame.time)
                    sizes.append((frame.width, frame.height))
                    keys += bool(frame.key_frame)
                elif isinstance(frame, av.AudioFrame):
                    samples += frame.samples
    return Played(times, sizes, keys, codecs, tags, samples)
