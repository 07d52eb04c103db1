"""A person says that two records are one device, or that one record is two; and takes it back."""

from dataclasses import replace
from typing import Any

import pytest

from fleet import labels
from fleet.edit.editing import inverse
from fleet.identity import channel_key
from fleet.model import Access, Edit, Event, Refused
from fleet.queries import DeviceFilter, select
from tests.fleet.reports import A, B, Story, edit, heard, missed, noon, seen

ONVIF, RTSP = "onvif:urn:uuid:1", "rtsp:10.0.0.1:554/live"


def story_of_two() -> Story:
    """Gate is device 1, Door is device 2."""
    story = Story()
    story.tell(seen(A, name="Gate"), seen(B, name="Door", address="10.0.0.2"))
    return story


def merge(identity: str, other: int) -> Edit:
    return Edit("merge", identity, {"with": other}, "tester", noon())


def undo(story: Story, event: Event, **at: float) -> list[str]:
    return story.tell(inverse(event, "tester", noon(**at)))


# -- merging ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "other"), [(1, 2), (2, 1)])
def test_a_person_may_say_that_two_macs_are_one_device(first: int, other: int) -> None:
    story = story_of_two()
    assert story.tell(merge(f"id:{first}", other)) == ["device.merged"]
    assert story.events[-1].text == "Door (10.0.0.2) was merged into Gate, by tester"
    assert list(story.fleet.devices) == [1]
    assert story.device().identities == (A, B)
    assert story.fleet.redirects == {2: 1}
    assert story.tell(missed(B, noon(minutes=1))) == ["device.offline"]


def test_a_merged_device_is_seen_by_either_mac() -> None:
    story = story_of_two()
    story.tell(merge("id:1", 2))
    for minute, key in enumerate((A, B, A), start=1):
        story.tell(seen(key, at=noon(minutes=minute), address=None))
    assert list(story.fleet.devices) == [1]
    assert story.device().last_seen == noon(minutes=3)


def test_a_merge_says_which_connection_is_dropped_and_a_split_brings_it_back() -> None:
    story = Story()
    story.tell(edit("add", "", source="rtsp", host="10.0.0.1", path="/a", name="Front door"))
    story.tell(edit("add", "", source="rtsp", host="10.0.0.2", path="/b", name="Live 2"))
    story.tell(seen("rtsp:10.0.0.1/a", address="10.0.0.1", at=noon(), source="rtsp"))
    story.tell(seen("rtsp:10.0.0.2/b", address="10.0.0.2", at=noon(minutes=3), source="rtsp"))
    story.tell(Edit("merge", "id:2", {"with": 1}, "tester", noon(minutes=5)))
    assert ", without RTSP at 10.0.0.2/b, by tester" in story.events[-1].text
    device = story.device(1)
    assert device.address == "10.0.0.1"
    assert [change.ip for change in device.addresses] == ["10.0.0.1", "10.0.0.2"]
    lost = {"identities": ["rtsp:10.0.0.2/b"]}
    story.tell(Edit("split", "id:1", lost, "tester", noon(minutes=6)))
    assert story.device(3).access == {"rtsp": Access("10.0.0.2", None, "/b")}
    assert story.device(1).access["rtsp"].host == "10.0.0.1"
    story.tell(inverse(story.events[-1], "tester", noon(minutes=7)))
    assert story.device(1).access["rtsp"].host == "10.0.0.1"


@pytest.mark.parametrize(
    ("key", "title"),
    [
        (A, "MAC d4:2d:c5:00:00:0a"),
        ("onvif:urn:uuid:24", "ONVIF endpoint urn:uuid:24"),
        ("at:onvif:10.0.0.1:80", "ONVIF at 10.0.0.1:80"),
        ("rtsp:10.0.0.1/live", "RTSP at 10.0.0.1/live"),
        (channel_key(A, "Video 1"), "Channel Video 1"),
        ("row:1041", "Workbook row 1041"),
    ],
)
def test_an_identity_has_a_title_in_words(key: str, title: str) -> None:
    assert labels.identity_title(key) == title


def test_merging_with_itself_or_nobody_is_refused() -> None:
    story = story_of_two()
    with pytest.raises(Refused, match="cannot be merged with itself"):
        story.tell(merge("id:1", 1))
    with pytest.raises(Refused, match="The device to merge with does not exist"):
        story.tell(merge("id:1", 9))
    story.tell(merge("id:1", 2))
    with pytest.raises(Refused, match="cannot be merged with itself"):
        story.tell(merge("id:1", 2))


