"""The journal of events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("device", sa.Integer),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("after", sa.JSON, nullable=False),
    )
    op.create_index("events_by_device", "events", ["device", "sequence"])
    op.create_index("events_by_kind", "events", ["kind", "sequence"])
    op.create_index("events_by_time", "events", ["at"])


def downgrade() -> None:
    op.drop_table("events")
