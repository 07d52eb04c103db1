"""The tables of accounts and preferences. They hold secrets only as digests."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from store.sql import UtcDateTime, metadata

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(60), nullable=False),
    Column("key", String(120), nullable=False, unique=True),
    Column("role", String(10), nullable=False),
    Column("password", Text, nullable=False),
    Column("sees_all", Boolean, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("last_login", UtcDateTime),
    Column("last_address", String(60), nullable=False),
    sqlite_autoincrement=True,
)


def _of_user() -> Column[int]:
    owner = ForeignKey("users.id", ondelete="CASCADE")
    return Column("user", Integer, owner, nullable=False, index=True)


grants = Table(
    "grants",
    metadata,
    Column("id", Integer, primary_key=True),
    _of_user(),
    Column("level", String(10), nullable=False),
    Column("device", Integer),
    Column("site", String(60)),
    Column("hours", String(11)),
    Column("weekdays", JSON, nullable=False),
    Column("rights", JSON, nullable=False),
    Column("store", String(500)),
    sqlite_autoincrement=True,
)
sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    _of_user(),
    Column("digest", String(64), nullable=False, unique=True),
    Column("kind", String(10), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("ends", UtcDateTime, nullable=False),
    Column("address", String(60), nullable=False),
    Column("agent", String(200), nullable=False),
    sqlite_autoincrement=True,
)
tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    _of_user(),
    Column("name", String(60), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scope", String(10), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("devices", JSON),
    Column("ends", UtcDateTime),
    Column("used", UtcDateTime),
    sqlite_autoincrement=True,
)
preferences = Table(
    "preferences",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user", Integer, ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("name", String(40), nullable=False),
    Column("value", JSON, nullable=False),
    UniqueConstraint("user", "name", name="preference_of_user"),
)
"""Without a user: of everyone, while there are no accounts."""
