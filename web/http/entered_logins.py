"""What a form of several steps needs between two of them and must not send back: the password that
a person typed, and what a test found with it.

It stays in the memory of this process for some minutes, under a random token that only the login
session in which it was typed can use. Nothing of it is written to a page, an address or the disk.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from accounts.model import Person

LIFETIME = 15 * 60.0
"""Seconds for which an entry is kept after it was last changed."""
MAX_ENTRIES = 200
"""Entries of everybody together; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one form needs: the password, and the result of its newest test."""

    secret: str | None = field(default=None, repr=False)
    result: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Kept:
    owner: tuple[object, ...]
    until: float
    entry: Entry = field(repr=False)


def owner_of(person: Person) -> tuple[object, ...]:
    """The login session of a person: another session of the same person is another owner."""
    return person.user, person.session, person.token, person.name


class EnteredLogins:
    """The entries of all open forms, by token."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def keep(self, person: Person, entry: Entry, former: str) -> str:
        """Keep the entry and return its new token. `former`, the token of the step before, is no
        longer valid."""
        new, until = secrets.token_urlsafe(32), self._now() + LIFETIME
        with self._lock:
            self._forget_old()
            if (old := self._kept.get(former)) is not None and old.owner == owner_of(person):
                del self._kept[former]
            self._kept[new] = _Kept(owner_of(person), until, entry)
            while len(self._kept) > MAX_ENTRIES:
                self._kept.popitem(last=False)
        return new

    def entry(self, person: Person, token: str) -> Entry | None:
        """The entry of the token; None if it is too old or belongs to another session."""
        with self._lock:
            self._forget_old()
            kept = self._kept.get(token)
        return kept.entry if kept is not None and kept.owner == owner_of(person) else None

    def forget(self, person: Person, token: str) -> None:
        """Drop the entry once its form is done."""
        with self._lock:
            kept = self._kept.get(token)
            if kept is not None and kept.owner == owner_of(person):
                del self._kept[token]

    def _forget_old(self) -> None:
        now = self._now()
        for token in [token for token, kept in self._kept.items() if kept.until <= now]:
            del self._kept[token]
