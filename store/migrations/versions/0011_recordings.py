"""Recorded files, and the recordings that they are part of."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "segments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("device", sa.Integer, nullable=False),
        sa.Column("stream", sa.String(4), nullable=False),
        sa.Column("file", sa.String(80), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("header", sa.Integer, nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("codec", sa.String(16), nullable=False),
        sa.Column("codecs", sa.String(80), nullable=False),
        sa.Column("audio", sa.String(16), nullable=False),
        sa.Column("rate", sa.Float),
        sa.Column("notes", sa.JSON, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("damaged", sa.String(200), nullable=False),
        sa.UniqueConstraint("device", "file", name="segments_file"),
        sqlite_autoincrement=True,
    )
    op.create_index("segments_day", "segments", ["device", "stream", "started_at"])
    op.create_index("segments_age", "segments", ["started_at"])
    _create_recordings()


def _create_recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("device", sa.Integer, nullable=False),
        sa.Column("stream", sa.String(4), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("schedule", sa.Integer),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("due_until", TIME),
        sa.Column("status", sa.String(10), nullable=False, index=True),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("quality", sa.String(10), nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("deleted_at", TIME),
        sqlite_autoincrement=True,
    )
    op.create_index("recordings_day", "recordings", ["device", "stream", "started_at"])


def downgrade() -> None:
    op.drop_table("recordings")
    op.drop_table("segments")
