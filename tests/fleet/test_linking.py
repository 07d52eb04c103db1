"""A person says that a way of asking, or a key, belongs to a device."""

from dataclasses import replace
from typing import Any

import pytest

from fleet.database import record
from fleet.edit.editing import can_undo, inverse
from fleet.model import Access, Edit, Event, Invalid, Refused
from tests.fleet.reports import A, B, Story, edit, missed, noon, seen

RTSP = "rtsp:10.0.0.5:554/live"
OTHER = "rtsp:10.0.0.6:554/live"
WAY = {"source": "rtsp", "host": "10.0.0.5", "port": 554, "path": "/live"}


def link(id: int = 1, at: Any = None, **fields: Any) -> Edit:
    return edit("link", f"id:{id}", at or noon(minutes=5), **fields)


def undo(story: Story, event: Event) -> list[str]:
    return story.tell(inverse(event, "tester", noon(minutes=9)))


def found_camera() -> Story:
    story = Story()
    story.tell(seen(A, name="WV-1", address="10.0.0.5"))
    return story


def two_cameras() -> Story:
    """WV-1, and number 2 that is known by its stream alone."""
    story = found_camera()
    story.tell(seen(OTHER, source="rtsp", address="10.0.0.6", asked=noon()))
    return story


def is_sound(story: Story) -> bool:
    """The file gives the fleet back as it is."""
    back = record.decode(record.Encoder().encode(story.fleet))
    return (back.devices, back.index) == (story.fleet.devices, story.fleet.index)


# -- a way of asking -----------------------------------------------------------------------------


def test_a_found_device_gets_a_way_of_asking_and_is_listed() -> None:
    story = found_camera()
    assert story.tell(link(**WAY, username="admin")) == ["device.linked"]
    device = story.device()
    assert device.access == {"rtsp": Access("10.0.0.5", 554, "/live", username="admin")}
    assert device.identities == (A, RTSP)
    assert device.listed
    assert story.events[-1].text == "RTSP at 10.0.0.5:554/live was linked to WV-1 by tester"
    assert is_sound(story)


def test_what_answers_there_from_then_on_is_that_device() -> None:
    story = found_camera()
    story.tell(link(**WAY))
    story.tell(seen(RTSP, source="rtsp", at=noon(minutes=6), address="10.0.0.5"))
    assert list(story.fleet.devices) == [1]
    assert set(story.device().states) == {"panasonic", "rtsp"}


def test_a_way_that_follows_the_address_of_the_device_has_no_key_of_its_own() -> None:
    story = found_camera()
    assert story.tell(link(source="onvif", username="admin")) == ["device.linked"]
    assert story.device().identities == (A,)
    assert story.device().access == {"onvif": Access(username="admin")}
    assert (
        story.events[-1].text == "ONVIF at the address of the device was linked to WV-1 by tester"
    )


def test_the_same_link_again_changes_nothing() -> None:
    story = found_camera()
    story.tell(link(**WAY))
    assert story.tell(link(**WAY)) == []


def test_another_place_takes_the_place_of_the_one_before() -> None:
    story = found_camera()
    story.tell(link(**WAY, interval=60))
    story.tell(link(source="rtsp", host="10.0.0.6"))
    assert story.device().identities == (A, OTHER)
    assert story.device().access["rtsp"] == Access("10.0.0.6", 554, "/live", interval=60)
    undo(story, story.events[-1])
    assert story.device().identities == (A, RTSP)
    assert is_sound(story)


# -- what another device has ---------------------------------------------------------------------


def test_a_place_at_which_another_device_answers_stays_with_it() -> None:
    story = two_cameras()
    before = story.fleet.devices
    with pytest.raises(Refused, match=r"^10\.0\.0\.6 is online and uses rtsp") as refused:
        story.tell(link(**{**WAY, "host": "10.0.0.6"}))
    assert "Merge" in refused.value.hint
    assert story.fleet.devices == before


@pytest.mark.parametrize("how", ["silent", "retired"])
def test_a_place_of_a_device_that_is_down_is_taken_over(how: str) -> None:
    story = two_cameras()
    gone = {
        "silent": missed(OTHER, noon(minutes=1), source="rtsp"),
        "retired": edit("retire", "id:2", noon(minutes=1)),
    }
    story.tell(gone[how])
    story.tell(link(**{**WAY, "host": "10.0.0.6"}))
    assert story.device(1).identities == (A, OTHER)
    assert OTHER not in story.device(2).identities
    assert story.events[-1].text.endswith("it was linked to 10.0.0.6 before")
    assert is_sound(story)


def test_a_device_that_loses_its_place_is_not_asked_there_any_more() -> None:
    story = Story()
    story.tell(seen(A, name="WV-1", address="10.0.0.9"), seen(B, name="Old", address="10.0.0.5"))
    story.tell(link(2, **WAY), missed(B, noon(minutes=6), source="rtsp"))
    story.tell(missed(RTSP, noon(minutes=7), source="rtsp"), missed(B, noon(minutes=7)))
    story.tell(link(1, noon(minutes=8), **WAY))
    assert story.device(2).access == {}
    assert story.device(2).identities == (B,)
    assert story.device(1).access["rtsp"].host == "10.0.0.5"


def test_undo_gives_the_place_and_its_access_back() -> None:
    story = Story()
    story.tell(seen(A, name="WV-1", address="10.0.0.9"), seen(B, name="Old", address="10.0.0.5"))
    story.tell(link(2, **WAY, username="root"))
    story.tell(missed(RTSP, noon(minutes=6), source="rtsp"), missed(B, noon(minutes=6)))
    before = story.fleet.devices
    story.tell(link(1, noon(minutes=8), **WAY))
    assert undo(story, story.events[-1]) == ["device.unlinked"]
    assert story.fleet.devices == before
    assert is_sound(story)


