"""The SQL engine: SQLite in the data folder, or PostgreSQL by DATABASE_URL."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    TypeDecorator,
    create_engine,
    event,
    exc,
    make_url,
    text,
)

from store.sqlite_copy import database_file, keep_copy

if TYPE_CHECKING:
    from store.postgres import PostgresServer

log = logging.getLogger(__name__)
metadata = MetaData()
"""The tables of all packages register here."""

POOL_WAIT = 5.0
"""Seconds for which a caller waits for a free connection."""
_servers: "WeakKeyDictionary[Engine, PostgresServer]" = WeakKeyDictionary()
MIGRATIONS = Path(__file__).parent / "migrations"


class Unreachable(Exception):
    """The SQL database is unavailable; the text gives the reason, without secrets."""


class Unwritable(Unreachable):
    """The disk of the SQLite file is full or not writable."""


class Damaged(Unreachable):
    """A value in the SQL database is invalid; the text names table, row and column."""


class NotCopied(Unreachable):
    """No copy of the database could be kept, so its tables were not changed."""


class Unstorable(Unreachable):
    """A value cannot be stored, now or later; the database itself works."""


VALUE_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
"""What a value that does not fit raises, as opposed to a machine that is short of something."""


class UtcDateTime(TypeDecorator[datetime]):
    """A time with offset, kept in UTC in every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def default_url(data_dir: Path) -> URL:
    """The URL of SQLite in the data folder. Its path may hold `?`, `#`, or `%`."""
    return URL.create("sqlite", database=str(data_dir.resolve() / "camera_monitor.db"))


def open_engine(url: str | URL) -> Engine:
    """Create the engine for `url` without connecting. Raises ValueError for a bad URL."""
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise ValueError("not a database URL") from None
    backend = parsed.get_backend_name()
    if backend in ("postgres", "postgresql"):
        return _open_postgres(parsed.set(drivername="postgresql+psycopg"))
    if backend != "sqlite":
        raise ValueError(f"{backend} is not supported; use sqlite or postgresql")
    engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": POOL_WAIT})
    event.listen(engine, "connect", _make_durable)
    return engine


def _open_postgres(url: URL) -> Engine:
    from store.postgres import OPTIONS, PostgresServer

    server = PostgresServer()
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=POOL_WAIT,
        connect_args=OPTIONS,
    )
    _servers[engine] = server

    def connect(_dialect: Any, _record: Any, where: Any, options: Any) -> Any:
        return server.connect(*where, **options)

    event.listen(engine, "do_connect", connect)
    return engine


def server_of(engine: Engine) -> "PostgresServer | None":
    """The state of the engine's server; None for SQLite, which has none."""
    return _servers.get(engine)


def _make_durable(connection: Any, _record: Any) -> None:
    """Set write-ahead logging, so that readers never wait, and FULL, so that a commit lasts."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate errors of the database into Unreachable, in one sentence without secrets."""
    try:
        yield
    except exc.StatementError as error:
        if isinstance(error, exc.DataError) or isinstance(error.orig, VALUE_ERRORS):
            raise Unstorable("The SQL database cannot store one of the values") from error
        reason = (
            str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "unknown reason"
        )
        kind = Unwritable if _is_unwritable(error.orig) else Unreachable
        raise kind(f"SQL database unavailable: {reason}") from error
    except exc.TimeoutError as error:
        raise Unreachable(
            "The SQL database is busy: every connection to it has been in use for "
            f"{POOL_WAIT:.0f} s"
        ) from error
    except exc.SQLAlchemyError as error:
        raise Unreachable(f"SQL database unavailable: {type(error).__name__}") from error
    except (ValueError, TypeError) as error:
        # A text where a time or JSON is expected: SQLite takes any value in any column.
        raise Damaged(f"The SQL database contains an invalid value ({error})") from error


def _is_unwritable(error: BaseException | None) -> bool:
    # The shared memory of its log is the first thing that does not fit on a full disk.
    code = getattr(error, "sqlite_errorcode", 0)
    disk_errors = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY)
    return code & 0xFF in disk_errors or code == sqlite3.SQLITE_IOERR_SHMSIZE


@contextmanager
def long_write(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that may take an hour: migrations, deleting years of events. Raises
    Unreachable."""
    with ExitStack() as stack:
        stack.enter_context(translated_errors())
        if engine.dialect.name == "postgresql":
            from store.postgres import long_statements

            stack.enter_context(long_statements())
        connection = stack.enter_context(engine.begin())
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        yield connection


def insert_of(dialect: Dialect) -> Callable[..., Any]:
    """The `insert` of a dialect, which knows ON CONFLICT. That of the other takes 2 MB."""
    if dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert

        return insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert


def is_current(engine: Engine) -> bool:
    """True if the tables have the newest revision. Raises Unreachable."""
    with translated_errors(), engine.connect() as connection:
        return _current_revision(connection) == revisions()[-1]


def migrate(engine: Engine) -> str:
    """Migrate the tables to the newest revision. Raises Unreachable.

    Returns what a person must know about it; empty for tables that are new or unchanged. Of an
    SQLite file a copy is kept first. Alembic is only loaded when there is something to do: it
    takes a fifth of a second.
    """
    with long_write(engine) as connection:
        current, known = _current_revision(connection), revisions()
        if current == known[-1]:
            return ""
        if current is not None and current not in known:
            raise Unreachable(
                "The SQL database was written by a newer Camera Monitor. Install the newer "
                "version again, or set DATABASE_URL to another database"
            )
        original = _keep_original(connection, current) if current else ""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    if current is None:
        return ""
    return (
        f"The SQL database was updated from revision {current} to {known[-1]}. "
        f"Older versions of Camera Monitor cannot open it. {original}"
    )


def _keep_original(connection: Connection, revision: str) -> str:
    """Keep a copy of an SQLite file and return a sentence that names it. Raises NotCopied."""
    path = database_file(connection.engine)
    if path is None:
        return "To return to an older version, restore a backup from before the update."
    try:
        return f"The original is kept in {keep_copy(connection, path, revision)}."
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NotCopied(
            f"{path} must be updated, but no copy of it can be saved in "
            f"{path.parent / 'copies'} ({reason}). Nothing was changed. Free disk space "
            "there, or allow this user to write there, then start again."
        ) from error


def revisions() -> list[str]:
    """The numbers of the migrations, oldest first; the last one is the head."""
    return sorted(path.stem[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _current_revision(connection: Any) -> str | None:
    from sqlalchemy import inspect

    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar()
    return revision
