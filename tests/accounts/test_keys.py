"""Sessions and tokens: whom a secret identifies, until when, and that no secret is stored."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from accounts import tables
from accounts.accounts import MAX_SESSIONS, MAX_TOKENS, SESSION_LIFETIME, TOKEN_PREFIX, Accounts
from accounts.model import NotAllowed, Person
from audit.tables import audit
from tests.accounts.people import (
    KEY,
    NEW,
    PASSWORD,
    add,
    admin_and_viewer,
    open_accounts,
    secret_of,
)
from tests.home import Clock

# -- sessions --------------------------------------------------------------------------------


def test_a_session_ends_by_time(engine: Engine, clock: Clock) -> None:
    accounts = open_accounts(engine, clock)
    ada, _vera = admin_and_viewer(accounts)
    session, secret = accounts.begin_session(ada, "browser", "", "")
    clock.now += SESSION_LIFETIME - timedelta(seconds=1)
    assert accounts.by_secret(secret)
    assert accounts.by_digest(session.digest)
    clock.forward(seconds=1)
    assert accounts.by_secret(secret) is None
    assert accounts.by_digest(session.digest) is None
    assert open_accounts(engine, clock).snapshot.sessions == {}, "a restart tidies up"


def test_a_login_is_written_with_its_time_and_place(accounts: Accounts, clock: Clock) -> None:
    ada, _vera = admin_and_viewer(accounts)
    clock.forward(hours=1)
    session, _secret = accounts.begin_session(ada, "browser", "1" * 500, "Firefox " * 100)
    known = accounts.user(ada.id)
    assert (known.last_login, known.last_address) == (clock(), "1" * 60)
    assert (session.kind, session.created, session.address) == ("browser", clock(), "1" * 60)
    assert len(session.agent) == 200


def test_a_further_login_ends_the_oldest_of_the_same_user(accounts: Accounts) -> None:
    ada, vera = admin_and_viewer(accounts)
    other = secret_of(accounts, ada)
    secrets = [secret_of(accounts, vera) for _ in range(MAX_SESSIONS)]
    assert all(accounts.by_secret(secret) for secret in secrets)
    newest = secret_of(accounts, vera)
    assert accounts.by_secret(secrets[0]) is None
    assert all(accounts.by_secret(secret) for secret in (*secrets[1:], newest, other))
    assert len(accounts.snapshot.sessions) == MAX_SESSIONS + 1


def test_a_session_of_nobody_does_not_begin(accounts: Accounts) -> None:
    _ada, vera = admin_and_viewer(accounts)
    accounts.remove(vera.id)
    with pytest.raises(NotAllowed) as error:
        secret_of(accounts, vera)
    assert error.value.status == 404
    assert accounts.snapshot.sessions == {}


def test_ending_what_has_ended_is_no_trouble(accounts: Accounts) -> None:
    ada, _vera = admin_and_viewer(accounts)
    session, secret = accounts.begin_session(ada, "browser", "", "")
    accounts.end_sessions(session.id, 99)
    accounts.end_sessions(session.id)
    accounts.end_sessions()
    assert accounts.by_secret(secret) is None


def test_script_logins_throw_no_browser_out_and_no_script_out_by_a_browser(
    accounts: Accounts,
) -> None:
    _ada, vera = admin_and_viewer(accounts)
    browser = secret_of(accounts, vera)
    scripts = [accounts.begin_session(vera, "script", "", "")[1] for _ in range(MAX_SESSIONS + 10)]
    assert accounts.by_secret(browser)
    assert [bool(accounts.by_secret(secret)) for secret in scripts] == [False] * 10 + (
        [True] * MAX_SESSIONS
    )
    browsers = [secret_of(accounts, vera) for _ in range(MAX_SESSIONS + 1)]
    assert accounts.by_secret(browser) is None
    assert all(accounts.by_secret(secret) for secret in scripts[10:] + browsers[1:])


def test_a_digest_of_a_token_is_no_session(accounts: Accounts) -> None:
    ada, _vera = admin_and_viewer(accounts)
    token, _text = accounts.add_token(ada.id, "backup", "operate")
    assert accounts.by_digest(token.digest) is None


# -- secrets ---------------------------------------------------------------------------------


def test_two_secrets_are_never_one(accounts: Accounts) -> None:
    ada, _vera = admin_and_viewer(accounts)
    made = [secret_of(accounts, ada) for _ in range(20)]
    made += [accounts.add_token(ada.id, "x", "read")[1] for _ in range(20)]
    assert len(set(made)) == 40
    assert min(map(len, made)) >= 43, "256 bits"


STRANGE = ["", " ", "\x00", "\ud800", "?", "cm_", "null", "1", "x" * 1_000_000, "' OR 1=1 --"]


@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_a_strange_text_is_nobody(accounts: Accounts, text: str) -> None:
    ada, _vera = admin_and_viewer(accounts)
    secret_of(accounts, ada)
    assert accounts.by_secret(text) is None


def test_a_secret_counts_whole_and_as_it_is(accounts: Accounts) -> None:
    ada, _vera = admin_and_viewer(accounts)
    session, secret = accounts.begin_session(ada, "browser", "", "")
    _token, token = accounts.add_token(ada.id, "backup", "read")
    for real in (secret, token):
        assert accounts.by_secret(real)
        for text in (real[:-1], real[1:], real + "x", f" {real}", real.swapcase(), real + "\x00"):
            assert accounts.by_secret(text) is None, text
    for text in (session.digest, accounts.digest(session.digest), token.removeprefix(TOKEN_PREFIX)):
        assert accounts.by_secret(text) is None


def test_the_secret_of_another_monitor_is_nobody(engine: Engine, clock: Clock) -> None:
    """Who can read or copy the database has no key to this monitor."""
    accounts = open_accounts(engine, clock)
    ada, _vera = admin_and_viewer(accounts)
    secret = secret_of(accounts, ada)
    other = open_accounts(engine, clock, key=KEY[::-1])
    assert other.by_secret(secret) is None
    assert other.has_any()


def everything(engine: Engine) -> bytes:
    """All that is kept: the very bytes of SQLite's files, or every column of the server."""
    if engine.dialect.name == "sqlite":
        files = sorted(Path(str(engine.url.database)).parent.glob("monitor.db*"))
        return b"".join(path.read_bytes() for path in files)
    with engine.connect() as connection:
        names = (tables.users, tables.grants, tables.sessions, tables.tokens, audit)
        rows = [row for table in names for row in connection.execute(select(table))]
    return repr(rows).encode()


