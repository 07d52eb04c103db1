"""Which recordings are deleted: the oldest that may go, and never more than is needed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from video.retention import (
    AGE,
    BELIEVABLE_FROM,
    DISCARDED,
    FREE,
    GB,
    SIZE,
    UNDO_TIME,
    Cleanup,
    DeviceUse,
    DiskSpace,
    Limits,
    RecordingRange,
    StoredSegment,
    forecast,
    next_removal,
    plan_cleanup,
    removal_counts,
    segment_seconds,
    size_text,
)

NOW = datetime(2026, 11, 28, 15, tzinfo=UTC)
MB = 10**6
ROOMY = DiskSpace(1000 * GB, 900 * GB)
DEFAULTS = Limits()


def segment(
    id: int, days_ago: float, size: int = MB, *, device: int = 1, stream: str = "main", **more: bool
) -> StoredSegment:
    start = NOW - timedelta(days=days_ago)
    end = start + timedelta(minutes=5)
    return StoredSegment(id, device, stream, f"{id}.mp4", start, end, size, **more)


def recording(first: float, last: float | None, **more: object) -> RecordingRange:
    """From so many days ago to so many days ago."""
    end = None if last is None else NOW - timedelta(days=last)
    return RecordingRange(1, "main", NOW - timedelta(days=first), end, **more)  # type: ignore[arg-type]


def plan(
    *segments: StoredSegment,
    ranges: tuple[RecordingRange, ...] = (),
    disk: DiskSpace = ROOMY,
    limits: Limits = DEFAULTS,
    trusted: bool = True,
    headroom: int = 0,
    used: int | None = None,
) -> Cleanup:
    return plan_cleanup(
        segments,
        ranges,
        disk,
        limits,
        NOW,
        clock_is_trusted=trusted,
        headroom=headroom,
        used=used,
    )


def ids(cleanup: Cleanup) -> list[int]:
    return [removal.segment.id for removal in cleanup.removals]


# -- by age ----------------------------------------------------------------------------------


def test_each_camera_has_its_own_retention() -> None:
    old = [segment(1, 31), segment(2, 29), segment(3, 8, device=2), segment(4, 6, device=2)]
    cleanup = plan(*old, limits=Limits(days_of={2: 7}))
    assert ids(cleanup) == [1, 3]
    assert {removal.reason for removal in cleanup.removals} == {AGE}


def test_while_the_clock_is_in_doubt_nothing_is_deleted_by_age() -> None:
    gone = recording(40, 39, deleted_at=NOW - 2 * UNDO_TIME)
    assert ids(plan(segment(1, 400), segment(2, 39.5), ranges=(gone,), trusted=False)) == []


def test_a_file_written_while_the_clock_said_1970_has_no_age() -> None:
    days = (NOW - datetime(1970, 1, 1, tzinfo=UTC)).days
    lost, old = segment(9, days), segment(1, 3)
    assert ids(plan(lost, old)) == []
    full = DiskSpace(100 * MB, 5 * MB - 1)
    assert ids(plan(lost, old, disk=full)) == [1]
    assert lost.started_at < BELIEVABLE_FROM


def test_a_file_of_the_future_is_not_old() -> None:
    assert ids(plan(segment(1, -4000))) == []


# -- for space -------------------------------------------------------------------------------


def test_the_oldest_of_all_cameras_make_room_on_the_disk() -> None:
    files = [segment(id, id / 10, 4 * MB, device=id % 3) for id in range(1, 9)]
    cleanup = plan(*files, disk=DiskSpace(100 * MB, 0))
    assert ids(cleanup) == [8, 7]
    assert {removal.reason for removal in cleanup.removals} == {FREE}
    assert cleanup.shortfall == 0


def test_room_is_made_for_what_is_written_until_the_next_time() -> None:
    files = [segment(id, id / 10, 4 * MB) for id in range(1, 9)]
    disk = DiskSpace(100 * MB, 5 * MB)
    assert ids(plan(*files, disk=disk)) == []
    assert ids(plan(*files, disk=disk, headroom=5 * MB)) == [8, 7]


def test_all_recordings_together_are_no_larger_than_they_may_be() -> None:
    files = [segment(id, id / 10, 4 * MB) for id in range(1, 9)]
    cleanup = plan(*files, limits=Limits(max_bytes=20 * MB))
    assert ids(cleanup) == [8, 7, 6]
    assert removal_counts(cleanup.removals) == [("over the size limit", 3, 12 * MB)]
    assert ids(plan(*files[4:], limits=Limits(max_bytes=20 * MB), used=24 * MB)) == [8]


def test_what_goes_by_age_is_room_already() -> None:
    files = [segment(1, 40, 30 * MB), segment(2, 20, 30 * MB)]
    assert ids(plan(*files, disk=DiskSpace(100 * MB, 0))) == [1]


def test_protected_and_growing_files_stay_and_what_is_missing_is_known() -> None:
    files = [
        segment(1, 40, 4 * MB, is_protected=True),
        segment(2, 0, 50 * MB, is_open=True),
        segment(3, 35, 4 * MB),
        segment(4, 1, 2 * MB),
    ]
    kept = recording(36, 34, is_protected=True)
    cleanup = plan(*files, ranges=(kept,), disk=DiskSpace(100 * MB, MB))
    assert ids(cleanup) == [4]
    assert cleanup.shortfall == 2 * MB
    assert next_removal(files, (kept,)) == files[3]


def test_headroom_alone_is_no_shortfall() -> None:
    only = segment(1, 0, is_open=True)
    assert plan(only, disk=DiskSpace(100 * MB, 6 * MB), headroom=9 * MB).shortfall == 0


# -- recordings that people deleted ----------------------------------------------------------


def test_a_deleted_recording_goes_first_and_only_after_the_time_to_undo() -> None:
    files = [segment(1, 20), segment(2, 10), segment(3, 5)]
    long_ago = recording(10, 9, deleted_at=NOW - UNDO_TIME)
    lately = recording(5, 4, deleted_at=NOW - UNDO_TIME + timedelta(seconds=1))
    cleanup = plan(*files, ranges=(long_ago, lately), disk=DiskSpace(100 * MB, 3 * MB))
    assert [(each.segment.id, each.reason) for each in cleanup.removals] == [
        (2, DISCARDED),
        (1, FREE),
    ]


def test_a_file_that_another_recording_shares_stays() -> None:
    gone = recording(10.1, 9, deleted_at=NOW - 2 * UNDO_TIME)
    assert ids(plan(segment(1, 10), ranges=(gone, recording(11, None)))) == []
    assert ids(plan(segment(1, 10), ranges=(gone, recording(8, None)))) == [1]
    other = RecordingRange(1, "sub", NOW - timedelta(days=11), None)
    assert ids(plan(segment(1, 10), ranges=(gone, other))) == [1]


def test_a_protected_recording_that_was_deleted_protects_nothing() -> None:
    gone = recording(10.1, 9, is_protected=True, deleted_at=NOW - 2 * UNDO_TIME)
    assert ids(plan(segment(1, 10), ranges=(gone,))) == [1]


# -- limits ----------------------------------------------------------------------------------


def test_the_space_kept_free_fits_small_and_large_disks() -> None:
    assert Limits().free_on(DiskSpace(200 * MB, 0)) == 10 * MB
    assert Limits().free_on(DiskSpace(4000 * GB, 0)) == 10 * GB
    assert Limits(min_free=GB).free_on(DiskSpace(32 * GB, 0)) == GB
    assert Limits(min_free=GB).free_on(DiskSpace(200 * MB, 0)) == 100 * MB


def test_files_are_shorter_on_a_small_disk() -> None:
    assert segment_seconds(DiskSpace(200 * MB, 0)) == 20
    assert segment_seconds(DiskSpace(2 * GB, 0)) == 150
    assert segment_seconds(ROOMY) == 300


# -- any set of files ------------------------------------------------------------------------

files_of_any_kind = st.builds(
    segment,
    st.integers(1, 10**6),
    st.floats(0, 60),
    st.integers(0, 50 * MB),
    device=st.integers(1, 3),
    stream=st.sampled_from(["main", "sub"]),
    is_open=st.booleans(),
    is_protected=st.booleans(),
)
ranges_of_any_kind = st.builds(
    lambda start, length, protected, deleted: recording(
        start, start - length, is_protected=protected, deleted_at=deleted
    ),
    st.floats(0, 60),
    st.floats(0, 10),
    st.booleans(),
    st.sampled_from([None, NOW, NOW - 2 * UNDO_TIME]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(files_of_any_kind, max_size=12, unique_by=lambda each: each.id),
    st.lists(ranges_of_any_kind, max_size=3),
    st.integers(0, 200 * MB),
    st.integers(0, 300 * MB),
    st.booleans(),
)
def test_whatever_is_there_only_the_oldest_that_may_go_are_deleted(
    files: list[StoredSegment],
    ranges: list[RecordingRange],
    free: int,
    max_bytes: int,
    trusted: bool,
) -> None:
    limits, disk = Limits(max_bytes, days_of={2: 7}), DiskSpace(200 * MB, free)
    cleanup = plan_cleanup(files, ranges, disk, limits, NOW, clock_is_trusted=trusted)
    removed = {removal.segment.id for removal in cleanup.removals}
    for removal in cleanup.removals:
        assert not removal.segment.is_open
        assert not removal.segment.is_protected
        assert trusted or removal.reason in (SIZE, FREE)
    for_space = [each for each in cleanup.removals if each.reason in (SIZE, FREE)]
    movable = [each for each in files if next_removal([each], ranges)]
    for removal in for_space:
        for other in movable:
            assert other.id in removed or other.started_at >= removal.segment.started_at
    left = sum(each.size for each in files if each.id not in removed)
    freed = sum(removal.segment.size for removal in cleanup.removals)
    lacking = max(limits.free_on(disk) - free - freed, left - max_bytes if max_bytes else 0, 0)
    assert cleanup.shortfall == lacking
    if lacking:
        assert {each.id for each in movable} <= removed
    elif for_space:
        last = for_space[-1].segment.size
        is_needed = free + freed - last < limits.free_on(disk)
        assert is_needed or (max_bytes and left + last > max_bytes) or not last


# -- what will happen ------------------------------------------------------------------------


def test_a_disk_with_room_for_all_required_days_is_never_full() -> None:
    uses = [DeviceUse(1, 10 * GB, GB, NOW - timedelta(days=10))]
    foreseen = forecast(uses, ROOMY, Limits(), NOW)
    assert foreseen.full_at is None
    assert foreseen.short == ()
    assert foreseen.days[0].kept == 10


def test_what_will_be_deleted_before_its_time_is_known_before_it_happens() -> None:
    uses = [DeviceUse(1, 10 * GB, 2 * GB), DeviceUse(2, 5 * GB, GB), DeviceUse(3, 0, 0)]
    disk = DiskSpace(100 * GB, 50 * GB)
    foreseen = forecast(uses, disk, Limits(days_of={2: 10}), NOW)
    # 60 GB: 10 days of both are 30, then 15 days more of the first alone.
    assert foreseen.capacity == 60 * GB
    assert [round(each.expected, 3) for each in foreseen.days] == [25, 10, 30]
    assert [each.device for each in foreseen.short] == [1]
    assert foreseen.full_at == NOW + timedelta(days=15)


def test_a_size_limit_is_the_capacity_where_it_is_smaller() -> None:
    uses = [DeviceUse(1, 40 * GB, GB)]
    foreseen = forecast(uses, ROOMY, Limits(max_bytes=20 * GB), NOW)
    assert (foreseen.capacity, foreseen.full_at) == (20 * GB, NOW)
    assert foreseen.days[0].expected == 20


def test_sizes_are_shown_in_two_digits() -> None:
    sizes = (999, 1500, 9_960_000, 12 * MB, 999_600_000, 1.25 * GB, 3000 * GB)
    texts = [size_text(size) for size in sizes]
    assert texts == ["999 B", "1.5 kB", "10 MB", "12 MB", "1.0 GB", "1.2 GB", "3.0 TB"]
