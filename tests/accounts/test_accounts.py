"""Users, grants and tokens: written to SQL before they apply, and kept over a restart."""

from concurrent.futures import ThreadPoolExecutor
from datetime import time
from threading import Barrier

import pytest
from sqlalchemy import Connection, Engine, event

from accounts.account_rows import parse_hours
from accounts.accounts import MAX_GRANTS, Accounts
from accounts.model import Grant, Hours, NotAllowed, User
from tests.accounts.people import (
    NEW,
    NOON,
    PASSWORD,
    STORED,
    add,
    admin_and_viewer,
    open_accounts,
    secret_of,
)
from tests.home import Clock

NIGHT = Hours(time(22), time(6))


def refused(status: int) -> "pytest.RaisesExc[NotAllowed]":
    return pytest.raises(NotAllowed, check=lambda error: error.status == status and error.hint)


# -- adding ----------------------------------------------------------------------------------


def test_a_monitor_is_open_until_there_is_an_account(accounts: Accounts) -> None:
    assert not accounts.has_any()
    first = accounts.add_first("Ada", PASSWORD)
    assert accounts.has_any()
    assert (first.role, first.sees_all, first.created) == ("admin", True, NOON)
    assert first.password.startswith("scrypt:")
    assert PASSWORD not in repr(first)


def test_only_one_of_two_at_once_becomes_the_first(accounts: Accounts) -> None:
    """Whoever comes second must not be an administrator as well."""
    ready = Barrier(2)

    def come(name: str) -> User | int:
        ready.wait(20)
        try:
            return accounts.add_first(name, PASSWORD)
        except NotAllowed as error:
            return error.status

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(come, ["Ada", "Eve"]))
    assert statuses.count(409) == 1
    assert len(accounts.snapshot.users) == 1


@pytest.mark.parametrize("name", ["Ada", "ada", " ADA ", "ａｄａ"])
def test_a_name_is_taken_in_any_spelling(accounts: Accounts, name: str) -> None:
    ada = add(accounts, "Ada", "admin")
    assert accounts.by_name(name) == ada
    with refused(409) as error:
        add(accounts, name)
    assert error.value.field == "username"
    assert list(accounts.snapshot.users.values()) == [ada]


def test_the_database_itself_knows_two_spellings_as_one(engine: Engine, clock: Clock) -> None:
    """Two programs on one database: the second does not know of the first one's account."""
    from store.sql import Unreachable

    first, second = open_accounts(engine, clock), open_accounts(engine, clock)
    add(first, "Ada", "admin")
    with pytest.raises(Unreachable):
        add(second, "ADA", "admin")
    assert not second.has_any()


BAD = [("a\u202eb", PASSWORD, "viewer"), ("Vera", "short", "viewer"), ("Vera", PASSWORD, "root")]


@pytest.mark.parametrize(("name", "password", "role"), BAD)
def test_what_does_not_fit_is_refused_and_nothing_is_kept(
    accounts: Accounts, name: str, password: str, role: str
) -> None:
    before = accounts.snapshot
    with refused(422) as error:
        accounts.add(name, password, role)
    assert error.value.field
    assert accounts.snapshot is before


def test_an_unknown_user_is_said(accounts: Accounts) -> None:
    for ask in (accounts.user, accounts.remove, accounts.change):
        with refused(404):
            ask(99)
    with refused(404):
        accounts.grant(99, "view", device=1)
    with refused(404):
        accounts.add_token(99, "backup", "read")


# -- coming in -------------------------------------------------------------------------------


def test_name_and_password_are_checked(accounts: Accounts) -> None:
    ada, _vera = admin_and_viewer(accounts)
    assert accounts.check("ada", PASSWORD) == ada
    for name, password in (
        ("ada", NEW),
        ("ada", ""),
        ("nobody", PASSWORD),
        ("", ""),
        ("a\x00", "x"),
    ):
        assert accounts.check(name, password) is None, name


# -- changing --------------------------------------------------------------------------------


def test_a_new_password_counts_and_the_old_one_does_not(accounts: Accounts) -> None:
    ada, _vera = admin_and_viewer(accounts)
    changed = accounts.change(ada.id, password=NEW)
    assert accounts.check("Ada", PASSWORD) is None
    assert accounts.check("Ada", NEW) == changed
    assert changed.password.startswith("scrypt:")


