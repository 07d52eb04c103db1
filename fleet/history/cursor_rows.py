"""The table of cursors: how far each reader of the journal has read."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Connection, String, Table, func, select, update
from sqlalchemy import delete as sql_delete

from store.sql import UtcDateTime, insert_of, metadata

cursors = Table(
    "journal_cursors",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""`sequence` is that of the last event that the reader has taken in, `at` when it did."""


class CursorMoved(Exception):
    """The cursor is not where its reader left it: moved, dropped, or from a restored database."""


def register(connection: Connection, name: str, start: int, at: datetime) -> int:
    """The sequence after which the reader continues; a new reader begins after `start`."""
    insert = insert_of(connection.dialect)
    row = {"name": name, "sequence": start, "at": at}
    connection.execute(insert(cursors).on_conflict_do_nothing(), row)
    query = select(cursors.c.sequence).where(cursors.c.name == name)
    return int(connection.execute(query).scalar_one())


def advance(connection: Connection, name: str, start: int, end: int, at: datetime) -> None:
    """Move the cursor from `start` to `end`, in the transaction that stores what the reader made
    of the events between them.

    Raises CursorMoved unless the cursor is at `start`, so that nothing is stored twice.
    """
    ours = (cursors.c.name == name, cursors.c.sequence == start)
    moved = connection.execute(update(cursors).where(*ours).values(sequence=end, at=at))
    if moved.rowcount != 1:
        raise CursorMoved(f"the cursor of {name} is not at {start}")


def drop(connection: Connection, name: str) -> bool:
    """Delete the cursor of a reader that no longer exists; False when there is none of this
    name."""
    return connection.execute(sql_delete(cursors).where(cursors.c.name == name)).rowcount > 0


def every(connection: Connection) -> dict[str, int]:
    """The sequence of each reader by its name."""
    query = select(cursors.c.name, cursors.c.sequence).order_by(cursors.c.name)
    return {row.name: row.sequence for row in connection.execute(query)}


def highest(connection: Connection) -> int:
    """The furthest that any reader is; 0 without readers."""
    return connection.execute(select(func.max(cursors.c.sequence))).scalar() or 0
