"""The tables of recordings: files on the disk, named ranges over them, and schedules."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    Index,
    Integer,
    String,
    Table,
    Time,
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

schedules = Table(
    "schedules",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("devices", JSON, nullable=False),
    Column("zone", String(64), nullable=False),
    Column("start_time", Time),
    Column("end_time", Time),
    Column("days", JSON, nullable=False),
    Column("start_date", Date),
    Column("end_date", Date),
    Column("is_active", Boolean, nullable=False),
    Column("quality", String(10)),
    Column("by", String(80), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("previous", JSON(none_as_null=True)),
    Column("deleted_at", UtcDateTime),
    Index("schedules_deleted", "deleted_at"),
    sqlite_autoincrement=True,
)
"""When devices are recorded. `previous`: the values before the last change, which undo it."""

schedule_plans = Table(
    "schedule_plans",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("schedule", Integer, nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_until", UtcDateTime),
    Column("plan", JSON, nullable=False),
    Index("schedule_plans_time", "schedule", "valid_until"),
    sqlite_autoincrement=True,
)
"""What each schedule said and when, also of deleted ones; `plan`: its values as JSON."""

camera_plans = Table(
    "camera_plans",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device", Integer, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_until", UtcDateTime),
    Index("camera_plans_time", "device", "valid_until"),
    sqlite_autoincrement=True,
)
"""When cameras were recorded always, and when they were retired."""

outages = Table(
    "outages",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("device", Integer, nullable=False),
    Column("stream", String(4), nullable=False),
    Column("began", UtcDateTime, nullable=False),
    Column("ended", UtcDateTime),
    Column("cause", String(12), nullable=False),
    Column("reason", String(300), nullable=False),
    Index("outages_time", "device", "began"),
    sqlite_autoincrement=True,
)
"""When streams had no picture, and when this server ran (video/outages.py)."""

link_days = Table(
    "link_days",
    metadata,
    Column("device", Integer, primary_key=True, autoincrement=False),
    Column("stream", String(4), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("seconds", Float, nullable=False),
    Column("frames", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    Column("reconnects", Integer, nullable=False),
    Column("stalls", Integer, nullable=False),
    Column("longest_key_distance", Float, nullable=False),
    Index("link_days_day", "day"),
)
"""What each stream did on a day, as `LinkCounts`."""