@pytest.mark.parametrize("change", [{"role": "operator"}, {"password": NEW}])
def test_a_new_role_or_password_ends_what_is_open_but_for_one_session(
    accounts: Accounts, change: dict[str, str]
) -> None:
    ada, vera = admin_and_viewer(accounts)
    kept, kept_secret = accounts.begin_session(vera, "browser", "", "")
    other, others = secret_of(accounts, vera), secret_of(accounts, ada)
    _token, token = accounts.add_token(vera.id, "backup", "read")
    _token, adas = accounts.add_token(ada.id, "backup", "read")
    accounts.change(vera.id, **change, keep=kept.id)
    assert accounts.by_secret(kept_secret)
    assert accounts.by_secret(other) is None
    assert accounts.by_secret(token) is None
    assert accounts.by_secret(others)
    assert accounts.by_secret(adas)


def test_the_session_of_somebody_else_cannot_be_named_as_the_one_to_keep(
    accounts: Accounts,
) -> None:
    ada, vera = admin_and_viewer(accounts)
    session, _secret = accounts.begin_session(ada, "browser", "", "")
    secret = secret_of(accounts, vera)
    accounts.change(vera.id, role="operator", keep=session.id)
    assert accounts.by_secret(secret) is None


def test_a_change_that_changes_nothing_ends_nothing(accounts: Accounts) -> None:
    _ada, vera = admin_and_viewer(accounts)
    secret, revision = secret_of(accounts, vera), accounts.snapshot.revision
    for change in ({}, {"role": "viewer"}, {"sees_all": True}):
        assert accounts.change(vera.id, **change).role == "viewer"
    accounts.change(vera.id, sees_all=False)
    person = accounts.by_secret(secret)
    assert person
    assert person.is_limited
    assert accounts.snapshot.revision > revision


def test_who_logged_in_by_the_old_password_while_it_changed_does_not_come_in(
    accounts: Accounts,
) -> None:
    """The check takes a tenth of a second; the change may come between."""
    _ada, vera = admin_and_viewer(accounts)
    known = accounts.check("Vera", PASSWORD)
    assert known
    accounts.change(vera.id, password=NEW)
    with refused(409):
        accounts.begin_session(known, "browser", "", "")
    assert accounts.snapshot.sessions == {}


LAST = ["remove", "demote", "limit"]


def take_power(accounts: Accounts, id: int, how: str) -> None:
    if how == "remove":
        accounts.remove(id)
    elif how == "demote":
        accounts.change(id, role="operator")
    else:
        accounts.change(id, sees_all=False)


@pytest.mark.parametrize("how", LAST)
def test_the_last_administrator_stays(accounts: Accounts, how: str) -> None:
    ada, _vera = admin_and_viewer(accounts)
    add(accounts, "Lim", "admin", sees_all=False)
    before = accounts.snapshot
    with refused(409) as error:
        take_power(accounts, ada.id, how)
    assert "Ada is the last administrator" in str(error.value)
    assert accounts.snapshot is before
    add(accounts, "Bob", "admin")
    take_power(accounts, ada.id, how)
    left = accounts.snapshot.users.get(ada.id)
    assert left is None or left.role != "admin" or not left.sees_all


def test_who_is_no_administrator_is_changed_though_there_is_none(accounts: Accounts) -> None:
    """A monitor may be brought over without one; then somebody must become it."""
    vera = add(accounts, "Vera")
    accounts.change(vera.id, sees_all=False)
    assert accounts.change(vera.id, role="admin", sees_all=True).role == "admin"


# -- removing --------------------------------------------------------------------------------


def test_who_is_removed_takes_everything_along(engine: Engine, clock: Clock) -> None:
    accounts = open_accounts(engine, clock)
    ada, vera = admin_and_viewer(accounts)
    for user in (ada, vera):
        accounts.grant(user.id, "view", device=1)
        accounts.add_token(user.id, "backup", "read")
        secret = secret_of(accounts, user)
    accounts.remove(vera.id)
    assert accounts.by_secret(secret) is None
    for book in (accounts.snapshot, open_accounts(engine, clock).snapshot):
        assert list(book.users) == [ada.id]
        for entries in (book.grants, book.sessions, book.tokens):
            assert [entry.user for entry in entries.values()] == [ada.id]


