"""What scans of address ranges found, until a person decides about it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "range_inbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("site", sa.String(60), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.UniqueConstraint("site", "address", name="range_inbox_place"),
    )


def downgrade() -> None:
    op.drop_table("range_inbox")
