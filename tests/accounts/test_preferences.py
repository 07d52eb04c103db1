"""Preferences: kept for each user, in common without accounts, and never in the way of a page."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from accounts.accounts import Accounts
from accounts.preferences import MAX_BYTES, Preferences
from fleet.model import Invalid
from store.sql import Unreachable, open_engine
from tests.accounts.people import admin_and_viewer

COLUMNS = ["name", "status", "firmware"]


def open_preferences(engine: Engine) -> Preferences:
    preferences = Preferences(engine)
    preferences.open()
    return preferences


def test_each_user_has_preferences_of_their_own(engine: Engine, accounts: Accounts) -> None:
    ada, vera = admin_and_viewer(accounts)
    preferences = open_preferences(engine)
    preferences.save(ada.id, "columns", COLUMNS)
    preferences.save(None, "columns", ["name"])
    preferences.save(ada.id, "views", {"Doors": "tag=door"})
    for known in (preferences, open_preferences(engine)):
        assert known.of(ada.id, "columns") == COLUMNS
        assert known.of(ada.id, "views") == {"Doors": "tag=door"}
        assert known.of(None, "columns") == ["name"]
        assert known.of(vera.id, "columns") is None


def test_the_last_value_is_kept_and_none_restores_the_default(engine: Engine) -> None:
    preferences = open_preferences(engine)
    for value in (COLUMNS, ["name"]):
        preferences.save(None, "columns", value)
        assert open_preferences(engine).of(None, "columns") == value
    preferences.save(None, "columns", None)
    assert preferences.of(None, "columns") is None
    assert open_preferences(engine).of(None, "columns") is None


def test_preferences_go_with_their_user(engine: Engine, accounts: Accounts) -> None:
    ada, vera = admin_and_viewer(accounts)
    preferences = open_preferences(engine)
    for user in (ada.id, vera.id):
        preferences.save(user, "columns", COLUMNS)
    accounts.remove(vera.id)
    with engine.begin() as connection:
        rows = connection.execute(text('SELECT "user" FROM preferences')).scalars().all()
    assert rows == [ada.id]


@pytest.mark.parametrize(
    ("name", "value"), [("columns", ["x" * MAX_BYTES]), ("shoes", [])], ids=["long", "unknown"]
)
def test_a_preference_that_does_not_fit_is_refused(engine: Engine, name: str, value: list) -> None:
    preferences = open_preferences(engine)
    with pytest.raises(Invalid):
        preferences.save(None, name, value)
    assert preferences.of(None, name) is None


def test_without_the_database_the_defaults_apply(tmp_path: Path) -> None:
    preferences = open_preferences(open_engine(f"sqlite:///{tmp_path}/nowhere/none.db"))
    assert preferences.of(None, "columns") is None
    with pytest.raises(Unreachable):
        preferences.save(None, "columns", COLUMNS)
    assert preferences.of(None, "columns") is None, "what was not saved is not shown"
