"""Reports in, events out: what is told of a device, and that it is told once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fleet.model import MAX_ADDRESSES, AddressChange, Device, NotFound, Refused
from fleet.reduce import capacity
from fleet.status import ACTIVE, IP_CHANGED, MISSING, OFFLINE, UNREACHABLE
from tests.fleet.reports import A, B, C, Story, edit, heard, missed, noon, seen


def test_a_camera_that_nobody_knew_is_found_with_all_that_it_says() -> None:
    story = Story()
    gate = seen(A, name="Gate", model="WV", serial="S1", port=80, facts={"subnet": "255.0.0.0"})
    assert story.tell(gate) == ["device.found"]
    assert story.events[0].text == "Gate was found at 10.0.0.1"
    assert story.events[0].device == 1
    device = story.device()
    assert (device.address, device.first_seen, device.last_seen) == ("10.0.0.1", noon(), noon())
    assert device.addresses == (AddressChange("10.0.0.1", noon(), None),)
    facts = {"name": "Gate", "model": "WV", "serial": "S1", "port": 80, "subnet": "255.0.0.0"}
    assert device.facts == {"panasonic": facts}
    assert story.status() == device.status == ACTIVE


def test_the_same_answer_again_tells_nothing() -> None:
    story = Story()
    story.tell(seen(A, name="Gate"))
    for minute in range(1, 5):
        assert story.tell(seen(A, name="Gate", at=noon(minutes=minute))) == []
    assert story.device().last_seen == noon(minutes=4)


def test_discoveries_are_counted_once_a_scan() -> None:
    story = Story()
    story.tell(seen(A), seen(A, at=noon(seconds=1), asked=noon()))
    assert story.device().sightings == 1
    story.tell(heard(A, at=noon(seconds=5)))
    story.tell(seen(A, at=noon(minutes=1)))
    assert story.device().sightings == 2
    story.tell(heard(B))
    assert story.device(2).sightings == 1


# -- addresses -----------------------------------------------------------------------------


def test_a_move_is_told_once_and_lasts_until_a_later_scan_finds_it_there() -> None:
    story = Story()
    story.tell(seen(A))
    first, later = noon(minutes=5), noon(minutes=10)
    assert story.tell(seen(A, at=first, address="10.0.0.9")) == ["device.moved"]
    moved = story.events[-1]
    assert (moved.before, moved.after) == ({"address": "10.0.0.1"}, {"address": "10.0.0.9"})
    assert story.status() == IP_CHANGED
    again = seen(A, at=first + timedelta(seconds=2), address="10.0.0.9", asked=first)
    assert story.tell(again) == []
    assert story.status() == IP_CHANGED, "the same scan heard it twice"
    assert story.tell(heard(A, at=noon(minutes=6), address="10.0.0.9")) == []
    assert story.status() == IP_CHANGED, "nobody asked, so it is not confirmed"
    assert story.tell(seen(A, at=later, address="10.0.0.9")) == ["device.settled"]
    assert story.status() == ACTIVE
    assert [address.ip for address in story.device().addresses] == ["10.0.0.1", "10.0.0.9"]


def test_a_move_that_was_heard_unasked_is_confirmed_by_a_scan_that_began_later() -> None:
    story = Story()
    story.tell(seen(A))
    began, heard_at = noon(minutes=5), noon(minutes=5, seconds=1)
    assert story.tell(heard(A, at=heard_at, address="10.0.0.9")) == ["device.moved"]
    story.tell(seen(A, at=noon(minutes=5, seconds=2), asked=began, address="10.0.0.9"))
    assert story.status() == IP_CHANGED, "that scan began before it moved"
    story.tell(seen(A, at=noon(minutes=9), address="10.0.0.9"))
    assert story.status() == ACTIVE


def test_every_real_move_is_told_and_remembered() -> None:
    story = Story()
    for minute, last in enumerate((1, 2, 3, 2, 1)):
        story.tell(seen(A, at=noon(minutes=minute), address=f"10.0.0.{last}"))
    kinds = [event.kind for event in story.events]
    assert kinds == ["device.found"] + ["device.moved"] * 4
    history = [(address.previous, address.ip) for address in story.device().addresses]
    assert [ip[-1:] for _previous, ip in history] == ["1", "2", "3", "2", "1"]
    assert [previous for previous, _ip in history[1:]] == [ip for _previous, ip in history[:-1]]


def test_a_sighting_without_an_address_moves_nothing() -> None:
    story = Story()
    story.tell(seen(A))
    assert story.tell(seen(A, at=noon(minutes=1), address=None)) == []
    assert story.device().address == "10.0.0.1"


def test_the_first_address_of_a_device_is_no_move() -> None:
    story = Story()
    story.tell(seen(A, address=None))
    assert story.tell(seen(A, at=noon(minutes=1))) == []
    assert story.device().addresses == (AddressChange("10.0.0.1", noon(minutes=1), None),)


def test_a_device_that_moves_with_every_answer_does_not_grow_for_ever() -> None:
    story = Story()
    most = MAX_ADDRESSES
    for second in range(most + 5):
        story.tell(seen(A, at=noon(seconds=second), address=f"10.0.{second // 256}.{second % 256}"))
    kept = story.device().addresses
    assert len(kept) == most
    assert kept[-1].ip == story.device().address


def test_the_fleet_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "MAX_DEVICES", 3)
    story = Story()
    story.tell(*(seen(f"mac:d4:2d:c5:00:01:{n:02x}", address=f"10.0.1.{n}") for n in range(9)))
    assert len(story.fleet.devices) == 3
    assert [event.kind for event in story.fleet.outbox].count("fleet.full") == 1, "said once"
    assert story.tell(missed("mac:d4:2d:c5:00:01:00", noon(minutes=1))) == ["device.offline"]


# -- misses --------------------------------------------------------------------------------


def test_it_goes_offline_once_however_many_misses_and_comes_back_once() -> None:
    story = Story()
    story.tell(seen(A, name="Gate"))
    assert story.tell(missed(A, noon(minutes=1), reason="no answer to 6 requests")) == [
        "device.offline"
    ]
    assert story.events[-1].text == "Gate is offline: no answer to 6 requests"
    for minute in range(2, 9):
        assert story.tell(missed(A, noon(minutes=minute))) == []
    assert story.device().states["panasonic"].misses == 8
    assert story.device().since == noon(minutes=1)
    assert story.tell(seen(A, name="Gate", at=noon(minutes=9))) == ["device.back"]
    assert story.events[-1].before == {
        "status": OFFLINE,
        "reason": "did not answer",
        "misses": 8,
        "source": "panasonic",
        "since": noon(minutes=1).isoformat(),
    }
    assert story.device().states["panasonic"].misses == 0


def test_it_is_told_missing_once_and_only_by_time() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(missed(A, noon(minutes=1)))
    assert story.tell(at=noon(hours=23)) == []
    assert story.tell(at=noon(hours=24)) == ["device.missing"]
    assert story.tell(at=noon(hours=25)) == []
    assert story.tell(missed(A, noon(hours=26))) == []
    assert story.tell(seen(A, at=noon(hours=27))) == ["device.back"]
    assert story.events[-1].before == {
        "status": MISSING,
        "reason": "did not answer",
        "misses": 2,
        "source": "panasonic",
        "since": noon(hours=24).isoformat(),
    }


def test_time_alone_says_nothing_of_a_device_that_nobody_asked() -> None:
    story = Story()
    story.tell(seen(A))
    assert story.tell(at=noon(days=9)) == []
    assert story.status(at=noon(days=9)) == ACTIVE


def test_it_comes_back_elsewhere_as_moved_and_back() -> None:
    story = Story()
    story.tell(seen(A))
    story.tell(missed(A, noon(minutes=1)))
    back = seen(A, at=noon(minutes=5), address="10.0.0.9")
    assert story.tell(back) == ["device.moved", "device.back"]
    assert story.status() == IP_CHANGED


def test_a_late_miss_of_a_scan_in_which_it_was_heard_unasked_is_ignored() -> None:
    story = Story()
    story.tell(seen(A))
    began = noon(minutes=5)
    story.tell(heard(A, at=began + timedelta(seconds=1)))
    assert story.tell(missed(A, began + timedelta(seconds=4), asked=began)) == []
    assert story.status() == ACTIVE
    assert story.tell(missed(A, noon(minutes=6))) == ["device.offline"], "a later scan counts"


def test_a_miss_of_somebody_unknown_or_retired_is_nothing() -> None:
    story = Story()
    assert story.tell(missed(A)) == []
    story.tell(seen(A))
    story.tell(edit("retire", "id:1", noon(minutes=1)))
    assert story.tell(missed(A, noon(minutes=2))) == []
    assert story.device().states["panasonic"].misses == 0


def test_a_source_that_still_sees_it_vouches_for_it() -> None:
    story = Story()
    story.tell(seen(A))
    assert story.tell(missed(A, noon(minutes=2), source="rtsp")) == []
    assert story.status() == ACTIVE
    assert story.tell(missed(A, noon(minutes=3))) == ["device.offline"], "now nobody does"


# -- facts ---------------------------------------------------------------------------------


def test_a_changed_fact_is_told_with_before_and_after() -> None:
    story = Story()
    story.tell(seen(A, name="Gate", firmware="1.0"))
    assert story.tell(seen(A, name="Gate", firmware="1.1", at=noon(minutes=1))) == ["device.facts"]
    assert (story.events[-1].before, story.events[-1].after) == (
        {"firmware": "1.0"},
        {"firmware": "1.1"},
    )
    assert story.device().facts["panasonic"]["firmware"] == "1.1"


def test_a_fact_that_is_new_is_kept_without_a_word() -> None:
    story = Story()
    story.tell(seen(A, name="Gate"))
    assert story.tell(seen(A, name="Gate", model="WV", at=noon(minutes=1))) == []
    assert story.device().facts["panasonic"]["model"] == "WV"


def test_facts_of_one_source_do_not_disturb_those_of_another() -> None:
    story = Story()
    story.tell(seen(A, name="Gate"))
    assert story.tell(seen(A, name="Axis 1", source="onvif", at=noon(minutes=1))) == []
    assert story.device().facts == {"panasonic": {"name": "Gate"}, "onvif": {"name": "Axis 1"}}


def test_links_and_keys_gather() -> None:
    story = Story()
    story.tell(seen(A, links={"stream": "/live"}))
    story.tell(seen(A, "onvif:urn:1", source="onvif", links={"still": "/jpg"}))
    assert story.device().identities == (A, "onvif:urn:1")
    assert story.device().links == {"stream": "/live", "still": "/jpg"}


# -- edits and retired ones ------------------------------------------------------------------


def test_a_retired_device_that_answers_is_back_with_exactly_one_event() -> None:
    story = Story()
    story.tell(seen(A, name="Gate"))
    story.tell(missed(A, noon(minutes=1)))
    assert story.tell(edit("retire", "id:1", noon(minutes=2))) == ["device.retired"]
    assert story.tell(at=noon(days=3)) == []
    assert story.tell(seen(A, name="Gate", at=noon(days=4))) == ["device.restored"]
    assert story.events[-1].text == "Gate is online again and was restored"
    assert story.device().retired_at is None
    assert story.device().status == story.status(at=noon(days=4)) == ACTIVE


def test_a_batch_with_an_edit_that_cannot_be_done_is_not_done_at_all() -> None:
    story = Story()
    story.tell(seen(A))
    before = story.fleet
    for wrong in (edit("retire", "id:9"), edit("retire", C), edit("explode", "id:1")):
        with pytest.raises(Refused):
            story.tell(seen(B, address="10.0.0.2"), wrong)
    with pytest.raises(NotFound, match="Device 9 does not exist"):
        story.tell(edit("retire", "id:9"))
    assert story.fleet is before


@pytest.mark.parametrize("key", ["id:", "id:x", "id:0", "id:-1", "id:²", "", "mac:", "nonsense"])
def test_a_key_that_names_nobody_is_said_so(key: str) -> None:
    story = Story()
    story.tell(seen(A))
    with pytest.raises(NotFound):
        story.tell(edit("retire", key))


# -- parents ---------------------------------------------------------------------------------


def behind(*parents: int | None) -> Story:
    """Devices 1, 2, 3…, each seen at noon, with these parents."""
    story = Story(
        *(
            Device(
                id,
                "camera",
                "here",
                (f"mac:d4:2d:c5:00:00:{id:02x}",),
                parents=(parent,) if parent else (),
            )
            for id, parent in enumerate(parents, start=1)
        )
    )
    story.tell(
        *(seen(device.identities[0], address=None) for device in story.fleet.devices.values())
    )
    return story


def keys(story: Story) -> list[str]:
    return [device.identities[0] for device in story.fleet.devices.values()]


def statuses_told(story: Story) -> list[str]:
    return [device.status for device in story.fleet.devices.values()]


def test_what_hangs_behind_a_dead_parent_is_told_unreachable_and_back() -> None:
    story = behind(None, 1)
    switch, camera = keys(story)
    assert story.tell(missed(switch, noon(minutes=1))) == ["device.offline"]
    assert story.tell(missed(camera, noon(minutes=1))) == ["device.unreachable"]
    assert story.tell(seen(switch, at=noon(minutes=2), address=None)) == [
        "device.back",
        "device.offline",
    ]
    assert statuses_told(story) == [ACTIVE, OFFLINE]


@pytest.mark.parametrize("is_parent_first", [True, False])
def test_what_dies_together_with_its_parent_is_told_unreachable_only(is_parent_first: bool) -> None:
    """One scan misses a switch and its cameras: nobody wants to hear of each camera first."""
    story = behind(None, 1)
    misses = [missed(key, noon(minutes=1)) for key in keys(story)]
    kinds = story.tell(*(misses if is_parent_first else misses[::-1]))
    assert kinds == ["device.offline", "device.unreachable"]


def test_a_parent_that_dies_changes_the_word_of_a_child_that_was_offline_already() -> None:
    story = behind(None, 1)
    switch, camera = keys(story)
    story.tell(missed(camera, noon(minutes=1)))
    assert story.tell(missed(switch, noon(minutes=2))) == ["device.offline", "device.unreachable"]


def test_a_dead_grandparent_is_told_down_the_whole_chain() -> None:
    story = behind(None, 1, 2)
    top, _middle, leaf = keys(story)
    story.tell(missed(leaf, noon(minutes=1)))
    assert story.tell(missed(top, noon(minutes=2))) == ["device.offline", "device.unreachable"]
    assert statuses_told(story) == [OFFLINE, ACTIVE, UNREACHABLE]


def test_devices_that_are_each_others_parents_end_in_words_too() -> None:
    story = behind(2, 1)
    first, other = keys(story)
    story.tell(missed(first, noon(minutes=1)), missed(other, noon(minutes=1)))
    assert statuses_told(story) == [UNREACHABLE, UNREACHABLE]


def test_what_was_told_last_is_what_is_true_once_time_has_passed() -> None:
    story = behind(None, 1, 1)
    story.tell(*(missed(key, noon(minutes=1)) for key in keys(story)))
    story.tell(at=noon(days=2))
    assert statuses_told(story) == [story.status(id, at=noon(days=2)) for id in story.fleet.devices]
    assert replace(story.device(), since=None).status == MISSING
