"""DATA_DIR, the database's folder or the SQL file vanish while it runs: reported, then healed."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulators.panasonic import Camera
from tests.fleet.tracking import on_disk
from tests.home import Clock, Home, until
from tests.store.disks import Disks
from web.http.actions.readiness import not_ready_reasons

Make = Callable[..., Home]
OWN = "correct horse battery staple"


@pytest.fixture
def home(make_home: Make, tmp_path: Path, clock: Clock) -> Home:
    """The database is in another folder than DATA_DIR."""
    (tmp_path / "fleet").mkdir()
    made = make_home(
        Camera("d4:2d:c5:00:00:01", "127.20.0.1"),
        database_path=tmp_path / "fleet" / "camera_database.json",
    )
    made.scan()
    assert made.kinds() == ["device.found"]
    return made


def rename(home: Home, name: str) -> Any:
    return home.client.patch("/api/camera/1", json={"name": name})


def add_user(home: Home) -> Any:
    body = {"username": "ada", "password": OWN, "role": "admin"}
    return home.client.post("/api/users", json=body)


def users_in(folder: Path) -> list[tuple[str]]:
    connection = sqlite3.connect(f"file:{folder}/camera_monitor.db?mode=ro", uri=True)
    try:
        return connection.execute("SELECT name FROM users").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("way", ["renamed", "replaced"])
def test_nothing_is_acknowledged_while_data_dir_is_away_and_it_heals_when_it_is_back(
    home: Home, way: str
) -> None:
    data = home.settings.data_dir
    away = data.rename(data.with_name("away"))
    if way == "replaced":
        data.mkdir()
    refused = rename(home, "Gate")
    assert refused.status_code == 507
    how = "no longer exists" if way == "renamed" else "was replaced or unmounted"
    assert f"{data} cannot be written: it {how}" in refused.json["error"]
    assert "Restore it, or restart Camera Monitor." in refused.json["error"]
    refused = add_user(home)
    assert refused.status_code == 503
    assert "camera_monitor.db" in refused.json["error"]
    assert str(data) in home.monitor.disk.current()
    assert any(
        str(data) in reason for reason in not_ready_reasons(home.monitor, home.monitor.disk.last)
    )
    assert home.client.get("/readyz").status_code == 503
    assert home.client.get("/").status_code == 200
    assert home.device().name is None
    if way == "replaced":
        assert list(data.iterdir()) == [], "nothing is begun in a folder that is not ours"
        data.rmdir()
    away.rename(data)
    assert rename(home, "Gate").status_code == 200
    assert add_user(home).status_code == 201
    assert users_in(data) == [("ada",)]
    assert home.kinds() == ["device.found", "device.edited"]


def test_an_unmounted_data_dir_is_noticed_though_its_files_are_still_open(
    make_home: Make, disks: Disks, tmp_path: Path, clock: Clock
) -> None:
    """SQLite would go on writing into the file system that nobody sees any more."""
    folder = tmp_path / "home" / "data"
    disks.small(folder, "20m")
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    assert home.kinds() == ["device.found"]
    disks.undo()
    assert rename(home, "Gate").status_code == 507
    assert add_user(home).status_code == 503
    assert "was replaced or unmounted" in home.monitor.disk.current()
    assert list(folder.iterdir()) == []


def test_a_full_disk_under_the_sql_file_is_said_with_what_helps(
    make_home: Make, disks: Disks, tmp_path: Path
) -> None:
    disk = disks.small(tmp_path / "home" / "data", "2m")
    home = make_home()
    disk.fill()
    refused = add_user(home)
    assert refused.status_code == 503
    assert "disk is full" in refused.json["error"]
    assert "Free disk space in DATA_DIR" in refused.json["hint"]
    disk.make_room()
    assert add_user(home).status_code == 201


def test_facts_and_events_of_that_time_are_kept_and_written_when_it_is_back(
    home: Home, clock: Clock
) -> None:
    data = home.settings.data_dir
    away = data.rename(data.with_name("away"))
    home.network.cameras.clear()
    home.scan()
    assert home.status() == "OFFLINE", "what is true is shown meanwhile"
    assert str(data) in home.monitor.tracker.trouble
    away.rename(data)
    home.tick()
    assert on_disk(home.settings.database_path.parent).devices[1].status == "OFFLINE"
    assert home.kinds() == ["device.found", "device.offline"]


def test_the_folder_of_the_database_is_watched_as_well(home: Home) -> None:
    folder = home.settings.database_path.parent
    away = folder.rename(folder.with_name("elsewhere"))
    folder.mkdir()
    refused = rename(home, "Gate")
    assert refused.status_code == 507
    assert f"{folder} cannot be written: it was replaced or unmounted" in refused.json["error"]
    assert list(folder.iterdir()) == []
    folder.rmdir()
    away.rename(folder)
    assert rename(home, "Gate").status_code == 200


@pytest.mark.parametrize("way", ["deleted", "replaced"])
def test_an_sql_file_that_is_gone_takes_no_change_and_no_event(home: Home, way: str) -> None:
    file = home.settings.data_dir / "camera_monitor.db"
    away = file.rename(file.with_name("away.db"))
    if way == "replaced":
        file.touch()
    assert add_user(home).status_code == 503
    assert rename(home, "Gate").status_code == 200, "the fleet has a file of its own"
    trouble = until(
        lambda: home.monitor.journal_writer.trouble, what="the journal_writer has noticed"
    )
    assert str(file) in trouble
    assert [event.kind for event in home.monitor.tracker.fleet().outbox] == ["device.edited"]
    if way == "deleted":
        assert not file.exists(), "no empty database is begun in its place"
    away.replace(file)
    assert home.kinds() == ["device.found", "device.edited"]
    assert add_user(home).status_code == 201


def test_audit_lines_wait_in_memory_meanwhile_and_are_written_when_it_is_back(home: Home) -> None:
    data = home.settings.data_dir
    away = data.rename(data.with_name("away"))
    home.client.post("/api/scan")
    home.client.post("/api/auto-scan", json={"enabled": True})
    failed = home.client.post("/api/auth/login", json={"username": "x", "password": "y"})
    assert failed.status_code == 401
    home.monitor.audit.note(line := note_of(home))
    assert "1 entry" in home.monitor.audit.trouble
    away.rename(data)
    assert line.text in [entry.text for entry in home.monitor.audit.find()]
    assert home.monitor.audit.trouble == ""


def note_of(home: Home) -> Any:
    from audit.model import AuditEntry

    return AuditEntry(home.clock(), "ada", "192.0.2.1", "logout", "ada", "logged out")
