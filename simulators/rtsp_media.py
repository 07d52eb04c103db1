"""The media of a pretend RTSP device: RTP (RFC 3550, RFC 6184) in interleaved frames (RFC 2326
10.12)."""

import asyncio
import itertools
import struct
import time
from collections.abc import Callable, Iterator

from simulators import parameter_sets as sets
from simulators import rtsp_clip
from simulators.rtsp_sdp import Stream

LARGEST = 1400
"""Bytes of a packet's payload."""
CLOCK = 90_000
KEY_FRAME_EVERY = 30
SOURCE_ID = 0x5E5E5E5E
MEDIA, HEAD = b"$", 4
"""How a packet begins between answers, and the bytes before its own."""
STRANGE_CHANNEL = 8
"""A channel that nobody set up."""


def interleaved(channel: int, packet: bytes) -> bytes:
    """A packet as it is sent between answers."""
    return struct.pack("!cBH", b"$", channel, len(packet)) + packet


def sender_report(channel: int = 1) -> bytes:
    """An RTCP report with zero in each field, interleaved."""
    return interleaved(channel, struct.pack("!BBHI20x", 0x80, 200, 6, SOURCE_ID))


def _payloads(unit: bytes) -> Iterator[tuple[bytes, bool]]:
    """A NAL unit in fragments that fit into a packet, and whether each is the last."""
    if len(unit) <= LARGEST:
        yield unit, True
        return
    indicator, kind = (unit[0] & 0xE0) | 28, unit[0] & 0x1F
    for start in range(1, len(unit), LARGEST):
        is_last = start + LARGEST >= len(unit)
        header = kind | (0x80 if start == 1 else 0) | (0x40 if is_last else 0)
        yield bytes((indicator, header)) + unit[start : start + LARGEST], is_last


def frames(stream: Stream) -> Iterator[list[bytes]]:
    """The NAL units of each picture, for ever."""
    if stream.clip:
        first = int(time.monotonic() * stream.fps) if stream.is_live else 0
        clip = rtsp_clip.endless(stream.clip, stream.later_clip, first)
        yield from map(rtsp_clip.without_sets, clip) if stream.sets == "description" else clip
    size = (stream.width, stream.height)
    for number in itertools.count():
        place = number % KEY_FRAME_EVERY
        if place:
            yield [sets.h264_same_frame(*size, place)]
        else:
            key_frame = stream.picture() if stream.picture else sets.h264_key_frame(*size)
            yield [sets.h264_sps(*size), sets.h264_pps(), key_frame]


def packets(stream: Stream, channel: int) -> Iterator[bytes]:
    """The interleaved packets of each picture, as one block of bytes."""
    sequence = itertools.count()
    stamps = rtsp_clip.stamps(stream.fps, stream.stamps)
    for timestamp, units in zip(stamps, frames(stream), strict=False):
        block = bytearray()
        for unit in units:
            for payload, is_last in _payloads(unit):
                marker = 0x80 if is_last and unit is units[-1] else 0
                place = next(sequence)
                if stream.lost and place % stream.lost == stream.lost - 1:
                    continue
                header = (0x80, 96 | marker, place % 65536, timestamp, SOURCE_ID)
                block += interleaved(channel, struct.pack("!BBHII", *header) + payload)
        yield bytes(block)


def _left_over() -> bytes:
    """What another session would get, and bytes that mean nothing."""
    packet = struct.pack("!BBHII", 0x80, 96, 1, 1, SOURCE_ID) + b"$\x00\x00\x04" * 40
    return interleaved(STRANGE_CHANNEL, packet) + b"\r\n" + sender_report(STRANGE_CHANNEL + 1)


async def play(stream: Stream, channel: int, mode: str, write: Callable[[bytes], None]) -> None:
    """Send until the task is cancelled. H.264 is sent; of other codecs only RTCP is."""
    if mode == "no-media":
        return
    if mode == "rtcp-only" or stream.codec != "H264":
        while True:
            write(sender_report(channel + 1))
            await asyncio.sleep(1)
    loop = asyncio.get_running_loop()
    due = loop.time()
    for block in packets(stream, channel):
        write(_left_over() + block if mode == "leftovers" else block)
        due += 1 / stream.fps
        await asyncio.sleep(max(due - loop.time(), 0))
