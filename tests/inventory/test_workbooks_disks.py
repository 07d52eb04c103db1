"""The workbook on disks that are full or locked: said in words, and no serial is lost."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fleet.model import Event, PendingSerials, Report
from fleet.tracker import Tracker
from store.json_file import CannotKeep
from tests.store.disks import Disk, Disks
from tests.workbooks import ROWS, WorkbookRig, check_pending, check_saved, write

PIER = ("AB12347", "SITE-003", "Pier")


@pytest.fixture
def rig(make_home) -> WorkbookRig:
    return WorkbookRig(make_home())


@pytest.fixture
def share(disks: Disks, tmp_path: Path, make_home) -> tuple[WorkbookRig, object]:
    """A monitor whose workbook lies on a small disk of its own."""
    disk = disks.small(tmp_path / "share", "64k")
    path = write(disk.folder / "P2P1.xlsx", ROWS)
    return WorkbookRig(make_home(p2p_workbook=path)), disk


def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_lost(share):
    rig, disk = share
    disk.lock()
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.check()
    check_pending(rig, "cannot be written", "read-only", "allow this user to write")
    rig.home.restart()
    check_pending(rig, "cannot be written", "read-only")
    disk.unlock()
    check_saved(rig)


def test_a_full_disk_is_said_and_nothing_is_lost(share):
    rig, disk = share
    before = rig.path.read_bytes()
    disk.fill()
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    for _turn in range(2):
        rig.check()
        check_pending(rig, "cannot be written", "No space left on device", "Free disk space")
        assert rig.path.read_bytes() == before
        assert sorted(path.name for path in disk.folder.iterdir()) == ["P2P1.xlsx", "filler"]
    disk.make_room()
    check_saved(rig)


def test_a_file_that_is_read_only_is_not_replaced_by_one_that_is_not(rig):
    rig.write(*ROWS)
    rig.path.chmod(0o444)
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.check()
    check_pending(rig, "cannot be written (the file is read-only)")
    rig.path.chmod(0o644)
    check_saved(rig)


def test_a_file_that_is_mounted_by_itself_is_said(rig, disks, tmp_path):
    write(rig.path, ROWS)
    disks.bind(write(tmp_path / "host.xlsx", ROWS), rig.path)
    rig.check()
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.check()
    check_pending(rig, "Device or resource busy", "mount its folder")


def test_a_database_that_cannot_be_written_refuses_the_serial_and_the_file_keeps_its_own(
    disks, tmp_path, make_home
):
    disk = disks.small(tmp_path / "small", "400k")
    path = disk.folder / "data.json"
    rig = WorkbookRig(make_home(database_path=path, data_dir=disk.folder / "data"))
    rig.write(*ROWS)
    disk.fill()
    with pytest.raises(CannotKeep):
        rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.check()
    assert rig.books.pending() == {}
    assert rig.cells()["SITE-001"] == rig.asked()["SITE-001"] == "AB12345"
    disk.make_room()


class Filling:
    """A tracker whose disk is full as soon as a pending serial is kept."""

    def __init__(self, tracker: Tracker, disk: Disk) -> None:
        self.tracker = tracker
        self.disk = disk

    def __getattr__(self, name: str) -> object:
        return getattr(self.tracker, name)

    def apply(self, reports: Sequence[Report], *more: Any) -> list[Event]:
        events = self.tracker.apply(reports, *more)
        if any(isinstance(report, PendingSerials) for report in reports):
            self.disk.fill()
        return events


def test_a_database_that_fills_up_between_two_notes_loses_no_serial(disks, tmp_path, make_home):
    disk = disks.small(tmp_path / "small", "400k")
    path = disk.folder / "data.json"
    rig = WorkbookRig(make_home(database_path=path, data_dir=disk.folder / "data"))
    rig.write(*ROWS)
    books = rig.books
    books.tracker = Filling(books.tracker, disk)
    books.change_serial("SITE-001", "NEW12345", "Ada")
    books.tracker = books.tracker.tracker
    assert books.pending() == {"SITE-001": "NEW12345"}
    disk.make_room()
    rig.check()
    assert rig.asked()["SITE-001"] == "NEW12345"
    check_saved(rig)


def test_a_new_row_waits_for_the_database_and_counts_when_it_can_be_written(
    disks, tmp_path, make_home
):
    disk = disks.small(tmp_path / "small", "400k")
    path = disk.folder / "data.json"
    rig = WorkbookRig(make_home(database_path=path, data_dir=disk.folder / "data"))
    rig.write(*ROWS)
    disk.fill()
    rig.write(*ROWS, PIER)
    assert "No space left on device" in rig.books.state.error
    assert len(rig.asked()) == 2
    disk.make_room()
    rig.check()
    assert len(rig.asked()) == 3
    assert rig.books.state.error == ""


def test_mode_owner_and_attributes_of_the_file_and_a_link_to_it_stay(rig, tmp_path):
    real = write(tmp_path / "real.xlsx", ROWS)
    real.chmod(0o640)
    os.chown(real, 1234, 2345)
    os.setxattr(real, "user.shelf", b"3")
    rig.path.symlink_to(real)
    rig.check()
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.check()
    assert rig.path.is_symlink()
    stat = real.stat()
    assert (stat.st_mode & 0o777, stat.st_uid, stat.st_gid) == (0o640, 1234, 2345)
    assert os.getxattr(real, "user.shelf") == b"3"
    assert rig.cells()["SITE-001"] == "NEW12345"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
