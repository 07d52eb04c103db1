"""A deleted device leaves nothing behind but its events, and its number is never used again."""

from dataclasses import replace

import pytest

from fleet.database import record
from fleet.edit.cleaning import Selection, deletions, selected
from fleet.model import Invalid, NotFound, Refused, Report
from fleet.recorder_list import RecorderRow, edits
from tests.fleet.reports import NOON, A, B, C, Story, edit, finding, noon, seen


def test_a_deleted_device_is_gone_and_what_has_its_mac_is_found_as_a_new_one() -> None:
    story = Story()
    story.tell(seen(A, name="Gate"), seen(B))
    assert story.tell(edit("delete", A, confirm="Gate")) == ["device.deleted"]
    event = story.events[-1]
    assert (event.device, event.text) == (1, "Gate was deleted by tester")
    assert event.before == {"name": "Gate", "site": "here", "identities": [A]}
    assert list(story.fleet.devices) == [2]
    assert A not in story.fleet.index
    assert story.tell(seen(A, at=noon(minutes=1))) == ["device.found"]
    assert list(story.fleet.devices) == [2, 3]


def test_nothing_leads_to_a_deleted_device_and_nothing_is_behind_it() -> None:
    story = Story()
    story.tell(seen(A), seen(B, address="10.0.0.2"), seen(C, address="10.0.0.3"))
    story.tell(edit("change", B, parent=1))
    story.tell(edit("merge", A, **{"with": 3}))
    story.tell(edit("split", A, identities=[C]))
    assert story.fleet.redirects == {3: 1}
    story.tell(edit("delete", A))
    assert story.fleet.redirects == {}
    assert story.device(2).parent is None
    assert story.device(4).never_merge == ()
    assert record.decode(record.Encoder().encode(story.fleet)).devices == story.fleet.devices


def test_another_name_deletes_nothing() -> None:
    story = Story()
    story.tell(seen(A, name="Gate"))
    with pytest.raises(Invalid, match="name does not match$") as refused:
        story.tell(edit("delete", A, confirm="gate"))
    assert refused.value.field == "confirm"
    assert list(story.fleet.devices) == [1]


@pytest.mark.parametrize(
    "meanwhile",
    [
        edit("change", B, name="Lobby"),
        edit("merge", A, **{"with": 2}),
        seen(B, at=noon(days=2), address="10.0.0.2"),
    ],
    ids=["named", "merged into a named one", "answered"],
)
def test_a_selection_that_changed_since_it_was_counted_deletes_nobody(meanwhile: Report) -> None:
    story = Story()
    story.tell(seen(A), seen(B, address="10.0.0.2"), seen(C, address="10.0.0.3"))
    story.tell(edit("change", A, name="Gate", notes="keep"))
    wanted = Selection(not_seen_days=1, never_named=True)
    matches = selected(story.fleet.devices.values(), wanted, noon(days=2))
    assert [device.id for device in matches] == [2, 3]
    story.tell(meanwhile)
    before = story.fleet.devices
    with pytest.raises(Refused, match="selection has changed"):
        story.tell(*deletions(matches, wanted, "tester", noon(days=2)))
    assert story.fleet.devices == before


def test_a_row_of_the_workbook_is_deleted_only_after_it_left() -> None:
    story = Story()
    story.tell(*edits([RecorderRow("S1", "4F02BC9PAJ01A15", "North")], {}, "workbook", NOON))
    with pytest.raises(Refused, match="is in the workbook"):
        story.tell(edit("delete", "id:1"))
    story.tell(*edits([], story.fleet.devices, "workbook", NOON))
    assert story.tell(edit("delete", "id:1")) == ["device.deleted"]
    assert story.fleet.devices == {}


def test_a_deletion_cannot_be_undone_and_the_second_one_finds_nobody() -> None:
    from fleet.edit.editing import inverse

    story = Story()
    story.tell(seen(A))
    story.tell(edit("delete", A))
    with pytest.raises(Refused, match="cannot be undone"):
        inverse(story.events[-1], "tester", NOON)
    with pytest.raises(NotFound):
        story.tell(edit("delete", A))


def test_the_passwords_of_a_deleted_device_are_gone_and_those_of_others_stay() -> None:
    story = Story()
    way = {"source": "rtsp", "port": 554}
    for number in (1, 2, 3):
        secret = {"id": f"s{number}", "sealed": f"v1:sealed-{number}"}
        story.tell(edit("add", "", host=f"10.0.0.{number}", secret=secret, **way))
    story.tell(edit("change", "id:3", secret={"id": "s4", "sealed": "v1:sealed-4"}))
    story.tell(edit("merge", "id:1", **{"with": 2}))
    assert set(story.fleet.secrets) == {"s1", "s2", "s3", "s4"}
    story.tell(edit("delete", "id:3"))
    assert set(story.fleet.secrets) == {"s1", "s2"}
    story.tell(edit("delete", "id:1"))
    assert story.fleet.secrets == {}
    assert b"sealed" not in record.Encoder().encode(story.fleet)


def test_a_password_that_went_to_another_device_outlives_the_one_it_was_stored_for() -> None:
    story = Story()
    secret = {"id": "s1", "sealed": "v1:sealed"}
    story.tell(edit("add", "", source="rtsp", host="10.0.0.1", secret=secret))
    story.tell(seen(A, address="10.0.0.9"), edit("merge", "id:1", **{"with": 2}))
    story.tell(edit("split", "id:1", identities=["rtsp:10.0.0.1"]))
    story.tell(edit("delete", "id:1"))
    assert story.device(3).access["rtsp"].secret == "s1"
    assert set(story.fleet.secrets) == {"s1"}


def test_nothing_of_a_deleted_device_is_in_the_file() -> None:
    story = Story()
    story.tell(seen(A), seen(B, address="10.0.0.2"))
    empty = record.Encoder().encode(story.fleet)
    story.tell(edit("add", "", source="rtsp", host="gone.example", is_another=True))
    story.tell(edit("change", "id:1", parents=[3, 2]), edit("delete", "id:3"))
    assert story.device(1).parents == (2,)
    kept = record.Encoder().encode(replace(story.fleet, outbox=()))
    assert b"gone.example" in record.Encoder().encode(story.fleet)
    assert b"gone.example" not in kept
    assert b"gone.example" not in empty


def test_a_finding_that_names_a_deleted_device_is_cleared() -> None:
    story = Story()
    story.tell(seen(A), seen(B), seen(C, address="10.0.0.3"))
    mac = {key: key.removeprefix("mac:") for key in (A, B)}
    for key, other, text in ((A, B, "b"), (B, A, "a"), (C, B, "b")):
        evidence = {"others": [mac[other]]}
        story.tell(finding(key, f"also the address of {text}", kind="shared", evidence=evidence))
    story.tell(finding(B))
    assert story.tell(edit("delete", A)) == ["device.deleted", "finding.cleared"]
    assert story.events[-1].device == 2
    assert [fault.kind for fault in story.device(2).findings] == ["password.unset"]
    assert [fault.kind for fault in story.device(3).findings] == ["shared"], "names another one"
