"""The table of the audit log."""

from sqlalchemy import JSON, BigInteger, Column, Integer, String, Table, Text

from store.sql import UtcDateTime, metadata

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("who", String(80), nullable=False),
    Column("address", String(60), nullable=False),
    Column("action", String(60), nullable=False),
    Column("about", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("mark", String(32), unique=True),
    sqlite_autoincrement=True,
)