# -- a key alone -----------------------------------------------------------------------------------


def test_a_second_mac_is_linked_to_a_device() -> None:
    story = found_camera()
    assert story.tell(link(key="mac:D4-2D-C5-00-00-0C")) == ["device.linked"]
    assert len(story.device().identities) == 2
    assert not story.device().listed
    undo(story, story.events[-1])
    assert story.device().identities == (A,)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("row:1041", "identity is invalid"),
        ("id:2", "identity is invalid"),
        ("former:2/mac:x", "identity is invalid"),
        ("", "identity is invalid"),
        (7, "identity is invalid"),
        ("mac:ff:ff:ff:ff:ff:ff", "not the MAC of a single device"),
        ("rtsp:" + "x" * 400, "identity is invalid"),
        ("rtsp:a\nb", "identity is invalid"),
    ],
)
def test_a_key_that_identifies_no_device_is_refused(key: Any, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        found_camera().tell(link(key=key))
    assert refused.value.field == "key"


def test_a_key_that_several_devices_prove_is_refused() -> None:
    story = found_camera()
    story.fleet = replace(story.fleet, disputed={B: noon()})
    with pytest.raises(Refused, match="Several devices use"):
        story.tell(link(key=B))


def test_an_ignored_key_is_refused() -> None:
    story = found_camera()
    story.tell(edit("ignore", B))
    with pytest.raises(Refused, match="is ignored"):
        story.tell(link(key=B))


def test_a_retired_device_is_restored_first() -> None:
    story = found_camera()
    story.tell(edit("retire", "id:1"))
    with pytest.raises(Refused, match="is retired"):
        story.tell(link(**WAY))


def test_the_workbook_is_no_way_of_asking_that_a_person_links() -> None:
    with pytest.raises(Refused, match="managed in the workbook"):
        found_camera().tell(link(source="workbook", host="10.0.0.5"))


# -- taking it back --------------------------------------------------------------------------------


def test_undo_takes_the_access_away_and_undoing_that_links_it_again() -> None:
    story = found_camera()
    untouched = story.device()
    secret = {"id": "s1", "sealed": "v1:sealed"}
    story.tell(link(**WAY, secret=secret))
    linked, event = story.device(), story.events[-1]
    assert can_undo(event)
    assert undo(story, event) == ["device.unlinked"]
    assert story.device() == untouched
    assert undo(story, story.events[-1]) == ["device.linked"]
    assert story.device() == linked
    assert "v1:sealed" not in repr(story.events)


def test_undo_is_refused_when_the_access_was_changed_since() -> None:
    story = found_camera()
    story.tell(link(**WAY))
    event = story.events[-1]
    story.tell(edit("change", "id:1", source="rtsp", port=8554))
    with pytest.raises(Refused, match="changed since then"):
        undo(story, event)


def test_undo_leaves_what_was_done_besides() -> None:
    story = found_camera()
    story.tell(link(**WAY))
    event = story.events[-1]
    story.tell(link(source="onvif", username="admin"), edit("change", "id:1", name="Gate"))
    undo(story, event)
    assert (story.device().name, set(story.device().access)) == ("Gate", {"onvif"})


# -- one place, one check -------------------------------------------------------------------------


def listed_at_a_place() -> Story:
    """WV-1 with an access to RTSP and a password, and a device B."""
    story = found_camera()
    story.tell(link(**WAY, username="root", secret={"id": "s1", "sealed": "v1:sealed"}))
    story.tell(seen(B, name="Yard", at=noon(minutes=5), address="10.0.0.7"))
    return story


def test_a_place_that_is_split_off_takes_its_access_and_password_along() -> None:
    story = listed_at_a_place()
    before = story.device()
    story.tell(edit("split", "id:1", noon(minutes=6), identities=[RTSP]))
    assert story.device(1).access == {}
    assert story.device(3).identities == (RTSP,)
    assert story.device(3).access == before.access
    assert story.fleet.secrets["s1"].device == 3
    undo(story, story.events[-1])
    assert story.device(1).access == before.access
    assert set(story.device(1).identities) == {A, RTSP}
    assert is_sound(story)


def test_an_access_at_a_place_that_stays_is_not_split_off() -> None:
    story = listed_at_a_place()
    before = story.device()
    story.tell(edit("split", "id:1", noon(minutes=6), identities=[A]))
    assert story.device(1).access == before.access
    assert story.device(3).access == {}
    assert story.fleet.secrets["s1"].device == 1


def lost_its_key() -> Story:
    """WV-1 is still asked at RTSP, and no device has that key."""
    story = listed_at_a_place()
    device = replace(story.device(), identities=(A,))
    devices = {**story.fleet.devices, 1: device}
    story.fleet = record.indexed(replace(story.fleet, devices=devices))
    return story


def test_a_linked_place_is_no_longer_asked_for_a_device_that_lost_its_key() -> None:
    story = lost_its_key()
    before = story.device()
    story.tell(link(2, noon(minutes=7), **WAY))
    assert story.device(1).access == {}
    assert story.device(2).access["rtsp"].host == "10.0.0.5"
    undo(story, story.events[-1])
    assert story.device(1).access == before.access
    assert story.device(2).access == {}


def test_a_place_that_another_device_is_asked_at_is_refused_in_a_change() -> None:
    story = lost_its_key()
    story.tell(link(2, noon(minutes=7), **{**WAY, "host": "10.0.0.6"}))
    with pytest.raises(
        Refused, match=r"^WV-1 \(10\.0\.0\.5\) already uses rtsp:10\.0\.0\.5:554/live"
    ):
        story.tell(edit("change", "id:2", noon(minutes=8), host="10.0.0.5"))
