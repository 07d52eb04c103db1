"""Opening the file: what is too new, what does not fit, and the good copy that is used."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.database.build import build_store
from store.json_file import CannotOpen
from tests.fleet.reports import NOON, A, B, edit, seen
from tests.fleet.tracking import FILE, opened, tracker_in


def test_a_file_of_a_newer_version_is_refused_in_words_and_stays(tmp_path: Path) -> None:
    data = b'{"format": "camera-monitor", "version": 3, "devices": {"in": "another shape"}}'
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(CannotOpen) as refused:
        tracker_in(tmp_path).open()
    text = str(refused.value)
    assert "was written by a newer Camera Monitor: it has format 3" in text
    assert "Install the newer version again, or set DATABASE_PATH" in text
    assert (tmp_path / FILE).read_bytes() == data
    assert list((tmp_path / "data" / "copies").glob("*damaged*")) == []


def test_a_check_of_the_store_says_who_owns_it_and_leaves_it_free(tmp_path: Path) -> None:
    store = build_store(tmp_path / FILE, tmp_path / "data")
    with opened(tmp_path), pytest.raises(CannotOpen, match="in use by another Camera Monitor"):
        store.check()
    store.check()
    with opened(tmp_path) as tracker:
        assert tracker.devices() == {}


def sound(folder: Path) -> bytes:
    """A file with two devices, of which the first one is retired."""
    with opened(folder) as tracker:
        tracker.apply([seen(A), seen(B, address="10.0.0.2")], NOON)
        tracker.apply([edit("retire", "id:1")], NOON)
    return (folder / FILE).read_bytes()


def sabotage(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new)


CARELESS: dict[str, Callable[[bytes], bytes]] = {
    "two devices have one number": lambda data: sabotage(data, b'{"id":2,', b'{"id":1,'),
    "a number is text": lambda data: sabotage(data, b'{"id":2,', b'{"id":"2",'),
    "a number is nothing": lambda data: sabotage(data, b'{"id":2,', b'{"id":null,'),
    "a number is given already": lambda data: sabotage(data, b'"next_id": 3', b'"next_id": 2'),
    "two devices have one MAC": lambda data: sabotage(data, B.encode(), A.encode()),
    "a time without offset": lambda data: sabotage(data, b"+00:00", b""),
    "a device is a text": lambda data: sabotage(data, b'"devices": [', b'"devices": ["x",'),
    "the devices are gone": lambda data: sabotage(data, b'"devices"', b'"divices"'),
    "no version": lambda data: sabotage(data, b'"version": 2', b'"version": null'),
    "a list": lambda data: b"[" + data + b"]",
    "another program's": lambda data: b'{"format": "else", "version": 1}',
    "cut off": lambda data: data[: len(data) // 2],
}


@pytest.mark.parametrize("what", CARELESS)
def test_what_does_not_fit_is_damage_and_the_good_copy_is_used(tmp_path: Path, what: str) -> None:
    data = CARELESS[what](sound(tmp_path))
    (tmp_path / FILE).write_bytes(data)
    with opened(tmp_path) as tracker:
        assert "is damaged" in tracker.damage
        assert list(tracker.devices()) == [1, 2]
        assert tracker.device("d4:2d:c5:00:00:0b").id == 2
    kept = [path.read_bytes() for path in (tmp_path / "data" / "copies").glob("*damaged*")]
    assert kept == [data]
    with opened(tmp_path) as tracker:
        assert tracker.damage == "", "closing wrote the good one"


def test_an_empty_file_is_never_a_silent_empty_fleet(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"")
    with pytest.raises(CannotOpen, match="no good copy"):
        tracker_in(tmp_path).open()


def test_reading_owns_nothing_and_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as tracker:
        tracker.apply([seen(A)], NOON)
        before = sorted(path.name for path in tmp_path.rglob("*"))
        assert tracker_in(tmp_path).store.read() == tracker.fleet()
        assert sorted(path.name for path in tmp_path.rglob("*")) == before
