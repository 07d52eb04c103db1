"""What a person ignores is gone from the lists, and discovery never adds it again."""

from dataclasses import replace
from typing import Any

import pytest

from fleet.database import record
from fleet.edit import ignoring
from fleet.edit.editing import can_undo, inverse
from fleet.model import Invalid, NotFound, Refused
from fleet.recorder_list import RecorderRow, edits
from fleet.reduce import capacity
from tests.fleet.reports import NOON, A, B, Story, edit, finding, noon, seen

RTSP = "rtsp:10.0.0.5:554/live"


def neighbour() -> Story:
    """A camera that belongs to somebody else."""
    story = Story()
    story.tell(seen(A, name="Next door"))
    return story


def undo(story: Story) -> list[str]:
    return story.tell(inverse(story.events[-1], "tester", noon(minutes=9)))


def test_an_ignored_device_leaves_the_lists_and_a_sighting_does_not_bring_it_back() -> None:
    story = neighbour()
    assert story.tell(edit("ignore", "id:1", noon(minutes=1))) == ["device.ignored"]
    assert story.events[-1].text == "Next door is ignored, by tester"
    assert story.device().retired_at == noon(minutes=1)
    before = story.fleet
    assert story.tell(seen(A, at=noon(minutes=2)), finding(A, at=noon(minutes=2))) == []
    assert story.fleet is before


def test_a_retired_one_that_is_not_ignored_comes_back() -> None:
    story = neighbour()
    story.tell(edit("retire", "id:1", noon(minutes=1)))
    assert story.tell(seen(A, name="Next door", at=noon(minutes=2))) == ["device.restored"]


def test_undo_brings_it_back_and_undoing_that_ignores_it_again() -> None:
    story = neighbour()
    untouched = story.device()
    story.tell(edit("ignore", "id:1", noon(minutes=1)))
    assert can_undo(story.events[-1])
    assert undo(story) == ["device.unignored"]
    assert story.device() == untouched
    assert story.fleet.ignored == {}
    assert undo(story) == ["device.ignored"]
    assert story.device().retired_at is not None


def test_what_was_retired_before_stays_retired_when_it_is_ignored_no_longer() -> None:
    story = neighbour()
    story.tell(edit("retire", "id:1", noon(minutes=1)))
    story.tell(edit("ignore", "id:1", noon(minutes=2)))
    story.tell(edit("ignore", "id:1", noon(minutes=3), remove=True))
    assert story.device().retired_at == noon(minutes=1)
    assert story.tell(seen(A, name="Next door", at=noon(minutes=4))) == ["device.restored"]


def test_an_identity_is_ignored_before_anything_has_it() -> None:
    story = Story()
    assert story.tell(edit("ignore", "mac:D4-2D-C5-00-00-0A", text=" the shop ")) == [
        "device.ignored"
    ]
    assert story.tell(seen(A, RTSP, at=noon(minutes=1))) == []
    assert story.fleet.devices == {}
    assert story.fleet.ignored == {A: {"at": NOON.isoformat(), "by": "tester", "text": "the shop"}}
    story.tell(edit("ignore", A, remove=True))
    assert story.tell(seen(A, at=noon(minutes=2))) == ["device.found"]


def test_it_is_ignored_in_the_file_too() -> None:
    story = neighbour()
    story.tell(edit("ignore", "id:1"))
    story.fleet = record.decode(record.Encoder().encode(story.fleet))
    assert story.tell(seen(A, at=noon(minutes=2))) == []


def test_without_an_identity_it_is_the_place_at_its_site() -> None:
    story = Story()
    story.tell(seen(RTSP, source="rtsp", address="10.0.0.5"))
    story.tell(edit("ignore", "id:1"))
    assert set(story.fleet.ignored) == {f"here|{RTSP}", "here|address:10.0.0.5"}
    later = {"source": "rtsp", "at": noon(minutes=2), "address": "10.0.0.5"}
    assert story.tell(seen(RTSP, **later)) == []
    assert story.tell(seen("rtsp:10.0.0.5:554/two", **later)) == []
    assert story.tell(seen(B, **later)) == ["device.found"]


def test_a_mac_that_several_devices_use_does_not_bring_an_ignored_address_back() -> None:
    story = Story()
    story.fleet = replace(story.fleet, disputed={A: NOON})
    story.tell(seen(A, address="10.0.0.5"), edit("ignore", "id:1"))
    assert story.tell(seen(A, at=noon(minutes=2), address="10.0.0.5")) == []
    assert story.tell(seen(A, at=noon(minutes=2), address="10.0.0.6")) == ["device.found"]


def test_a_listed_device_at_an_ignored_address_is_heard() -> None:
    story = Story()
    story.tell(edit("ignore", "address:10.0.0.5"))
    story.tell(edit("add", "", source="rtsp", host="10.0.0.5", port=554, path="/live"))
    kinds = story.tell(seen(RTSP, source="rtsp", at=noon(minutes=1), address="10.0.0.5"))
    assert kinds == ["device.found"]