def test_no_number_is_ever_given_again(engine: Engine, clock: Clock) -> None:
    """A ticket names its session by number: it must not open the next one's."""
    accounts = open_accounts(engine, clock)
    ada = add(accounts, "Ada", "admin")
    seen: dict[str, set[int]] = {"user": set(), "session": set(), "token": set(), "grant": set()}
    for _ in range(3):
        vera = add(accounts, "Vera")
        seen["user"].add(vera.id)
        session, _secret = accounts.begin_session(ada, "script", "", "")
        accounts.end_sessions(session.id)
        token, _secret = accounts.add_token(ada.id, "backup", "read")
        accounts.revoke_token(token.id)
        grant = accounts.grant(ada.id, "view", device=1)
        accounts.revoke_grant(ada.id, grant.id)
        accounts.remove(vera.id)
        seen["session"].add(session.id)
        seen["token"].add(token.id)
        seen["grant"].add(grant.id)
    assert {what: len(ids) for what, ids in seen.items()} == dict.fromkeys(seen, 3)


# -- grants ----------------------------------------------------------------------------------


def test_several_grants_are_one_transaction_and_none_is_made_of_some(accounts: Accounts) -> None:
    ada, commits = add(accounts, "Ada"), list[Connection]()
    event.listen(accounts.engine, "commit", commits.append)
    wanted = [Grant(0, ada.id, "view", device=number) for number in (1, 2, 3)]
    with refused(422):
        accounts.grant_all(ada.id, [*wanted, Grant(0, ada.id, "own", device=4)])
    assert not accounts.snapshot.grants_of(ada.id)
    grants = accounts.grant_all(ada.id, wanted)
    assert len(commits) == 1
    assert sorted(accounts.snapshot.grants_of(ada.id), key=lambda grant: grant.id) == grants


def test_a_grant_is_given_and_taken_back(accounts: Accounts) -> None:
    ada, vera = admin_and_viewer(accounts)
    made = accounts.grant(vera.id, "control", site="north", rights=["record"])
    person = accounts.by_password(vera.id)
    assert person
    assert person.grants == (made,)
    with refused(404):
        accounts.revoke_grant(ada.id, made.id)
    assert accounts.revoke_grant(vera.id, made.id) == made
    with refused(404):
        accounts.revoke_grant(vera.id, made.id)
    assert accounts.snapshot.grants == {}


def test_weekdays_and_rights_are_kept_once_and_in_order(accounts: Accounts) -> None:
    _ada, vera = admin_and_viewer(accounts)
    made = accounts.grant(
        vera.id, "view", device=1, weekdays=["sun", "mon", "sun"], rights=["download", "record"]
    )
    assert made.weekdays == ("mon", "sun")
    assert made.rights == ("record", "download")


WRONG = [
    {"level": "root", "device": 1},
    {"level": "view"},
    {"level": "view", "site": ""},
    {"level": "view", "device": 1, "site": "north"},
    {"level": "view", "device": 1, "store": "Cork"},
    {"level": "view", "site": "north", "store": "Cork"},
    {"level": "view", "device": 1, "site": "north", "store": "Cork"},
    {"level": "view", "store": ""},
    {"level": "view", "device": 1, "weekdays": ["monday"]},
    {"level": "view", "device": 1, "rights": ["delete"]},
]


@pytest.mark.parametrize("given", WRONG, ids=range(len(WRONG)))
def test_a_grant_that_does_not_fit_is_refused(accounts: Accounts, given: dict[str, object]) -> None:
    _ada, vera = admin_and_viewer(accounts)
    with refused(422):
        accounts.grant(vera.id, **given)  # type: ignore[arg-type]
    assert accounts.snapshot.grants == {}


