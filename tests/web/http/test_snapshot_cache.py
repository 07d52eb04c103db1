"""Values of a snapshot of the devices are worked out once."""

from collections.abc import Collection

from fleet.model import Device
from web.http import snapshot_cache
from web.http.snapshot_cache import SnapshotCache


def test_a_value_is_worked_out_once_for_each_snapshot_and_old_ones_are_dropped() -> None:
    made: list[int] = []

    def count(devices: Collection[Device]) -> int:
        made.append(len(devices))
        return len(made)

    cache, snapshots = SnapshotCache(count), [dict[int, Device]() for _ in range(4)]
    assert [cache.of(snapshots[0]), cache.of(snapshots[0])] == [1, 1]
    assert [cache.of(snapshot) for snapshot in snapshots[1:]] == [2, 3, 4]
    assert cache.of(snapshots[3]) == 4
    assert cache.of(snapshots[0]) == 5
    assert len(snapshots) > snapshot_cache.MAX_SNAPSHOTS
