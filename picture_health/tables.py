"""The tables of picture health: settings, courses, and the pictures that are kept."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from store.sql import UtcDateTime, metadata

health_settings = Table(
    "health_settings",
    metadata,
    Column("device", Integer, primary_key=True, autoincrement=False),
    Column("mode", String(4), nullable=False),
    Column("sensitivity", String(6), nullable=False),
    Column("interval", Integer),
    Column("repeats", Boolean, nullable=False),
    Column("expected_hours", JSON, nullable=False),
)
"""As `CameraSettings`, for the cameras whose settings a person changed."""

health_courses = Table(
    "health_courses",
    metadata,
    Column("device", Integer, primary_key=True, autoincrement=False),
    Column("sampled_at", UtcDateTime, nullable=False),
    Column("findings", JSON, nullable=False),
    Column("showing", JSON, nullable=False),
    Column("clear", JSON, nullable=False),
    Column("anchor", LargeBinary, nullable=False),
)
"""As `judging.Course`. Written when its counts change and at the stop, not at each sample."""

health_pictures = Table(
    "health_pictures",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("device", Integer, nullable=False),
    Column("kind", String(9), nullable=False),
    Column("fault", String(8)),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(120), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("measures", JSON, nullable=False),
    Column("descriptor", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("health_pictures_device", "device"),
    Index("health_pictures_ended", "ended_at"),
    sqlite_autoincrement=True,
)
"""As `KeptPicture`. `ended_at` is when the finding ended that a picture raised."""