def test_undoing_a_merge_gives_both_numbers_back() -> None:
    story = story_of_two()
    gate, door = story.device(1), story.device(2)
    story.tell(merge("id:1", 2))
    assert undo(story, story.events[-1]) == ["device.unmerged"]
    assert story.fleet.redirects == {}
    assert list(story.fleet.devices) == [1, 2]
    for before, after in ((gate, story.device(1)), (door, story.device(2))):
        assert after.identities == before.identities
        assert after.facts == before.facts
        assert after.addresses == before.addresses


def test_after_an_undone_merge_the_sources_do_not_merge_them_again() -> None:
    story = Story()
    story.tell(seen(A), seen(ONVIF, source="onvif"))
    story.tell(seen(A, ONVIF, source="onvif", at=noon(minutes=1)))
    assert story.events[-1].kind == "device.merged"
    undo(story, story.events[-1])
    assert story.tell(seen(A, ONVIF, source="onvif", at=noon(minutes=2))) == []
    assert list(story.fleet.devices) == [1, 2]


def story_of_missing_and_active() -> Story:
    """Gate, device 1, was last seen 40 days before Door, device 2."""
    story = Story()
    story.tell(seen(A, name="Gate", links={"stream": "rtsp://gate/"}))
    story.tell(seen(B, name="Door", address="10.0.0.2"))
    story.tell(missed(A, noon(days=1)), missed(A, noon(days=2)), missed(A, noon(days=3)))
    story.tell(seen(B, address="10.0.0.2", at=noon(days=40), links={"still": "http://door/"}))
    return story


def merged_event(story: Story) -> Event:
    """Merge both devices, and return the event that tells it."""
    story.tell(merge("id:1", 2))
    return next(event for event in story.events if event.kind == "device.merged")


def sightings_of(story: Story, at: dict[str, float]) -> list[tuple[Any, ...]]:
    """Status, time and state of both devices, and their links."""
    devices = story.device(1), story.device(2)
    return [
        (story.status(device.id, noon(**at)), device.last_seen, device.states, device.links)
        for device in devices
    ]


def test_undoing_a_merge_gives_back_when_each_was_seen() -> None:
    story = story_of_missing_and_active()
    before = sightings_of(story, {"days": 40})
    assert [status for status, *_ in before] == ["MISSING", "ACTIVE"]
    undo(story, merged_event(story), days=40)
    assert sightings_of(story, {"days": 40}) == before


@pytest.mark.parametrize(
    ("key", "address", "statuses", "last"),
    [
        (A, "10.0.0.1", ["ACTIVE", "ACTIVE"], [41, 40]),
        (B, "10.0.0.2", ["MISSING", "ACTIVE"], [0, 41]),
        (B, "10.0.0.22", ["MISSING", "ACTIVE"], [0, 41]),
        (A, "10.0.0.11", ["IP_CHANGED", "ACTIVE"], [41, 40]),
    ],
    ids=["kept", "removed", "removed elsewhere", "kept elsewhere"],
)
def test_what_was_seen_since_a_merge_belongs_to_the_half_whose_key_it_proved(
    key: str, address: str, statuses: list[str], last: list[int]
) -> None:
    story = story_of_missing_and_active()
    merged = merged_event(story)
    story.tell(seen(key, address=address, at=noon(days=41)))
    undo(story, merged, days=41)
    seen_at = [story.device(id).last_seen for id in (1, 2)]
    assert seen_at == [noon(days=days) for days in last]
    assert [story.status(id, noon(days=41)) for id in (1, 2)] == statuses


def test_undoing_an_old_merge_does_not_forget_what_happened_since() -> None:
    """The record that stayed went on living: its sightings, its name, its address are true."""
    story = story_of_two()
    story.tell(merge("id:1", 2))
    merged = story.events[-1]
    story.tell(edit("change", "id:1", name="North gate"))
    story.tell(seen(A, name="Gate", at=noon(days=30), address="10.0.0.9"))
    undo(story, merged, days=30)
    gate = story.device(1)
    assert (gate.name, gate.address, gate.last_seen) == ("North gate", "10.0.0.9", noon(days=30))
    assert story.status(1, at=noon(days=30)) != "MISSING"


def test_a_merge_is_undone_once() -> None:
    story = story_of_two()
    story.tell(merge("id:1", 2))
    merged = story.events[-1]
    undo(story, merged)
    with pytest.raises(Refused, match="merged or split since"):
        undo(story, merged)


