"""A deleted device leaves nothing behind but its events, and its number is never used again."""

import pytest

from fleet import record
from fleet.cleaning import Selection, deletions, selected
from fleet.model import Invalid, NotFound, Refused, Report
from fleet.recorder_list import RecorderRow, edits
from tests.fleet.reports import NOON, A, B, C, Story, edit, noon, seen


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
    with pytest.raises(Invalid, match="name does not match device 1") as refused:
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
    found = selected(story.fleet.devices.values(), wanted, noon(days=2))
    assert [one.id for one in found] == [2, 3]
    story.tell(meanwhile)
    before = story.fleet.devices
    with pytest.raises(Refused, match="has changed since it was counted"):
        story.tell(*deletions(found, wanted, "tester", noon(days=2)))
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
    from fleet.editing import inverse

    story = Story()
    story.tell(seen(A))
    story.tell(edit("delete", A))
    with pytest.raises(Refused, match="cannot be undone"):
        inverse(story.events[-1], "tester", NOON)
    with pytest.raises(NotFound):
        story.tell(edit("delete", A))
