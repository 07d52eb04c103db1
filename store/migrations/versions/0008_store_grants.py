"""Grants for a store; those from before are for a device or a site."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("grants", sa.Column("store", sa.String(500)))


def downgrade() -> None:
    op.drop_column("grants", "store")
