"""The roll-up of uptimes: kept by the journal's writer, in the transaction of the events."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from math import inf
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Date,
    Engine,
    Float,
    Integer,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
    tuple_,
)
from sqlalchemy import delete as sql_delete

from fleet.history.event_rows import event_of
from fleet.history.event_rows import events as event_table
from fleet.history.uptime import KINDS, MERGED, Day, UptimeRollup, merged_ids
from fleet.model import Event
from store.sql import insert_of, metadata, translated_errors

UNMERGED, DELETED = "device.unmerged", "device.deleted"
MAX_QUERIED_DEVICES = 200
"""Devices in one query."""
FILLED_AT_ONCE = 20
"""Devices in one transaction that rolls up again: others write in between."""

uptime_days = Table(
    "uptime_days",
    metadata,
    Column("device", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("first", Float, nullable=False),
    Column("opening", String(7), nullable=False),
    Column("up", Float, nullable=False),
    Column("down", Float, nullable=False),
    Column("last", Float, nullable=False),
    Column("state", String(7), nullable=False),
)
uptime_zone = Table("uptime_zone", metadata, Column("mark", String(32), primary_key=True))
"""The zone whose days these are, once every event is in them."""


# -- reading -----------------------------------------------------------------------------------


def since(engine: Engine, devices: Collection[int], first: date) -> dict[int, list[Day]]:
    """The days of each device from `first` on, oldest first, and the last one before it."""
    days: dict[int, list[Day]] = {device: [] for device in devices}
    with translated_errors(), engine.connect() as connection:
        for ids in _parts(days, MAX_QUERIED_DEVICES):
            for row in _latest(connection, ids, first):
                days[row.device].append(Day(*row[1:]))
            query = (
                select(uptime_days)
                .where(uptime_days.c.device.in_(ids), uptime_days.c.day >= first)
                .order_by(uptime_days.c.device, uptime_days.c.day)
            )
            for row in connection.execute(query):
                days[row.device].append(Day(*row[1:]))
    return days


def _latest(
    connection: Connection, devices: Collection[int], before: date = date.max
) -> Sequence[Any]:
    """The last day of each device before a day."""
    table = uptime_days.c
    newest = (
        select(table.device, func.max(table.day))
        .where(table.device.in_(devices), table.day < before)
        .group_by(table.device)
    )
    query = select(uptime_days).where(tuple_(table.device, table.day).in_(newest))
    return connection.execute(query).all()


# -- writing -----------------------------------------------------------------------------------


def add(connection: Connection, events: Iterable[Event]) -> None:
    """Roll in new events of the journal; each is given once.

    A merge, and an undone one, changes what belongs to a device: it is rolled up again.
    """
    rollups: dict[int, UptimeRollup] = {}
    again: set[int] = set()
    of_devices = [event for event in events if event.device is not None]
    for event in of_devices:
        if event.kind == DELETED:
            again.add(event.device or 0)
        elif event.kind in (MERGED, UNMERGED):
            again.update(merged_ids(event.after) or ())
    changes = [event for event in of_devices if event.kind in KINDS and event.device not in again]
    for ids in _parts({event.device or 0 for event in changes}, MAX_QUERIED_DEVICES):
        known = {row.device: Day(*row[1:]) for row in _latest(connection, ids)}
        rollups.update({device: UptimeRollup(device, day) for device, day in known.items()})
    for event in changes:
        if event.device in rollups:
            rollups[event.device].add(event)
        else:
            again.add(event.device or 0)
    _store(connection, rollups)
    rebuild(connection, sorted(again))


def rebuild(connection: Connection, devices: Collection[int]) -> None:
    """Roll up again everything that the journal has of these devices. The days before its oldest
    event stay: nothing else knows of them."""
    stays = _merges(connection)
    for ids in _parts(devices, MAX_QUERIED_DEVICES):
        gone = _deleted(connection, ids) | stays.keys()
        origins = {device: device for device in ids if device not in gone}
        origins |= {goes: end for goes in stays if (end := _last_record(goes, stays)) in origins}
        _delete_from(connection, dict.fromkeys(ids, -inf) | _oldest(connection, origins))
        kept = {row.device: Day(*row[1:]) for row in _latest(connection, ids)}
        rollups = {
            device: UptimeRollup(device, kept.get(device)) for device in set(origins.values())
        }
        for event in _events(connection, list(origins)):
            rollups[origins[event.device or 0]].add(event)
        _store(connection, rollups)


def _oldest(connection: Connection, origins: Mapping[int, int]) -> dict[int, float]:
    """The time of the first event in the journal of each device or of a record that went
    into it, in seconds since 1970; `inf` without any."""
    oldest = dict.fromkeys(origins.values(), inf)
    column = event_table.c
    query = select(column.device, func.min(column.at, type_=column.at.type)).group_by(column.device)
    ours = column.device.in_(list(origins)), column.kind.in_((*KINDS, MERGED))
    for device, at in connection.execute(query.where(*ours)):
        end = origins[device]
        oldest[end] = min(oldest[end], at.timestamp())
    return oldest


def _delete_from(connection: Connection, moments: Mapping[int, float]) -> None:
    """Delete the days of each device that have an event at its moment or later."""
    table = uptime_days.c
    query = sql_delete(uptime_days).where(
        table.device == bindparam("whose"), table.last >= bindparam("moment")
    )
    rows = [{"whose": device, "moment": moment} for device, moment in moments.items()]
    connection.execute(query, rows)


def _deleted(connection: Connection, devices: Collection[int]) -> set[int]:
    query = select(event_table.c.device).where(
        event_table.c.device.in_(devices), event_table.c.kind == DELETED
    )
    return set(connection.execute(query).scalars())


def _merges(connection: Connection) -> dict[int, int]:
    """The merges in the journal: the record that went, and the one that stayed."""
    stays: dict[int, int] = {}
    query = select(event_table.c.kind, event_table.c.after).where(
        event_table.c.kind.in_((MERGED, UNMERGED))
    )
    for kind, after in connection.execute(query.order_by(event_table.c.sequence)):
        pair = merged_ids(after)
        if pair and kind == MERGED:
            stays[pair[1]] = pair[0]
        elif pair:
            stays.pop(pair[1], None)
    return stays


def _last_record(device: int, stays: Mapping[int, int]) -> int:
    """The record that stays at the end of a chain of merges."""
    seen = {device}
    while (after := stays.get(device, device)) not in seen:
        seen.add(after)
        device = after
    return device


def _events(connection: Connection, devices: Collection[int]) -> Iterator[Event]:
    query = (
        select(event_table)
        .where(event_table.c.device.in_(devices), event_table.c.kind.in_((*KINDS, MERGED)))
        .order_by(event_table.c.sequence)
        .execution_options(yield_per=1000)
    )
    for row in connection.execute(query):
        yield event_of(row)


def fill(engine: Engine) -> Iterator[int]:
    """Roll up everything that the journal has, a few devices at a time, when the roll-up is not
    complete or has the days of another time zone. Yields how many devices it did."""
    mark = _mark_of_zone()
    with translated_errors(), engine.connect() as connection:
        if connection.execute(select(uptime_zone.c.mark)).scalars().all() == [mark]:
            return
        query = select(event_table.c.device).where(event_table.c.device.is_not(None)).distinct()
        devices = sorted(connection.execute(query).scalars())
    for ids in _parts(devices, FILLED_AT_ONCE):
        with translated_errors(), engine.begin() as connection:
            rebuild(connection, ids)
        yield len(ids)
    with translated_errors(), engine.begin() as connection:
        connection.execute(sql_delete(uptime_zone))
        connection.execute(insert(uptime_zone), {"mark": mark})


def _mark_of_zone() -> str:
    """The key of this machine's zone: its offsets on two days of each month for years."""
    days = [
        datetime(year, month, day, tzinfo=UTC)
        for year in range(2020, 2041)
        for month in range(1, 13)
        for day in (1, 15)
    ]
    offsets = ",".join(f"{day.astimezone():%z}" for day in days)
    return hashlib.blake2b(offsets.encode(), digest_size=16).hexdigest()


def forget(engine: Engine, until: date) -> None:
    """Delete the days before `until`, but for the last one of each device: it has the
    state from then on."""
    table = uptime_days.alias()
    newer = select(table.c.day).where(
        table.c.device == uptime_days.c.device, table.c.day > uptime_days.c.day
    )
    with translated_errors(), engine.begin() as connection:
        query = sql_delete(uptime_days).where(uptime_days.c.day < until, newer.exists())
        connection.execute(query)


def _parts(devices: Collection[int], size: int) -> Iterator[list[int]]:
    every = list(devices)
    for place in range(0, len(every), size):
        yield every[place : place + size]


def _store(connection: Connection, rollups: Mapping[int, UptimeRollup]) -> None:
    rows = [
        {"device": device, **{name: getattr(day, name) for name in Day.__slots__}}
        for device, rollup in rollups.items()
        for day in rollup.days.values()
    ]
    if not rows:
        return
    put = insert_of(connection.dialect)(uptime_days)
    changed = {name: put.excluded[name] for name in Day.__slots__ if name != "day"}
    connection.execute(
        put.on_conflict_do_update(index_elements=["device", "day"], set_=changed), rows
    )
