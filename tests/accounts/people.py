"""People for these tests: quick to make, with a password that is quick to check."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from werkzeug.security import generate_password_hash

from accounts.accounts import Accounts
from accounts.model import User
from tests.home import Clock

KEY = bytes(range(32))
PASSWORD = "correct horse battery staple"
NEW = "purple lantern over the canal"
# One round only: the real thing takes 70 ms each.
STORED = generate_password_hash(PASSWORD, "pbkdf2:sha256:1")
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def noon(**later: float) -> datetime:
    return NOON + timedelta(**later)


def open_accounts(engine: Engine, clock: Clock, key: bytes = KEY) -> Accounts:
    """Accounts of this database, opened as at a start of the program."""
    made = Accounts(engine, lambda: key, clock)
    made.open()
    return made


def add(accounts: Accounts, name: str, role: str = "viewer", sees_all: bool = True) -> User:
    return accounts.add_hashed(name, STORED, role, sees_all)


def admin_and_viewer(accounts: Accounts) -> tuple[User, User]:
    """An administrator and a viewer."""
    return add(accounts, "Ada", "admin"), add(accounts, "Vera")


def secret_of(accounts: Accounts, user: User) -> str:
    """The secret of a new session."""
    return accounts.begin_session(user, "browser", "192.0.2.7", "Firefox")[1]
