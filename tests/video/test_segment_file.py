"""Recorded files: what players see of them, and what bad cameras and disks do to them."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.store.disks import Disks
from tests.video import encoded
from tests.video.encoded import AAC, MONOTONIC, NOON
from video.model import SegmentPlan, SegmentProgress, StreamKey
from video.mp4_fragments import scan
from video.packets import AudioCoding, EncodedPacket
from video.segment_file import CHANGES_TOO_OFTEN, MOST_CHANGES, SegmentWriter, file_name
from video.timestamps import StampClock

START = datetime.fromtimestamp(NOON, UTC)


class Recorded:
    """A writer in a folder, and what it reported."""

    def __init__(self, folder: Path, seconds: float = 300.0) -> None:
        self.folder = folder / "7"
        self.folder.mkdir(mode=0o700)
        self.reports: list[SegmentProgress] = []
        plan = SegmentPlan(self.folder, seconds)
        self.writer = SegmentWriter(StreamKey(7), plan, self.reports.append)

    def write(self, packets: Sequence[EncodedPacket]) -> "Recorded":
        for packet in packets:
            self.writer.write(packet)
        return self

    def closed(self) -> list[SegmentProgress]:
        self.writer.close()
        return [report for report in self.reports if report.is_closed]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


@pytest.fixture
def short(tmp_path: Path) -> Recorded:
    """Files of two seconds."""
    return Recorded(tmp_path, 2.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def pictures(folder: Path) -> list[EncodedPacket]:
    """Six seconds of H.264 with a key frame each second."""
    return encoded.pictures(encoded.h264(folder / "h264.ts"))


def seconds(report: SegmentProgress) -> tuple[float, float]:
    """When it began and ended, in seconds after START."""
    return (
        (report.started_at - START) / timedelta(seconds=1),
        (report.ended_at - START) / timedelta(seconds=1),
    )


# -- files and their times -----------------------------------------------------------------


def test_a_file_ends_at_the_first_key_frame_after_its_time(
    short: Recorded, pictures: list[EncodedPacket]
) -> None:
    """And the next one begins with this key frame: no picture is lost, none is there twice."""
    reports = short.write(pictures).closed()
    assert [report.reason for report in reports] == ["", "", "asked"]
    assert [seconds(report) for report in reports] == [(0, 2), (2, 4), (4, 6)]
    for report in reports:
        frames = encoded.frames_of(report.path)
        assert [frame["key_frame"] for frame in frames] == 2 * [1, *9 * [0]]
        assert float(frames[0]["pts_time"]) == 0
        assert report.path.stat().st_mode & 0o777 == 0o600
        assert report.path.stat().st_size == report.size
        assert scan(report.path).duration == pytest.approx(2.0)
        assert len(scan(report.path).header.data) == report.header
    assert [report.path.name for report in reports] == [
        file_name("main", START + timedelta(seconds=second)) for second in (0, 2, 4)
    ]
    form = reports[0].format
    assert (form.video, form.width, form.height, form.rate) == ("h264", 64, 48, 10.0)
    assert form.codecs.startswith("avc1.")


def test_what_comes_before_the_first_key_frame_is_not_recorded(
    recorded: Recorded, pictures: list[EncodedPacket]
) -> None:
    [report] = recorded.write(pictures[7:30]).closed()
    assert seconds(report) == (1, 3)
    assert report.frames == 20


@pytest.mark.parametrize("gop", [10.0, 300.0])
def test_rare_key_frames_keep_no_picture_from_the_disk(
    recorded: Recorded, pictures: list[EncodedPacket], gop: float
) -> None:
    """Smart codecs send one in minutes. At most two seconds and a picture are in memory."""
    times = [number / 2 for number in range(int(gop * 2) * 2 + 2)]
    others = [replace(packet, is_key=False) for packet in encoded.at_times(pictures[1:2], times)]
    keys = encoded.at_times(pictures[:1], times)
    for time, key, other in zip(times, keys, others, strict=True):
        recorded.writer.write(key if time % gop == 0 else other)
        if time >= 2.5:
            behind = time - seconds(recorded.reports[-1])[1]
            assert 0 <= behind <= 2
    reports = recorded.closed()
    ends = {10.0: [20.5], 300.0: [300.0, 600.0, 600.5 + 0.5]}[gop]
    assert [seconds(report)[1] for report in reports] == pytest.approx(ends, abs=0.51)
    assert all(
        report.started_at == before.ended_at
        for before, report in zip(reports, reports[1:], strict=False)
    )


def test_a_stream_that_stalls_leaves_nothing_in_memory(
    recorded: Recorded, pictures: list[EncodedPacket]
) -> None:
    recorded.write(pictures[:5])
    recorded.writer.tick(MONOTONIC + 1.9)
    assert recorded.reports == []
    recorded.writer.tick(MONOTONIC + 2.0)
    assert recorded.reports[-1].frames == 5
    late = [replace(packet, dts=packet.dts + 7, pts=packet.pts + 7) for packet in pictures[5:9]]
    [report] = recorded.write(late).closed()
    assert seconds(report) == (0, pytest.approx(7.9))
    times = [float(frame["pts_time"]) for frame in encoded.frames_of(report.path)]
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 7.5, 7.6, 7.7, 7.8])


def test_a_server_that_was_suspended_for_a_day_goes_on_with_the_file(
    recorded: Recorded, pictures: list[EncodedPacket]
) -> None:
    """The distance of two pictures has more ticks than a file can say."""
    day = 86400
    late = [replace(packet, dts=packet.dts + day, pts=packet.pts + day) for packet in pictures[5:9]]
    late[0] = replace(late[0], dts=pictures[4].dts + 0.1)  # shown much later than decoded
    [report] = recorded.write([*pictures[:5], *late]).closed()
    assert seconds(report) == (0, pytest.approx(day + 0.9))
    assert len(encoded.frames_of(report.path)) == 9


def test_pictures_shown_in_another_order_stay_so(recorded: Recorded, folder: Path) -> None:
    path = encoded.make_clip(folder / "b.ts", "-c:v", "libx264", "-bf", "2", "-g", "20", seconds=2)
    [report] = recorded.write(encoded.pictures(path)).closed()
    times = [float(frame["pts_time"]) for frame in encoded.frames_of(report.path)]
    distances = [after - before for before, after in zip(times, times[1:], strict=False)]
    assert distances == pytest.approx(19 * [0.1])


def test_a_time_that_does_not_go_on_is_put_after_the_one_before(
    recorded: Recorded, pictures: list[EncodedPacket]
) -> None:
    still = replace(pictures[4], dts=pictures[3].dts, pts=pictures[3].pts)
    [report] = recorded.write([*pictures[:4], still, *pictures[5:10]]).closed()
    assert len(encoded.frames_of(report.path)) == 10


def test_the_times_of_files_follow_the_clock_of_the_server(
    short: Recorded, pictures: list[EncodedPacket]
) -> None:
    """It is corrected by 40 ms, then set back by an hour: no name is used twice."""
    moved = [
        replace(packet, at=packet.at + (0 if number < 20 else 0.04 if number < 40 else -3600.0))
        for number, packet in enumerate(pictures)
    ]
    first, second, third = short.write(moved).closed()
    assert first.ended_at == second.started_at == START + timedelta(seconds=2.04)
    assert third.started_at == START + timedelta(seconds=4 - 3600)
    again = Recorded(short.folder, 2.0)
    again.folder.rmdir()
    writer = SegmentWriter(StreamKey(7), SegmentPlan(short.folder), short.reports.append)
    for packet in pictures[:10]:
        writer.write(packet)
    writer.close()
    assert short.reports[-1].path.name == file_name("main", START + timedelta(milliseconds=1))


# -- formats -------------------------------------------------------------------------------


def test_another_size_begins_another_file(
    recorded: Recorded, folder: Path, pictures: list[EncodedPacket]
) -> None:
    larger = encoded.pictures(encoded.h264(folder / "larger.ts", size="96x64", seconds=2))
    times = [6 + number / 10 for number in range(20)]
    reports = recorded.write([*pictures, *encoded.at_times(larger, times)]).closed()
    assert [report.reason for report in reports] == ["format", "asked"]
    assert [(report.format.width, report.frames) for report in reports] == [(64, 60), (96, 20)]
    assert [seconds(report) for report in reports] == [(0, 6), (6, 8)]
    for report in reports:
        assert {frame["width"] for frame in encoded.frames_of(report.path)} == {report.format.width}


def test_a_camera_that_changes_its_size_with_each_picture_fills_no_folder(
    recorded: Recorded, folder: Path, pictures: list[EncodedPacket]
) -> None:
    larger = encoded.pictures(encoded.h264(folder / "flaps.ts", 1, size="96x64", seconds=2))
    times = [number / 5 for number in range(350)]
    small = encoded.at_times(pictures[:1], times)
    large = encoded.at_times(larger, [time + 0.1 for time in times])
    reports = recorded.write(encoded.together(small, large)).closed()
    assert len(reports) == 1 + 2 * MOST_CHANGES  # in a minute and ten seconds
    assert reports[0].format.notes == ()
    assert reports[-1].format.notes == (CHANGES_TOO_OFTEN,)
    longest = max(reports, key=lambda report: report.frames)
    assert len(encoded.frames_of(longest.path)) == longest.frames > 290


def test_parameter_sets_that_change_alone_do_not(
    recorded: Recorded, folder: Path, pictures: list[EncodedPacket]
) -> None:
    other = encoded.pictures(encoded.h264(folder / "cabac.ts", 10, "-coder", "1", seconds=2))
    assert other[0].coding != pictures[0].coding
    times = [6 + number / 10 for number in range(20)]
    [report] = recorded.write([*pictures, *encoded.at_times(other, times)]).closed()
    assert len(encoded.frames_of(report.path)) == 80


@pytest.mark.parametrize(("encoding", "tag"), [("h265", "hvc1"), ("mjpeg", "mp4v")])
def test_other_codecs_are_recorded_too(
    recorded: Recorded, folder: Path, encoding: str, tag: str
) -> None:
    [report] = recorded.write(encoded.other_pictures(folder, encoding)).closed()
    [stream] = encoded.probed(report.path, "-show_streams")["streams"]
    assert (stream["codec_tag_string"], stream["width"], stream["height"]) == (tag, 64, 48)
    assert len(encoded.frames_of(report.path)) == 30
    assert report.format.video == encoding


# -- sound ---------------------------------------------------------------------------------


def sounds_in(path: Path) -> list[tuple[float, float]]:
    """The blocks of sound: when each begins, and how long it is."""
    entries = ("-select_streams", "a", "-show_entries", "packet=pts_time,duration_time")
    packets = encoded.probed(path, *entries).get("packets", [])
    return [(float(block["pts_time"]), float(block["duration_time"])) for block in packets]


def test_sound_is_kept_without_holes_across_files(
    short: Recorded, pictures: list[EncodedPacket]
) -> None:
    """Also what comes a little after the key frame that ends a file."""
    late = [replace(block, arrived=block.arrived + 0.2) for block in encoded.sound(6.0)]
    reports = short.write(encoded.together(pictures, late)).closed()
    blocks = [block for report in reports for block in sounds_in(report.path)]
    assert [report.format.audio for report in reports] == 3 * ["aac"]
    assert reports[0].format.codecs.endswith(",mp4a.40.2")
    assert sum(length for _start, length in blocks) == pytest.approx(6.0, abs=0.3)
    for report in reports:
        starts = sounds_in(report.path)
        assert starts[0][0] == pytest.approx(0, abs=0.07)
        assert all(length == pytest.approx(0.064) for _start, length in starts[:-1])


@pytest.mark.parametrize("encoding", ["pcm_alaw", "pcm_mulaw"])
def test_sound_of_telephones_becomes_aac(
    recorded: Recorded, pictures: list[EncodedPacket], encoding: str
) -> None:
    """What cameras send from the factory, and MP4 cannot hold. Blocks of 20 ms."""
    coding = AudioCoding(encoding, 8000, 1)
    blocks = [
        replace(block, data=bytes(range(160)), coding=coding)
        for block in encoded.sound(6.0, coding=AudioCoding(encoding, 51200, 1))
    ]
    [report] = recorded.write(encoded.together(pictures, blocks)).closed()
    assert len(encoded.frames_of(report.path)) == 60
    assert report.format.audio == "aac"
    assert report.format.notes == ("The sound (G.711) is recorded as AAC.",)
    lengths = [length for _start, length in sounds_in(report.path)]
    assert sum(lengths) == pytest.approx(6.0, abs=0.3)
    assert sounds_in(report.path)[0][0] < 0.3


def test_sound_that_nothing_can_read_is_left_out_and_named(
    recorded: Recorded, pictures: list[EncodedPacket]
) -> None:
    blocks = list(encoded.sound(6.0, coding=AudioCoding("g729x", 8000, 1)))
    [report] = recorded.write(encoded.together(pictures, blocks)).closed()
    assert len(encoded.frames_of(report.path)) == 60
    assert (report.format.audio, report.format.notes) == ("", ("The sound (g729x) is left out.",))


def test_sound_that_comes_later_than_the_header_begins_with_the_next_file(
    short: Recorded, pictures: list[EncodedPacket]
) -> None:
    reports = short.write(encoded.together(pictures, list(encoded.sound(3.0, 2.9)))).closed()
    assert [report.format.audio for report in reports] == ["", "aac", "aac"]
    assert [report.frames for report in reports] == 3 * [20]
    assert sounds_in(reports[1].path)[0][0] == pytest.approx(0.9, abs=0.01)


def test_sound_that_lies_about_its_times_costs_no_picture(
    recorded: Recorded, pictures: list[EncodedPacket]
) -> None:
    """Ten times too much of it, from yesterday and from tomorrow, and of another kind."""
    crowd = [
        replace(block, dts=MONOTONIC + number / 160, arrived=MONOTONIC + number / 160)
        for number, block in enumerate(encoded.sound(50.0))
    ]
    blocks = list(encoded.sound(5.0))
    crowd += [replace(block, dts=block.dts + shift) for block in blocks for shift in (-9e4, 9e4)]
    crowd += encoded.sound(5.0, 0.5, replace(AAC, rate=8000))
    [report] = recorded.write(encoded.together(pictures, crowd)).closed()
    assert len(encoded.frames_of(report.path)) == 60
    starts = [start for start, _length in sounds_in(report.path)]
    assert starts == sorted(starts)
    assert starts[-1] < 7


def test_without_the_wish_for_sound_there_is_none(
    tmp_path: Path, pictures: list[EncodedPacket]
) -> None:
    reports: list[SegmentProgress] = []
    writer = SegmentWriter(
        StreamKey(7, "sub"), SegmentPlan(tmp_path, with_audio=False), reports.append
    )
    for packet in encoded.together(pictures, list(encoded.sound(6.0))):
        writer.write(packet)
    writer.close()
    assert reports[-1].format.audio == ""
    assert sounds_in(reports[-1].path) == []


# -- disks ---------------------------------------------------------------------------------


def test_a_folder_that_vanished_ends_the_recording_and_is_reported(
    short: Recorded, pictures: list[EncodedPacket]
) -> None:
    """And is not made again: it could be on another disk."""
    short.write(pictures[:25])
    shutil.rmtree(short.folder)
    short.write(pictures[25:])
    last = short.closed()[-1]
    assert (last.reason, last.error, last.is_closed) == ("disk", "No such file or directory", True)
    assert short.writer.error == "No such file or directory"
    assert not short.folder.exists()


def test_a_full_disk_leaves_files_that_play(
    disks: Disks, pictures: list[EncodedPacket], tmp_path: Path
) -> None:
    disk = disks.small(tmp_path / "disk")
    recorded = Recorded(disk.folder).write(pictures[:25])
    disk.fill()
    [report] = recorded.write(pictures[25:]).closed()
    assert (report.reason, report.error) == ("disk", "No space left on device")
    assert report.path.stat().st_size == report.size > 0
    assert len(encoded.frames_of(report.path)) == report.frames == 20


@pytest.mark.parametrize(("count", "files"), [(15, 1), (25, 2)])
def test_a_disk_that_is_full_when_a_file_is_closed_is_reported(
    disks: Disks, pictures: list[EncodedPacket], tmp_path: Path, count: int, files: int
) -> None:
    """Also for the file before, which waits for its last sound."""
    disk = disks.small(tmp_path / "disk")
    recorded = Recorded(disk.folder, 2.0).write(pictures[:count])
    disk.fill()
    reports = recorded.closed()
    assert [(report.reason, report.error, report.frames) for report in reports] == [
        ("disk", "No space left on device", 0)
    ] * files
    assert recorded.writer.error == "No space left on device"


def test_a_read_only_disk_is_reported(
    disks: Disks, pictures: list[EncodedPacket], tmp_path: Path
) -> None:
    disk = disks.small(tmp_path / "disk")
    recorded = Recorded(disk.folder)
    disk.lock()
    [report] = recorded.write(pictures).closed()
    assert (report.reason, report.error) == ("disk", "Read-only file system")
    assert (report.size, report.frames, report.path.exists()) == (0, 0, False)
    disk.unlock()


# -- an hour -------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [0.99, 1.1])
def test_after_an_hour_the_times_are_those_of_the_server(
    recorded: Recorded, pictures: list[EncodedPacket], speed: float
) -> None:
    """The clock of the camera runs wrong, and every 500th stamp is from another day."""
    clock = StampClock(90_000)
    for number in range(3700):
        time = number + (number * 37 % 11) / 100  # they come a little late
        stamp = number * 90_000 * speed + (8e9 if number % 500 == 499 else 0)
        at = clock.time_of(int(stamp) % 2**32, MONOTONIC + time)
        packet = pictures[number % 10]
        moved = replace(packet, dts=at, pts=at, arrived=MONOTONIC + time, at=NOON + time)
        recorded.writer.write(moved)
    reports = recorded.closed()
    assert sum(report.frames for report in reports) == 3700
    assert len(reports) in (12, 13)
    for before, report in zip(reports, reports[1:], strict=False):
        assert report.started_at == before.ended_at
    for report in reports[1:]:
        begun = seconds(report)[0]
        assert abs(begun - round(begun, -1)) <= 1
    assert abs(seconds(reports[-1])[1] - 3700) <= 2
