"""Parents as the file has them: circles are opened, whatever their length, in one pass."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.database.parents import checked, circles_of
from fleet.edit.editing import inverse
from fleet.identity import is_circle
from fleet.model import Device, Edit, Invalid
from fleet.reduce.access import owner_to_replace
from fleet.reduce.draft import Draft
from fleet.reduce.merging import merge
from tests.fleet.reports import MINUTE, NOON, RULES, Story, edit, missed, seen

LONG = 8000
GRAPHS = st.lists(st.lists(st.integers(1, 9), max_size=3), min_size=1, max_size=8)


def devices_with(parents: Sequence[Sequence[int]]) -> dict[int, Device]:
    return {
        id: Device(id, "camera", "here", (f"row:{id}",), parents=tuple(above))
        for id, above in enumerate(parents, start=1)
    }


class Counted(Mapping[int, Sequence[int]]):
    """Parents that count how often they are looked up."""

    def __init__(self, parents: Mapping[int, Sequence[int]]) -> None:
        self.parents = parents
        self.count = 0

    def __getitem__(self, id: int) -> Sequence[int]:
        self.count += 1
        return self.parents[id]

    def __iter__(self) -> Iterator[int]:
        return iter(self.parents)

    def __len__(self) -> int:
        return len(self.parents)


def test_a_long_chain_is_looked_up_a_few_times_for_each_of_its_links() -> None:
    for last in (0, LONG):
        chain = {id: [id - 1] for id in range(2, LONG + 1)} | {1: [last] if last else []}
        counted = Counted(chain)
        circles = circles_of(counted)
        assert counted.count <= 4 * LONG
        assert len({circles[id] for id in chain}) == (1 if last else LONG)


@given(GRAPHS)
def test_a_parent_is_kept_unless_it_is_missing_or_behind(parents: list[list[int]]) -> None:
    devices = devices_with(parents)
    for id, device in checked(devices).items():
        kept = [
            parent
            for parent in dict.fromkeys(devices[id].parents)
            if parent in devices and not is_circle(replace(device, parents=(parent,)), devices)
        ]
        assert list(device.parents) == kept


def test_a_silent_device_far_behind_a_parent_that_goes_down_is_unreachable() -> None:
    far = 40
    story = Story(*devices_with([[], *([id] for id in range(1, far))]).values())
    story.tell(*(seen(f"row:{id}", address=None) for id in range(1, far + 1)))
    at = NOON + MINUTE
    assert story.tell(missed(f"row:{far}", at)) == ["device.offline"]
    assert story.tell(missed("row:1", at)) == ["device.offline", "device.unreachable"]
    assert story.device(far).status == "UNREACHABLE"


# -- parents of records that are merged --------------------------------------------------------


def cameras_with(parents: Sequence[Sequence[int]]) -> list[Device]:
    """What a person may merge: of two rows of the workbook none is the other."""
    devices = devices_with(parents).values()
    return [replace(device, identities=(f"onvif:urn:{device.id}",)) for device in devices]


def merged(first: int, other: int) -> Edit:
    return edit("merge", f"id:{first}", **{"with": other})


def parents_in(story: Story) -> list[tuple[int, ...]]:
    return [device.parents for device in story.fleet.devices.values()]


@pytest.mark.parametrize(
    ("parents", "after"),
    [
        ([[], [], [], [], [3]], [(3,), (), (), ()]),
        ([[2], [], [], [], [3, 2, 4]], [(2, 3, 4), (), (), ()]),
        ([[5, 2], [], [], [], [3]], [(2, 3), (), (), ()]),
        ([[2], [], [], [], [1, 3]], [(2, 3), (), (), ()]),
        ([[2], [5], [], [5, 1], [3]], [(3,), (1,), (), (1,)]),
        ([[3], [], [], [], [4]], [(3, 4), (), (), ()]),
    ],
    ids=["those of the removed", "each once", "not the removed", "not itself", "circle", "both"],
)
def test_a_merge_joins_the_parents_and_undo_gives_them_back(
    parents: list[list[int]], after: list[tuple[int, ...]]
) -> None:
    story = Story(*cameras_with(parents))
    before = parents_in(story)
    story.tell(merged(1, 5))
    assert parents_in(story) == after
    story.tell(inverse(story.events[-1], "tester", NOON))
    assert parents_in(story) == before


def test_two_records_that_prove_to_be_one_have_the_parents_of_both() -> None:
    story = Story()
    story.tell(seen("mac:d4:2d:c5:00:00:0a"), seen("onvif:urn:uuid:1", address="10.0.0.2"))
    story.tell(seen("row:3", address=None), seen("row:4", address=None))
    story.tell(edit("change", "id:1", parents=[3]), edit("change", "id:2", parents=[4]))
    story.tell(seen("onvif:urn:uuid:1", "mac:d4:2d:c5:00:00:0a", at=NOON + MINUTE))
    assert story.device(1).parents == (3, 4)


def test_undo_leaves_the_parents_that_a_person_set_since_the_merge() -> None:
    story = Story(*cameras_with([[], [], [], [1], [3]]))
    story.tell(merged(1, 5))
    event = story.events[-1]
    story.tell(edit("change", "id:1", parents=[2, 3]), edit("change", "id:4", parents=[2]))
    story.tell(inverse(event, "tester", NOON))
    assert parents_in(story) == [(2,), (), (), (2,), (3,)]


def test_both_devices_of_a_split_have_the_parents() -> None:
    device = Device(1, "camera", "here", ("row:1", "row:2"), parents=(2,))
    story = Story(device, Device(2, "camera", "here", ("row:3",)))
    story.tell(edit("split", "id:1", identities=["row:2"]))
    assert parents_in(story) == [(2,), (), (2,)]


def test_more_parents_than_a_person_may_set_stay_and_come_back_by_undo() -> None:
    own, more = list(range(3, 11)), list(range(11, 19))
    story = Story(*cameras_with([own, more, *([] for _ in range(16))]))
    story.tell(merged(1, 2))
    assert len(story.device(1).parents) == 16
    story.tell(edit("change", "id:1", parents=[*own, *more], name="Gate"))
    assert story.device(1).name == "Gate"
    story.tell(edit("change", "id:1", parents=[]))
    story.tell(inverse(story.events[-1], "tester", NOON))
    assert len(story.device(1).parents) == 16
    with pytest.raises(Invalid, match="up to 8"):
        story.tell(edit("change", "id:18", parents=[*own, 11]))


class Unlisted(dict[int, Device]):
    """Devices that nobody may walk through."""

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("all devices were walked through")

    values = items = __iter__  # type: ignore[assignment]


def test_what_names_a_device_is_found_without_walking_through_all() -> None:
    story = Story(*devices_with([[], [1], [1, 2], []]).values())
    story.tell(edit("link", "id:4", source="rtsp", host="10.0.0.9", path="/live"))
    draft = Draft(story.fleet, RULES, NOON)
    draft.devices = Unlisted(draft.devices)
    assert [device.id for device in draft.referring_to(1)] == [2, 3]
    assert owner_to_replace(draft, story.device(1), "rtsp:10.0.0.9/live") == story.device(4)
    merge(draft, 3, 1)
    assert draft.devices[2].parents == (3,)
