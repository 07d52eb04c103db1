"""A device that a person lists: there and asked before it was found, once, and taken back."""

from typing import Any

import pytest

from fleet.database import record
from fleet.edit.editing import can_undo, inverse
from fleet.model import Access, Edit, Event, Invalid, Refused
from fleet.places import access_key
from fleet.reduce import capacity
from tests.fleet.reports import NOON, A, B, Story, edit, missed, noon, seen

RTSP = "rtsp:10.0.0.5:554/live"
GATE = {"source": "rtsp", "host": "10.0.0.5", "port": 554, "path": "/live"}
SEALED = {"id": "s1", "sealed": "v1:gAAAAsealed"}


def add(at: Any = NOON, **fields: Any) -> Edit:
    return Edit("add", "", fields, "tester", at)


def undo(story: Story, event: Event) -> list[str]:
    return story.tell(inverse(event, "tester", noon()))


def proves(key: str, **fields: Any) -> Any:
    """The device answers at its place, and proves no more than that."""
    return seen(key, source="rtsp", **{"address": "10.0.0.5", **fields})


# -- what it is ------------------------------------------------------------------------------


def test_an_added_device_is_listed_and_was_not_asked_yet() -> None:
    story = Story()
    fields = {"name": " North gate ", "notes": "ladder", "tags": ["door"], "site": "North"}
    assert story.tell(add(**GATE, **fields, username="admin", interval=600)) == ["device.added"]
    device = story.device()
    assert (device.kind, device.site, device.identities) == ("camera", "North", (RTSP,))
    assert (device.name, device.notes, device.tags) == ("North gate", "ladder", ("door",))
    assert device.access == {
        "rtsp": Access("10.0.0.5", 554, "/live", username="admin", interval=600)
    }
    assert device.listed
    assert device.first_seen is None
    assert story.status() == "UNKNOWN"
    event = story.events[-1]
    assert event.text == "North gate was added by tester"
    assert story.fleet.index == {f"North|{RTSP}": 1}


def test_it_is_offline_when_it_does_not_answer_and_never_missing() -> None:
    story = Story()
    story.tell(add(**GATE))
    story.tell(missed(RTSP, noon(minutes=1), source="rtsp"))
    assert story.status(at=noon(days=9)) == "OFFLINE"


def test_it_answers_at_its_place() -> None:
    story = Story()
    story.tell(add(**GATE))
    assert story.tell(proves(RTSP, at=noon(minutes=1))) == ["device.found"]
    assert story.status() == "ACTIVE"
    assert len(story.fleet.devices) == 1


def test_a_device_is_added_by_its_mac_alone_and_found_by_it() -> None:
    story = Story()
    story.tell(add(name="Gate", key="MAC:D4-2D-C5-00-00-0A"))
    assert story.device().identities == (A,)
    story.tell(seen(A, at=noon(minutes=1)))
    assert [device.name for device in story.fleet.devices.values()] == ["Gate"]


def test_a_mac_that_was_proved_before_it_was_saved_is_kept() -> None:
    story = Story()
    story.tell(add(**GATE, key=A))
    assert story.device().identities == (A, RTSP)
    story.tell(seen(A, at=noon(minutes=1), address="10.0.0.5"))
    assert list(story.fleet.devices) == [1]


def test_what_was_added_is_in_the_file_and_comes_back_from_it() -> None:
    story = Story()
    fields = {"options": {"transport": "udp"}, "tls_pin": "ab" * 32, "secret": SEALED}
    story.tell(add(**GATE, **fields))
    back = record.decode(record.Encoder().encode(story.fleet))
    assert back.devices == story.fleet.devices
    assert back.secrets == story.fleet.secrets


# -- the password ------------------------------------------------------------------------------


def test_of_a_password_the_record_and_the_event_have_the_id_only() -> None:
    story = Story()
    story.tell(add(**GATE, secret=SEALED))
    assert story.device().access["rtsp"].secret == "s1"
    assert story.fleet.secrets["s1"].sealed == SEALED["sealed"]
    assert SEALED["sealed"] not in repr(story.events)
    assert SEALED["sealed"] not in repr(story.device())