def test_undoing_the_undo_of_a_merge_merges_again() -> None:
    story = story_of_two()
    story.tell(merge("id:1", 2))
    undo(story, story.events[-1])
    assert undo(story, story.events[-1]) == ["device.merged"]
    assert list(story.fleet.devices) == [1]


# -- splitting -------------------------------------------------------------------------------


def known_by_two_keys() -> Story:
    story = Story()
    story.tell(seen(A, RTSP, name="Gate"))
    return story


def test_a_split_makes_a_device_with_a_number_of_its_own() -> None:
    story = known_by_two_keys()
    assert story.tell(edit("split", "id:1", identities=[RTSP])) == ["device.split"]
    assert story.device(1).identities == (A,)
    assert story.device(2).identities == (RTSP,)
    assert story.fleet.next_id == 3


def test_what_a_person_split_stays_apart_whatever_the_sources_prove() -> None:
    story = known_by_two_keys()
    story.tell(edit("split", "id:1", identities=[RTSP]))
    for minute in range(1, 4):
        story.tell(seen(A, RTSP, at=noon(minutes=minute)))
        story.tell(heard(RTSP, source="rtsp", at=noon(minutes=minute)))
    assert list(story.fleet.devices) == [1, 2]
    assert story.device(1).identities == (A,)
    assert story.device(2).identities == (RTSP,)


def test_keys_do_not_wander_between_what_a_person_told_apart() -> None:
    story = Story()
    story.tell(seen(A, ONVIF, RTSP, name="Gate"))
    story.tell(edit("split", "id:1", identities=[A]))
    for minute in range(1, 4):
        story.tell(seen(A, ONVIF, RTSP, at=noon(minutes=minute)))
    assert story.device(1).identities == (ONVIF, RTSP)
    assert story.device(2).identities == (A,)


def test_told_apart_outlives_the_merging_of_one_of_them_with_a_third() -> None:
    story = Story()
    story.tell(seen(A), seen(ONVIF, RTSP, source="onvif", address="10.0.0.2"))
    story.tell(edit("split", "id:2", identities=[RTSP]))
    story.tell(seen(A, ONVIF, source="onvif", at=noon(minutes=1)))
    assert list(story.fleet.devices) == [1, 3]
    story.tell(seen(A, ONVIF, RTSP, source="onvif", at=noon(minutes=2)))
    assert list(story.fleet.devices) == [1, 3]
    assert story.device(3).identities == (RTSP,)


@pytest.mark.parametrize("identities", [[A, RTSP], [], [B], [A, B], [RTSP, ONVIF]])
def test_a_split_that_leaves_nothing_or_names_a_stranger_is_refused(identities: list[str]) -> None:
    story = known_by_two_keys()
    before = story.fleet
    with pytest.raises(Refused, match="cannot be split this way") as refused:
        story.tell(edit("split", "id:1", identities=identities))
    assert RTSP in refused.value.hint
    assert story.fleet is before


def test_undoing_a_split_makes_it_one_again() -> None:
    story = known_by_two_keys()
    story.tell(edit("split", "id:1", identities=[RTSP]))
    assert undo(story, story.events[-1]) == ["device.merged"]
    assert story.device(1).identities == (A, RTSP)
    story.tell(seen(A, RTSP, at=noon(minutes=1)))
    assert list(story.fleet.devices) == [1]


# -- lists -----------------------------------------------------------------------------------


def test_lists_stay_by_number_whatever_keys_come_and_go() -> None:
    story = story_of_two()
    story.tell(seen("mac:d4:2d:c5:00:00:0c", address="10.0.0.3"))
    story.tell(seen(A, ONVIF, source="onvif", at=noon(minutes=1)))
    story.tell(merge("id:2", 3))
    undo(story, story.events[-1])
    devices = story.fleet.devices
    statuses = dict.fromkeys(devices, "ACTIVE")
    listed = select(devices.values(), statuses, DeviceFilter(), frozenset({"camera"}))
    assert [device.id for device in listed.devices] == [1, 2, 3]


# -- site, parent and tags -------------------------------------------------------------------


def test_tags_are_clean_each_once_and_undone() -> None:
    story = story_of_two()
    story.tell(edit("change", "id:1", tags=[" north  door", "night\x00", "night", "", "\u200b"]))
    assert story.device().tags == ("north door", "night")
    undo(story, story.events[-1])
    assert story.device().tags == ()


@pytest.mark.parametrize("tags", [["x" * 41], [str(n) for n in range(21)], "door", [7], {"a": 1}])
def test_tags_that_do_not_fit_are_refused(tags: Any) -> None:
    with pytest.raises(Refused, match="tags"):
        story_of_two().tell(edit("change", "id:1", tags=tags))


