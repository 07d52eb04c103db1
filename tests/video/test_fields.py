"""Interlaced H.264: the two fields of a frame are one picture, however the camera sends them."""

import json
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.parameter_sets import NO_RESIDUAL, Bits, h264_pps
from video.depacketizer import Arrival, Depacketizer
from video.live_mp4 import LiveMp4
from video.model import Fragment, OpenedMedium

FRAMES, RATE, BLOCKS = 25, 25, 8
SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
MEDIA = (OpenedMedium("video", "H264", 0),)
SPS = b"\x67" + (
    Bits().u(77, 8).u(0, 8).u(40, 8).ue(0, 0, 2, 1).u(0, 1).ue(3, 1).u(0b00100, 5).payload()
)
"""Main profile, 64x64, fields one after the other."""


def key_field(*, is_bottom: bool) -> bytes:
    """A grey field without prediction; the second one of an IDR frame is no IDR picture itself."""
    bits = Bits().ue(0, 7, 0).u(0, 4).u(1, 1).u(is_bottom, 1)
    bits = bits.u(0, 1).ue(0) if is_bottom else bits.ue(0).u(0, 2).ue(0)
    for _ in range(BLOCKS):
        bits.u(*NO_RESIDUAL)
    return (b"\x61" if is_bottom else b"\x65") + bits.payload()


def same_field(number: int, *, is_bottom: bool) -> bytes:
    bits = Bits().ue(0, 5, 0).u(number % 16, 4).u(1, 1).u(is_bottom, 1).u(0, 3).ue(0).ue(BLOCKS)
    return b"\x41" + bits.payload()


def arrivals(*, marks_fields: bool, stamps_fields: bool) -> Iterator[Arrival]:
    """A second of a camera that sends 50 fields."""
    sent = 0
    for place in range(FRAMES * 2):
        number, is_bottom = place // 2, bool(place % 2)
        field = (
            same_field(number, is_bottom=is_bottom) if number else key_field(is_bottom=is_bottom)
        )
        time = place / 2 / RATE
        stamp = round((time if stamps_fields else number / RATE) * 90_000)
        for unit in [field] if place else [SPS, h264_pps(), field]:
            is_last = unit is field and (is_bottom or marks_fields)
            head = struct.pack("!BBHII", 0x80, 96 | is_last << 7, sent, stamp, 7)
            yield Arrival(0, head + unit, 100 + time, 1.8e9 + time)
            sent += 1


@pytest.mark.parametrize(
    ("marks_fields", "stamps_fields"),
    [(True, False), (False, False), (True, True)],
    ids=["one stamp", "one marker", "two stamps"],
)
def test_two_fields_are_one_frame_and_last_as_long_as_it(
    tmp_path: Path, marks_fields: bool, stamps_fields: bool
) -> None:
    depacketizer, mp4 = Depacketizer(SDP, MEDIA), LiveMp4()
    sent = arrivals(marks_fields=marks_fields, stamps_fields=stamps_fields)
    packets = list(depacketizer.packets_from(sent))
    assert (len(packets), sum(packet.is_key for packet in packets)) == (FRAMES, 1)
    assert depacketizer.unbelievable == 0
    values = [value for packet in packets for value in mp4.feed(packet)]
    assert sum(isinstance(value, Fragment) for value in values) == FRAMES
    path = tmp_path / "live.mp4"
    path.write_bytes(b"".join(value.data for value in values))
    command = ["ffprobe", "-v", "error", "-count_frames", "-of", "json", "-show_entries"]
    command += ["stream=nb_read_frames:format=duration", str(path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stderr == ""
    shown = json.loads(result.stdout)
    assert int(shown["streams"][0]["nb_read_frames"]) == FRAMES
    assert float(shown["format"]["duration"]) == pytest.approx(1, abs=0.03)
