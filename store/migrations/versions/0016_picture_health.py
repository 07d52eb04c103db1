"""Picture health of each camera: its settings, its course, and the pictures that are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "health_settings",
        sa.Column("device", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("sensitivity", sa.String(6), nullable=False),
        sa.Column("interval", sa.Integer),
        sa.Column("repeats", sa.Boolean, nullable=False),
        sa.Column("expected_hours", sa.JSON, nullable=False),
    )
    op.create_table(
        "health_courses",
        sa.Column("device", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sampled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("findings", sa.JSON, nullable=False),
        sa.Column("showing", sa.JSON, nullable=False),
        sa.Column("clear", sa.JSON, nullable=False),
        sa.Column("anchor", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "health_pictures",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("device", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(9), nullable=False),
        sa.Column("fault", sa.String(8)),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(120), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("measures", sa.JSON, nullable=False),
        sa.Column("descriptor", sa.LargeBinary, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("health_pictures_device", "health_pictures", ["device"])
    op.create_index("health_pictures_ended", "health_pictures", ["ended_at"])


def downgrade() -> None:
    op.drop_table("health_pictures")
    op.drop_table("health_courses")
    op.drop_table("health_settings")
