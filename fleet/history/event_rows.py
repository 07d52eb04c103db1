"""The table of events, and the queries on it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    String,
    Table,
    Text,
    func,
    select,
)
from sqlalchemy import delete as sql_delete

from fleet.model import Event
from store.sql import UtcDateTime, insert_of, long_write, metadata, translated_errors

events = Table(
    "events",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("device", Integer),
    Column("text", Text, nullable=False),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
)


FEW = 2000
"""Events that are sorted in a moment."""


def add(connection: Connection, new: Sequence[Event]) -> list[Event]:
    """Write the events; those whose sequence number is there already are ignored.
    Returns the others, as `find` will."""
    known = _known(connection, [event.sequence for event in new])
    new = [_as_stored(event) for event in new if event.sequence not in known]
    if not new:
        return []
    insert = insert_of(connection.dialect)
    rows = [
        {column.name: getattr(event, column.name) for column in events.columns} for event in new
    ]
    connection.execute(insert(events).on_conflict_do_nothing(), rows)
    return new


def _known(connection: Connection, sequences: Sequence[int]) -> set[int]:
    """The numbers that are stored already. The numbers of a delivery are neighbours."""
    first, last = min(sequences, default=0), max(sequences, default=0)
    query = select(events.c.sequence).where(events.c.sequence.between(first, last))
    return set(connection.execute(query).scalars())


def _as_stored(event: Event) -> Event:
    """The event with what the table has no place for left out."""
    return Event(
        event.sequence,
        event.at.astimezone(UTC),
        _storable(event.kind)[:40],
        event.device,
        _storable(event.text),
        _storable(event.before),
        _storable(event.after),
    )


def _storable(value: Any) -> Any:
    """A value that every database takes: no NUL and no invalid characters in texts.

    One event that the database refuses would hold up all that come after it.
    """
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(_storable(key)): _storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return value


def highest(engine: Engine) -> tuple[int, int]:
    """The highest sequence number and the highest device number; 0 for none."""
    # Each by itself comes from the end of an index; together they read the whole table.
    query = select(
        select(func.max(events.c.sequence)).scalar_subquery(),
        select(func.max(events.c.device)).scalar_subquery(),
    )
    with translated_errors(), engine.connect() as connection:
        sequence, device = connection.execute(query).one()
    return sequence or 0, device or 0


def find(
    engine: Engine,
    *,
    device: int | None = None,
    devices: Sequence[int] | None = None,
    sequences: Sequence[int] | None = None,
    kinds: Sequence[str] = (),
    but_kinds: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    after: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Event]:
    """The events that match, newest first; with `after`, the oldest ones above it, ascending.

    A kind that ends in a dot (`device.`) matches all that begin with it. `but_kinds`: none of
    these. `devices`: only those that belong to one of them. `sequences`: only those with these
    numbers.
    """
    query = select(events)
    if device is not None:
        query = query.where(events.c.device == device)
    if devices is not None:
        query = query.where(events.c.device.in_(devices))
    if sequences is not None:
        query = query.where(events.c.sequence.in_(sequences))
    if kinds:
        query = query.where(_any_kind(kinds))
    if but_kinds:
        query = query.where(~_any_kind(but_kinds))
    if since is not None:
        query = query.where(events.c.at >= since)
    if until is not None:
        query = query.where(events.c.at < until)
    if before is not None:
        query = query.where(events.c.sequence < before)
    with translated_errors(), engine.connect() as connection:
        order: ColumnElement[Any] = events.c.sequence
        if since is not None and _are_few(connection, since):
            order = order + 0  # No index has this: they come by their time, and are sorted.
        if after is not None:
            query = query.where(events.c.sequence > after).order_by(order)
        else:
            query = query.order_by(order.desc())
        return [event_of(row) for row in connection.execute(query.limit(limit))]


def _are_few(connection: Connection, since: datetime) -> bool:
    """True if there are so few events since then that sorting them is faster than a search
    through the whole table for as many as are asked for."""
    newest = select(events.c.at).where(events.c.at >= since).limit(FEW).subquery()
    count: int | None = connection.execute(select(func.count()).select_from(newest)).scalar()
    return (count or 0) < FEW


def _any_kind(kinds: Sequence[str]) -> Any:
    whole = [kind for kind in kinds if not kind.endswith(".")]
    clause: Any = events.c.kind.in_(whole)
    for family in set(kinds) - set(whole):
        clause = clause | events.c.kind.startswith(family, autoescape=True)
    return clause


def event(engine: Engine, sequence: int) -> Event | None:
    with translated_errors(), engine.connect() as connection:
        row = connection.execute(select(events).where(events.c.sequence == sequence)).first()
    return event_of(row) if row else None


def next_after(engine: Engine, sequence: int) -> int | None:
    """The number of the event that follows `sequence`, without reading the event itself."""
    query = select(func.min(events.c.sequence)).where(events.c.sequence > sequence)
    with translated_errors(), engine.connect() as connection:
        newest: int | None = connection.execute(query).scalar()
    return newest


def waiting_after(engine: Engine, sequence: int) -> tuple[int, datetime | None]:
    """The number of events above `sequence`, and the time of the oldest of them."""
    oldest = func.min(events.c.at, type_=events.c.at.type)
    query = select(func.count(), oldest).where(events.c.sequence > sequence)
    with translated_errors(), engine.connect() as connection:
        count, at = connection.execute(query).one()
    return count, at


def forget(engine: Engine, until: datetime, slowest: int | None) -> int:
    """Delete what happened before `until` and was read by all, up to `slowest` (None: nobody
    reads); how many events there were."""
    query = sql_delete(events).where(events.c.at < until)
    if slowest is not None:
        query = query.where(events.c.sequence <= slowest)
    with long_write(engine) as connection:
        return connection.execute(query).rowcount


def event_of(row: Any) -> Event:
    before, after = (value if isinstance(value, dict) else {} for value in (row.before, row.after))
    return Event(row.sequence, row.at, row.kind, row.device, row.text, before, after)