def test_a_user_has_so_many_grants_and_another_one_has_them_too(
    sqlite_engine: Engine, clock: Clock
) -> None:
    accounts = open_accounts(sqlite_engine, clock)
    ada, vera = admin_and_viewer(accounts)
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql(
            'INSERT INTO grants ("user", level, device, weekdays, rights)'
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " SELECT ?, 'view', i, '[]', '[]' FROM n",
            (MAX_GRANTS, vera.id),
        )
    accounts.open()
    with refused(409):
        accounts.grant(vera.id, "view", device=9999)
    accounts.grant(ada.id, "view", device=1)


@pytest.mark.parametrize("text", ["08:00-18:00", "22:00-06:00", "00:00-23:59", "00:00-00:00"])
def test_hours_are_read_as_they_are_written(text: str) -> None:
    assert str(parse_hours(text)) == text


NO_HOURS = [
    *("", "-", "08:00", "08:00-", "8-18", "08:00-18", "08:00-24:00", "08:60-09:00", "08:00--18:00"),
    *("08:00-18:00-19", "08:00+02:00-18:00", "08:00:30-18:00", "08:00-18:00\n", "٠٨:٠٠-١٨:٠٠"),
]


@pytest.mark.parametrize("text", NO_HOURS)
def test_hours_that_are_none_are_refused(text: str) -> None:
    """Above all one with an offset: it could not be compared with any time of day."""
    with pytest.raises(ValueError):
        parse_hours(text)


# -- after a restart -------------------------------------------------------------------------


def test_everything_is_there_after_a_restart(engine: Engine, clock: Clock) -> None:
    accounts = open_accounts(engine, clock)
    ada, vera = admin_and_viewer(accounts)
    accounts.add_hashed("Größe 門", STORED, "operator", sees_all=False)
    accounts.grant(vera.id, "admin", site="Nørd", hours=NIGHT, weekdays=["fri"], rights=["record"])
    accounts.grant(vera.id, "view", device=7)
    accounts.grant(vera.id, "view", store="Größe 門")
    session = secret_of(accounts, vera)
    _token, limited = accounts.add_token(ada.id, "Größe", "operate", [3, 1, 3], clock())
    accounts.add_token(ada.id, "none", "read", [])
    accounts.add_token(ada.id, "all", "read")
    accounts.by_secret(limited)
    accounts.save_last_uses()
    again = open_accounts(engine, clock)
    for name in ("users", "grants", "sessions", "tokens"):
        assert dict(getattr(again.snapshot, name)) == dict(getattr(accounts.snapshot, name)), name
    stores = [grant.store for grant in again.snapshot.grants.values()]
    assert stores == [None, None, "Größe 門"]
    assert [token.devices for token in again.snapshot.tokens.values()] == [(1, 3), (), None]
    person = again.by_secret(session)
    assert person
    assert (person.name, person.user) == ("Vera", vera.id)


def test_what_ended_does_not_come_back_by_a_restart(engine: Engine, clock: Clock) -> None:
    accounts = open_accounts(engine, clock)
    ada, vera = admin_and_viewer(accounts)
    session, secret = accounts.begin_session(ada, "browser", "", "")
    token, text = accounts.add_token(ada.id, "backup", "read")
    role = secret_of(accounts, vera)
    accounts.end_sessions(session.id)
    accounts.revoke_token(token.id)
    accounts.change(vera.id, role="operator")
    again = open_accounts(engine, clock)
    assert [again.by_secret(secret) for secret in (secret, text, role)] == [None, None, None]
    assert again.user(vera.id).role == "operator"


def test_every_change_makes_a_new_revision(accounts: Accounts) -> None:
    revisions = [accounts.snapshot.revision]

    def changed() -> None:
        revisions.append(accounts.snapshot.revision)

    ada, vera = admin_and_viewer(accounts)
    changed()
    accounts.change(vera.id, role="operator")
    changed()
    grant = accounts.grant(vera.id, "view", device=1)
    changed()
    accounts.revoke_grant(vera.id, grant.id)
    changed()
    session, _secret = accounts.begin_session(ada, "browser", "", "")
    changed()
    accounts.end_sessions(session.id)
    changed()
    token, _text = accounts.add_token(ada.id, "backup", "read")
    changed()
    accounts.revoke_token(token.id)
    changed()
    accounts.remove(vera.id)
    changed()
    assert revisions == sorted(set(revisions))
