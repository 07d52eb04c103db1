"""Changes that the database refuses: none of it applies."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from accounts.accounts import Accounts
from store.sql import Unreachable, migrate, open_engine
from tests.accounts.people import KEY, NEW, STORED, admin_and_viewer, open_accounts
from tests.home import Clock
from tests.store.postgres import PASSWORD, Cluster


class Monitor:
    """An administrator and a viewer who has one of everything."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.accounts = open_accounts(engine, clock)
        self.ada, self.vera = admin_and_viewer(self.accounts)
        self.grant = self.accounts.grant(self.vera.id, "view", device=1)
        self.session, self.secret = self.accounts.begin_session(self.vera, "browser", "", "")
        self.token, self.text = self.accounts.add_token(self.vera.id, "backup", "read")


Change = Callable[[Accounts, Monitor], object]
CHANGES: dict[str, Change] = {
    "add": lambda a, h: a.add_hashed("Eve", STORED, "viewer"),
    "a role": lambda a, h: a.change(h.vera.id, role="operator"),
    "a password": lambda a, h: a.change(h.vera.id, password=NEW),
    "what is seen": lambda a, h: a.change(h.vera.id, sees_all=False),
    "remove": lambda a, h: a.remove(h.vera.id),
    "grant": lambda a, h: a.grant(h.vera.id, "view", device=2),
    "take back": lambda a, h: a.revoke_grant(h.vera.id, h.grant.id),
    "begin": lambda a, h: a.begin_session(h.vera, "browser", "", ""),
    "end": lambda a, h: a.end_sessions(h.session.id),
    "add a token": lambda a, h: a.add_token(h.vera.id, "x", "read"),
    "revoke": lambda a, h: a.revoke_token(h.token.id),
}


def test_nothing_changes_in_memory_while_the_server_is_down(
    postgres: Cluster, clock: Clock
) -> None:
    engine = open_engine(postgres.new_database())
    migrate(engine)
    monitor = Monitor(engine, clock)
    accounts, before = monitor.accounts, monitor.accounts.snapshot
    accounts.by_secret(monitor.text)
    postgres.stop()
    for what, change in CHANGES.items():
        with pytest.raises(Unreachable) as error:
            change(accounts, monitor)
        assert accounts.snapshot is before, what
        assert PASSWORD not in str(error.value)
    with pytest.raises(Unreachable):
        accounts.save_last_uses()
    assert accounts.by_secret(monitor.secret), "who is in stays in"
    assert accounts.by_secret(monitor.text)
    postgres.start()
    accounts.save_last_uses()
    assert accounts.snapshot.tokens[monitor.token.id].used == clock(), "the use was not forgotten"
    again = open_accounts(engine, clock)
    assert dict(again.snapshot.users) == dict(accounts.snapshot.users)
    assert dict(again.snapshot.tokens) == dict(accounts.snapshot.tokens)
    engine.dispose()


PARTS = {
    "a role, but not its sessions": ("a role", "DELETE ON sessions"),
    "a role, but not its tokens": ("a role", "DELETE ON tokens"),
    "a password, but not its tokens": ("a password", "DELETE ON tokens"),
    "remove, but not the grants": ("remove", "DELETE ON grants"),
    "remove, but not the tokens": ("remove", "DELETE ON tokens"),
    "remove, but not the user": ("remove", "DELETE ON users"),
}


@pytest.mark.parametrize("what", PARTS)
def test_a_change_that_is_refused_in_part_is_refused_whole(
    sqlite_engine: Engine, clock: Clock, what: str
) -> None:
    """Else a new password would count while who knows the old one is still in."""
    change, when = PARTS[what]
    monitor = Monitor(sqlite_engine, clock)
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TRIGGER no BEFORE {when} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    before = monitor.accounts.snapshot
    with pytest.raises(Unreachable, match="the disk is full"):
        CHANGES[change](monitor.accounts, monitor)
    assert monitor.accounts.snapshot is before
    kept = open_accounts(sqlite_engine, clock).snapshot
    for name in ("users", "grants", "sessions", "tokens"):
        assert dict(getattr(kept, name)) == dict(getattr(before, name)), name


def test_a_database_that_cannot_be_read_is_said(sqlite_engine: Engine, clock: Clock) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE tokens")
    accounts = Accounts(sqlite_engine, lambda: KEY, clock)
    with pytest.raises(Unreachable, match="tokens"):
        accounts.open()
    assert not accounts.has_any()
