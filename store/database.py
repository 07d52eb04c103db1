"""The SQL database with its lock, its migrations and its outages."""

import logging
from typing import TYPE_CHECKING

from sqlalchemy import URL, event, text

from store.apart import ApartFailed, run_apart
from store.owner import FileOwner, InUse, ServerOwner
from store.path_guard import PathGuard
from store.sql import (
    Damaged,
    NotCopied,
    Unreachable,
    Unwritable,
    is_current,
    migrate,
    open_engine,
    server_of,
    translated_errors,
)
from store.sqlite_copy import database_file

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)


class Database:
    """One SQL database, and the lock that permits writing to it."""

    def __init__(self, url: str | URL) -> None:
        self.engine: Engine = open_engine(url)
        self._server = server_of(self.engine)
        self._owner = _owner(self.engine)
        path = database_file(self.engine)
        self._guard = PathGuard(path) if path else None
        if self._guard is not None:
            # SQLite itself goes on writing into a file that was deleted, without an error.
            event.listen(self.engine, "commit", self._check)
            event.listen(self.engine, "do_connect", self._check)

    def open(self) -> str:
        """Lock the database and migrate its tables. Raises InUse or Unreachable.

        Returns a notice for people when the tables were changed; else an empty text.
        """
        self._lock_database()
        notice = self._migrated()
        if self._guard is not None:
            self._guard.mark()
        return notice

    def _migrated(self) -> str:
        """Migrate the tables, and return the notice. Alembic takes 9 MB, which end with a process
        of their own; no connection may be open in two processes."""
        if is_current(self.engine):
            return ""
        self.engine.dispose()

        def migrated() -> str:
            self.engine.dispose(close=False)
            return migrate(self.engine)

        try:
            notice = run_apart(migrated, (Unreachable, Unwritable, Damaged, NotCopied))
        except ApartFailed:
            raise Unreachable("The SQL database cannot be updated; see the log") from None
        if notice:
            log.info("%s", notice)
        return notice

    def _check(self, *_event: object) -> None:
        if self._guard is not None and (trouble := self._guard.trouble()):
            raise Unreachable(trouble.removesuffix("."))

    def _lock_database(self) -> None:
        if self._owner is None:
            return
        try:
            with translated_errors():
                self._owner.acquire()
        except OSError as error:
            raise Unreachable(f"The SQL database cannot be locked: {error.strerror}") from error

    def watch(self) -> None:
        """Refuse other callers at once during an outage: from now on `retry` is called every
        few seconds."""
        if self._server is not None:
            self._server.is_watched = True

    @property
    def outage(self) -> str:
        """The reason why the database is unavailable; empty while it works."""
        return self._server.outage if self._server is not None else ""

    def retry(self) -> bool:
        """Connect again and renew the lock; False while the database is unavailable.

        A database that another program locked meanwhile stays unavailable until a restart: both
        programs could give the same numbers.
        """
        server = self._server
        if server is None:
            return True
        with server.retrying():
            try:
                with translated_errors(), self.engine.connect() as connection:
                    connection.execute(text("SELECT 1"))
                self._lock_database()
            except InUse as error:
                if self._owner is not None and self._owner.is_own(error):
                    server.outage = "its lock is still held"
                    return False
                server.outage = f"{error} Then start this one again."
                server.is_lost = True
            except Unreachable:
                return not server.outage  # busy is not an outage
        if server.is_lost:
            return False
        server.outage = ""
        return True

    def close(self) -> None:
        if self._owner is not None:
            self._owner.release()
        self.engine.dispose()


def _owner(engine: "Engine") -> ServerOwner | FileOwner | None:
    if engine.dialect.name == "postgresql":
        return ServerOwner(engine)
    path = database_file(engine)
    return FileOwner(path) if path else None
