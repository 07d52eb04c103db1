"""Any folder that Linux allows can be DATA_DIR: everything stays inside it."""

import os
from pathlib import Path

import pytest

from tests.home import Running, running

ODD = {
    "a question mark": b"a?b",
    "a number sign": b"a#b",
    "an escaped blank": b"a%20b",
    "blanks at both ends": b" a b ",
    "brackets and stars": b"[a]*{b}",
    "a quote and a backslash": b"a'\"\\b",
    "a colon and an at sign": b"file:a@b:c",
    "a line break": b"a\nb",
    "letters of other alphabets": "カメラ-Größe".encode(),
}


@pytest.mark.parametrize("what", ODD)
def test_a_data_folder_with_any_legal_name_holds_everything(tmp_path: Path, what: str) -> None:
    data = tmp_path / os.fsdecode(ODD[what])
    paths = {"DATA_DIR": str(data), "DATABASE_PATH": str(data / "fleet[1].json")}
    with running(tmp_path / "run", **paths) as server:
        assert server.get("/readyz").status == 200
        assert server.get("/").status == 200
        assert server.get("/settings/about").status == 200
        assert server.stop() == 0
    assert {path.name for path in tmp_path.iterdir()} == {"run", data.name}
    assert data.stat().st_mode & 0o777 == 0o700
    assert {"camera_monitor.db", "logs", "copies"} <= {path.name for path in data.iterdir()}


def test_files_in_the_data_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Those of older versions could be read by others, where the folder could."""
    data = tmp_path / "data"
    data.mkdir()
    for name in ("refused_logins.json", "camera_monitor.db"):
        (data / name).touch(0o644)
    with running(tmp_path) as server:
        assert server.get("/readyz").status == 200
        assert server.stop() == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in data.iterdir() if path.is_file()}
    assert {"refused_logins.json", "camera_monitor.db", "recordings_folder.json"} <= modes.keys()
    assert set(modes.values()) - {0o600} == set(), modes


def test_a_name_that_is_not_utf_8_is_refused_in_one_sentence(tmp_path: Path) -> None:
    server = Running(tmp_path, DATA_DIR=os.fsdecode(bytes(tmp_path) + b"/a\xff\xfeb"))
    assert server.spawn().wait(30) != 0
    assert "DATA_DIR=" in server.text()
    assert "bytes that are not UTF-8" in server.text()
    assert len(server.text().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["output.txt"]
