"""PostgreSQL that may be away or frozen: no caller waits long, and few wait at all."""

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
"""Of libpq: a line that was cut without a word is noticed within half a minute."""


@contextmanager
def long_statements(seconds: float = 3600.0) -> Iterator[None]:
    """Wait longer for what is known to take long: migrations, deleting years of events."""
    token = _timeout.set(seconds)
    try:
        yield
    finally:
        _timeout.reset(token)


class Server:
    """The state of one server. `away` is the reason why it is not used; empty while it works.
    `is_lost`: it belongs to another program by now.

    Once watched, somebody tries again in the background (`trying`), and every other caller
    is refused at once for as long as the server is away.
    """

    def __init__(self) -> None:
        self.away = ""
        self.is_lost = False
        self.is_watched = False
        self._own = local()

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Ask the server in this thread although it is away."""
        self._own.tries = True
        try:
            yield
        finally:
            self._own.tries = False

    def connect(self, *where: Any, **options: Any) -> "Connection":
        """A connection that knows this server. Raises psycopg.OperationalError."""
        self.check()
        try:
            made = Connection.connect(*where, **options)
            made.server = self
            made.execute("SET statement_timeout = '60s'")
            made.commit()
        except psycopg.OperationalError as error:
            self.away = str(error).strip().partition("\n")[0] or "it does not answer"
            raise
        if not self.is_watched:
            self.away = ""
        return made

    def check(self) -> None:
        """Raises psycopg.OperationalError while the server is away."""
        if self.away and self.is_watched and not getattr(self._own, "tries", False):
            raise psycopg.OperationalError(self.away)


class Connection(psycopg.Connection[Any]):
    """Gives up on a server that is silent, and closes: what comes later belongs to nobody."""

    server: Server | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        seconds = _timeout.get() if timeout is None else timeout
        try:
            if self.server is not None:
                self.server.check()
            return super().wait(gen, interval, seconds)
        except errors._WaitTimeout:
            self.pgconn.finish()
            text = f"no answer within {seconds:.0f} s"
            if self.server is not None:
                self.server.away = text
            raise psycopg.OperationalError(text) from None
        except psycopg.OperationalError:
            if self.server is not None and self.server.away:
                self.pgconn.finish()
            raise