def test_no_secret_stands_in_the_database(engine: Engine, clock: Clock) -> None:
    accounts = open_accounts(engine, clock)
    ada = accounts.add_first("Ada", PASSWORD)
    secret = secret_of(accounts, ada)
    _token, token = accounts.add_token(ada.id, "backup of ada", "read")
    accounts.by_secret(token)
    accounts.save_last_uses()
    kept = everything(engine)
    assert b"backup of ada" in kept, "this looks where it is kept"
    for plain in (PASSWORD, secret, token, token.removeprefix(TOKEN_PREFIX)):
        assert plain.encode() not in kept
    assert KEY not in kept
    assert KEY.hex().encode() not in kept
    accounts.change(ada.id, password=NEW)
    assert NEW.encode() not in everything(engine)


# -- tokens ----------------------------------------------------------------------------------


def test_a_token_brings_its_scope_and_its_cameras(accounts: Accounts) -> None:
    ada, _vera = admin_and_viewer(accounts)
    token, text = accounts.add_token(ada.id, "backup", "operate", [3, 1, 3])
    assert text.startswith(TOKEN_PREFIX)
    assert token.devices == (1, 3)
    assert accounts.by_secret(text) == Person(
        "Ada", "admin", user=ada.id, scope="operate", devices=frozenset({1, 3}), token=token.id
    )


def test_a_token_for_no_camera_is_not_one_for_all(accounts: Accounts) -> None:
    ada, _vera = admin_and_viewer(accounts)
    none = accounts.by_secret(accounts.add_token(ada.id, "none", "read", [])[1])
    every = accounts.by_secret(accounts.add_token(ada.id, "all", "read")[1])
    assert none
    assert every
    assert (none.devices, none.is_limited) == (frozenset(), True)
    assert (every.devices, every.is_limited) == (None, False)


def test_a_token_ends_by_time_or_when_it_is_revoked(accounts: Accounts, clock: Clock) -> None:
    ada, _vera = admin_and_viewer(accounts)
    _token, short = accounts.add_token(ada.id, "a", "read", ends=clock.now + timedelta(hours=1))
    token, long = accounts.add_token(ada.id, "b", "read")
    clock.forward(minutes=59, seconds=59)
    assert accounts.by_secret(short)
    clock.forward(seconds=1)
    assert accounts.by_secret(short) is None
    clock.forward(days=4000)
    assert accounts.by_secret(long)
    assert accounts.revoke_token(token.id).name == "b"
    assert accounts.by_secret(long) is None
    with pytest.raises(NotAllowed) as error:
        accounts.revoke_token(token.id)
    assert error.value.status == 404


def test_a_token_follows_its_user(accounts: Accounts) -> None:
    _ada, vera = admin_and_viewer(accounts)
    _token, text = accounts.add_token(vera.id, "backup", "operate")
    accounts.change(vera.id, sees_all=False)
    grant = accounts.grant(vera.id, "admin", device=1)
    person = accounts.by_secret(text)
    assert person
    assert (person.sees_all, person.grants) == (False, (grant,))


