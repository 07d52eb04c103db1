"""The index and the folder of recordings agree after every crash."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from tests.video import encoded
from tests.video.encoded import NOON
from video import segment_rows
from video.healing import EMPTY, GONE, Healed, heal
from video.model import SegmentPlan, SegmentProgress, StreamKey
from video.packets import EncodedPacket
from video.recorded import Segment
from video.segment_file import SegmentWriter, file_name
from video.tables import segments

START = datetime.fromtimestamp(NOON, UTC)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[EncodedPacket]:
    return encoded.pictures(encoded.h264(tmp_path_factory.mktemp("clips") / "h264.ts"))


class Disk:
    """A folder of recordings with the index of its files."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder = folder
        self.engine = engine

    def write(self, pictures: list[EncodedPacket], device: int = 7) -> SegmentProgress:
        """A file as the child leaves it that is killed after these pictures."""
        folder = self.folder / str(device)
        folder.mkdir(exist_ok=True)
        reports: list[SegmentProgress] = []
        writer = SegmentWriter(StreamKey(device), SegmentPlan(folder), reports.append)
        for packet in encoded.together(pictures, list(encoded.sound(len(pictures) / 10))):
            writer.write(packet)
        return reports[-1]

    def index(self, report: SegmentProgress, device: int = 7, *, closed: bool = False) -> int:
        """The row as it was when the file began."""
        times = report.started_at, report.started_at
        return segment_rows.add(
            self.engine, Segment(device, "main", report.path.name, *times, closed=closed)
        )

    def row(self, id: int) -> Segment:
        row = segment_rows.find(self.engine, id)
        assert row is not None
        return row

    def heal(self) -> Healed:
        return heal(self.engine, self.folder)


@pytest.fixture
def disk(tmp_path: Path, sqlite_engine: Engine) -> Disk:
    folder = tmp_path / "recordings"
    folder.mkdir()
    return Disk(folder, sqlite_engine)


def test_a_file_that_a_crash_cut_off_is_closed_with_what_is_there(
    disk: Disk, pictures: list[EncodedPacket]
) -> None:
    report = disk.write(pictures)
    id = disk.index(report)
    whole = report.path.read_bytes()
    with report.path.open("ab") as file:
        file.write(whole[report.header : report.header + 700])  # half a fragment
    assert disk.heal() == Healed(closed=1)
    row = disk.row(id)
    assert (row.closed, row.reason, row.damaged) == (True, "restart", "")
    assert (row.ended_at - START, row.frames, row.size) == (
        report.ended_at - START,
        report.frames,
        len(whole),
    )
    assert report.path.read_bytes() == whole
    assert len(encoded.frames_of(report.path)) == row.frames
    assert disk.heal() == Healed()


def test_a_file_without_a_row_is_read(disk: Disk, pictures: list[EncodedPacket]) -> None:
    """As after a copy of the database that is older than the folder."""
    report = disk.write(pictures)
    for name in ("holiday.mp4", "99999999T999999999Z.main.mp4"):
        (disk.folder / "7" / name).write_bytes(report.path.read_bytes())
    (disk.folder / "notes").mkdir()
    assert disk.heal() == Healed(added=1)
    [row] = segment_rows.between(disk.engine, 7, "main", START, START + timedelta(hours=1))
    assert row == Segment(
        7, "main", report.path.name, report.started_at, report.ended_at, report.size,
        report.header, report.frames, 64, 48, "h264", report.format.codecs, "aac", 10.0,
        closed=True, reason="restart", id=row.id,
    )  # fmt: skip


def test_nothing_that_people_put_into_the_folder_keeps_it_from_being_compared(
    disk: Disk, pictures: list[EncodedPacket]
) -> None:
    """A comparison that fails is made again each second, and nothing is recorded before it."""
    report = disk.write(pictures)
    whole = report.path.read_bytes()
    for name in ("20261130120000000000", "9" * 200, "007", "0", "\u0663"):
        (disk.folder / name).mkdir()
    (disk.folder / "8").symlink_to(disk.folder / "8")
    odd = {"20261130T130000000Z.main.mp4": whole.replace(b"trun", b"free")}
    odd["99991231T235959999Z.main.mp4"] = whole
    for name, content in odd.items():
        (disk.folder / "7" / name).write_bytes(content)
    assert disk.heal() == Healed(added=3)
    damaged = {name: row.damaged for name, row in segment_rows.known(disk.engine, 7).items()}
    assert damaged.pop(report.path.name) == ""
    assert set(damaged) == set(odd)
    assert all(damaged.values())
    assert disk.heal() == Healed()


@pytest.mark.parametrize("encoding", ["h265", "mjpeg"])
def test_the_codec_of_a_file_without_a_row_is_known(
    disk: Disk, tmp_path: Path, encoding: str
) -> None:
    report = disk.write(encoded.other_pictures(tmp_path, encoding))
    assert disk.heal() == Healed(added=1)
    [row] = segment_rows.between(disk.engine, 7, "main", START, START + timedelta(hours=1))
    assert (row.codec, row.codecs) == (encoding, report.format.codecs)


def test_files_that_hold_nothing_are_known_as_such(
    disk: Disk, pictures: list[EncodedPacket]
) -> None:
    report = disk.write(pictures)
    names = [file_name("sub", START + timedelta(seconds=second)) for second in range(3)]
    contents = [b"", report.path.read_bytes()[: report.header], os.urandom(5000)]
    for name, content in zip(names, contents, strict=True):
        (disk.folder / "7" / name).write_bytes(content)
    row = disk.index(replace(report, path=disk.folder / "7" / names[0]))
    assert disk.heal() == Healed(closed=1, added=3)
    reasons = {name: known.damaged for name, known in segment_rows.known(disk.engine, 7).items()}
    assert reasons.pop(report.path.name) == ""
    assert reasons[names[1]] == EMPTY
    assert all(reasons.values())
    assert disk.row(row).closed


def test_a_row_without_a_file_is_marked_until_the_file_is_back(
    disk: Disk, pictures: list[EncodedPacket]
) -> None:
    report = disk.write(pictures)
    id = disk.index(report, closed=True)
    away = report.path.rename(disk.folder / "away")
    assert disk.heal() == Healed(gone=1)
    assert disk.row(id).damaged == GONE
    assert disk.heal() == Healed()
    away.rename(report.path)
    assert disk.heal() == Healed(back=1)
    assert disk.row(id).damaged == ""


def test_files_that_the_index_knows_are_not_opened(disk: Disk) -> None:
    """Thousands of pipes, which would block whoever opens one."""
    folder = disk.folder / "7"
    folder.mkdir()
    rows = []
    for number in range(3000):
        at = START + timedelta(minutes=5 * number)
        name = file_name("main", at)
        os.mkfifo(folder / name)
        row = Segment(7, "main", name, at, at, closed=True)
        rows.append({**segment_rows._row(row)})
    with disk.engine.begin() as connection:
        connection.execute(insert(segments), rows)
    assert disk.heal() == Healed()
