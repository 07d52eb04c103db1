"""Packets of cameras: whole pictures in their order, whatever the network and the camera do."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.video import clips
from tests.video.clips import Recorded
from video.depacketizer import INTERLEAVED, Arrival, Depacketizer
from video.packets import AUDIO, VIDEO, EncodedPacket, VideoCoding

Clip = Callable[[str], Path]
Packets = Callable[[str], Recorded]
PICTURES = 30
DECODERS = {"h264": "h264", "h265": "hevc", "mjpeg": "mjpeg"}


def read(recorded: Recorded, arrivals: Iterable[Arrival] | None = None) -> list[EncodedPacket]:
    depacketizer = Depacketizer(recorded.description, recorded.media)
    return list(depacketizer.packets_from(arrivals or recorded.arrivals()))


def pictures(packets: Iterable[EncodedPacket]) -> list[av.VideoFrame]:
    """The pictures that a decoder makes of packets."""
    frames: list[av.VideoFrame] = []
    decoder = None
    for packet in packets:
        if packet.kind == VIDEO:
            decoder = decoder or av.CodecContext.create(DECODERS[packet.coding.encoding], "r")
            encoded = av.Packet(packet.data)
            encoded.pts = encoded.dts = int(packet.pts * 1000)
            encoded.time_base = Fraction(1, 1000)
            frames += decoder.decode(encoded)
    return frames + (decoder.decode(None) if decoder else [])


def units_of(path: Path) -> int:
    with av.open(str(path)) as clip:
        return sum(1 for packet in clip.demux(video=0) if packet.size)


@pytest.mark.parametrize(
    ("name", "codecs", "keys"),
    [
        ("h264", "avc1.42c00c", 2),
        ("b-frames", "avc1.64000c", 2),
        ("h265", "hvc1.1.6.L60.90", 2),
        ("mjpeg", "", PICTURES),
        ("long-gop", "avc1.42c00c", 1),
    ],
)
def test_each_picture_of_a_stream_is_given_whole(
    recorded: Packets, name: str, codecs: str, keys: int
) -> None:
    stream = recorded(name)
    depacketizer = Depacketizer(stream.description, stream.media)
    packets = list(depacketizer.packets_from(stream.arrivals()))
    assert len(packets) == PICTURES
    assert sum(packet.is_key for packet in packets) == keys
    frames = pictures(packets)
    height = 184 if name == "mjpeg" else 180
    assert [(frame.width, frame.height) for frame in frames] == [(320, height)] * PICTURES
    stream_format = depacketizer.format
    assert stream_format is not None
    assert (stream_format.width, stream_format.height, stream_format.codecs) == (
        320,
        height,
        codecs,
    )
    assert (depacketizer.lost, depacketizer.damaged, depacketizer.unbelievable) == (0, 0, 0)


@pytest.mark.parametrize("name", ["h264", "b-frames", "h265", "mjpeg"])
def test_a_picture_is_given_with_its_last_packet(recorded: Packets, name: str) -> None:
    """Not with the first one of the next picture, a second later at one picture a second."""
    for number, packet in enumerate(read(recorded(name))):
        assert packet.arrived == pytest.approx(clips.START_AT + number / 15, abs=0.002)
        assert packet.at - clips.UNIX == pytest.approx(packet.arrived - clips.START_AT, abs=1e-6)


def test_pictures_that_are_shown_in_another_order_are_timed_right(
    clip: Clip, recorded: Packets
) -> None:
    packets = read(recorded("b-frames"))
    with av.open(str(clip("b-frames"))) as original:
        shown = [
            float(packet.pts * packet.time_base)
            for packet in original.demux(video=0)
            if packet.pts is not None
        ]
    times = [packet.pts - packets[0].pts for packet in packets]
    # Those that are sent before they are shown seem early, which bends the time a little.
    assert times == pytest.approx([time - shown[0] for time in shown], abs=0.05)
    assert all(packet.dts <= packet.pts for packet in packets)
    assert all(before.dts < after.dts for before, after in zip(packets, packets[1:], strict=False))


@pytest.mark.parametrize(("name", "encoding"), [("aac", "aac"), ("pcma", "pcm_alaw")])
def test_sound_comes_beside_the_picture(recorded: Packets, name: str, encoding: str) -> None:
    packets = read(recorded(name))
    sound = [packet for packet in packets if packet.kind == AUDIO]
    assert len([packet for packet in packets if packet.kind == VIDEO]) == PICTURES
    assert {packet.coding.encoding for packet in sound} == {encoding}
    decoder = av.CodecContext.create(encoding, "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    if encoding == "aac":
        decoder.extradata = sound[0].coding.config
    samples = sum(
        frame.samples for packet in sound for frame in decoder.decode(av.Packet(packet.data))
    )
    assert samples == pytest.approx(16_000, abs=1100)
    assert sound[-1].pts - sound[0].pts == pytest.approx(1.9, abs=0.1)


def test_parameter_sets_of_the_description_that_lie_are_replaced(
    recorded: Packets,
) -> None:
    """The first packet that says how the picture is coded has the true size, never the told one."""
    stream = recorded("h264")
    lie = b"a=fmtp:96 sprop-parameter-sets=Z0LAKNoB4AiflhAAAAMAEAAAAwMg8YMq,aM48gA==\r\n"
    packets = read(replace(stream, description=stream.description + lie))
    assert {(packet.coding.width, packet.coding.height) for packet in packets} == {(320, 180)}
    assert len(pictures(packets)) == PICTURES


def test_a_stream_without_its_own_parameter_sets_takes_those_of_the_description(
    recorded: Packets,
) -> None:
    stream = recorded("aac")
    assert b"sprop-parameter-sets" in stream.description
    packets = [packet for packet in read(stream) if packet.kind == VIDEO]
    assert packets[0].is_key
    assert len(pictures(packets)) == PICTURES


@pytest.mark.parametrize("name", ["h264", "h265", "mjpeg", "aac"])
def test_packets_in_another_order_are_put_right(recorded: Packets, name: str) -> None:
    """UDP: neighbours change places."""
    stream = recorded(name)
    arrivals = list(stream.arrivals())
    for place in range(3, len(arrivals) - 1, 3):
        arrivals[place], arrivals[place + 1] = arrivals[place + 1], arrivals[place]
    data = [packet.data for packet in read(stream, arrivals) if packet.kind == VIDEO]
    assert data == [packet.data for packet in read(stream) if packet.kind == VIDEO]


@pytest.mark.parametrize(("name", "place"), [("h264", 1), ("h264", 2), ("h265", 1), ("mjpeg", 1)])
def test_a_lost_packet_costs_its_picture_and_is_counted(
    recorded: Packets, name: str, place: int
) -> None:
    """At the beginning of its fragments, and in the middle of them."""
    stream = recorded(name)
    arrivals = [arrival for arrival in stream.arrivals() if arrival.channel == 0]
    del arrivals[place]
    depacketizer = Depacketizer(stream.description, stream.media)
    packets = list(depacketizer.packets_from(arrivals))
    assert depacketizer.lost == 1
    assert depacketizer.damaged == 1
    assert name == "mjpeg" or not packets[0].is_key
    assert sum(packet.is_key for packet in packets) == (PICTURES if name == "mjpeg" else 2) - 1


def test_packets_of_a_dead_session_are_ignored(recorded: Packets) -> None:
    """On other channels, and of another sender on ours."""
    stream = recorded("h264")
    arrivals = []
    for arrival in stream.arrivals():
        foreign = arrival.data[:8] + b"\x01\x02\x03\x04" + b"\x65" * 50
        arrivals += [arrival, arrival._replace(channel=6), arrival._replace(data=foreign)]
    assert [packet.data for packet in read(stream, arrivals)] == [
        packet.data for packet in read(stream)
    ]


def test_another_size_midway_is_told_with_its_first_key_frame(
    recorded: Packets, tmp_path: Path
) -> None:
    larger = clips.recorded(
        clips.make(tmp_path / "larger.ts", "-an", "-c:v", "libx264", "-bf", "0", size="640x360")
    )
    stream = recorded("h264")
    depacketizer = Depacketizer(stream.description, stream.media)
    list(depacketizer.packets_from(stream.arrivals()))
    later = [
        arrival._replace(arrived=arrival.arrived + 3, at=arrival.at + 3)
        for arrival in larger.arrivals()
    ]
    packets = list(depacketizer.packets_from(later))
    assert packets[0].is_key
    assert all(isinstance(packet.coding, VideoCoding) for packet in packets)
    assert {packet.coding.width for packet in packets} == {640}
    assert depacketizer.format is not None
    assert depacketizer.format.width == 640


@pytest.mark.parametrize("ends", ["each packet", "no packet"])
def test_a_marker_that_lies_does_not_part_pictures(recorded: Packets, ends: str) -> None:
    """Cameras that mark each packet as the last of its picture, or none."""
    stream = recorded("h264")
    arrivals = []
    for arrival in stream.arrivals():
        kind = arrival.data[1] | 0x80 if ends == "each packet" else arrival.data[1] & 0x7F
        is_rtp = arrival.channel == 0
        data = arrival.data[:1] + bytes((kind,)) + arrival.data[2:] if is_rtp else arrival.data
        arrivals.append(arrival._replace(data=data))
    data = [packet.data for packet in read(stream, arrivals)]
    assert data == [packet.data for packet in read(stream)][: len(data)]
    assert len(data) >= PICTURES - 1


def test_what_is_not_known_is_left_out_with_a_sentence(recorded: Packets) -> None:
    stream = recorded("pcma")
    description = stream.description.replace(b"PCMA/8000", b"GSM/8000")
    depacketizer = Depacketizer(description, stream.media)
    packets = list(depacketizer.packets_from(stream.arrivals()))
    assert {packet.kind for packet in packets} == {VIDEO}
    assert depacketizer.notes == ["The sound (GSM) is left out."]
    assert depacketizer.format is not None
    assert depacketizer.format.notes == ("The sound (GSM) is left out.",)


def test_interleaved_packets_of_h264_are_named_and_left_out(recorded: Packets) -> None:
    """Their order of decoding is in numbers of their own; played as they come, it is garbage."""
    stream = recorded("h264")
    description = stream.description + b"a=fmtp:96 packetization-mode=2\r\n"
    depacketizer = Depacketizer(description, stream.media)
    assert depacketizer.notes == [INTERLEAVED]
    assert not depacketizer.has_video
    assert list(depacketizer.packets_from(stream.arrivals())) == []


@pytest.mark.parametrize(
    ("name", "lie", "note"),
    [
        ("h264", (b"H264/90000", b"PCMU/8000"), "The video (PCMU) is left out."),
        ("pcma", (b"PCMA/8000", b"H264/90000"), "The sound (H264) is left out."),
    ],
)
def test_sound_that_is_called_video_is_left_out(
    recorded: Packets, name: str, lie: tuple[bytes, bytes], note: str
) -> None:
    stream = recorded(name)
    depacketizer = Depacketizer(stream.description.replace(*lie), stream.media)
    assert depacketizer.notes == [note]
    kinds = {packet.kind for packet in depacketizer.packets_from(stream.arrivals())}
    assert kinds == ({VIDEO} if name == "pcma" else set())


@pytest.mark.parametrize("name", ["h264", "h265", "mjpeg", "aac"])
def test_broken_packets_raise_nothing_and_the_next_key_frame_is_whole(
    recorded: Packets, name: str
) -> None:
    stream = recorded(name)
    dice = random.Random(name)
    depacketizer = Depacketizer(stream.description, stream.media)
    for _ in range(20):
        for arrival in stream.arrivals():
            data = bytearray(arrival.data[: dice.choice([5000, dice.randrange(1, 40)])])
            for _ in range(dice.choice([0, 0, 3])):
                data[dice.randrange(len(data))] = dice.randrange(256)
            list(depacketizer.feed(arrival._replace(data=bytes(data))))
    later = [arrival._replace(arrived=arrival.arrived + 100) for arrival in stream.arrivals()]
    packets = list(depacketizer.packets_from(later))
    keys = [packet for packet in packets if packet.kind == VIDEO and packet.is_key]
    assert keys
    assert pictures(keys)[-1].width == 320
