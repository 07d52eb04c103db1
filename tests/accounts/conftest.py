"""Fixtures of the tests of accounts."""

import pytest
from sqlalchemy import Engine

from accounts.accounts import Accounts
from tests.accounts.people import open_accounts
from tests.home import Clock
from tests.store.databases import engine, postgres_engine, server, sqlite_engine, template
from tests.store.postgres import postgres, sql_url

__all__ = [
    "postgres_engine",
    "engine",
    "sqlite_engine",
    "postgres",
    "server",
    "sql_url",
    "template",
]


@pytest.fixture
def accounts(engine: Engine, clock: Clock) -> Accounts:
    return open_accounts(engine, clock)
