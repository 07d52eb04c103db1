"""Coverage is read from files that open: the index alone is not believed."""

import os
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Engine, Time, bindparam, text

from fleet.model import Device, Fleet
from store.sql import UtcDateTime, migrate
from tests.store.revisions import downgrade
from video import outage_rows, plan_rows, recording_rows, schedule_rows, segment_rows
from video.camera_plans import CameraPlans
from video.coverage import SAMPLE, CameraCoverage, CoverageReader
from video.outages import DAMAGED, OFF, UNKNOWN, Outage
from video.recorded import AUTO, Recording, Segment
from video.schedule import DAILY, Schedule
from video.schedule_rows import StoredSchedule

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
EARLIER = {
    "name": "Shop",
    "kind": "daily",
    "devices": [1],
    "zone": "UTC",
    "start_time": "12:00:00",
    "end_time": "13:00:00",
    "days": [],
    "start_date": None,
    "end_date": None,
    "is_active": True,
    "quality": None,
}
OLD_SCHEDULE = text(
    "INSERT INTO schedules (id, name, kind, devices, zone, start_time, end_time, days, is_active, "
    "created_at, changed_at, revision, previous, \"by\") VALUES (:id, 'Shop', 'daily', :devices, "
    "'UTC', :first, :last, :days, true, :made, :changed, 1, :before, 'ann')"
).bindparams(
    *(bindparam(name, type_=JSON) for name in ("devices", "days")),
    bindparam("before", type_=JSON(none_as_null=True)),
    *(bindparam(name, type_=UtcDateTime()) for name in ("made", "changed")),
    *(bindparam(name, type_=Time()) for name in ("first", "last")),
)
HEADER = struct.pack(">I4s8x", 16, b"ftyp") + struct.pack(">I4s8x", 16, b"moov")


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


