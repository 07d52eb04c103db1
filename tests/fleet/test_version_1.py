"""A database of version 1 opens whole, and its bytes are kept."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.database import device_record, record
from fleet.edit.editing import inverse
from fleet.model import Fleet, ResealedSecrets
from fleet.status import statuses
from tests.fleet.reports import RULES, A, Story, edit, finding, missed, noon, seen
from tests.fleet.tracking import FILE, on_disk, opened, tracker_in

DEMO = Path(__file__).with_name("demo_version_1.json").read_bytes()
"""The fleet of `make demo`, written by the last program of version 1: number 5 was merged
into 3, and 7 got a name, a tag and a parent."""
MADE = noon(days=271)
EMPTY: dict[str, Any] = {
    "moved_at": None,
    "retired_at": None,
    "listed": False,
    "links": {},
    "findings": [],
    "parents": [],
    "never_merge": [],
}
"""What version 2 leaves out of a device while it is so."""
EMPTY_STATE = {"missed_at": None, "asked": None, "misses": 0, "reason": "", "scope": None}


def check_same(raw: dict[str, Any], fleet: Fleet) -> None:
    """Every device is there with all that version 1 said of it."""
    assert [device["id"] for device in raw["devices"]] == list(fleet.devices)
    for before in raw["devices"]:
        after = {**EMPTY, **device_record.for_undo(fleet.devices[before["id"]])}
        parent = before["parent"]
        states = {source: {**EMPTY_STATE, **state} for source, state in after["states"].items()}
        assert states == before["words"]
        del after["states"]
        assert after.pop("never_merge") == before["apart"]
        assert after.pop("parents") == ([] if parent is None else [parent])
        assert before == {**after, **{key: before[key] for key in ("words", "apart", "parent")}}


def test_the_demo_of_version_1_opens_whole(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(DEMO)
    raw = json.loads(DEMO)
    with opened(tmp_path) as tracker:
        assert tracker.damage == ""
        fleet = tracker.fleet()
    check_same(raw, fleet)
    assert (len(fleet.devices), fleet.redirects) == (107, {5: 3})
    assert (fleet.next_id, fleet.sequence) == (raw["next_id"], raw["sequence"])
    assert fleet.state == raw["memo"]
    assert [event.sequence for event in fleet.outbox] == [494, 495]
    counts = Counter(statuses(fleet.devices, MADE, RULES).values())
    assert counts == {"ACTIVE": 94, "OFFLINE": 7, "MISSING": 3, "UNREACHABLE": 2, "UNKNOWN": 1}
    assert on_disk(tmp_path) == fleet


def test_the_bytes_of_version_1_are_kept_and_the_file_becomes_version_2(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(DEMO)
    for _start in range(2):
        with opened(tmp_path) as tracker:
            tracker.tick(MADE)
            assert json.loads((tmp_path / FILE).read_bytes())["version"] == 2
    copies = (tmp_path / "data" / "copies").glob(f"{FILE}.version1-*")
    assert [path.read_bytes() for path in copies] == [DEMO]


def test_looking_at_a_file_of_version_1_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(DEMO)
    check_same(json.loads(DEMO), tracker_in(tmp_path).store.read())
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).read_bytes() == DEMO


def test_a_merge_that_version_1_told_of_can_be_undone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(DEMO)
    with opened(tmp_path) as tracker:
        merged, edited = tracker.fleet().outbox
        tracker.apply([inverse(merged, "Ada", MADE)], MADE)
        tracker.apply([inverse(edited, "Ada", MADE)], MADE)
        stays, goes = (tracker.devices()[id] for id in (3, 5))
    for device, key in ((stays, "stays"), (goes, "goes")):
        before = merged.before[key]
        assert list(device.identities) == before["identities"]
        assert device.states.keys() == before["words"].keys()
        assert device.facts == before["facts"]
    assert (stays.never_merge, goes.never_merge) == ((5,), (3,))
    assert tracker.devices()[7].parents == ()


def changed(raw: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> bytes:
    change(raw)
    return json.dumps(raw).encode()


def test_keys_that_nobody_knows_are_kept_and_written_back(tmp_path: Path) -> None:
    def change(raw: dict[str, Any]) -> None:
        raw["rack"] = {"row": [1, 2]}
        raw["secrets"] = "in version 1 it had no meaning"
        raw["devices"][0]["colour"] = "red"
        raw["devices"][0]["claims"] = 7

    (tmp_path / FILE).write_bytes(changed(json.loads(DEMO), change))
    with opened(tmp_path) as tracker:
        assert tracker.damage == ""
        tracker.apply([edit("change", "id:1", name="Gate")], MADE)
    raw = json.loads((tmp_path / FILE).read_bytes())
    assert raw["rack"] == {"row": [1, 2]}
    assert raw["secrets (version 1)"] == "in version 1 it had no meaning"
    assert raw["devices"][0]["colour"] == "red"
    assert raw["devices"][0]["claims (version 1)"] == 7
    assert raw["devices"][0]["name"] == "Gate"


def test_keys_of_a_newer_version_are_kept_and_written_back(tmp_path: Path) -> None:
    with opened(tmp_path) as tracker:
        tracker.apply([seen(A)], noon())
    raw = json.loads((tmp_path / FILE).read_bytes())
    raw["rack"] = "upper"
    raw["devices"][0]["colour"] = "red"
    raw["devices"][0]["access"] = {"rtsp": {"port": 554, "transport": "tcp"}}
    (tmp_path / FILE).write_text(json.dumps(raw))
    with opened(tmp_path) as tracker:
        assert tracker.damage == ""
        tracker.apply([edit("change", "id:1", name="Gate")], noon())
    after = json.loads((tmp_path / FILE).read_bytes())
    assert after["rack"] == "upper"
    assert after["devices"][0]["colour"] == "red"
    assert after["devices"][0]["access"] == {"rtsp": {"port": 554, "transport": "tcp"}}


def test_keys_of_a_newer_version_inside_other_values_outlive_what_happens_next() -> None:
    story = Story()
    story.tell(edit("add", "", source="rtsp", host="10.0.0.5", secret={"id": "s1", "sealed": "v1"}))
    story.tell(seen("rtsp:10.0.0.5", source="rtsp", address="10.0.0.5"), finding("id:1"))
    raw = json.loads(record.Encoder().encode(story.fleet))
    device = raw["devices"][0]
    for value in (
        raw["secrets"]["s1"],
        device["states"]["rtsp"],
        device["findings"][0],
        raw["outbox"][0],
    ):
        value["colour"] = "red"
    story.fleet = record.decode(json.dumps(raw).encode())
    story.tell(
        missed("rtsp:10.0.0.5", noon(minutes=5), source="rtsp"),
        seen("rtsp:10.0.0.5", at=noon(minutes=10), source="rtsp", address="10.0.0.5"),
        finding("id:1", "still no password", at=noon(minutes=10)),
        ResealedSecrets({"s1": "v2"}),
        at=noon(minutes=10),
    )
    after = json.loads(record.Encoder().encode(story.fleet))
    device = after["devices"][0]
    assert after["secrets"]["s1"] == {"sealed": "v2", "device": 1, "colour": "red"}
    assert device["states"]["rtsp"]["colour"] == "red"
    assert (device["findings"][0]["colour"], device["findings"][0]["text"]) == (
        "red",
        "still no password",
    )
    assert after["outbox"][0]["colour"] == "red"
    assert "extra" not in json.dumps(after)


NAMED = {
    "misses": (("devices", 0, "words", "panasonic", "misses"), "x", "words, panasonic: misses is"),
    "a state": (("devices", 0, "words"), [], "device 1: words is []"),
    "who is another": (("devices", 0, "apart"), ["x"], 'apart is ["x"]'),
    "a parent": (("devices", 0, "parent"), "x", "parent is"),
    "the toggle": (("memo", "auto_scan"), "yes", 'memo: auto_scan is "yes"'),
    "the facts of the server": (("memo",), [], "memo is []"),
}


@pytest.mark.parametrize("what", NAMED)
def test_damage_of_version_1_is_named_in_its_own_words(tmp_path: Path, what: str) -> None:
    path, value, words = NAMED[what]
    (tmp_path / FILE).write_bytes(DEMO)
    with opened(tmp_path):
        pass
    raw = json.loads(DEMO)
    at: Any = raw
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    (tmp_path / FILE).write_text(json.dumps(raw))
    with opened(tmp_path) as tracker:
        assert words in tracker.damage
        assert len(tracker.devices()) == 107


def test_ten_thousand_devices_of_version_1_open_whole(tmp_path: Path) -> None:
    sample = json.loads(DEMO)["devices"][0]
    devices = []
    for id in range(1, 10_001):
        mac = f"mac:d4:2d:c5:00:{id >> 8:02x}:{id & 255:02x}"
        parent = {"parent": 1 if id % 3 == 0 else None}
        devices.append({**sample, "id": id, "identities": [mac], "name": f"Camera {id}", **parent})
    raw = {
        "format": "camera-monitor",
        "version": 1,
        "next_id": 10_001,
        "sequence": 7,
        "memo": {"auto_scan": True},
        "redirects": {},
        "outbox": [],
        "devices": devices,
    }
    (tmp_path / FILE).write_text(json.dumps(raw))
    with opened(tmp_path) as tracker:
        assert tracker.damage == ""
        check_same(raw, tracker.fleet())
        assert tracker.fleet().state == {"auto_scan": True}
