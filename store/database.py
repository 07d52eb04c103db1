"""The SQL database as the program uses it: owned, watched, and away without harm."""

from typing import TYPE_CHECKING

from sqlalchemy import URL, event, text

from store.owner import FileOwner, InUse, ServerOwner
from store.path_guard import PathGuard
from store.sql import Unreachable, migrate, open_engine, server_of, translated_errors
from store.sqlite_copy import database_file

if TYPE_CHECKING:
    from sqlalchemy import Engine


class Database:
    """One SQL database and the right to write it."""

    def __init__(self, url: str | URL) -> None:
        self.engine: Engine = open_engine(url)
        self._server = server_of(self.engine)
        self._owner = _owner(self.engine)
        path = database_file(self.engine)
        self._guard = PathGuard(path) if path else None
        if self._guard is not None:
            # SQLite itself goes on writing into a file that was deleted, without a word.
            event.listen(self.engine, "commit", self._check)
            event.listen(self.engine, "do_connect", self._check)

    def open(self) -> str:
        """Own it and bring its tables to the newest form. Raises InUse or Unreachable.

        Returns what a person must know when the tables were changed; else an empty text.
        """
        self._take()
        notice = migrate(self.engine)
        if self._guard is not None:
            self._guard.mark()
        return notice

    def _check(self, *_event: object) -> None:
        if self._guard is not None and (trouble := self._guard.trouble()):
            raise Unreachable(trouble.removesuffix("."))

    def _take(self) -> None:
        if self._owner is None:
            return
        try:
            with translated_errors():
                self._owner.take()
        except OSError as error:
            raise Unreachable(f"The SQL database cannot be locked: {error.strerror}") from error

    def watch(self) -> None:
        """From now on `look` is called every few seconds: nobody else tries while it is away."""
        if self._server is not None:
            self._server.is_watched = True

    @property
    def away(self) -> str:
        """The reason why the database is not used now; empty while it works."""
        return self._server.away if self._server is not None else ""

    def look(self) -> bool:
        """Try again if it is away, and keep owning it; False while it is away.

        A database that another program took meanwhile stays away until a restart: what both
        of them number could not be told apart.
        """
        server = self._server
        if server is None:
            return True
        with server.trying():
            try:
                with translated_errors(), self.engine.connect() as connection:
                    connection.execute(text("SELECT 1"))
                self._take()
            except InUse as error:
                if self._owner is not None and self._owner.is_own(error):
                    server.away = "its lock is not free yet"
                    return False
                server.away = f"{error} Then start this one again."
                server.is_lost = True
            except Unreachable:
                return not server.away  # busy is not away
        if server.is_lost:
            return False
        server.away = ""
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
