"""The audit log: append-only entries of acts, with person, time and address."""

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
from audit.model import AuditEntry
from store.outbox import Outbox
from store.sql import Unreachable

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
MAX_WAITING = 5000
SECRET_WORDS = ("passw", "pwd", "secret", "token", "community", "credential", "key")


class AuditLog:
    """Writer and reader of the audit log.

    Each line is durable in a file of DATA_DIR before `note` returns; `flush` moves it from
    there into SQL, once. So an SQL database that is unavailable loses no line and delays no
    caller."""

    def __init__(
        self, engine: "Engine", folder: Path, missing: Callable[[], str] = lambda: ""
    ) -> None:
        """Open the log in `folder`. `missing` gives the reason why a line written there would be
        lost, or an empty text."""
        self.engine = engine
        self.missing = missing
        self.trouble = ""
        self.on_entry: Callable[[], None] = lambda: None
        self._outbox = Outbox(folder / "audit.outbox")
        # Only for lines that the disk does not take.
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._lock = Lock()
        self._is_away = False

    def note(self, entry: AuditEntry) -> None:
        """Write the entry. Never raises: the act has already happened."""
        line = entry_rows.line_of(entry, secrets.token_hex(16))
        try:
            if missing := self.missing():
                raise FileNotFoundError(ENOENT, missing)
            self._outbox.add(line)
        except OSError as error:
            self._waiting.append(line)
            self._report(f"The audit log cannot be written to {self._outbox.path}", error)
        self.on_entry()

    def _report(self, fact: str, error: OSError) -> None:
        """Log a write failure once, until writing works again."""
        if not self.trouble:
            log.error("%s (%s). Entries are kept in memory.", fact, error.strerror)
        lines = f"{len(self._waiting)} {'entry' if len(self._waiting) == 1 else 'entries'}"
        reason = str(error.strerror).removesuffix(".")
        self.trouble = f"{fact} ({reason}). In memory: {lines}."

    def flush(self) -> bool:
        """Move the waiting lines into SQL, in order; False when the database refuses them."""
        with self._lock:
            try:
                self._move_to_database()
            except Unreachable as error:
                if not self._is_away:
                    log.warning(
                        "The audit log is kept on disk until the database is available: %s", error
                    )
                self._is_away = True
                return False
            except OSError as error:
                self._report(f"The audit log cannot be read from {self._outbox.path}", error)
                return False
            if self._is_away:
                log.info("The audit log is written to the database again")
            self._is_away = False
            return True

    def _move_to_database(self) -> None:
        # What is in a folder that is gone is still there when it is back.
        while not self.missing() and (lines := self._outbox.oldest()):
            entry_rows.add(self.engine, lines)
            self._outbox.drop(lines)
        while self._waiting:
            oldest = self._waiting[0]
            entry_rows.add(self.engine, [oldest])
            if self._waiting[0] is oldest:  # else it has just fallen off the full queue
                self._waiting.popleft()
        self.trouble = ""

    def find(self, **wanted: Any) -> list[AuditEntry]:
        """Find entries as `entry_rows.find` does, including the newest ones."""
        self.flush()
        return entry_rows.find(self.engine, **wanted)

    def forget(self, until: datetime) -> int:
        """Delete the entries before `until` and return their number."""
        self.flush()
        return entry_rows.forget(self.engine, until)


def without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the values with `***` for everything that has the name of a secret, at any depth."""
    return {str(key): _masked_value(str(key), value) for key, value in values.items()}


def _masked_value(key: str, value: Any) -> Any:
    if any(part in key.lower() for part in SECRET_WORDS) and not isinstance(value, bool):
        return "***"
    if isinstance(value, Mapping):
        return without_secrets(value)
    if isinstance(value, list | tuple):
        return [_masked_value("", item) for item in value]
    return value
