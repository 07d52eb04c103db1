"""Joined MP4: recorded files of one stream served as one file with ranges, judged by ffprobe."""

import json
import random
import struct
import subprocess
from pathlib import Path

import pytest

from tests.video import encoded
from tests.video.recorded_files import clip
from video.joined_mp4 import JoinedMp4, RecordedFile, join
from video.model import SegmentPlan, SegmentProgress, StreamKey
from video.mp4_boxes import BrokenMp4
from video.mp4_fragments import scan
from video.segment_file import SegmentWriter

NOON = 1_796_000_000.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    clip(folder, "first.mp4", 6)
    clip(folder, "second.mp4", 4)
    clip(folder, "larger.mp4", 2, size="96x64")
    return folder


def whole(joined: JoinedMp4) -> bytes:
    return b"".join(joined.read(0, joined.size))


def probed(data: bytes, path: Path, *options: str) -> dict:
    """What ffprobe says about the bytes; it must find no error in them."""
    path.write_bytes(data)
    command = ["ffprobe", "-v", "error", "-of", "json", *options, str(path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stderr == ""
    return json.loads(result.stdout)


def pair(folder: Path) -> list[RecordedFile]:
    """Two files, the second one 20 s after the end of the first."""
    return [
        RecordedFile(folder / "first.mp4", NOON),
        RecordedFile(folder / "second.mp4", NOON + 26),
    ]


def test_two_files_play_as_one_with_the_duration_of_both(folder, tmp_path):
    (joined,) = join(pair(folder))
    data = whole(joined)
    assert len(data) == joined.size
    info = probed(data, tmp_path / "x.mp4", "-count_frames", "-show_format", "-show_streams")
    frames = {stream["codec_type"]: int(stream["nb_read_frames"]) for stream in info["streams"]}
    assert frames["video"] == 100
    assert frames["audio"] > 440
    assert float(info["format"]["duration"]) == pytest.approx(10, abs=0.15)
    assert joined.duration == pytest.approx(10, abs=0.05)
    decoded = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "x.mp4"), "-f", "null", "-"]
    assert subprocess.run(decoded, check=True, capture_output=True).stderr == b""


def test_its_pictures_follow_each_other_without_a_hole(folder, tmp_path):
    (joined,) = join(pair(folder))
    options = ("-select_streams", "v", "-show_entries", "packet=pts_time,dts_time")
    packets = probed(whole(joined), tmp_path / "x.mp4", *options)["packets"]
    times = [float(packet["dts_time"]) for packet in packets]
    steps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert times[0] == 0
    assert min(steps) > 0.09
    assert max(steps) < 0.13


def test_a_player_seeks_by_the_index(folder, tmp_path):
    (joined,) = join(pair(folder))
    options = ("-select_streams", "v", "-read_intervals", "8.5%+#1")
    packets = probed(whole(joined), tmp_path / "x.mp4", *options, "-show_packets")["packets"]
    assert float(packets[0]["pts_time"]) == pytest.approx(8, abs=0.05)
    assert "K" in packets[0]["flags"]


def test_ranges_pasted_together_are_the_file(folder):
    (joined,) = join(pair(folder))
    data = whole(joined)
    for step in (977, 20_011, 300_000):
        ranges = [joined.read(start, start + step) for start in range(0, joined.size, step)]
        assert b"".join(b"".join(parts) for parts in ranges) == data
    assert b"".join(joined.read(joined.size - 5, joined.size + 100)) == data[-5:]
    assert b"".join(joined.read(7, 7)) == b""
    assert b"".join(joined.read(joined.size + 1, joined.size + 9)) == b""


def test_a_gap_takes_no_time_and_the_pieces_say_where_it_is(folder):
    (joined,) = join(pair(folder))
    first, second = joined.pieces
    assert (first.at, first.position) == (NOON, 0)
    assert second.at == NOON + 26
    assert second.position == pytest.approx(6, abs=0.05)
    assert joined.position(NOON + 3) == pytest.approx(3)
    assert joined.position(NOON + 15) == second.position
    assert joined.position(NOON + 28) == pytest.approx(8, abs=0.05)


def test_a_range_of_the_clock_begins_at_the_key_frame_before_it(folder, tmp_path):
    (joined,) = join(pair(folder), since=NOON + 3.4, until=NOON + 27.5)
    assert joined.pieces[0].at == pytest.approx(NOON + 3, abs=0.05)
    assert joined.pieces[0].position == 0
    assert joined.duration == pytest.approx(3 + 2, abs=0.1)
    packets = probed(whole(joined), tmp_path / "x.mp4", "-select_streams", "v", "-show_packets")
    assert "K" in packets["packets"][0]["flags"]
    assert float(packets["packets"][0]["dts_time"]) == 0


