"""How far the newest scan of an address range is, also after a restart."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "range_scan",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("scan", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("range_scan")
