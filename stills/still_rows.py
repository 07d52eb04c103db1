"""Rows of stills, of missed ones and of intervals. Every function raises Unreachable, and Damaged
for a bad value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, Table, and_, delete, func, insert, or_, select, union_all, update

from stills.model import BELIEVABLE_FROM, Missed, Still
from stills.tables import missed_stills, still_intervals, stills
from store.sql import translated_errors

if TYPE_CHECKING:
    from sqlalchemy import Engine

MILLISECOND = timedelta(milliseconds=1)
PART = 500
"""Rows of one statement."""
LONGEST_REASON = 300


def add(engine: "Engine", still: Still) -> int:
    """Insert a still and return its number. It is no longer missed in its slot."""
    row = asdict(still)
    del row["id"]
    with translated_errors(), engine.begin() as connection:
        _unmiss(connection, still.device, still.slot)
        if _is_given(connection, still.device, still.slot):
            row["slot"] = None
        statement = insert(stills).returning(stills.c.id)
        return int(connection.execute(statement, row | {"notes": [*still.notes]}).scalar_one())


def give_slot(engine: "Engine", still: Still, slot: datetime) -> None:
    """Say that a still, taken for another reason, is the one of that slot."""
    with translated_errors(), engine.begin() as connection:
        _unmiss(connection, still.device, slot)
        if _is_given(connection, still.device, slot):
            return
        connection.execute(update(stills).where(stills.c.id == still.id).values(slot=slot))


def _unmiss(connection: Any, device: int, slot: datetime | None) -> None:
    column = missed_stills.c
    if slot is not None:
        row = (column.device == device) & (column.slot == slot)
        connection.execute(delete(missed_stills).where(row))


def _is_given(connection: Any, device: int, slot: datetime | None) -> bool:
    """True if a still of that slot exists already: an hour can come twice."""
    column = stills.c
    query = select(column.id).where(column.device == device, column.slot == slot).limit(1)
    return slot is not None and connection.execute(query).first() is not None


def miss(engine: "Engine", missed: Sequence[Missed]) -> None:
    """Note what could not be taken; the newest reason for a slot replaces the one before."""
    with translated_errors(), engine.begin() as connection:
        for each in missed:
            _unmiss(connection, each.device, each.slot)
            reason = each.reason[:LONGEST_REASON].replace("\x00", "")
            connection.execute(insert(missed_stills), asdict(each) | {"reason": reason})


def has_slot(engine: "Engine", devices: Sequence[int], slot: datetime) -> bool:
    """True if there is a still of that slot."""
    column = stills.c
    query = select(column.id).where(column.device.in_(devices), column.slot == slot).limit(1)
    with translated_errors(), engine.connect() as connection:
        return connection.execute(query).first() is not None


def first_slots(engine: "Engine", devices: Sequence[int]) -> dict[int, datetime]:
    """The first slot that is known of each of these devices, taken or missed."""
    firsts: dict[int, datetime] = {}
    tables = (stills, missed_stills)
    query = union_all(*(_first_slots(table, devices) for table in tables))
    with translated_errors(), engine.connect() as connection:
        for device, slot in connection.execute(query):
            firsts[device] = min(slot, firsts.get(device, slot))
    return firsts


def _first_slots(table: Table, devices: Sequence[int]) -> Select[Any]:
    column = table.c
    query = select(column.device, func.min(column.slot)).group_by(column.device)
    return query.where(column.device.in_(devices), column.slot >= BELIEVABLE_FROM)


def first_slot(engine: "Engine", devices: Sequence[int]) -> datetime | None:
    """The first slot that is known of these devices, taken or missed."""
    return min(first_slots(engine, devices).values(), default=None)


def first_time(engine: "Engine", devices: Sequence[int]) -> datetime | None:
    """When the first still of these devices was taken that has a believable time."""
    column = stills.c
    query = select(func.min(column.taken_at)).where(
        column.device.in_(devices), column.taken_at >= BELIEVABLE_FROM
    )
    with translated_errors(), engine.connect() as connection:
        first: datetime | None = connection.execute(query).scalar()
        return first


def missed_between(
    engine: "Engine", devices: Sequence[int], since: datetime, until: datetime
) -> list[Missed]:
    """What was due in that time and could not be taken."""
    column = missed_stills.c
    query = select(missed_stills).where(
        column.device.in_(devices), column.slot >= since, column.slot < until
    )
    with translated_errors(), engine.connect() as connection:
        return [Missed(**row) for row in connection.execute(query).mappings()]


# -- reading ------------------------------------------------------------------------------


def _still(row: Mapping[Any, Any]) -> Still:
    return Still(**{**row, "notes": tuple(row["notes"])})


def _selected(engine: "Engine", query: Select[Any]) -> list[Still]:
    with translated_errors(), engine.connect() as connection:
        return [_still(row) for row in connection.execute(query).mappings()]


def find(engine: "Engine", devices: Sequence[int], id: int) -> Still | None:
    """The still with that number, if it is of one of these devices."""
    column = stills.c
    query = select(stills).where(column.id == id, column.device.in_(devices))
    return next(iter(_selected(engine, query)), None)


def between(
    engine: "Engine",
    devices: Sequence[int],
    since: datetime,
    until: datetime,
    limit: int | None = None,
) -> list[Still]:
    """The stills of that time, in the order in which they were taken; so many at the most."""
    column = stills.c
    query = select(stills).where(
        column.device.in_(devices), column.taken_at >= since, column.taken_at < until
    )
    return _selected(engine, query.order_by(column.taken_at, column.id).limit(limit))


def newest(engine: "Engine", devices: Sequence[int]) -> Still | None:
    """The still that was taken last, whatever the clock said."""
    return next(iter(latest(engine, devices, 1)), None)


def latest(engine: "Engine", devices: Sequence[int], limit: int) -> list[Still]:
    """The stills that were taken last, the newest first."""
    query = select(stills).where(stills.c.device.in_(devices))
    return _selected(engine, query.order_by(stills.c.id.desc()).limit(limit))


def newest_of_each(engine: "Engine") -> list[Still]:
    """The still of each device that was taken last, the oldest first."""
    query = select(stills).where(stills.c.id.in_(_newest_ids()))
    return _selected(engine, query.order_by(stills.c.id))


def _newest_ids() -> Select[Any]:
    return select(func.max(stills.c.id)).group_by(stills.c.device)


def times(engine: "Engine", devices: Sequence[int]) -> list[datetime]:
    """When the stills of these devices were taken, in order."""
    column = stills.c
    query = select(column.taken_at).where(column.device.in_(devices)).order_by(column.taken_at)
    with translated_errors(), engine.connect() as connection:
        return list(connection.execute(query).scalars())


def names(engine: "Engine", device: int) -> set[str]:
    """The names of the files of a device, under this number."""
    query = select(stills.c.name).where(stills.c.device == device)
    with translated_errors(), engine.connect() as connection:
        return set(connection.execute(query).scalars())


def names_at(engine: "Engine", device: int, taken_at: datetime) -> set[str]:
    """The names of the files of a device, under this number, that were taken at that time or in the
    same millisecond."""
    column = stills.c
    since = taken_at.replace(microsecond=taken_at.microsecond // 1000 * 1000)
    query = select(column.name).where(
        column.device == device, column.taken_at >= since, column.taken_at < since + MILLISECOND
    )
    with translated_errors(), engine.connect() as connection:
        return set(connection.execute(query).scalars())


def last_id(engine: "Engine") -> int:
    """The number of the newest still; 0 if there is none."""
    with translated_errors(), engine.connect() as connection:
        return int(connection.execute(select(func.max(stills.c.id))).scalar() or 0)


def last_known_time(engine: "Engine") -> datetime | None:
    """The latest time of a still that was taken while the clock was set."""
    query = select(func.max(stills.c.taken_at)).where(stills.c.clock_known.is_(True))
    with translated_errors(), engine.connect() as connection:
        last: datetime | None = connection.execute(query).scalar()
        return last


def mark_clock_unknown(engine: "Engine", after: int) -> int:
    """Note that the clock was not set when the stills with greater numbers were taken; how many
    that are."""
    column = stills.c
    change = update(stills).where(column.id > after, column.clock_known.is_(True))
    with translated_errors(), engine.begin() as connection:
        return int(connection.execute(change.values(clock_known=False)).rowcount)


# -- deleting -----------------------------------------------------------------------------


def total_size(engine: "Engine") -> int:
    """Bytes of all stills."""
    with translated_errors(), engine.connect() as connection:
        return int(connection.execute(select(func.sum(stills.c.size))).scalar() or 0)


def oldest(engine: "Engine") -> list[Still]:
    """Some of the stills that were written first, without the newest one of each device."""
    query = select(stills).where(stills.c.id.not_in(_newest_ids()))
    return _selected(engine, query.order_by(stills.c.id).limit(PART))


def too_old(engine: "Engine", until: datetime) -> list[Still]:
    """Some of the stills from before `until`. One whose time is not known is as old as the next one
    whose time is."""
    column = stills.c
    is_old = and_(column.clock_known.is_(True), column.taken_at < until)
    last_old = select(func.max(column.id)).where(is_old).scalar_subquery()
    is_older = and_(column.clock_known.is_(False), column.id < last_old)
    return _selected(engine, select(stills).where(or_(is_old, is_older)).limit(PART))


def remove(engine: "Engine", ids: Sequence[int]) -> None:
    """Delete the rows; the files are deleted by the caller, first."""
    for part in _parts(ids):
        with translated_errors(), engine.begin() as connection:
            connection.execute(delete(stills).where(stills.c.id.in_(part)))


def forget_missed(engine: "Engine", until: datetime) -> None:
    """Delete what was missed before `until`."""
    with translated_errors(), engine.begin() as connection:
        connection.execute(delete(missed_stills).where(missed_stills.c.slot < until))


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[first : first + PART] for first in range(0, len(ids), PART))


# -- intervals ----------------------------------------------------------------------------


def intervals(engine: "Engine") -> dict[int, int]:
    """The seconds between two stills of each device for which a person set them."""
    query = select(still_intervals.c.device, still_intervals.c.seconds)
    with translated_errors(), engine.connect() as connection:
        return {row.device: row.seconds for row in connection.execute(query)}


def set_interval(engine: "Engine", device: int, seconds: int | None) -> None:
    """Set the seconds for a device; None: as for all."""
    with translated_errors(), engine.begin() as connection:
        connection.execute(delete(still_intervals).where(still_intervals.c.device == device))
        if seconds is not None:
            row = {"device": device, "seconds": seconds}
            connection.execute(insert(still_intervals), row)