def test_a_range_where_nothing_was_recorded_has_no_file(folder):
    assert join(pair(folder), since=NOON + 10, until=NOON + 20) == []
    assert join([]) == []


def test_another_size_begins_another_file(folder, tmp_path):
    files = [*pair(folder), RecordedFile(folder / "larger.mp4", NOON + 40)]
    small, large = join(files)
    assert small.duration == pytest.approx(10, abs=0.05)
    info = probed(whole(large), tmp_path / "x.mp4", "-show_streams")
    assert {stream.get("width") for stream in info["streams"]} == {96, None}


def test_a_file_that_is_missing_or_empty_is_left_out(folder, tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "link.mp4").symlink_to(folder / "first.mp4")
    names = ("none.mp4", "empty.mp4", "link.mp4")
    others = [RecordedFile(tmp_path / name, NOON - 90) for name in names]
    (joined,) = join([*others, *pair(folder)])
    assert len(joined.pieces) == 2


def test_a_file_that_a_power_cut_ended_plays_up_to_its_last_whole_fragment(folder, tmp_path):
    data = (folder / "first.mp4").read_bytes()
    offsets = list(scan(folder / "first.mp4").offsets)
    cut = tmp_path / "cut.mp4"
    for end in (offsets[3] + 4, offsets[3] + 300, offsets[4] - 1):
        cut.write_bytes(data[:end])
        (joined,) = join([RecordedFile(cut, NOON)])
        info = probed(whole(joined), tmp_path / "x.mp4", "-count_frames", "-show_streams")
        assert info["streams"][0]["nb_read_frames"] == "30"


def test_a_file_that_goes_away_while_it_is_read_is_told(folder, tmp_path):
    path = tmp_path / "gone.mp4"
    path.write_bytes((folder / "first.mp4").read_bytes())
    (joined,) = join([RecordedFile(path, NOON)])
    path.write_bytes(b"")
    with pytest.raises(BrokenMp4):
        whole(joined)
    path.unlink()
    with pytest.raises(BrokenMp4):
        whole(joined)


def test_the_tag_names_the_content(folder):
    (joined,), (again,) = join(pair(folder)), join(pair(folder))
    assert joined.etag == again.etag
    (shorter,) = join(pair(folder), until=NOON + 4)
    (moved,) = join([pair(folder)[1], pair(folder)[0]])
    assert len({joined.etag, shorter.etag, moved.etag}) == 3


def test_changed_bytes_never_raise_anything_else(folder, tmp_path):
    """Headers and fragments with wrong sizes, counts and times, 120 of them."""
    data = (folder / "first.mp4").read_bytes()
    places = [0, *(offset for offset in scan(folder / "first.mp4").offsets)]
    chance, path = random.Random(11), tmp_path / "hostile.mp4"
    values = (0, 1, 7, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    for _ in range(120):
        hostile = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at = chance.choice(places) + chance.randrange(1200)
            struct.pack_into(">I", hostile, min(at, len(data) - 4), chance.choice(values))
        path.write_bytes(hostile)
        try:
            for joined in join([RecordedFile(path, NOON), *pair(folder)]):
                assert len(whole(joined)) == joined.size
        except BrokenMp4:
            pass


def test_a_file_without_sound_joins_and_one_with_it_begins_another(folder, tmp_path):
    silent = clip(tmp_path, "silent.mp4", 2, sound=False)
    files = [RecordedFile(silent, NOON - 60), RecordedFile(silent, NOON - 30), *pair(folder)]
    quiet, loud = join(files)
    assert quiet.duration == pytest.approx(4, abs=0.05)
    assert loud.duration == pytest.approx(10, abs=0.05)


def test_files_as_the_recorder_writes_them_play_as_one(tmp_path):
    """Six seconds in files of two, of a camera with a key frame each second."""
    packets = encoded.pictures(encoded.h264(tmp_path / "h264.ts"))
    reports: list[SegmentProgress] = []
    (tmp_path / "7").mkdir()
    writer = SegmentWriter(StreamKey(7), SegmentPlan(tmp_path / "7", 2.0), reports.append)
    for packet in packets:
        writer.write(packet)
    writer.close()
    closed = [report for report in reports if report.is_closed]
    files = [RecordedFile(each.path, each.started_at.timestamp()) for each in closed]
    assert len(files) >= 3
    (joined,) = join(files)
    info = probed(whole(joined), tmp_path / "x.mp4", "-count_frames", "-show_streams")
    assert int(info["streams"][0]["nb_read_frames"]) == sum(each.frames for each in closed)
    assert len(joined.pieces) == len(files)
    for piece, each in zip(joined.pieces, closed, strict=True):
        assert piece.duration == pytest.approx(
            (each.ended_at - each.started_at).total_seconds(), abs=0.2
        )
