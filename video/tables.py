"""The tables of recordings: files on the disk, and named ranges over them."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from store.sql import UtcDateTime, metadata

segments = Table(
    "segments",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("device", Integer, nullable=False),
    Column("stream", String(4), nullable=False),
    Column("file", String(80), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("header", Integer, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("codec", String(16), nullable=False),
    Column("codecs", String(80), nullable=False),
    Column("audio", String(16), nullable=False),
    Column("rate", Float),
    Column("notes", JSON, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("reason", String(20), nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("damaged", String(200), nullable=False),
    UniqueConstraint("device", "file", name="segments_file"),
    Index("segments_day", "device", "stream", "started_at"),
    Index("segments_age", "started_at"),
    sqlite_autoincrement=True,
)
"""One row for each file. A row is written when its file begins and when it is closed."""

recordings = Table(
    "recordings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device", Integer, nullable=False),
    Column("stream", String(4), nullable=False),
    Column("name", String(200), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("schedule", Integer),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("due_until", UtcDateTime),
    Column("status", String(10), nullable=False, index=True),
    Column("reason", String(300), nullable=False),
    Column("quality", String(10), nullable=False),
    Column("by", String(80), nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("deleted_at", UtcDateTime),
    Index("recordings_day", "device", "stream", "started_at"),
    sqlite_autoincrement=True,
)
"""Named ranges over the segments of one stream; the files themselves are in `segments`."""
