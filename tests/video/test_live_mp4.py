"""Live MP4: a picture at once, and bytes that a player shows to the last one."""

import struct
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.video import clips
from tests.video.clips import Recorded
from tests.video.packets_of import packets_of, played
from video.audio import silence
from video.depacketizer import Depacketizer
from video.live_mp4 import LiveMp4
from video.model import Fragment, Init
from video.packets import AUDIO, VIDEO, AudioCoding, EncodedPacket

Packets = Callable[[str], Recorded]
PICTURES = 30


def live(
    packets: Iterable[EncodedPacket], audio: AudioCoding | None = None
) -> list[Init | Fragment]:
    mp4 = LiveMp4(audio)
    return [value for packet in packets for value in mp4.feed(packet)]


def bytes_of(values: Iterable[Init | Fragment]) -> list[bytes]:
    return [value.data for value in values]


@pytest.mark.parametrize(
    ("name", "codecs", "tag"),
    [
        ("h264", "avc1.42c00c", "avc1"),
        ("b-frames", "avc1.64000c", "avc1"),
        ("h265", "hvc1.1.6.L60.90", "hvc1"),
        ("long-gop", "avc1.42c00c", "avc1"),
    ],
)
def test_each_picture_is_a_fragment_that_plays(
    recorded: Packets, name: str, codecs: str, tag: str
) -> None:
    packets = packets_of(recorded(name))
    values = live(packets)
    assert isinstance(values[0], Init)
    fragments = [value for value in values if isinstance(value, Fragment)]
    assert len(fragments) == len(values) - 1 == PICTURES
    assert [fragment.is_key for fragment in fragments] == [packet.is_key for packet in packets]
    assert values[0].format.codecs == codecs
    result = played(bytes_of(values))
    assert result.tags == [tag]
    assert result.sizes == [(320, 180)] * PICTURES
    steps = [after - before for before, after in zip(result.times, result.times[1:], strict=False)]
    assert steps == pytest.approx([1 / 15] * (PICTURES - 1), abs=0.02)


def test_a_fragment_comes_with_its_picture_and_not_with_the_next(recorded: Packets) -> None:
    mp4 = LiveMp4()
    for packet in packets_of(recorded("h264")):
        fragments = [value for value in mp4.feed(packet) if isinstance(value, Fragment)]
        assert [fragment.at for fragment in fragments] == [packet.at]


def test_a_player_that_joins_later_begins_at_a_key_frame(recorded: Packets) -> None:
    values = live(packets_of(recorded("h264")))
    keys = [
        place for place, value in enumerate(values) if isinstance(value, Fragment) and value.is_key
    ]
    result = played(bytes_of([values[0], *values[keys[-1] :]]))
    assert len(result.times) == PICTURES // 2


def test_nothing_comes_before_a_key_frame(recorded: Packets) -> None:
    packets = packets_of(recorded("h264"))
    values = live(packets[3:])
    assert isinstance(values[0], Init)
    assert len(values) == 1 + PICTURES // 2


@pytest.mark.parametrize("name", ["aac", "pcma"])
def test_sound_plays_beside_the_picture(recorded: Packets, name: str) -> None:
    stream = recorded(name)
    depacketizer = Depacketizer(stream.description, stream.media)
    values = live(depacketizer.packets_from(stream.arrivals()), depacketizer.audio)
    assert isinstance(values[0], Init)
    assert values[0].format.audio == "aac"
    assert values[0].format.codecs == "avc1.42c00c,mp4a.40.2"
    result = played(bytes_of(values))
    assert result.codecs == ["h264", "aac"]
    assert len(result.times) == PICTURES
    assert result.samples == pytest.approx(16_000, abs=3000)


def sounds(values: Iterable[Init | Fragment]) -> float:
    """Where the sound ends, in seconds, by the last fragment that has some; 8000 Hz."""
    end = 0.0
    for value in values:
        place = value.data.find(b"tfdt", value.data.find(b"tfdt") + 4)
        if isinstance(value, Fragment) and place >= 0:
            (tick,) = struct.unpack_from(">Q", value.data, place + 8)
            (count,) = struct.unpack_from(">I", value.data, value.data.find(b"trun", place) + 8)
            end = (tick + count * 1024) / 8000
    return end


@pytest.mark.parametrize("kept", [0, 3], ids=["never any", "it stops"])
def test_sound_that_is_missing_becomes_silence_and_the_picture_goes_on(
    recorded: Packets, kept: int
) -> None:
    stream = recorded("pcma")
    depacketizer = Depacketizer(stream.description, stream.media)
    packets = list(depacketizer.packets_from(stream.arrivals()))
    sound = [packet for packet in packets if packet.kind == AUDIO][:kept]
    silent = [packet for packet in packets if packet.kind == VIDEO or packet in sound]
    values = live(silent, depacketizer.audio)
    result = played(bytes_of(values))
    assert len(result.times) == PICTURES
    assert sounds(values) >= result.times[-1]


def test_silence_is_heard_as_nothing() -> None:
    import av
    import numpy

    coding = AudioCoding("aac", 8000, 1, bytes.fromhex("1588"))
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = coding.config
    frames = [frame for _ in range(3) for frame in decoder.decode(av.Packet(silence(coding)))]
    assert max(numpy.abs(frame.to_ndarray()).max() for frame in frames) < 0.001


def test_another_size_begins_with_another_init(recorded: Packets, tmp_path: Path) -> None:
    path = clips.make(tmp_path / "large.ts", "-an", "-c:v", "libx264", "-bf", "0", size="640x360")
    larger = [
        replace(packet, pts=packet.pts + 3, dts=packet.dts + 3)
        for packet in packets_of(clips.recorded(path))
    ]
    values = live([*packets_of(recorded("h264")), *larger])
    places = [place for place, value in enumerate(values) if isinstance(value, Init)]
    assert len(places) == 2
    sizes = [value.format.width for value in values if isinstance(value, Init)]
    assert sizes == [320, 640]
    result = played(bytes_of(values[places[1] :]))
    assert result.sizes == [(640, 360)] * PICTURES
    # The time goes on from one to the other.
    assert result.times[0] == pytest.approx(3.0, abs=0.1)


def test_mjpeg_gives_no_mp4(recorded: Packets) -> None:
    assert live(packets_of(recorded("mjpeg"))) == []
