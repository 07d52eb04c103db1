"""Pictures for browsers: shared, scaled, as many as wanted, and right."""

import io
from collections.abc import Callable
from dataclasses import replace

import av
import pytest

from simulators.parameter_sets import h264_key_frame, h264_pps, h264_sps
from tests.video.clips import Recorded
from tests.video.packets_of import packets_of
from video.jpegs import Jpegs
from video.model import Picture
from video.nal_units import H264, ParameterSets, annex_b
from video.packets import VIDEO, EncodedPacket
from video.watching import PictureOptions

Packets = Callable[[str], Recorded]


def shown(picture: Picture) -> av.VideoFrame:
    """What a browser shows of it."""
    with av.open(io.BytesIO(picture.data), format="jpeg_pipe") as file:
        return next(file.decode(video=0))


def pictures(packets: list[EncodedPacket], *options: int) -> list[Picture]:
    jpegs, wanted = Jpegs(), {PictureOptions(*options)}
    result = [picture for packet in packets for _, picture in jpegs.feed(packet, wanted)]
    assert jpegs.errors == 0
    return result


@pytest.mark.parametrize("name", ["h264", "b-frames", "h265", "mjpeg"])
def test_each_picture_is_shown_at_its_size(recorded: Packets, name: str) -> None:
    packets = packets_of(recorded(name))
    result = pictures(packets, 1280, 100)
    height = 184 if name == "mjpeg" else 180
    # Decoders keep the last ones back where pictures change places.
    assert len(result) >= len(packets) - 3
    assert {(picture.width, picture.height) for picture in result} == {(320, height)}
    frame = shown(result[-1])
    assert (frame.width, frame.height) == (320, height)
    assert result[0].data.startswith(b"\xff\xd8")
    assert result[0].source == (320, height)
    assert result[0].at == pytest.approx(packets[0].at)


@pytest.mark.parametrize("name", ["h264", "mjpeg"])
def test_a_picture_that_is_too_wide_is_scaled(recorded: Packets, name: str) -> None:
    result = pictures(packets_of(recorded(name)), 100, 100)
    height = {"h264": 56, "mjpeg": 58}[name]
    assert {(picture.width, picture.height) for picture in result} == {(100, height)}
    assert result[0].source[0] == 320
    assert (shown(result[0]).width, shown(result[0]).height) == (100, height)


def test_pictures_of_an_mjpeg_camera_pass_as_they_are(recorded: Packets) -> None:
    packets = packets_of(recorded("mjpeg"))
    result = pictures(packets, 1280, 100)
    assert [picture.data for picture in result] == [packet.data for packet in packets]
    assert b"JFIF" in result[0].data[:12]


@pytest.mark.parametrize(("rate", "number"), [(5, 10), (2, 4), (1, 2), (15, 30), (0, 30)])
@pytest.mark.parametrize("name", ["h264", "mjpeg"])
def test_there_are_as_many_pictures_a_second_as_wanted(
    recorded: Packets, name: str, rate: float, number: int
) -> None:
    assert len(pictures(packets_of(recorded(name)), 0, rate)) == pytest.approx(number, abs=1)


def test_the_colours_are_right(recorded: Packets) -> None:
    """White is white: video has another range of values than JPEG."""
    import numpy

    packets = packets_of(recorded("h264"))
    decoder = av.CodecContext.create("h264", "r")
    original = decoder.decode(av.Packet(packets[0].data))
    original += decoder.decode(None)
    picture = shown(pictures(packets[:1], 0, 0)[0])
    before = original[0].to_ndarray(format="rgb24").astype(int)
    after = picture.to_ndarray(format="rgb24").astype(int)
    assert numpy.abs(before - after).mean() < 6


def test_a_worse_quality_is_smaller(recorded: Packets) -> None:
    packets = packets_of(recorded("h264"))[:1]
    sizes = [len(pictures(packets, 0, 0, quality)[0].data) for quality in (30, 60, 80, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] * 1.5 < sizes[-1]


def test_viewers_with_other_wishes_share_the_decoder(recorded: Packets) -> None:
    packets = packets_of(recorded("h264"))
    large, small = PictureOptions(1280, 15, 80), PictureOptions(160, 5, 60)
    shared = Jpegs()
    result = [pair for packet in packets for pair in shared.feed(packet, {large, small})]
    widths = [picture.width for _options, picture in result]
    assert widths.count(320) == pytest.approx(30, abs=1)
    assert widths.count(160) == pytest.approx(10, abs=1)


def test_what_cannot_be_decoded_is_counted_and_the_next_key_frame_is_shown(
    recorded: Packets,
) -> None:
    packets = packets_of(recorded("h264"))
    broken = [replace(packet, data=b"\x00\x00\x01\x65" + bytes(80)) for packet in packets[:8]]
    jpegs, wanted = Jpegs(), {PictureOptions(0, 0)}
    before = [pair for packet in broken for pair in jpegs.feed(packet, wanted)]
    after = [pair for packet in packets for pair in jpegs.feed(packet, wanted)]
    assert before == []
    assert jpegs.errors > 0
    assert len(after) >= 29


@pytest.mark.parametrize(("side", "is_shown"), [(5904, True), (6016, False), (16384, False)])
def test_a_picture_that_would_fill_the_memory_is_not_decoded(side: int, is_shown: bool) -> None:
    """A hundred bytes can be a picture of 400 MB, of which a decoder keeps sixteen."""
    sets = ParameterSets(H264)
    units = [h264_sps(side, side), h264_pps(), h264_key_frame(64, 64)]  # its other parts are lost
    for unit in units:
        sets.take(unit)
    assert sets.coding is not None
    times = (1000.0, 1000.0, True, 1000.0, 0.0)
    packet = EncodedPacket(VIDEO, annex_b(units), *times, sets.coding)
    jpegs = Jpegs()
    result = list(jpegs.feed(packet, {PictureOptions(64, 0)}))
    assert (len(result), jpegs.errors) == ((1, 0) if is_shown else (0, 1))


def test_a_stream_that_changes_its_size_goes_on(recorded: Packets) -> None:
    mjpeg, h264 = packets_of(recorded("mjpeg")), packets_of(recorded("h264"))
    result = pictures([*h264, *mjpeg, *h264], 0, 0)
    assert {picture.height for picture in result} == {180, 184}


def test_nothing_begins_in_the_middle(recorded: Packets) -> None:
    packets = packets_of(recorded("h264"))
    assert len(pictures(packets[5:], 0, 0)) == pytest.approx(15, abs=1)
