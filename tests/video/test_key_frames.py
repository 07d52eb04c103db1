"""Where a decoder can begin, for cameras that never send an IDR picture."""

import base64
from pathlib import Path

import av
import pytest

from tests.video import clips
from tests.video.packets_of import packets_of
from video import nal_units
from video.codec_strings import avc1, hvc1, mp4a
from video.nal_units import H264, H265, ParameterSets, kind_of

START = nal_units.START


def units(path: Path) -> list[list[bytes]]:
    """The NAL units of each picture of a clip."""
    with av.open(str(path)) as clip:
        data = [bytes(packet) for packet in clip.demux(video=0) if packet.size]
    return [
        [unit for unit in picture.replace(START, START[1:]).split(START[1:]) if unit]
        for picture in data
    ]


def made(path: Path, parameters: str, codec: str = "libx264") -> list[list[bytes]]:
    flag = "-x264-params" if codec == "libx264" else "-x265-params"
    return units(clips.make(path, "-an", "-c:v", codec, flag, parameters, size="160x96"))


def test_open_groups_and_gradual_refresh_have_places_to_begin(tmp_path: Path) -> None:
    """Pictures of type I that are no IDR picture, and no picture of type I at all."""
    for parameters, number in (
        ("open-gop=1:keyint=10:bframes=2", 3),
        ("intra-refresh=1:keyint=10", 2),
    ):
        pictures = made(tmp_path / "clip.ts", parameters)
        keys = [picture for picture in pictures if nal_units.is_key(H264, picture)]
        assert len(keys) >= number
        assert any(5 not in [kind_of(H264, unit) for unit in picture] for picture in keys)
        assert len(keys) < len(pictures)


def test_a_picture_without_prediction_behind_its_sets_is_a_key_frame(tmp_path: Path) -> None:
    pictures = made(tmp_path / "clip.ts", "open-gop=1:keyint=10:bframes=0")
    bare = [[unit for unit in picture if kind_of(H264, unit) != 6] for picture in pictures]
    keys = [nal_units.is_key(H264, picture) for picture in bare]
    assert sum(keys) == 3
    # Without its sets it is not known whether what follows looks further back.
    alone = [[unit for unit in picture if kind_of(H264, unit) == 1] for picture in bare]
    assert not any(nal_units.is_key(H264, picture) for picture in alone if picture)


def test_every_random_access_picture_of_h265_is_a_key_frame(tmp_path: Path) -> None:
    for kind, parameters in ((20, "open-gop=0:keyint=10"), (21, "open-gop=1:keyint=10")):
        pictures = made(tmp_path / "clip.ts", f"log-level=0:bframes=0:{parameters}", "libx265")
        keys = [picture for picture in pictures if nal_units.is_key(H265, picture)]
        assert len(keys) == 3
        assert kind in {kind_of(H265, unit) for picture in keys[1:] for unit in picture}


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Z0LAKNoB4AiflhAAAAMAEAAAAwMg8YMq", "avc1.42c028"),
        ("Z2QAH6zZQFAFuhAAAD6QAA6mAPGDGWA=", "avc1.64001f"),
    ],
)
def test_the_codec_string_of_h264_is_in_its_first_bytes(text: str, codec: str) -> None:
    assert avc1(base64.b64decode(text)) == codec


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("QgEBAWAAAAMAkAAAAwAAAwB4oAPAgBDlllZpJMrmgIAAAAMAgAAACgQ=", "hvc1.1.6.L120.90"),
        ("QgEBBAgAAAMAnggAAAMAADyQAWEAkLLKzSSZXNAQAAADABAAAAMBkIA=", "hvc1.4.10.L60.9E.8"),
    ],
)
def test_the_codec_string_of_h265_is_as_browsers_read_it(text: str, codec: str) -> None:
    assert hvc1(base64.b64decode(text)) == codec


@pytest.mark.parametrize(
    ("config", "codec"),
    [
        ("1210", "mp4a.40.2"),
        ("2b920800", "mp4a.40.5"),
        ("", "mp4a.40.2"),
        ("f9487000", "mp4a.40.42"),
    ],
)
def test_the_codec_string_of_aac_has_its_object_type(config: str, codec: str) -> None:
    assert mp4a(bytes.fromhex(config)) == codec


def test_sets_that_cannot_be_read_replace_none() -> None:
    sets = ParameterSets(H264)
    good = base64.b64decode("Z2QAH6zZQFAFuhAAAD6QAA6mAPGDGWA=")
    for unit in (good, b"\x68\xce\x3c\x80", b"\x67", b"\x67\xff\xff\xff\xff", b"\x68"):
        sets.take(unit)
    assert sets.coding is not None
    assert (sets.coding.width, sets.coding.height, sets.coding.sets[0]) == (1280, 720, good)


def test_a_picture_set_of_the_same_number_replaces_the_one_before() -> None:
    sets = ParameterSets(H264)
    sequence = base64.b64decode("Z2QAH6zZQFAFuhAAAD6QAA6mAPGDGWA=")
    for unit in (sequence, b"\x68\xce\x3c\x80", b"\x68\xee\x3c\x80"):
        sets.take(unit)
    assert sets.coding is not None
    assert sets.coding.sets == (sequence, b"\x68\xee\x3c\x80")


def test_many_picture_sets_of_a_hostile_camera_are_forgotten(tmp_path: Path) -> None:
    sets = ParameterSets(H264)
    for unit in made(tmp_path / "clip.ts", "keyint=10")[0]:
        sets.take(unit)
    for number in range(300):
        sets.take(bytes((0x68, *(number + 1).to_bytes(3, "big"), 0xFF)))
    assert sets.coding is not None
    assert len(sets.coding.sets) <= 1 + ParameterSets.MAX_SETS


def test_a_clip_without_idr_pictures_is_read_from_rtp(tmp_path: Path) -> None:
    path = clips.make(
        tmp_path / "clip.ts", "-an", "-c:v", "libx264", "-x264-params", "intra-refresh=1:keyint=10"
    )
    packets = packets_of(clips.recorded(path))
    assert len([packet for packet in packets if packet.is_key]) >= 2
