"""A mark of its own for each line of the audit log, so that none is written twice."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("audit", sa.Column("mark", sa.String(32)))
    op.create_index("audit_by_mark", "audit", ["mark"], unique=True)


def downgrade() -> None:
    op.drop_index("audit_by_mark", "audit")
    op.drop_column("audit", "mark")
