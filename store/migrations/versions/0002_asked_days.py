"""The days on which each part of each source was asked."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "asked_days",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("scope", sa.String(120), primary_key=True),
    )


def downgrade() -> None:
    op.drop_table("asked_days")
