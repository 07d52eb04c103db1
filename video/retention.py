"""Which recordings are deleted, and what the disk will hold. Pure.

A file is deleted because it is older than its camera's retention, because all recordings together
are larger than they may be, or because the disk has too little free space. Files that are
protected or being written are never deleted.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

GB = 10**9
UNITS = "B", "kB", "MB", "GB", "TB"
AUTOMATIC_SHARE, AUTOMATIC_MOST = 0.05, 10 * GB
"""Free space that is kept where no setting says how much: this share of the disk, and the most."""
BELIEVABLE_FROM = datetime(2020, 1, 1, tzinfo=UTC)
"""A file that is older was written while the clock was wrong: its age is unknown."""
UNDO_TIME = timedelta(days=1)
"""How long a deleted recording can be restored."""
SEGMENT_SECONDS, SHORTEST_SEGMENT = 300.0, 20.0
SMALL_DISK = 4 * GB
"""On a smaller disk files are shorter: those that are being written cannot be deleted."""

DISCARDED, AGE, SIZE, FREE = "discarded", "age", "size", "free"
"""Why a file is deleted: a person deleted its recording, or one of the three limits."""
REASONS = {
    DISCARDED: "deleted by a user",
    AGE: "older than the retention",
    SIZE: "over the size limit",
    FREE: "to keep space free on the disk",
}


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A file of the index. `size` in bytes. `is_open`: it is being written."""

    id: int
    device: int
    stream: str
    name: str
    started_at: datetime
    ended_at: datetime
    size: int
    is_open: bool = False
    is_protected: bool = False


