"""When stills are due, and the hours of a day with what was taken in each. Pure.

Slots and hours begin where the clock on the wall shows a full one: in zones that are half an hour
off, and on days with 23 or 25 hours, too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from math import ceil

from stills.model import Missed, Still

ONE_HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
LONGEST_SPREAD = 300.0
"""Seconds from the beginning of a slot, over which the cameras are spread."""
SHORTEST_CHANGE = 1800
"""Seconds. Summer time moves clocks by half an hour or more, so it makes no slot shorter."""
GOLDEN = 0.618033988749895
"""Multiples of it lie far apart, however many there are (Weyl's sequence)."""
TAKEN, MISSED, DUE, FUTURE, NONE = "taken", "missed", "due", "future", "none"
"""States of an hour: there is a still; one was due and is missing; it is not over yet; it has not
begun; nothing was due."""
NOT_RUNNING = "Camera Monitor was not running, or stills were off."


def slot_of(now: datetime, seconds: int, zone: tzinfo) -> datetime:
    """The beginning of the slot of that length that `now` is in, in UTC. Slots are counted from
    midnight of 1 January of the year 1, on the clock of the zone."""
    wall = now.astimezone(zone).replace(tzinfo=UTC)
    begin = wall - (wall - datetime(1, 1, 1, tzinfo=UTC)) % timedelta(seconds=seconds)
    # Where the clocks change, the wall shows a time twice, or never: the last one that has begun.
    times = (begin.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return max(at for at in times if at <= now)


def slots_between(since: datetime, until: datetime, seconds: int, zone: tzinfo) -> list[datetime]:
    """The slots that begin after that of `since` and before that of `until`, in order."""
    step = timedelta(seconds=min(seconds, SHORTEST_CHANGE))
    slots = {
        slot_of(since + number * step, seconds, zone)
        for number in range(1, (until - since) // step + 1)
    }
    return sorted(slots - {slot_of(each, seconds, zone) for each in (since, until)})


def delay_of(device: int, seconds: int) -> timedelta:
    """How long after the beginning of a slot the still of this device is due: the cameras of a
    fleet are not all asked at once."""
    return timedelta(seconds=device * GOLDEN % 1 * min(LONGEST_SPREAD, seconds / 4))


def next_due(device: int, seconds: int, now: datetime, zone: tzinfo) -> datetime:
    """When the next still of a device is due that has not been due yet."""
    delay, slot = delay_of(device, seconds), slot_of(now, seconds, zone)
    if slot + delay > now:
        return slot + delay
    ahead = slot + timedelta(seconds=seconds)
    while (following := slot_of(ahead, seconds, zone)) <= slot:
        ahead += timedelta(seconds=SHORTEST_CHANGE)  # A day of 25 hours has a longer slot.
    return following + delay


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of a day, in UTC, with its state. `stills` are all that were taken in it, the oldest
    first; `reason` is why the one that was due is missing, also where another was taken."""

    starts_at: datetime
    ends_at: datetime
    state: str
    stills: tuple[Still, ...] = ()
    reason: str = ""


def day_bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """The beginning and the end of a day of that zone, in UTC."""
    following = day + DAY if day < date.max else day
    begin, end = (datetime.combine(each, time(), zone) for each in (day, following))
    return begin.astimezone(UTC), end.astimezone(UTC)


def hour_bounds(day: date, zone: tzinfo) -> list[tuple[datetime, datetime]]:
    """The beginning and the end of each hour of a day of that zone, in UTC: 23 to 25 of them."""
    begin, end = day_bounds(day, zone)
    starts = [begin + number * ONE_HOUR for number in range(ceil((end - begin) / ONE_HOUR))]
    return list(pairwise([*starts, end]))


def day_hours(
    day: date,
    zone: tzinfo,
    seconds: int,
    stills: Sequence[Still],
    missed: Iterable[Missed],
    since: datetime | None,
    now: datetime,
) -> tuple[Hour, ...]:
    """The hours of a day, with the stills of one device; `hour_of` says of what."""
    stills, missed = tuple(stills), tuple(missed)
    return tuple(
        hour_of(bounds, zone, seconds, stills, missed, since, now)
        for bounds in hour_bounds(day, zone)
    )


def hour_of(
    bounds: tuple[datetime, datetime],
    zone: tzinfo,
    seconds: int,
    stills: Iterable[Still],
    missed: Iterable[Missed],
    since: datetime | None,
    now: datetime,
) -> Hour:
    """The hour with these bounds, with those stills of one device that were taken in it, in the
    order given.

    A still is due every so many `seconds`, or never (0), and was so `since` then: hours before it
    miss nothing.
    """
    begin, end = bounds
    taken = tuple(still for still in stills if begin <= still.taken_at < end)
    reasons = {each.slot: each.reason for each in missed if begin <= each.slot < end}
    reason = reasons[min(reasons)] if reasons else ""
    is_due = seconds > 0 and slot_of(end - TICK, seconds, zone) >= begin
    has_begun = since is not None and since < end
    state = _state(begin, end, now, is_due and has_begun, bool(taken), reason)
    if state == MISSED:
        reason = reason or NOT_RUNNING
    return Hour(begin, end, state, taken, reason)


def _state(
    begin: datetime, end: datetime, now: datetime, is_due: bool, is_taken: bool, reason: str
) -> str:
    if is_taken:
        return TAKEN
    if begin > now:
        return FUTURE
    if reason:
        return MISSED
    if not is_due:
        return NONE
    return DUE if end > now else MISSED