def test_a_site_is_changed_told_and_undone() -> None:
    story = story_of_two()
    story.tell(edit("change", "id:1", site=" Plant  2 "))
    assert story.device().site == "Plant 2"
    assert story.events[-1].text == "Gate: site changed to Plant 2, by tester"
    undo(story, story.events[-1])
    assert story.device().site == "here"
    for site in ("", None, "\n", "x" * 61):
        with pytest.raises(Refused):
            story.tell(edit("change", "id:1", site=site))


def test_a_device_at_a_named_site_is_still_found_by_its_mac_and_its_local_keys() -> None:
    story = known_by_two_keys()
    story.tell(edit("change", "id:1", site="Plant 2"))
    assert story.tell(seen(A, name="Gate", at=noon(minutes=1))) == []
    assert story.tell(edit("change", A, name="North gate")) == ["device.edited"]
    assert list(story.fleet.devices) == [1]
    assert story.fleet.index == {A: 1, f"Plant 2|{RTSP}": 1}


def test_a_site_where_another_has_the_same_key_is_refused() -> None:
    """Both would be what `rtsp:10.0.0.1:554/live` is there, and one of them nobody."""
    story = Story()
    story.tell(heard(RTSP, source="rtsp", name="Gate"))
    story.tell(replace(heard(RTSP, source="rtsp", name="Door"), site="plant 2"))
    with pytest.raises(Refused, match="Gate"):
        story.tell(edit("change", "id:2", site="here"))
    assert [device.identities for device in story.fleet.devices.values()] == [(RTSP,), (RTSP,)]


def test_a_parent_is_set_told_and_changes_the_word_at_once() -> None:
    story = story_of_two()
    story.tell(missed(A, noon(minutes=1)), missed(B, noon(minutes=1)))
    kinds = story.tell(edit("change", "id:2", noon(minutes=2), parent=1))
    assert kinds == ["device.edited", "device.unreachable"]
    assert story.events[-2].text == "Door: connected through Gate, by tester"
    kinds = story.tell(edit("change", "id:2", noon(minutes=3), parent=None))
    assert kinds == ["device.edited", "device.offline"]


@pytest.mark.parametrize("parent", [2, 3, 9, "1", 0])
def test_a_parent_that_is_nobody_or_stands_behind_it_is_refused(parent: Any) -> None:
    story = story_of_two()
    story.tell(seen("mac:d4:2d:c5:00:00:0c", address="10.0.0.3"))
    story.tell(edit("change", "id:3", parent=2))
    with pytest.raises(Refused):
        story.tell(edit("change", "id:2", parent=parent))


def test_retiring_the_parent_changes_the_word_of_what_hangs_behind_it() -> None:
    story = story_of_two()
    story.tell(edit("change", "id:2", parent=1))
    story.tell(missed(A, noon(minutes=1)), missed(B, noon(minutes=1)))
    assert story.device(2).status == "UNREACHABLE"
    kinds = story.tell(edit("retire", "id:1", noon(minutes=2)))
    assert kinds == ["device.retired", "device.offline"]


@pytest.mark.parametrize("given", [None, "North gate"])
def test_undoing_a_split_leaves_the_name_as_it_was(given: str | None) -> None:
    story = known_by_two_keys()
    story.tell(edit("change", "id:1", name=given))
    story.tell(edit("split", "id:1", identities=[RTSP]))
    assert story.device(2).name == f"{given or 'Gate'} (split)"
    undo(story, story.events[-1])
    assert (story.device(1).name, list(story.fleet.devices)) == (given, [1])


def test_undoing_a_split_of_a_retired_camera_leaves_it_retired() -> None:
    story = known_by_two_keys()
    story.tell(edit("retire", "id:1", noon(minutes=1)))
    retired = story.events[-1]
    story.tell(edit("split", "id:1", noon(minutes=2), identities=[RTSP]))
    assert [device.retired_at for device in story.fleet.devices.values()] == [noon(minutes=1)] * 2
    undo(story, story.events[-1], minutes=3)
    assert story.device(1).retired_at == noon(minutes=1)
    undo(story, retired, minutes=4)
    assert story.device(1).retired_at is None


def test_the_other_half_of_a_split_keeps_a_name_that_a_person_gave() -> None:
    story = known_by_two_keys()
    story.tell(edit("split", "id:1", identities=[RTSP]))
    story.tell(edit("change", "id:2", name="North gate"))
    story.tell(merge("id:1", 2))
    assert story.device(1).name == "North gate"
