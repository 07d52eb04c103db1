"""The audit log: append-only entries of who did what, when and from where."""

import logging
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from errno import ENOENT
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from audit import entry_rows
from audit.model import Entry
from store.outbox import Outbox
from store.sql import Unreachable

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
MAX_WAITING = 5000
SECRET = ("passw", "pwd", "secret", "token", "community", "credential", "key")


class Audit:
    """Each line is durable in a file of DATA_DIR before `note` returns, and goes on from
    there into SQL, once, when somebody flushes. So an SQL database that is away loses no line
    and holds up nobody."""

    def __init__(
        self, engine: "Engine", folder: Path, missing: Callable[[], str] = lambda: ""
    ) -> None:
        """`missing` says why a line in `folder` would not be there later."""
        self.engine = engine
        self.missing = missing
        self.trouble = ""
        self.on_lines: Callable[[], None] = lambda: None
        self._outbox = Outbox(folder / "audit.outbox")
        # Only for lines that the disk does not take.
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._lock = Lock()
        self._is_away = False

    def note(self, entry: Entry) -> None:
        """Write it down. Never raises: what was done is done."""
        line = entry_rows.line_of(entry, secrets.token_hex(16))
        try:
            if missing := self.missing():
                raise FileNotFoundError(ENOENT, missing)
            self._outbox.add(line)
        except OSError as error:
            self._waiting.append(line)
            self._tell(f"The audit log cannot be written to {self._outbox.path}", error)
        self.on_lines()

    def _tell(self, what: str, error: OSError) -> None:
        """Once, until it works again."""
        if not self.trouble:
            log.error("%s (%s); it waits in memory", what, error.strerror)
        lines = f"{len(self._waiting)} line{'' if len(self._waiting) == 1 else 's'}"
        self.trouble = f"{what} ({error.strerror}). In memory: {lines}."

    def flush(self) -> bool:
        """Carry what waits into SQL, in order; False when the database does not take it."""
        with self._lock:
            try:
                self._carry()
            except Unreachable as error:
                if not self._is_away:
                    log.warning("The audit log waits on disk: %s", error)
                self._is_away = True
                return False
            except OSError as error:
                self._tell(f"The audit log cannot be read from {self._outbox.path}", error)
                return False
            if self._is_away:
                log.info("The audit log is written again")
            self._is_away = False
            return True

    def _carry(self) -> None:
        # What is in a folder that is gone is still there when it is back.
        while not self.missing() and (lines := self._outbox.first()):
            entry_rows.add(self.engine, lines)
            self._outbox.drop(lines)
        while self._waiting:
            first = self._waiting[0]
            entry_rows.add(self.engine, [first])
            if self._waiting[0] is first:  # else it has just fallen off the full queue
                self._waiting.popleft()
        self.trouble = ""

    def find(self, **wanted: Any) -> list[Entry]:
        """As audit_rows.find, with what was noted just now."""
        self.flush()
        return entry_rows.find(self.engine, **wanted)

    def forget(self, until: datetime) -> int:
        """Delete what is older; how many lines there were."""
        self.flush()
        return entry_rows.forget(self.engine, until)


def without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with `***` for everything that is called like a secret, however deep."""
    return {str(key): _shown(str(key), value) for key, value in values.items()}


def _shown(key: str, value: Any) -> Any:
    if any(part in key.lower() for part in SECRET) and not isinstance(value, bool):
        return "***"
    if isinstance(value, Mapping):
        return without_secrets(value)
    if isinstance(value, list | tuple):
        return [_shown("", item) for item in value]
    return value