@dataclass(frozen=True, slots=True)
class RecordingRange:
    """The time that a recording of one stream covers; `ended_at` is None while it runs."""

    device: int
    stream: str
    started_at: datetime
    ended_at: datetime | None
    is_protected: bool = False
    deleted_at: datetime | None = None
    id: int = 0

    def covers(self, segment: StoredSegment) -> bool:
        """True if the file, which is of the same stream, has a part of it."""
        is_before_end = self.ended_at is None or segment.started_at < self.ended_at
        return is_before_end and self.started_at < segment.ended_at


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """A disk, in bytes. `free` is what this program may still write."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What people set. `max_bytes` and `min_free`: 0 for none, or for automatic. `days`: the
    retention of cameras that have none of their own (`days_of`)."""

    max_bytes: int = 0
    min_free: int = 0
    days: int = 30
    days_of: Mapping[int, int] | None = None

    def days_for(self, device: int) -> int:
        """The retention of this camera, in days."""
        return (self.days_of or {}).get(device, self.days)

    def free_on(self, disk: DiskSpace) -> int:
        """Bytes to keep free there: never more than half of it, or nothing could be recorded."""
        automatic = min(int(disk.total * AUTOMATIC_SHARE), AUTOMATIC_MOST)
        return min(self.min_free or automatic, disk.total // 2)


@dataclass(frozen=True, slots=True)
class Removal:
    """One file to delete, and why."""

    segment: StoredSegment
    reason: str


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What to delete, in this order. `shortfall`: bytes still missing after that, because all other
    files are protected or being written."""

    removals: tuple[Removal, ...] = ()
    shortfall: int = 0


def plan_cleanup(
    segments: Iterable[StoredSegment],
    ranges: Collection[RecordingRange],
    disk: DiskSpace,
    limits: Limits,
    now: datetime,
    *,
    clock_is_trusted: bool,
    used: int | None = None,
    headroom: int = 0,
) -> Cleanup:
    """Choose the files to delete.

    `used`: bytes of all recordings, where `segments` are only the oldest of them. `headroom`: free
    bytes beyond the limit, for what is written until the next clean-up. Nothing is deleted by age
    unless the clock is trusted.
    """
    known, by_stream = list(segments), _by_stream(ranges)
    total = sum(segment.size for segment in known) if used is None else used
    shelf = sorted((each for each in known if _may_go(each, by_stream)), key=_order)
    chosen: dict[int, Removal] = {}
    if clock_is_trusted:
        for segment in shelf:
            if reason := _reason_by_time(segment, by_stream, limits, now):
                chosen[segment.id] = Removal(segment, reason)
    freed = sum(removal.segment.size for removal in chosen.values())
    over = total - freed - limits.max_bytes if limits.max_bytes else 0
    lacking = limits.free_on(disk) + headroom - disk.free - freed
    for segment in shelf:
        if over <= 0 and lacking <= 0:
            break
        if segment.id not in chosen:
            chosen[segment.id] = Removal(segment, FREE if lacking > 0 else SIZE)
            over, lacking = over - segment.size, lacking - segment.size
    ordered = sorted(chosen.values(), key=lambda each: each.reason != DISCARDED)
    return Cleanup(tuple(ordered), max(over, lacking - headroom, 0))


Ranges = Mapping[tuple[int, str], Sequence[RecordingRange]]


def _by_stream(ranges: Iterable[RecordingRange]) -> Ranges:
    sorted_: dict[tuple[int, str], list[RecordingRange]] = {}
    for each in ranges:
        sorted_.setdefault((each.device, each.stream), []).append(each)
    return sorted_


def _of(segment: StoredSegment, ranges: Ranges) -> list[RecordingRange]:
    """The recordings that the file belongs to."""
    same = ranges.get((segment.device, segment.stream), ())
    return [each for each in same if each.covers(segment)]


def _may_go(segment: StoredSegment, ranges: Ranges) -> bool:
    """True unless the file is written, or it or a recording that it belongs to is protected."""
    if segment.is_open or segment.is_protected:
        return False
    return not any(each.is_protected and not each.deleted_at for each in _of(segment, ranges))


def _order(segment: StoredSegment) -> tuple[bool, datetime, int]:
    """Oldest first; last those whose age is unknown, in the order in which they were written."""
    if segment.started_at < BELIEVABLE_FROM:
        return True, BELIEVABLE_FROM, segment.id
    return False, segment.started_at, segment.id


def _reason_by_time(segment: StoredSegment, ranges: Ranges, limits: Limits, now: datetime) -> str:
    of_segment = _of(segment, ranges)
    if of_segment and all(
        each.deleted_at is not None and each.deleted_at <= now - UNDO_TIME for each in of_segment
    ):
        return DISCARDED
    is_old = segment.ended_at < now - timedelta(days=limits.days_for(segment.device))
    return AGE if is_old and segment.started_at >= BELIEVABLE_FROM else ""


def segment_seconds(disk: DiskSpace) -> float:
    """How long the files on this disk are."""
    return max(SHORTEST_SEGMENT, min(1.0, disk.total / SMALL_DISK) * SEGMENT_SECONDS)


# -- what will happen ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """What the recordings of a camera take: bytes now, and in the last day. `oldest`: the start of
    the oldest one."""

    device: int
    size: int
    bytes_per_day: float
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class DaysKept:
    """Of one camera: the days that are required, those that are there, and those that there will
    be at the present rate."""

    device: int
    required: int
    kept: float
    expected: float

    @property
    def is_short(self) -> bool:
        return self.expected < self.required


@dataclass(frozen=True, slots=True)
class Forecast:
    """`capacity`: bytes that recordings may take. `full_at`: when the oldest ones begin to be
    deleted before their time, and None where there is room for all required days."""

    capacity: int
    used: int
    bytes_per_day: float
    full_at: datetime | None
    days: tuple[DaysKept, ...]

    @property
    def short(self) -> tuple[DaysKept, ...]:
        return tuple(each for each in self.days if each.is_short)


def forecast(uses: Sequence[DeviceUse], disk: DiskSpace, limits: Limits, now: datetime) -> Forecast:
    """What the disk will hold if the cameras go on as in the last day."""
    used = sum(use.size for use in uses)
    capacity = max(0, used + disk.free - limits.free_on(disk))
    if limits.max_bytes:
        capacity = min(capacity, limits.max_bytes)
    rate = sum(use.bytes_per_day for use in uses)
    span = _days_that_fit(uses, limits, capacity)
    days = tuple(_days_kept(use, limits.days_for(use.device), span, now) for use in uses)
    full_at = None
    if any(each.is_short for each in days):
        full_at = now + timedelta(days=min(max(0, capacity - used) / rate, 36500))
    return Forecast(capacity, used, rate, full_at, days)


def _days_kept(use: DeviceUse, required: int, span: float, now: datetime) -> DaysKept:
    kept = (now - use.oldest).total_seconds() / 86400 if use.oldest else 0.0
    expected = min(span, required) if use.bytes_per_day else float(required)
    return DaysKept(use.device, required, max(0.0, kept), expected)


def _days_that_fit(uses: Sequence[DeviceUse], limits: Limits, capacity: int) -> float:
    """Days of all cameras that fit: as the oldest file of all goes first, they are the same for
    each, but for those that require less."""
    left, rate, start = float(capacity), sum(use.bytes_per_day for use in uses), 0.0
    for use in sorted(uses, key=lambda each: limits.days_for(each.device)):
        required = limits.days_for(use.device)
        needed = rate * (required - start)
        if needed > left:
            return start + left / rate
        left, start, rate = left - needed, float(required), rate - use.bytes_per_day
    return float("inf")


def removal_counts(removals: Iterable[Removal]) -> list[tuple[str, int, int]]:
    """(reason in words, files, bytes) of each reason."""
    sizes: dict[str, list[int]] = {}
    for removal in removals:
        sizes.setdefault(removal.reason, []).append(removal.segment.size)
    return [(REASONS[reason], len(all_), sum(all_)) for reason, all_ in sizes.items()]


def next_removal(
    segments: Iterable[StoredSegment], ranges: Collection[RecordingRange]
) -> StoredSegment | None:
    """The file that is deleted next when space is needed."""
    by_stream = _by_stream(ranges)
    return min((each for each in segments if _may_go(each, by_stream)), key=_order, default=None)


def size_text(size: float) -> str:
    """A number of bytes for people, such as "1.2 GB"."""
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    places = 0 if value >= 9.95 or not unit else 1
    return f"{value:.{places}f} {UNITS[unit]}"
