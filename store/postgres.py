"""Connections to a PostgreSQL server that may be down or frozen, with short waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import local
from typing import Any

import psycopg
from psycopg import errors
from psycopg.abc import RV, PQGen

STATEMENT_TIMEOUT = 5.0
"""Seconds for one statement, measured here: a frozen server cannot time anything out."""
CONNECT_TIMEOUT = 5
_timeout: ContextVar[float] = ContextVar("statement_timeout", default=STATEMENT_TIMEOUT)
OPTIONS: dict[str, Any] = {
    "connect_timeout": CONNECT_TIMEOUT,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Options of libpq: a connection that was cut silently is detected within half a minute."""


@contextmanager
def long_statements(seconds: float = 3600.0) -> Iterator[None]:
    """Allow more time for long statements: migrations, deleting years of events."""
    token = _timeout.set(seconds)
    try:
        yield
    finally:
        _timeout.reset(token)


class PostgresServer:
    """The state of one server. `outage` is the reason why it is not used; empty while it works.
    `is_lost`: another program has locked it.

    Once watched, one thread connects again in the background (`retrying`), and every other
    caller is refused at once during an outage.
    """

    def __init__(self) -> None:
        self.outage = ""
        self.is_lost = False
        self.is_watched = False
        self._thread = local()

    @contextmanager
    def retrying(self) -> Iterator[None]:
        """Let this thread connect during an outage."""
        self._thread.tries = True
        try:
            yield
        finally:
            self._thread.tries = False

    def connect(self, *where: Any, **options: Any) -> "PostgresConnection":
        """Open a connection that uses this state. Raises psycopg.OperationalError."""
        self.check()
        try:
            connection = PostgresConnection.connect(*where, **options)
            connection.server = self
            connection.execute("SET statement_timeout = '60s'")
            connection.commit()
        except psycopg.OperationalError as error:
            self.outage = str(error).strip().partition("\n")[0] or "it is not responding"
            raise
        if not self.is_watched:
            self.outage = ""
        return connection

    def check(self) -> None:
        """Raise psycopg.OperationalError during an outage."""
        if self.outage and self.is_watched and not getattr(self._thread, "tries", False):
            raise psycopg.OperationalError(self.outage)


class PostgresConnection(psycopg.Connection[Any]):
    """A connection with a timeout of its own: after it the connection is closed, so that a late
    reply is not read as the reply to a later statement."""

    server: PostgresServer | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        seconds = _timeout.get() if timeout is None else timeout
        try:
            if self.server is not None:
                self.server.check()
            return super().wait(gen, interval, seconds)
        except errors._WaitTimeout:
            self.pgconn.finish()
            text = f"no response within {seconds:.0f} s"
            if self.server is not None:
                self.server.outage = text
            raise psycopg.OperationalError(text) from None
        except psycopg.OperationalError:
            if self.server is not None and self.server.outage:
                self.pgconn.finish()
            raise
