"""The roll-up of uptimes: the days on which something was told of a device."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "uptime_days",
        sa.Column("device", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("first", sa.Float, nullable=False),
        sa.Column("opening", sa.String(7), nullable=False),
        sa.Column("up", sa.Float, nullable=False),
        sa.Column("down", sa.Float, nullable=False),
        sa.Column("last", sa.Float, nullable=False),
        sa.Column("state", sa.String(7), nullable=False),
    )
    op.create_table("uptime_zone", sa.Column("mark", sa.String(32), primary_key=True))


def downgrade() -> None:
    op.drop_table("uptime_zone")
    op.drop_table("uptime_days")
