"""Stills that are kept, those that could not be taken, and how often they are due."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "stills",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("device", sa.Integer, nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_known", sa.Boolean, nullable=False),
        sa.Column("way", sa.String(10), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("why", sa.String(8), nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True)),
        sa.Column("notes", sa.JSON, nullable=False),
        sa.UniqueConstraint("device", "name", name="stills_name"),
        sa.UniqueConstraint("device", "slot", name="stills_slot"),
        sqlite_autoincrement=True,
    )
    op.create_index("stills_day", "stills", ["device", "taken_at"])
    op.create_index("stills_newest", "stills", ["device", "id"])
    op.create_table(
        "missed_stills",
        sa.Column("device", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("slot", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("reason", sa.String(300), nullable=False),
    )
    op.create_index("missed_stills_slot", "missed_stills", ["slot"])
    op.create_table(
        "still_intervals",
        sa.Column("device", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seconds", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("still_intervals")
    op.drop_table("missed_stills")
    op.drop_table("stills")
