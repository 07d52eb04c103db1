"""What schedules said and which cameras were recorded always or retired, at each time."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

PLAN = ("name", "kind", "devices", "zone", "days", "is_active", "quality")
TIMES = ("start_time", "end_time", "start_date", "end_date")


def upgrade() -> None:
    plans = op.create_table(
        "schedule_plans",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("schedule", sa.Integer, nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True)),
        sa.Column("plan", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("schedule_plans_time", "schedule_plans", ["schedule", "valid_until"])
    op.bulk_insert(plans, [plan for row in _schedules() for plan in _plans_of(row)])
    spans = op.create_table(
        "camera_plans",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("device", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True)),
        sqlite_autoincrement=True,
    )
    op.create_index("camera_plans_time", "camera_plans", ["device", "valid_until"])
    op.bulk_insert(spans, _always_recorded())


def _schedules() -> list[dict[str, object]]:
    columns = [sa.column(name, sa.JSON) for name in ("devices", "days", "previous")]
    columns += [sa.column(name, sa.Boolean) for name in ("is_active",)]
    columns += [sa.column(name, sa.Time) for name in TIMES[:2]]
    columns += [sa.column(name, sa.Date) for name in TIMES[2:]]
    times = ("created_at", "changed_at", "deleted_at")
    columns += [sa.column(name, sa.DateTime(timezone=True)) for name in times]
    columns += [sa.column(name) for name in ("id", "name", "kind", "zone", "quality")]
    rows = op.get_bind().execute(sa.select(*columns).select_from(sa.table("schedules")))
    return [dict(row) for row in rows.mappings()]


def _plans_of(row: dict[str, object]) -> list[dict[str, object]]:
    """The plan before the last change, as far as it is known, and the newest one."""
    changed = row["changed_at"] if row["previous"] else row["created_at"]
    plan = {name: row[name] for name in PLAN}
    plan.update({name: _text(row[name]) for name in TIMES})
    plans = [_plan(row, changed, row["deleted_at"], plan)]
    if row["previous"]:
        plans.insert(0, _plan(row, row["created_at"], changed, row["previous"]))
    return plans


def _plan(
    row: dict[str, object], valid_from: object, valid_until: object, plan: object
) -> dict[str, object]:
    times = {"valid_from": valid_from, "valid_until": valid_until}
    return {"schedule": row["id"], "plan": plan, **times}


def _text(value: object) -> str | None:
    return value.isoformat() if hasattr(value, "isoformat") else None


def _always_recorded() -> list[dict[str, object]]:
    """When cameras were recorded because they always are."""
    columns = [sa.column(name, sa.DateTime(timezone=True)) for name in ("started_at", "ended_at")]
    columns += [sa.column(name) for name in ("device", "kind")]
    rows = op.get_bind().execute(sa.select(*columns).select_from(sa.table("recordings")))
    return [
        {"device": row["device"], "kind": "always", "valid_from": row["started_at"]}
        | {"valid_until": row["ended_at"]}
        for row in rows.mappings()
        if row["kind"] == "auto"
    ]


def downgrade() -> None:
    op.drop_table("camera_plans")
    op.drop_table("schedule_plans")
