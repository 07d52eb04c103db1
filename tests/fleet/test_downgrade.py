"""An update keeps what the version before needs, and says where."""

import logging
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from store.sql import default_url, open_engine, revisions
from tests.fleet.reports import noon
from tests.fleet.test_version_1 import DEMO
from tests.fleet.tracking import FILE, opened
from tests.home import ROOT, Clock, Home, Running
from tests.store.revisions import downgrade, revision_in
from tests.warm_start import run

SQL = "camera_monitor.db"
OLD = "0005"
"""The revision of the last program that wrote version 1."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The files of that program."""
    (tmp_path / FILE).write_bytes(DEMO)
    (tmp_path / "data").mkdir()
    engine = open_engine(default_url(tmp_path / "data"))
    downgrade(engine, OLD)
    engine.dispose()
    return tmp_path


@pytest.fixture
def home(place: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Home]:
    """The first start of this version."""
    caplog.set_level(logging.INFO)
    made = Home(place, Clock())
    yield made
    made.close()


def sequences(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT sequence FROM events")]


def test_an_update_is_said_once_in_the_log_and_in_the_journal(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    copies = home.settings.data_dir / "copies"
    file = (
        f"{home.settings.database_path} was updated to file format 2. Older versions of Camera "
        f"Monitor cannot open it. The original is kept in {copies / FILE}.version1-1."
    )
    sql = (
        f"The SQL database was updated from revision {OLD} to {revisions()[-1]}. Older versions of "
        f"Camera Monitor cannot open it. The original is kept in {copies / SQL}.revision{OLD}."
    )
    logged = [record.getMessage() for record in caplog.get_records("setup")]
    assert [line for line in logged if "updated" in line] == [sql, file]
    (event,) = home.events(kinds=["database.updated"])
    assert (event.device, event.text) == (None, f"{file} {sql}")
    home.restart()
    assert len(home.events(kinds=["database.updated"])) == 1


def test_the_recipe_to_go_back_leaves_the_files_of_the_older_version(home: Home) -> None:
    """As `docs/troubleshooting.md` says it; then the update starts from the same once more."""
    before = sequences(home.settings.data_dir / "copies" / f"{SQL}.revision{OLD}")
    home.events()
    home.close()
    data = home.settings.data_dir
    for name, copy in ((FILE, f"{FILE}.version1-1"), (SQL, f"{SQL}.revision{OLD}")):
        assert copy in (ROOT / "docs" / "troubleshooting.md").read_text()
        target = home.settings.database_path if name == FILE else data / name
        for suffix in ("-wal", "-shm") if name == SQL else ():
            target.with_name(name + suffix).unlink(missing_ok=True)
        shutil.copy(data / "copies" / copy, target)
    assert home.settings.database_path.read_bytes() == DEMO
    assert revision_in(data / SQL) == OLD
    assert sequences(data / SQL) == before
    home.open()
    assert len(home.devices()) == 107
    assert len(home.events(kinds=["database.updated"])) == 1


def test_a_file_of_the_former_tracker_is_said_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    original = Path(__file__).with_name("original_database.json").read_bytes()
    (tmp_path / FILE).write_bytes(original)
    with opened(tmp_path) as tracker:
        assert "The former tracker cannot open it. The original is kept in" in tracker.notice
        assert caplog.messages == [], "the file is not written yet"
        tracker.tick(noon())
        assert caplog.messages == [tracker.notice]
    with opened(tmp_path) as tracker:
        assert tracker.notice == ""


def test_a_path_that_is_not_text_does_not_keep_the_notice_from_the_journal(tmp_path: Path) -> None:
    with opened(tmp_path) as tracker:
        tracker.continue_above(
            0,
            0,
            noon(),
            (
                "",
                "It is in /srv/\udcff.",
            ),
        )
    with opened(tmp_path) as tracker:
        assert [event.text for event in tracker.fleet().outbox] == ["It is in /srv/?."]


def test_a_start_that_is_refused_does_not_say_that_the_file_was_updated(place: Path) -> None:
    staged = place / "data" / "copies" / f".{SQL}.new"
    staged.mkdir(parents=True)  # so that no copy of the SQL database can be made
    monitor = Running(place)
    assert monitor.spawn().wait(30) != 0
    assert "Nothing was changed." in monitor.text()
    assert "was updated" not in monitor.text()
    assert (place / FILE).read_bytes() == DEMO
    staged.rmdir()
    assert monitor.start().stop() == 0
    assert monitor.text().count(f"{FILE} was updated to file format 2.") == 1
    assert monitor.text().count("The SQL database was updated from revision") == 1


def test_a_command_that_updates_the_files_says_so_once(place: Path) -> None:
    environment = Running(place).environment

    def list_users() -> str:
        done = run(
            [sys.executable, "cli.py", "user", "list"],
            cwd=ROOT,
            env=environment,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    (line,) = list_users().splitlines()
    assert f"{FILE} was updated to file format 2." in line
    assert f"The SQL database was updated from revision {OLD}" in line
    assert (place / "data" / "logs" / "app.log").read_text().count(line) == 1
    assert (place / FILE).read_bytes() != DEMO
    assert list_users() == ""
