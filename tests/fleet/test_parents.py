"""Parents as the file has them: circles are opened, whatever their length, in one pass."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fleet.database.parents import checked, circles_of
from fleet.identity import is_circle
from fleet.model import Device
from tests.fleet.reports import MINUTE, NOON, Story, missed, seen

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