def test_an_ignored_one_that_takes_a_known_address_adds_nothing() -> None:
    story = Story()
    story.tell(seen(B, RTSP, source="rtsp", address="10.0.0.5"), edit("ignore", A))
    assert story.tell(seen(A, RTSP, source="rtsp", at=noon(minutes=1), address="10.0.0.5")) == []
    assert list(story.fleet.devices) == [1]


def test_ignored_sightings_take_no_place_in_a_full_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "MAX_DEVICES", 1)
    story = Story()
    story.tell(edit("ignore", A), seen(B))
    assert story.tell(seen(A, at=noon(minutes=1))) == []
    assert "full" not in story.fleet.state


def test_a_listed_device_is_not_ignored() -> None:
    story = Story()
    story.tell(edit("add", "", source="rtsp", host="10.0.0.5", name="Gate"))
    with pytest.raises(
        Refused, match="Gate was added by a person or the workbook, so it cannot be ignored"
    ):
        story.tell(edit("ignore", "id:1"))


def test_a_row_of_the_workbook_is_not_ignored_though_it_left() -> None:
    story = Story()
    story.tell(*edits([RecorderRow("S1", "4F02BC9PAJ01A15", "North")], {}, "workbook", NOON))
    story.tell(*edits([], story.fleet.devices, "workbook", NOON))
    with pytest.raises(Refused, match="was added by a person"):
        story.tell(edit("ignore", "id:1"))


def test_an_ignored_device_is_not_restored_by_hand_but_by_ignoring_it_no_longer() -> None:
    story = neighbour()
    story.tell(edit("ignore", "id:1"))
    with pytest.raises(Refused, match="Next door is ignored") as refused:
        story.tell(edit("restore", "id:1"))
    assert "Stop ignoring" in refused.value.hint


def test_a_deleted_device_stays_ignored() -> None:
    story = neighbour()
    story.tell(edit("ignore", "id:1"))
    story.tell(edit("delete", "id:1"))
    assert story.tell(seen(A, at=noon(minutes=1))) == []
    assert story.fleet.devices == {}


def test_what_becomes_part_of_a_listed_device_is_heard_again() -> None:
    story = neighbour()
    story.tell(edit("ignore", "id:1"), seen(B, address="10.0.0.2"))
    story.tell(edit("merge", "id:1", **{"with": 2}))
    assert story.fleet.ignored == {}
    assert story.device().retired_at is None


def test_ignoring_twice_changes_nothing_and_stopping_twice_is_refused() -> None:
    story = neighbour()
    story.tell(edit("ignore", "id:1"))
    assert story.tell(edit("ignore", "id:1", noon(minutes=2))) == []
    story.tell(edit("ignore", "id:1", remove=True))
    with pytest.raises(Refused, match="is not ignored"):
        story.tell(edit("ignore", "id:1", remove=True))


def test_the_list_of_ignored_ones_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ignoring, "MAX_IGNORED", 1)
    story = Story()
    story.tell(edit("ignore", A))
    with pytest.raises(Refused, match="1 identities are already ignored"):
        story.tell(edit("ignore", B))
    assert set(story.fleet.ignored) == {A}


@pytest.mark.parametrize(
    ("identity", "fields", "error"),
    [
        ("id:9", {}, NotFound),
        ("id:" + "9" * 99, {}, NotFound),
        ("gate", {}, Invalid),
        ("", {}, Invalid),
        ("mac:00:00:00:00:00:00", {}, Invalid),
        ("row:S1", {}, Invalid),
        ("former:1/x", {}, Invalid),
        (A, {"site": 7}, Invalid),
        (A, {"text": 7}, Invalid),
        (A, {"text": "x" * 201}, Invalid),
    ],
)
def test_what_does_not_fit_is_refused(identity: str, fields: Any, error: type[Refused]) -> None:
    story = Story()
    with pytest.raises(error) as refused:
        story.tell(edit("ignore", identity, **fields))
    assert refused.value.hint
    assert story.fleet.ignored == {}


def test_a_key_of_no_known_device_is_no_longer_ignored_after_undo() -> None:
    story = Story()
    story.tell(edit("ignore", RTSP, site="North", text="Channel 3 of Recorder"))
    assert story.events[-1].device is None
    assert story.events[-1].text == "Channel 3 of Recorder is ignored, by tester"
    assert can_undo(story.events[-1])
    assert undo(story) == ["device.unignored"]
    assert story.events[-1].text == "Channel 3 of Recorder is no longer ignored, by tester"
    assert story.fleet.ignored == {}
    assert undo(story) == ["device.ignored"]
    assert [*story.fleet.ignored] == [f"North|{RTSP}"]
