"""Disks and databases for these tests."""

import time
from collections.abc import Callable, Iterator

import pytest

from fleet.history.journal import Journal
from tests.store.disks import disks
from tests.store.postgres import postgres, sql_url

__all__ = ["disks", "postgres", "sql_url"]


@pytest.fixture
def journal(sql_url: str) -> Iterator[Journal]:
    """An empty journal, on each kind of database."""
    made = Journal(sql_url)
    made.open()
    yield made
    made.close()


@pytest.fixture
def machine_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set the time zone of this machine for this test."""

    def settle(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield settle
    monkeypatch.undo()
    time.tzset()
