"""Preferences in SQL: one row for each user and name; without a user, the common row."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, delete, insert, select, update

from accounts.tables import preferences
from store.sql import translated_errors

if TYPE_CHECKING:
    from sqlalchemy import Engine

Key = tuple[int | None, str]
"""A user and the name of a preference."""


def load(engine: "Engine") -> dict[Key, Any]:
    """All preferences. Raises Unreachable."""
    wanted: Select[Any] = select(preferences.c.user, preferences.c.name, preferences.c.value)
    with translated_errors(), engine.begin() as connection:
        return {(row.user, row.name): row.value for row in connection.execute(wanted)}


def save(engine: "Engine", key: Key, value: Any) -> None:
    """Write one preference, or delete it when the value is None. Raises Unreachable."""
    user, name = key
    same_user = preferences.c.user.is_(None) if user is None else preferences.c.user == user
    is_this = same_user & (preferences.c.name == name)
    with translated_errors(), engine.begin() as connection:
        if value is None:
            connection.execute(delete(preferences).where(is_this))
            return
        changed = connection.execute(update(preferences).where(is_this).values(value=value))
        if not changed.rowcount:
            connection.execute(insert(preferences).values(user=user, name=name, value=value))