class Archive:
    """A folder of recordings with its index, and schedules; it is three hours after noon."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        devices = {id: Device(id, "camera", "here", (f"row:{id}",)) for id in (1, 2, 3)}
        self.reader = CoverageReader(engine, folder, lambda: Fleet(devices), lambda: at(180))

    def record(self, minutes: float, length: float = 5, data: bytes = HEADER, **more: bool) -> Path:
        start = at(minutes)
        name = f"{start:%Y%m%dT%H%M%S000Z}.main.mp4"
        segment = Segment(1, "main", name, start, at(minutes + length), len(HEADER), 32)
        segment_rows.add(self.engine, replace(segment, **{"closed": True, **more}))
        path = self.folder / "1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def schedule(self, first: time, last: time, minutes: float = -9999) -> StoredSchedule:
        schedule = Schedule(0, "Shop", DAILY, (1, 2), "UTC", first, last)
        known = StoredSchedule(schedule, "otto", at(minutes), at(minutes))
        id = schedule_rows.add(self.engine, known)
        return replace(known, schedule=replace(schedule, id=id))

    def change(self, known: StoredSchedule, minutes: float, **changes: Any) -> StoredSchedule:
        known = replace(known, schedule=replace(known.schedule, **changes))
        schedule_rows.save(self.engine, known, at(minutes))
        return known

    def delete(self, known: StoredSchedule, minutes: float) -> None:
        schedule_rows.save(self.engine, replace(known, deleted_at=at(minutes)), at(minutes))

    def note(self, minutes: float, *devices: Device) -> None:
        """Note what is true of these cameras at a time, which other cameras are not."""
        fleet = Fleet({device.id: device for device in devices})
        CameraPlans(self.engine, lambda: fleet, lambda: at(minutes)).note()

    def hour(self) -> list[CameraCoverage]:
        """The coverage of the hour after noon."""
        return self.reader.report([1, 2, 3], NOON, at(60))


@pytest.fixture
def archive(sqlite_engine: Engine, tmp_path: Path) -> Archive:
    return Archive(sqlite_engine, tmp_path)


def gaps(camera: CameraCoverage) -> list[tuple[float, float, str]]:
    return [
        ((gap.start - NOON).total_seconds() / 60, (gap.end - NOON).total_seconds() / 60, gap.cause)
        for gap in camera.coverage.gaps
    ]


def test_only_cameras_that_are_scheduled_or_have_files_are_judged(
    engine: Engine, tmp_path: Path
) -> None:
    archive = Archive(engine, tmp_path)
    archive.schedule(time(12), time(13))
    for minutes in range(0, 50, 5):
        archive.record(minutes)
    outage_rows.add(engine, Outage(1, "main", at(50), at(56), OFF, "no response"))
    first, second = archive.hour()
    assert (first.device, first.files, first.checked, first.damaged) == (1, 10, 10, 0)
    assert (first.coverage.expected, first.coverage.present) == (3600, 3000)
    assert gaps(first) == [(50, 56, OFF), (56, 60, UNKNOWN)]
    assert (second.device, second.files, second.coverage.share) == (2, 0, 0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(bytes(32)),
        lambda path: path.write_bytes(HEADER[:20]),
        lambda path: path.write_bytes(HEADER[:16] + bytes(16)),
        lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["missing", "zeros", "cut", "no moov", "link", "folder"],
)
def test_a_file_that_does_not_open_is_not_there(
    archive: Archive, spoil: Callable[[Path], object]
) -> None:
    archive.schedule(time(12), time(13))
    paths = [archive.record(minutes) for minutes in range(0, 60, 5)]
    spoil(paths[3])
    camera = archive.hour()[0]
    assert gaps(camera) == [(15, 20, DAMAGED)]
    assert camera.damaged == 1


def test_where_one_of_the_sample_does_not_open_all_are_opened(archive: Archive) -> None:
    archive.schedule(time(12), time(13))
    paths = [archive.record(minutes, 0.5) for minutes in (number / 2 for number in range(120))]
    assert archive.hour()[0].checked == SAMPLE
    for path in (paths[-1], paths[-2]):
        path.unlink()
    camera = archive.hour()[0]
    assert (camera.checked, camera.damaged) == (120, 2)
    assert gaps(camera) == [(59, 60, DAMAGED)]


def test_files_that_the_index_calls_damaged_are_not_there(archive: Archive) -> None:
    archive.schedule(time(12), time(12, 5))
    archive.record(0, damaged="It has no key frame")  # type: ignore[arg-type]
    assert gaps(archive.hour()[0]) == [(0, 5, DAMAGED)]


def test_a_schedule_is_judged_as_it_was_at_the_time(engine: Engine, tmp_path: Path) -> None:
    """12:00 to 12:40 for the first 10 minutes, then off, then 12:30 to 13:00 for camera 1."""
    archive = Archive(engine, tmp_path)
    known = archive.schedule(time(12), time(12, 40))
    known = archive.change(known, 10, is_active=False)
    known = archive.change(known, 20, is_active=True, devices=(1,))
    known = archive.change(known, 35, start_time=time(12, 30), end_time=time(13))
    archive.delete(known, 50)
    known = archive.change(known, 55)  # The deletion was undone.
    first, second = archive.hour()
    assert first.coverage.expected == (10 + 15 + 15 + 5) * 60
    assert second.coverage.expected == 10 * 60
    idle = [(gap.start, gap.end) for gap in first.coverage.unscheduled]
    assert idle == [(at(10), at(20)), (at(50), at(55))]


def test_what_a_deleted_schedule_said_outlives_it_until_it_is_old(archive: Archive) -> None:
    archive.delete(archive.schedule(time(12), time(13)), 30)
    archive.schedule(time(12, 50), time(13), 55)
    assert schedule_rows.remove_deleted(archive.engine, at(31)) == 1
    assert archive.hour()[0].coverage.expected == (30 + 5) * 60
    assert plan_rows.forget(archive.engine, at(30)) == 0
    assert plan_rows.forget(archive.engine, at(31)) == 1
    assert archive.hour()[0].coverage.expected == 5 * 60


def test_a_camera_that_is_always_recorded_is_expected_while_that_was_on(
    engine: Engine, tmp_path: Path
) -> None:
    archive = Archive(engine, tmp_path)
    off = Device(3, "camera", "here", ("row:3",))
    on = replace(off, recording={"auto_record": True})
    for minutes, device in ((-30, on), (10, off), (40, on), (50, on)):
        archive.note(minutes, device)
    [camera] = archive.hour()
    assert (camera.device, camera.coverage.expected) == (3, 1800)


def test_a_retired_camera_is_expected_until_it_was_retired(archive: Archive) -> None:
    archive.schedule(time(12), time(13))
    used = Device(1, "camera", "here", ("row:1",))
    for minutes, device in (
        (0, used),
        (20, replace(used, retired_at=at(15))),
        (40, used),
        (59, used),
    ):
        archive.note(minutes, device)
    assert [camera.coverage.expected for camera in archive.hour()] == [35 * 60, 3600]


def test_plans_of_an_older_version_are_kept(engine: Engine, tmp_path: Path) -> None:
    downgrade(engine, "0013")
    archive = Archive(engine, tmp_path)
    old = (
        {"id": 1, "first": time(12, 30), "last": time(13), "changed": at(20), "before": EARLIER},
        {"id": 2, "first": time(12), "last": time(12, 5), "changed": at(-9999), "before": None},
    )
    with engine.begin() as connection:
        for row in old:
            more = {"devices": [row["id"]], "days": [], "made": at(-9999)}
            connection.execute(OLD_SCHEDULE, {**row, **more})
    recording_rows.add(engine, Recording(3, "main", "Always", AUTO, at(-30), ended_at=at(10)))
    migrate(engine)
    assert [camera.coverage.expected for camera in archive.hour()] == [3000, 300, 600]


def test_what_is_still_to_come_is_not_missing(archive: Archive) -> None:
    archive.schedule(time(12), time(18))
    [first, _second] = archive.reader.report([1, 2], at(120), at(600))
    assert first.coverage.expected == 3600 - 15
    assert archive.reader.report([1], at(300), at(600)) == []


def test_a_file_that_grows_is_there_until_it_was_last_written(archive: Archive) -> None:
    archive.schedule(time(12), time(13))
    path = archive.record(0, 0, closed=False)
    os.utime(path, (at(45).timestamp(), at(45).timestamp()))
    assert gaps(archive.hour()[0]) == [(45, 60, UNKNOWN)]
