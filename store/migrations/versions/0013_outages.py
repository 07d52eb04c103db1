"""When streams had no picture and why, and the quality of each link by day."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "outages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("device", sa.Integer, nullable=False),
        sa.Column("stream", sa.String(4), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.Column("cause", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("outages_time", "outages", ["device", "began"])
    op.create_table(
        "link_days",
        sa.Column("device", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("stream", sa.String(4), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("lost", sa.BigInteger, nullable=False),
        sa.Column("reconnects", sa.Integer, nullable=False),
        sa.Column("stalls", sa.Integer, nullable=False),
        sa.Column("longest_key_distance", sa.Float, nullable=False),
    )
    op.create_index("link_days_day", "link_days", ["day"])


def downgrade() -> None:
    op.drop_table("link_days")
    op.drop_table("outages")
