"""Previewed imports that wait to be saved, in memory alone: they have sealed passwords."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from time import monotonic

from fleet.edit import importing
from fleet.edit.importing import RowResult
from fleet.model import NotFound

MAX_WAITING = 10
"""Previews that wait; an older one is forgotten."""
MAX_AGE = 1800.0
"""Seconds that one waits."""


@dataclass(frozen=True, slots=True)
class Staged:
    """The results of all rows of a list, with the edits that were previewed, and the cells of its
    refused rows. `person`: whose it is; `sealed`: one of its passwords, if it has any."""

    name: str
    person: str
    results: Sequence[RowResult]
    cells: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    sealed: str | None = field(default=None, repr=False)
    is_saved: bool = False

    @staticmethod
    def expired() -> NotFound:
        return NotFound(
            "This preview has expired, or it is already saved", "Preview the list again."
        )


class StagedImports:
    """The previews that wait, by their keys."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._waiting = dict[str, tuple[float, Staged]]()
        self._lock = Lock()

    def put(self, staged: Staged) -> str:
        """Keep a preview and return the key that saves it."""
        key = secrets.token_urlsafe(24)
        with self._lock:
            self._waiting[key] = (self._clock(), staged)
            while len(self._waiting) > MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
        return key

    def get(self, key: str, person: str) -> Staged:
        """The preview of this person, saved or not. Raises NotFound for one that has expired."""
        with self._lock:
            return self._get(key, person)

    def claim(self, key: str, person: str) -> Staged:
        """The preview, for the only one who saves it. Raises NotFound."""
        with self._lock:
            staged = self._get(key, person)
            if staged.is_saved:
                raise Staged.expired()
            refused = [row for row in staged.results if row.state == importing.REFUSED]
            self._replace(key, replace(staged, results=refused, is_saved=True))
            return staged

    def put_back(self, key: str, staged: Staged) -> None:
        """Let a preview be saved again: saving it failed."""
        with self._lock:
            self._replace(key, staged)

    def _replace(self, key: str, staged: Staged) -> None:
        if key in self._waiting:
            self._waiting[key] = (self._waiting[key][0], staged)

    def _get(self, key: str, person: str) -> Staged:
        since, staged = self._waiting.get(key, (0.0, None))
        if staged is None or staged.person != person or self._clock() - since > MAX_AGE:
            raise Staged.expired()
        return staged
