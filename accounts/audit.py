"""Who did what, when and from where. Only ever added to."""

import logging
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from accounts import audit_rows
from accounts.model import Entry
from store.sql import Unreachable

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
MOST_WAITING = 5000
SECRET = ("passw", "pwd", "secret", "token", "community", "credential", "key")


class Audit:
    """Writes at once; while the database does not take it, what was done waits in memory."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self._waiting: deque[Entry] = deque(maxlen=MOST_WAITING)
        self._lock = Lock()
        self._is_away = False

    def note(self, entry: Entry) -> None:
        """Write it down. Never raises: what was done is done."""
        self._waiting.append(entry)
        self.flush()

    def flush(self) -> None:
        """Write what waits, in order."""
        with self._lock:
            while self._waiting:
                first = self._waiting[0]
                try:
                    audit_rows.add(self.engine, first)
                except Unreachable as error:
                    if not self._is_away:
                        log.warning("The audit log waits in memory: %s", error)
                    self._is_away = True
                    return
                if self._is_away:
                    log.info("The audit log is written again")
                self._is_away = False
                if self._waiting[0] is first:  # else it has just fallen off the full queue
                    self._waiting.popleft()

    def find(self, **wanted: Any) -> list[Entry]:
        """As audit_rows.find."""
        return audit_rows.find(self.engine, **wanted)

    def forget(self, until: datetime) -> int:
        """Delete what is older; how many lines there were."""
        return audit_rows.forget(self.engine, until)


def without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with `***` for everything that is called like a secret, however deep."""
    return {str(key): _shown(str(key), value) for key, value in values.items()}


def _shown(key: str, value: Any) -> Any:
    if any(word in key.lower() for word in SECRET) and not isinstance(value, bool):
        return "***"
    if isinstance(value, Mapping):
        return without_secrets(value)
    if isinstance(value, list | tuple):
        return [_shown("", one) for one in value]
    return value
