"""Disks and databases for these tests."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.store.disks import disks
from tests.store.postgres import postgres, sql_url

__all__ = ["disks", "postgres", "sql_url"]


@pytest.fixture
def machine_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the zone of this machine, for this test."""

    def settle(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield settle
    monkeypatch.undo()
    time.tzset()
