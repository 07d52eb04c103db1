"""Lock of the SQL database: a second Camera Monitor is refused and the owner named.

PostgreSQL: an advisory lock on a connection of its own, which the server releases when that
connection ends. SQLite: a lock on a file beside the database, which the kernel releases.
"""

import fcntl
import os
import secrets
import socket
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

LOCK_CLASS = 0x43414D  # "CAM": tells this lock from those of other programs in one database
LOCK_QUERY = text(
    "SELECT pg_advisory_lock(:class, n.oid::int) FROM pg_namespace n"
    " WHERE n.nspname = current_schema()"
)
# The server ends the session of a program that has just stopped a moment later: a restart waits
# for it. Source: lock_timeout applies to advisory locks (PostgreSQL 15, "Client Connection
# Defaults").
LOCK_TIMEOUT = "lock_timeout = '3s'"
HOLDER_QUERY = text(
    "SELECT a.application_name, a.client_addr::text, a.backend_start"
    " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " JOIN pg_namespace n ON l.objid = n.oid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :class"
    " AND n.nspname = current_schema() AND a.datname = current_database()"
)
LOCK_NOT_AVAILABLE = "55P03"  # SQLSTATE of a lock that was not free in time
KEEPALIVES = ("tcp_keepalives_idle = 15", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3")
"""On the server's side: a machine that lost its power gives the lock back in half a minute."""


class InUse(Exception):
    """Another Camera Monitor owns the database; the text names it and what to do."""


def _in_use(owner: str, since: datetime | None) -> InUse:
    when = f", since {since.astimezone():%Y-%m-%d %H:%M:%S %Z}" if since else ""
    return InUse(
        f"The SQL database is in use by another Camera Monitor ({owner}{when}). Stop that one "
        "first, or set DATABASE_URL to another database."
    )


class ServerOwner:
    """Lock of a schema of a PostgreSQL database. Methods raise InUse and SQLAlchemyError."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._mark = secrets.token_hex(4)
        self._connection: Connection | None = None

    def acquire(self) -> None:
        """Take the lock, or take it again where it was lost with its connection."""
        if self._connection is not None and self._is_alive(self._connection):
            return
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        # Out of the pool: closing it must end it, and with it the lock.
        connection.detach()
        with ExitStack() as stack:
            stack.callback(connection.close)
            self._lock(connection)
            stack.pop_all()
        self._connection = connection

    def _lock(self, connection: Connection) -> None:
        application = f"camera-monitor {self._mark} {os.getpid()} {socket.gethostname()}"
        connection.execute(
            text("SELECT set_config('application_name', :me, false)"), {"me": application}
        )
        for setting in (*KEEPALIVES, LOCK_TIMEOUT):
            connection.execute(text(f"SET {setting}"))
        try:
            connection.execute(LOCK_QUERY, {"class": LOCK_CLASS})
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            holder = connection.execute(HOLDER_QUERY, {"class": LOCK_CLASS}).first()
            raise _in_use(*_describe_holder(holder)) from None

    def _is_alive(self, connection: Connection) -> bool:
        try:
            connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            self.release()
            return False
        return True

    def is_own(self, error: InUse) -> bool:
        """True if the holder is an old connection of ours that the server still keeps."""
        return self._mark in str(error)

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):  # a server that is away has let go already
                connection.close()


def _describe_holder(holder: Any) -> tuple[str, datetime | None]:
    if holder is None:
        return "it has just stopped or started", None
    parts = str(holder.application_name or "").split(" ")
    if parts[0] != "camera-monitor" or len(parts) < 4:
        return f"at {holder.client_addr or 'an unknown address'}", holder.backend_start
    mark, pid, host = parts[1:4]
    return f"on {host}, process {pid}, connection {mark}", holder.backend_start


class FileOwner:
    """Lock of an SQLite file. Methods raise InUse, and OSError where no lock can be made."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f".{path.name}.lock")
        self._handle: int | None = None

    def acquire(self) -> None:
        if self._handle is not None:
            return
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lines = os.read(handle, 1000).decode("utf-8", "replace").split("\n")
            os.close(handle)
            raise _in_use(*_describe_owner(lines)) from None
        os.ftruncate(handle, 0)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        os.pwrite(handle, f"{os.getpid()}\n{socket.gethostname()}\n{now}\n".encode(), 0)
        self._handle = handle

    def is_own(self, _error: InUse) -> bool:
        return False

    def release(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def _describe_owner(lines: list[str]) -> tuple[str, datetime | None]:
    """The owner in the lines of the lock file, and its start."""
    try:
        pid, host, since = lines[:3]
        return f"on {host}, process {pid}", datetime.fromisoformat(since)
    except ValueError:
        return "it has just started", None