def test_a_token_of_an_unknown_scope_is_refused(accounts: Accounts) -> None:
    ada, _vera = admin_and_viewer(accounts)
    with pytest.raises(NotAllowed) as error:
        accounts.add_token(ada.id, "backup", "admin")
    assert error.value.field == "scope"
    assert accounts.snapshot.tokens == {}


def test_a_user_has_so_many_tokens(accounts: Accounts) -> None:
    ada, vera = admin_and_viewer(accounts)
    for number in range(MAX_TOKENS):
        accounts.add_token(vera.id, f"{number}", "read")
    with pytest.raises(NotAllowed) as error:
        accounts.add_token(vera.id, "more", "read")
    assert error.value.status == 409
    accounts.add_token(ada.id, "another's", "read")


def test_the_last_use_of_a_token_is_written_now_and_then(engine: Engine, clock: Clock) -> None:
    accounts = open_accounts(engine, clock)
    ada, _vera = admin_and_viewer(accounts)
    token, text = accounts.add_token(ada.id, "backup", "read")
    gone, gone_text = accounts.add_token(ada.id, "gone", "read")
    accounts.add_token(ada.id, "unused", "read")
    for _ in range(3):
        clock.forward(minutes=1)
        accounts.by_secret(text)
        accounts.by_secret(gone_text)
    accounts.revoke_token(gone.id)
    accounts.save_last_uses()
    accounts.save_last_uses()
    for book in (accounts.snapshot, open_accounts(engine, clock).snapshot):
        assert [token.used for token in book.tokens.values()] == [clock(), None]
    assert accounts.by_secret(text)
    assert accounts.snapshot.tokens[token.id].used == clock()


# -- the same person, again ------------------------------------------------------------------


def test_a_session_is_asked_again(accounts: Accounts, clock: Clock) -> None:
    _ada, vera = admin_and_viewer(accounts)
    session, secret = accounts.begin_session(vera, "browser", "", "")
    person = accounts.by_secret(secret)
    assert person
    assert accounts.refreshed(person) == person
    grant = accounts.grant(vera.id, "admin", device=1)
    now = accounts.refreshed(person)
    assert now
    assert now.grants == (grant,)
    accounts.end_sessions(session.id)
    assert accounts.refreshed(person) is None


def test_a_token_is_asked_again(accounts: Accounts) -> None:
    _ada, vera = admin_and_viewer(accounts)
    token, text = accounts.add_token(vera.id, "backup", "read", [1])
    person = accounts.by_secret(text)
    assert person
    assert accounts.refreshed(person) == person
    accounts.revoke_token(token.id)
    assert accounts.refreshed(person) is None


@pytest.mark.parametrize("key", ["session", "token"])
def test_time_ends_what_is_asked_again(accounts: Accounts, clock: Clock, key: str) -> None:
    ada, _vera = admin_and_viewer(accounts)
    secret = secret_of(accounts, ada)
    if key == "token":
        _token, secret = accounts.add_token(ada.id, "x", "read", ends=clock() + SESSION_LIFETIME)
    person = accounts.by_secret(secret)
    assert person
    clock.now += SESSION_LIFETIME
    assert accounts.refreshed(person) is None


@pytest.mark.parametrize("change", [{"role": "operator"}, {"password": NEW}])
def test_name_and_password_are_asked_again(accounts: Accounts, change: dict[str, str]) -> None:
    _ada, vera = admin_and_viewer(accounts)
    person = accounts.by_password(vera.id)
    assert person
    assert accounts.refreshed(person) == person
    accounts.change(vera.id, sees_all=False)
    now = accounts.refreshed(person)
    assert now
    assert not now.sees_all
    accounts.change(vera.id, **change)
    assert accounts.refreshed(person) is None


@pytest.mark.parametrize("key", ["session", "token", "name"])
def test_who_was_removed_is_nobody_when_asked_again(accounts: Accounts, key: str) -> None:
    _ada, vera = admin_and_viewer(accounts)
    person = {
        "session": lambda: accounts.by_secret(secret_of(accounts, vera)),
        "token": lambda: accounts.by_secret(accounts.add_token(vera.id, "x", "read")[1]),
        "name": lambda: accounts.by_password(vera.id),
    }[key]()
    assert person
    accounts.remove(vera.id)
    assert accounts.refreshed(person) is None
    add(accounts, "Vera")
    if key != "name":
        assert accounts.refreshed(person) is None


def test_the_machine_itself_stays_who_it_is(accounts: Accounts) -> None:
    person = Person("local", "admin")
    assert accounts.refreshed(person) is person


def test_the_stored_hash_is_not_in_what_is_printed(accounts: Accounts) -> None:
    ada, _vera = admin_and_viewer(accounts)
    assert ada.password not in repr(accounts.by_password(ada.id)) + repr(accounts.user(ada.id))
