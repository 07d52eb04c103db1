"""How each user wants their pages: small JSON values by name, such as the columns of the list.

They are held in memory, because every page asks for them. Without accounts, everyone shares one
set of them.
"""

import json
import logging
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

from accounts import preference_rows as rows
from fleet.model import Invalid
from store.sql import Unreachable

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
MAX_BYTES = 128_000
"""Of one value as JSON."""
NAMES = ("columns", "views", "walls")
"""Every preference that there is."""


class Preferences:
    """The preferences of all users. A user of None is everyone, while there are no accounts."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._known: dict[rows.Key, Any] = {}
        self._lock = Lock()

    def open(self) -> None:
        """Load all of them. While the database is unavailable, the defaults apply.

        Call it again after an outage of the database.
        """
        try:
            self._known = rows.load(self._engine)
        except Unreachable as error:
            log.warning("Preferences of users are not available: %s", error)

    def of(self, user: int | None, name: str) -> Any:
        """The value as it was saved, which the caller has to check; None for none."""
        return self._known.get((user, name))

    def save(self, user: int | None, name: str, value: Any) -> None:
        """Save a JSON value; None restores the default. Raises Invalid and Unreachable."""
        self.change(user, name, lambda _known: value)

    def change(self, user: int | None, name: str, make: Callable[[Any], Any]) -> None:
        """Save what `make` returns for the value as it is; nobody else writes meanwhile.

        Raises Invalid and Unreachable, and what `make` raises; then nothing is saved.
        """
        if name not in NAMES:
            raise Invalid(f"There is no preference {name[:40]!r}", f"Use {' or '.join(NAMES)}.")
        with self._lock:
            value = make(self._known.get((user, name)))
            self._check(name, value)
            rows.save(self._engine, (user, name), value)
            # A copy, so that a page that reads meanwhile never sees half of a change.
            known = {key: kept for key, kept in self._known.items() if key != (user, name)}
            self._known = known if value is None else {**known, (user, name): value}

    @staticmethod
    def _check(name: str, value: Any) -> None:
        """Raise Invalid for a value that is too long."""
        if value is not None and len(json.dumps(value)) > MAX_BYTES:
            raise Invalid(
                f"{name} is longer than {MAX_BYTES} bytes", "Save less, or delete some of it first."
            )
