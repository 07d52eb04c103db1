"""The tables of stills: what is kept, what could not be taken, and how often each is due."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from store.sql import UtcDateTime, metadata

stills = Table(
    "stills",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("device", Integer, nullable=False),
    Column("taken_at", UtcDateTime, nullable=False),
    Column("clock_known", Boolean, nullable=False),
    Column("way", String(10), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("name", String(40), nullable=False),
    Column("why", String(8), nullable=False),
    Column("slot", UtcDateTime),
    Column("notes", JSON, nullable=False),
    UniqueConstraint("device", "name", name="stills_name"),
    UniqueConstraint("device", "slot", name="stills_slot"),
    Index("stills_day", "device", "taken_at"),
    Index("stills_newest", "device", "id"),
    sqlite_autoincrement=True,
)
"""One row for each file. Numbers grow and are never used again: they tell which still is newer."""

missed_stills = Table(
    "missed_stills",
    metadata,
    Column("device", Integer, primary_key=True, autoincrement=False),
    Column("slot", UtcDateTime, primary_key=True),
    Column("reason", String(300), nullable=False),
    Index("missed_stills_slot", "slot"),
)
"""What was due and could not be taken, as `Missed`."""

still_intervals = Table(
    "still_intervals",
    metadata,
    Column("device", Integer, primary_key=True, autoincrement=False),
    Column("seconds", Integer, nullable=False),
)
"""How often a still of a device is due, where a person said so; 0: never."""
