"""Rows of the audit log's table: write, find and delete them."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, delete, or_, select

from audit.model import AuditEntry
from audit.tables import audit
from store.sql import insert_of, long_write, translated_errors

log = logging.getLogger(__name__)
COLUMNS = ("at", "who", "address", "action", "about", "text", "before", "after")
CHANGES = ("before", "after")
TEXT_LENGTHS = {
    name: getattr(audit.c[name].type, "length", None)
    for name in ("who", "address", "action", "about", "text", "mark")
}
"""Columns of text, and the most characters that each holds."""


def line_of(entry: AuditEntry, mark: str) -> bytes:
    """Encode an entry as a line of the outbox; `mark` is its unique key."""
    row = _storable_row({name: getattr(entry, name) for name in COLUMNS} | {"mark": mark})
    return json.dumps({**row, "at": entry.at.isoformat()}).encode()


def _storable_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Limit a row to values that every database takes: a refused row would block the rest."""
    changes = {name: _storable_json(row[name]) for name in CHANGES}
    return {
        **row,
        **{name: _storable_text(row[name])[:length] for name, length in TEXT_LENGTHS.items()},
        **changes,
    }


def _parsed_row(line: bytes) -> dict[str, Any] | None:
    """Parse a line of the outbox; None for one that a crash has torn or a person has damaged."""
    try:
        row = json.loads(line)
        if not isinstance(row, dict) or row.keys() != {*COLUMNS, "mark"}:
            raise ValueError("other names")
        if not all(isinstance(row[name], str) for name in TEXT_LENGTHS):
            raise ValueError("a text that is none")
        return {**_storable_row(row), "at": datetime.fromisoformat(row["at"]).astimezone(UTC)}
    except (ValueError, TypeError, OverflowError, RecursionError):
        if line.strip():
            # Not what is in it: names, addresses and texts belong in the audit log alone.
            log.error("Skipped a damaged audit log entry (%d bytes)", len(line))
        return None


def add(engine: Engine, lines: Sequence[bytes]) -> None:
    """Write the lines; those that are there already are ignored. Raises Unreachable."""
    rows = [row for line in lines if (row := _parsed_row(line))]
    insert = insert_of(engine.dialect)
    if rows:
        with translated_errors(), engine.begin() as connection:
            connection.execute(insert(audit).on_conflict_do_nothing(), rows)


def _storable_text(text: str) -> str:
    """Remove NUL and lone surrogates: databases refuse them."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _storable_json(value: Any) -> Any:
    """Convert a value to a form that every database takes as JSON."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {_storable_text(str(key)): _storable_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_storable_json(item) for item in value]
    return _storable_text(str(value))


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
) -> list[AuditEntry]:
    """Find matching entries, newest first. An action that ends in a dot matches all actions
    with that prefix."""
    query = select(audit.c.id, *(audit.c[name] for name in COLUMNS))
    who, action, q = _storable_text(who), _storable_text(action), _storable_text(q)
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
        query = query.where(or_(*(field.icontains(q, autoescape=True) for field in fields)))
    if since:
        query = query.where(audit.c.at >= since)
    if until:
        query = query.where(audit.c.at < until)
    if before:
        query = query.where(audit.c.id < before)
    query = query.order_by(audit.c.id.desc()).limit(limit)
    with translated_errors(), engine.connect() as connection:
        return [AuditEntry(**row) for row in connection.execute(query).mappings()]


def forget(engine: Engine, until: datetime) -> int:
    """Delete the entries before `until` and return their number."""
    with long_write(engine) as connection:
        return int(connection.execute(delete(audit).where(audit.c.at < until)).rowcount)
