"""Keeping stills: so many days, within a budget, and the newest ones on a full disk."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from fleet.pictures import NotTaken
from stills import still_rows
from stills.model import Missed, Still
from stills.taking import STREAM
from store.sql import Unreachable
from tests.stills.studio import NOON, Studio, jpeg
from tests.store.disks import Disks

LARGE = jpeg() + bytes(20_000)


def kept(studio: Studio, stills: list[Still]) -> list[bool]:
    """True for each still that has a row and a file; one has both or neither."""
    rows = [studio.shelf.find(still.device, still.id) is not None for still in stills]
    assert rows == [studio.shelf.path(still).exists() for still in stills]
    return rows


def take_days_ago(studio: Studio, *ages: float, device: int = 1) -> list[Still]:
    stills = []
    for age in ages:
        studio.now = NOON - timedelta(days=age)
        studio.answers[STREAM, device] = LARGE
        stills.append(studio.stills.take(device))
    studio.now = NOON
    return stills


def test_stills_and_missed_ones_go_after_their_days(engine: Engine, tmp_path: Path) -> None:
    studio = Studio(engine, tmp_path, keep_days=7)
    stills = take_days_ago(studio, 9, 8, 6, 0)
    studio.shelf.newest_of_all()
    still_rows.miss(engine, [Missed(1, NOON - timedelta(days=n), "dark") for n in (8, 6)])
    assert studio.shelf.newest_of_all() == {1: stills[-1]}
    assert studio.keeping.forget() == "2 stills"
    assert kept(studio, stills) == [False, False, True, True]
    year = timedelta(days=365)
    assert len(still_rows.missed_between(engine, [1], NOON - year, NOON)) == 1
    assert studio.keeping.forget() == ""
    studio.now += timedelta(days=8)
    studio.keeping.forget()
    assert studio.shelf.newest_of_all() == {}


def test_a_still_of_unknown_time_goes_with_the_next_whose_time_is_known(studio: Studio) -> None:
    [old] = take_days_ago(studio, 40)
    [unknown] = take_days_ago(studio, 56 * 365)
    [recent] = take_days_ago(studio, 1)
    [newest] = take_days_ago(studio, 56 * 365)
    studio.keeping.forget()
    assert kept(studio, [old, unknown, recent, newest]) == [False, True, True, True]
    assert studio.shelf.newest_of_all() == {1: newest}
    studio.now = NOON + timedelta(days=35)
    studio.keeping.forget()
    assert kept(studio, [old, unknown, recent, newest]) == [False, False, False, True]


def test_the_oldest_go_when_all_are_too_large_but_the_newest_of_each_camera(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    studio = Studio(sqlite_engine, tmp_path, most=50_000)
    stills = take_days_ago(studio, 20, device=2) + take_days_ago(studio, 4, 3, 2, 1)
    assert studio.keeping.run() == "3 stills deleted"
    assert kept(studio, stills) == [True, False, False, False, True]
    assert "before their time: all stills are limited to 5e-05 GB" in studio.keeping.trouble
    assert studio.keeping.run() == ""
    assert studio.keeping.trouble
    studio.forward(days=2)
    studio.keeping.run()
    assert studio.keeping.trouble == ""


def test_what_a_crash_left_behind_goes_and_nothing_else(studio: Studio) -> None:
    still = studio.stills.take(1)
    folder = studio.shelf.path(still).parent
    strays = [folder / "20261128T110000000Z.jpg", folder / ".20261128T110001000Z.jpg.new"]
    fresh = folder / "20261128T110002000Z.jpg"
    for path in (*strays, fresh):
        path.write_bytes(b"half a pict")
    two_hours_ago = (datetime.now(UTC) - timedelta(hours=2)).timestamp()
    os.utime(strays[0], (1e9, 1e9))
    os.utime(strays[1], (two_hours_ago, two_hours_ago))
    os.utime(studio.shelf.path(still), (1e9, 1e9))
    studio.keeping.forget()
    assert [path.exists() for path in strays] == [False, False]
    assert fresh.exists()
    assert kept(studio, [still]) == [True]


def take_unknown(studio: Studio, days: float) -> tuple[Still, Path]:
    """A still, and the file of another one that a restored database does not know; it was written
    so many days ago."""
    still, unknown = studio.stills.take(1), studio.stills.take(1)
    still_rows.remove(studio.engine, [unknown.id])
    path = studio.shelf.path(unknown)
    at = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    os.utime(path, (at, at))
    return still, path


@pytest.mark.parametrize(("days", "is_kept"), [(29, True), (31, False)])
def test_stills_that_a_restored_database_does_not_know_stay_for_their_days(
    studio: Studio, days: float, is_kept: bool
) -> None:
    still, path = take_unknown(studio, days)
    studio.keeping.forget()
    assert (path.exists(), kept(studio, [still])) == (is_kept, [True])


def test_on_a_full_disk_files_of_no_still_go_first(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    still, path = take_unknown(studio, 1)
    monkeypatch.setattr("stills.keeping.FREE_SHARE", 1.0)
    monkeypatch.setattr("stills.keeping.FREE_MOST", 1 << 60)
    assert studio.keeping.run() == "1 file of no still deleted"
    assert (path.exists(), kept(studio, [still])) == (False, [True])


def test_what_is_not_ours_in_the_folder_stays(studio: Studio, tmp_path: Path) -> None:
    still = studio.stills.take(1)
    folder, elsewhere = studio.shelf.path(still).parent, tmp_path / "photos"
    for made in (folder / "thumbnails", elsewhere, folder.parent / "²", folder.parent / ("9" * 30)):
        made.mkdir(exist_ok=True)
    (folder.parent / "7").symlink_to(elsewhere)
    files = [
        folder / "holiday.jpg",
        folder / "20261128.jpg",
        folder / "thumbnails" / "cat.jpg.bak",
        elsewhere / "20261128T110000000Z.jpg",
    ]
    for path in files:
        path.write_bytes(b"a photograph")
        os.utime(path, (1e9, 1e9))
    studio.keeping.forget()
    assert [path.exists() for path in files] == [True] * 4


def test_a_file_in_the_place_of_the_thumbnails_keeps_no_still(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    studio = Studio(sqlite_engine, tmp_path, most=30_000)
    stills = take_days_ago(studio, 4, 3, 2, 1)
    (studio.shelf.path(stills[0]).parent / "thumbnails").write_text("a file in its place")
    assert studio.keeping.run() == "3 stills deleted"
    assert kept(studio, stills) == [False, False, False, True]


def test_a_folder_that_somebody_deleted_is_no_error(studio: Studio) -> None:
    studio.stills.take(1)
    shutil.rmtree(studio.folder / "stills")
    assert studio.keeping.run() == ""
    studio.keeping.forget()
    studio.now += timedelta(seconds=1)
    assert studio.shelf.path(studio.stills.take(1)).exists()


def test_cameras_that_are_taken_at_once_share_the_room_on_a_full_card(
    sqlite_engine: Engine, tmp_path: Path, disks: Disks
) -> None:
    disk = disks.small(tmp_path / "card", "600k")
    studio = Studio(sqlite_engine, disk.folder, most=10**9)
    take_days_ago(studio, *range(20, 0, -1))
    studio.answers.update({(STREAM, device): LARGE for device in (1, 2, 3)})
    for _round in range(5):
        disk.fill()
        studio.now += timedelta(seconds=1)
        with ThreadPoolExecutor(3) as pool:
            stills = list(pool.map(studio.stills.take, (1, 2, 3)))
        assert kept(studio, stills) == [True] * 3


def test_a_full_card_keeps_the_newest_and_says_so(
    sqlite_engine: Engine, tmp_path: Path, disks: Disks
) -> None:
    disk = disks.small(tmp_path / "card", "200k")
    studio = Studio(sqlite_engine, disk.folder, most=10**9)
    stills = take_days_ago(studio, 5, 4, 3, 2)
    disk.fill()
    stills += take_days_ago(studio, 1)
    assert kept(studio, stills) == [False, False, True, True, True]
    assert "the disk is full" in studio.keeping.trouble
    assert studio.shelf.path(stills[-1]).stat().st_size == stills[-1].size
    disk.fill()
    assert studio.keeping.run() == "1 still deleted"
    assert kept(studio, stills) == [False, False, False, True, True]


def test_a_disk_that_takes_nothing_is_named_and_nothing_is_left_of_the_still(
    sqlite_engine: Engine, tmp_path: Path, disks: Disks
) -> None:
    disk = disks.small(tmp_path / "card", "200k")
    studio = Studio(sqlite_engine, disk.folder)
    (disk.folder / "stills" / "1").mkdir(parents=True)
    disk.fill()
    studio.answers[STREAM, 1] = LARGE
    with pytest.raises(NotTaken, match=r"cannot be saved in .*No space left") as caught:
        studio.stills.take(1)
    assert caught.value.hint == "Free disk space there."
    assert list((disk.folder / "stills" / "1").iterdir()) == []
    assert studio.shelf.newest(1) is None


def make_undeletable(studio: Studio, still: Still) -> None:
    """Put a folder in the place of its file."""
    path = studio.shelf.path(still)
    path.unlink()
    path.mkdir()


def test_a_file_that_cannot_be_deleted_keeps_no_other_one(
    sqlite_engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    studio = Studio(sqlite_engine, tmp_path, most=70_000)
    stills = take_days_ago(studio, 41, 40, 3, 2, 1)
    make_undeletable(studio, stills[0])
    assert studio.keeping.forget() == "1 still"
    assert studio.keeping.run() == "1 still deleted"
    assert kept(studio, stills) == [True, False, False, True, True]
    assert "before their time" in studio.keeping.trouble
    assert "1 still cannot be deleted: " in caplog.text
    assert f"{studio.shelf.path(stills[0])} (Is a directory)" in caplog.text


def test_what_cannot_be_deleted_does_not_pass_for_room(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    studio = Studio(sqlite_engine, tmp_path, most=30_000)
    stills = take_days_ago(studio, 2, 1)
    make_undeletable(studio, stills[0])
    assert not studio.keeping.make_room(1000)
    assert studio.keeping.trouble == ""
    assert studio.keeping.run() == ""
    assert "Old stills cannot be deleted: " in studio.keeping.trouble


def test_nothing_is_kept_or_deleted_while_the_share_is_not_mounted(studio: Studio) -> None:
    stills = take_days_ago(studio, 40, 1)
    studio.trouble = "media/stills does not exist."
    with pytest.raises(NotTaken, match="does not exist"):
        studio.stills.take(1)
    assert studio.keeping.run() == "Nothing deleted: media/stills does not exist."
    assert studio.keeping.forget() == ""
    assert kept(studio, stills) == [True, True]


def test_a_folder_that_cannot_be_written_is_named(studio: Studio) -> None:
    studio.folder.mkdir(exist_ok=True)
    (studio.folder / "stills").write_text("a file in its place")
    with pytest.raises(NotTaken, match="cannot be saved") as caught:
        studio.stills.take(1)
    assert "MEDIA_DIR" in caught.value.hint


def test_nothing_is_left_of_a_still_that_has_no_row(studio: Studio) -> None:
    with studio.engine.begin() as connection:
        refused = "BEFORE INSERT ON stills BEGIN SELECT RAISE(ABORT, 'full'); END"
        connection.execute(text(f"CREATE TRIGGER refused {refused}"))
    with pytest.raises(Unreachable, match="full"):
        studio.stills.take(1)
    assert list((studio.folder / "stills" / "1").iterdir()) == []


def test_a_still_gets_the_slot_that_it_has_not_and_keeps_the_one_that_it_has(
    studio: Studio,
) -> None:
    asked, hour = studio.stills.take(1), timedelta(hours=1)
    assert studio.shelf.newest_of_all()[1].slot is None
    studio.shelf.give_slot(asked, NOON)
    given = studio.shelf.newest_of_all()[1]
    assert (given.id, given.slot) == (asked.id, NOON)
    studio.shelf.give_slot(given, NOON + hour)
    assert studio.slots() == [NOON]
