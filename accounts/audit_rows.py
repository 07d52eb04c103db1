"""The audit log's table and its questions."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, insert, or_, select

from accounts.model import Entry
from accounts.tables import audit
from store.sql import saying_why

COLUMNS = ("at", "who", "address", "action", "about", "text", "before", "after")


def add(engine: Engine, entry: Entry) -> None:
    """Write one line."""
    row = {name: getattr(entry, name) for name in COLUMNS}
    for name, column in audit.columns.items():
        if isinstance(row.get(name), str):
            most = getattr(column.type, "length", None)
            row[name] = _sound(row[name])[:most]
    row["before"], row["after"] = _plain(entry.before), _plain(entry.after)
    with saying_why(), engine.begin() as connection:
        connection.execute(insert(audit).values(**row))


def _sound(text: str) -> str:
    """No NUL and no half characters: databases refuse them."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _plain(value: Any) -> Any:
    """What every database takes as JSON: one line that it refuses would hold up the rest."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {_sound(str(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return _sound(str(value))


def find(
    engine: Engine,
    *,
    who: str = "",
    action: str = "",
    q: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Entry]:
    """Entries that fit, newest first. An action that ends in a dot stands for a family."""
    query = select(audit)
    who, action, q = _sound(who), _sound(action), _sound(q)
    if who:
        query = query.where(audit.c.who == who)
    if action:
        family = action.endswith(".")
        query = query.where(
            audit.c.action.startswith(action, autoescape=True)
            if family
            else audit.c.action == action
        )
    if q:
        fields = (audit.c.about, audit.c.text, audit.c.who, audit.c.address)
        query = query.where(or_(*(one.icontains(q, autoescape=True) for one in fields)))
    if since:
        query = query.where(audit.c.at >= since)
    if until:
        query = query.where(audit.c.at < until)
    if before:
        query = query.where(audit.c.id < before)
    query = query.order_by(audit.c.id.desc()).limit(limit)
    with saying_why(), engine.connect() as connection:
        return [Entry(**row) for row in connection.execute(query).mappings()]


def forget(engine: Engine, until: datetime) -> int:
    """Delete what was before `until`; how many."""
    with saying_why(), engine.begin() as connection:
        return int(connection.execute(delete(audit).where(audit.c.at < until)).rowcount)
