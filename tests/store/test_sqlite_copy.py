"""Before the tables of an existing SQLite file are changed, a copy of it is kept."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from store.database import Database
from store.sql import NotCopied, default_url, open_engine, revisions
from tests.store.disks import Disks
from tests.store.postgres import Cluster
from tests.store.revisions import downgrade, revision_in

FILE = "camera_monitor.db"
OLD, NEW = "0005", revisions()[-1]
EVENT = text("INSERT INTO events VALUES (:id, '2026-03-01', 'k', NULL, 'Gate', '{}', '{}')")


def old_database(folder: Path, revision: str = OLD) -> Engine:
    """A file at an older revision, with one event."""
    folder.mkdir(exist_ok=True)
    engine = open_engine(default_url(folder))
    downgrade(engine, revision)
    with engine.begin() as connection:
        connection.execute(EVENT, {"id": 1})
    return engine


def open_database(folder: Path) -> str:
    database = Database(default_url(folder))
    try:
        return database.open()
    finally:
        database.close()


def copies(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "copies").iterdir())


def events_in(path: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT sequence, text FROM events").fetchall()


def test_the_copy_is_whole_and_of_the_older_revision(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With what was committed and is only in the write-ahead log yet."""
    engine = old_database(tmp_path)
    with engine.connect() as other, caplog.at_level(logging.INFO):
        other.execute(text("SELECT 1"))
        assert (tmp_path / f"{FILE}-wal").stat().st_size > 0
        notice = open_database(tmp_path)
    engine.dispose()
    copy = tmp_path / "copies" / f"{FILE}.revision{OLD}"
    assert copies(tmp_path) == [copy.name]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert revision_in(tmp_path / FILE) == NEW
    assert revision_in(copy) == OLD
    assert events_in(copy) == events_in(tmp_path / FILE) == [(1, "Gate")]
    assert notice == (
        f"The SQL database was updated from revision {OLD} to {NEW}. Older versions of Camera "
        f"Monitor cannot open it. The original is kept in {copy}."
    )
    assert [line for line in caplog.messages if "updated" in line] == [notice]


def test_a_new_or_current_file_is_not_copied(tmp_path: Path) -> None:
    assert [open_database(tmp_path), open_database(tmp_path)] == ["", ""]
    assert not (tmp_path / "copies").exists()


def test_without_room_for_the_copy_nothing_is_changed(disks: Disks, tmp_path: Path) -> None:
    old_database(tmp_path).dispose()
    disks.small(tmp_path / "copies", "40k")
    with pytest.raises(
        NotCopied,
        match=r"\(0\.3 MB needed, 0\.0 MB free\)\. Nothing was changed\. Free disk space there",
    ):
        open_database(tmp_path)
    assert copies(tmp_path) == []
    assert revision_in(tmp_path / FILE) == OLD
    disks.undo()
    disks.small(tmp_path / "copies", "2M").lock()
    with pytest.raises(NotCopied, match=r"\(Read-only file system\)"):
        open_database(tmp_path)
    assert revision_in(tmp_path / FILE) == OLD
    disks.undo()
    open_database(tmp_path)
    assert copies(tmp_path) == [f"{FILE}.revision{OLD}"]


def test_a_copy_that_breaks_off_leaves_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room is gone between the check and the end of the copy."""
    old_database(tmp_path).dispose()
    open_database(tmp_path)
    monkeypatch.setattr("store.sqlite_copy.sync_folder", lambda _folder: None)
    monkeypatch.setattr("store.sqlite_copy._check_room", lambda _source, _folder: None)
    monkeypatch.setattr("store.sqlite_copy.os.fsync", _full)
    downgrade(open_engine(default_url(tmp_path)), OLD)
    with pytest.raises(NotCopied, match="No space left on device"):
        open_database(tmp_path)
    assert copies(tmp_path) == [f"{FILE}.revision{OLD}"]
    assert events_in(tmp_path / "copies" / f"{FILE}.revision{OLD}") == [(1, "Gate")]


def test_a_copy_for_which_the_disk_became_too_small_leaves_no_part_of_it(
    disks: Disks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tmpfs that is filled by another program between the check and the copy."""
    old_database(tmp_path).dispose()
    disk = disks.small(tmp_path / "copies", "60k")
    monkeypatch.setattr("store.sqlite_copy._check_room", lambda _source, _folder: None)
    with pytest.raises(NotCopied, match=r"full|No space left on device"):
        open_database(tmp_path)
    assert list(disk.folder.iterdir()) == []
    assert revision_in(tmp_path / FILE) == OLD
    assert events_in(tmp_path / FILE) == [(1, "Gate")]


def _full(_file: int) -> None:
    raise OSError(28, "No space left on device")


def test_two_copies_are_kept_and_the_newest_of_a_revision(tmp_path: Path) -> None:
    engine = old_database(tmp_path, "0003")
    for revision in ("0003", "0004", "0005", "0005"):
        downgrade(engine, revision)
        with engine.begin() as connection:
            count = connection.execute(text("SELECT count(*) FROM events")).scalar()
            connection.execute(EVENT, {"id": int(count or 0) + 1})
        open_database(tmp_path)
    engine.dispose()
    assert copies(tmp_path) == [f"{FILE}.revision0004", f"{FILE}.revision0005"]
    sizes = [len(events_in(tmp_path / "copies" / name)) for name in copies(tmp_path)]
    assert sizes == [3, 5]


def test_postgresql_says_to_restore_a_backup(postgres: Cluster) -> None:
    url = postgres.new_database()
    engine = open_engine(url)
    downgrade(engine, OLD)
    engine.dispose()
    database = Database(url)
    notice = database.open()
    database.close()
    assert notice == (
        f"The SQL database was updated from revision {OLD} to {NEW}. Older versions of Camera "
        "Monitor cannot open it. To return to an older version, restore a backup from before "
        "the update."
    )