@pytest.mark.parametrize(
    "secret",
    [
        "plain text",
        7,
        {"id": "s1"},
        {"sealed": "v1:x"},
        {"id": 1, "sealed": "v1:x"},
        {"id": "s" * 65, "sealed": "v1:x"},
        {"id": "s1", "sealed": "x" * 9000},
        {"id": "s1", "sealed": ""},
        {"id": "s1", "sealed": "ü"},
        ["s1"],
    ],
)
def test_a_password_that_is_not_sealed_is_refused_and_not_repeated(secret: Any) -> None:
    story = Story()
    with pytest.raises(Invalid, match="password cannot be saved") as refused:
        story.tell(add(**GATE, secret=secret))
    assert refused.value.field == "secret"
    assert "plain text" not in refused.value.error + refused.value.hint
    assert story.fleet.secrets == {}


def test_the_id_of_another_password_cannot_be_taken() -> None:
    story = Story()
    story.tell(add(**GATE, secret=SEALED))
    with pytest.raises(Invalid, match="password cannot be saved"):
        story.tell(add(**{**GATE, "host": "10.0.0.6"}, secret={"id": "s1", "sealed": "v1:other"}))
    assert story.fleet.secrets["s1"].sealed == SEALED["sealed"]


# -- what does not fit -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "name", "why"),
    [
        ({}, "host", "address is missing"),
        ({"name": "Gate"}, "host", "address is missing"),
        ({"source": "rtsp"}, "host", "address is missing"),
        ({"host": "10.0.0.5"}, "source", "source is missing"),
        ({"port": 554}, "source", "source is missing"),
        ({**GATE, "source": "RTSP 2"}, "source", "source is missing or invalid"),
        ({**GATE, "source": ["rtsp"]}, "source", "source is missing or invalid"),
        ({**GATE, "kind": "Camera!"}, "kind", "kind is invalid"),
        ({**GATE, "kind": 7}, "kind", "kind is invalid"),
        ({**GATE, "kind": "x" * 41}, "kind", "kind is invalid"),
        ({**GATE, "name": "x" * 121}, "name", "121 characters"),
        ({**GATE, "notes": "x" * 5001}, "notes", "5001 characters"),
        ({**GATE, "tags": "door"}, "tags", "list of texts"),
        ({**GATE, "tags": ["x"] * 3 + [f"{n}" for n in range(21)]}, "tags", "At most 20 tags"),
        ({**GATE, "site": " "}, "site", "site is empty"),
        ({**GATE, "site": "x" * 61}, "site", "61 characters"),
        ({**GATE, "parents": [9]}, "parents", "device 9 does not exist"),
        ({**GATE, "parents": "1"}, "parents", "list of up to 8 device numbers"),
        ({**GATE, "parent": 9}, "parent", "device 9 does not exist"),
        ({**GATE, "port": 0}, "port", "port is invalid"),
        ({**GATE, "interval": 1}, "interval", "interval is invalid"),
        ({**GATE, "key": "mac:00:00:00:00:00:00"}, "key", "not the MAC of a single device"),
        ({**GATE, "key": "mac:gate"}, "key", "not the MAC of a single device"),
        ({**GATE, "key": "gate"}, "key", "identity is invalid"),
        ({**GATE, "key": "row:1041"}, "key", "identity is invalid"),
        ({**GATE, "key": "id:7"}, "key", "identity is invalid"),
        ({**GATE, "key": "onvif:" + "x" * 400}, "key", "identity is invalid"),
        ({**GATE, "key": 7}, "key", "identity is invalid"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(fields: Any, name: str, why: str) -> None:
    story = Story()
    with pytest.raises(Invalid, match=why) as refused:
        story.tell(add(**fields))
    assert refused.value.field == name
    assert refused.value.hint
    assert story.fleet.devices == {}


def test_the_workbook_adds_its_rows_itself() -> None:
    with pytest.raises(Refused, match="managed in the workbook"):
        Story().tell(add(source="workbook", host="10.0.0.5"))


# -- what is there already ---------------------------------------------------------------------


def test_the_same_place_twice_is_refused_by_name() -> None:
    story = Story()
    story.tell(add(**GATE, name="Gate"))
    with pytest.raises(Refused, match=r"^Gate( \(10\.0\.0\.4\))? is already in the list"):
        story.tell(add(**GATE))
    assert list(story.fleet.devices) == [1]
    assert story.tell(add(**GATE, site="North")) == ["device.added"]
    assert story.tell(add(**{**GATE, "path": "/two"}, is_another=True)) == ["device.added"]


def test_a_place_that_is_asked_is_not_added_though_its_device_lost_the_key() -> None:
    story = Story()
    story.tell(seen(A, name="Gate", address="10.0.0.4"))
    story.tell(edit("link", "id:1", at=noon(minutes=1), **GATE))
    story.tell(seen(B, RTSP, at=noon(minutes=2), address="10.0.0.5"))
    story.tell(edit("delete", "id:2", at=noon(minutes=3)))
    assert story.device(1).access
    assert RTSP not in story.device(1).identities
    with pytest.raises(Refused, match=r"^Gate( \(10\.0\.0\.4\))? is already in the list"):
        story.tell(add(**GATE, is_another=True, at=noon(minutes=5)))


@pytest.mark.parametrize("key", [None, A])
def test_a_device_that_was_found_already_is_to_be_linked(key: str | None) -> None:
    story = Story()
    story.tell(seen(A, name="WV-1", address="10.0.0.5"))
    host = "10.0.0.9" if key else "10.0.0.5"
    fields = {**GATE, "host": host, "key": key}
    with pytest.raises(Refused, match=r"^WV-1 \(10\.0\.0\.5\) was already found") as refused:
        story.tell(add(**fields))
    assert "Link" in refused.value.hint


def test_a_second_device_at_an_address_is_added_when_a_person_says_so() -> None:
    story = Story()
    story.tell(seen(A, name="WV-1", address="10.0.0.5"))
    assert story.tell(add(**GATE, is_another=True)) == ["device.added"]
    assert story.device(2).never_merge == (1,)
    assert story.device(1).never_merge == (2,)
    story.tell(proves(RTSP, at=noon(minutes=1)), seen(A, at=noon(minutes=1), address="10.0.0.5"))
    assert list(story.fleet.devices) == [1, 2]


def test_a_retired_device_is_restored_instead() -> None:
    story = Story()
    story.tell(add(**GATE, name="Gate"))
    story.tell(edit("retire", "id:1"))
    with pytest.raises(Refused, match="and is retired") as refused:
        story.tell(add(**GATE))
    assert "Restore" in refused.value.hint


def test_an_ignored_key_is_not_added() -> None:
    story = Story()
    story.tell(edit("ignore", B))
    with pytest.raises(Refused, match="is ignored"):
        story.tell(add(**GATE, key=B))


def test_a_full_list_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "MAX_DEVICES", 2)
    story = Story()
    story.tell(add(**GATE), seen(A))
    with pytest.raises(Refused, match="fleet is full"):
        story.tell(add(**{**GATE, "host": "10.0.0.6"}))
    assert list(story.fleet.devices) == [1, 2]
    story.tell(missed(A, noon(minutes=1)))
    story.tell(add(**{**GATE, "host": "10.0.0.6"}, at=noon(minutes=2)))
    assert list(story.fleet.devices) == [1, 3]


# -- taking it back ------------------------------------------------------------------------------


def test_undo_deletes_what_was_added_though_it_answered_meanwhile() -> None:
    story = Story()
    story.tell(add(**GATE, secret=SEALED))
    added = story.events[-1]
    assert can_undo(added)
    story.tell(proves(RTSP, at=noon(minutes=1)))
    assert undo(story, added) == ["device.deleted"]
    assert story.fleet.devices == {}
    assert story.fleet.index == {}
    assert not can_undo(story.events[-1])


@pytest.mark.parametrize(
    "change",
    [
        edit("change", "id:1", name="Gate"),
        edit("change", "id:1", interval=30),
        edit("link", "id:1", source="onvif", host="10.0.0.5"),
    ],
)
def test_undo_does_not_delete_what_somebody_worked_on(change: Edit) -> None:
    story = Story()
    story.tell(add(**GATE))
    added = story.events[-1]
    story.tell(change)
    with pytest.raises(Refused, match="changed after it was added"):
        undo(story, added)
    assert list(story.fleet.devices) == [1]


@pytest.mark.parametrize(
    ("access", "key"),
    [
        (Access(), None),
        (Access("10.0.0.5"), "rtsp:10.0.0.5"),
        (Access("10.0.0.5", 554, "/live"), RTSP),
        (Access("fe80::1%eth0", 554), "rtsp:[fe80::1%eth0]:554"),
        (Access("gate.lan", path="/a?b=c:1"), "rtsp:gate.lan/a?b=c:1"),
    ],
)
def test_the_place_that_is_asked_has_one_key(access: Access, key: str | None) -> None:
    assert access_key("rtsp", access) == key
