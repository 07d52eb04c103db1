"""All accounts at one moment, and the person behind a session, token or password."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from accounts.model import Grant, Person, Session, Token, User

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """Immutable state of all accounts. A change makes a new one, so readers never wait."""

    users: Mapping[int, User] = field(default_factory=dict)
    grants: Mapping[int, Grant] = field(default_factory=dict)
    sessions: Mapping[int, Session] = field(default_factory=dict)
    tokens: Mapping[int, Token] = field(default_factory=dict)
    revision: int = 0

    def grants_of(self, user: int) -> tuple[Grant, ...]:
        return tuple(grant for grant in self.grants.values() if grant.user == user)

    def tokens_of(self, user: int) -> tuple[Token, ...]:
        return tuple(token for token in self.tokens.values() if token.user == user)

    def by_session(self, id: int, now: datetime) -> Person | None:
        session = self.sessions.get(id)
        if session is None or session.ends <= now:
            return None
        return self.person(session.user, session=id)

    def by_token(self, id: int, now: datetime) -> Person | None:
        token = self.tokens.get(id)
        if token is None or (token.ends is not None and token.ends <= now):
            return None
        only = None if token.devices is None else frozenset(token.devices)
        return self.person(token.user, token=id, scope=token.scope, devices=only)

    def person(self, id: int, **more: Any) -> Person | None:
        user = self.users.get(id)
        if user is None:
            return None
        grants = self.grants_of(id)
        return Person(user.name, user.role, user.sees_all, grants, user=user.id, **more)

    def refreshed(self, person: Person, now: datetime) -> Person | None:
        """The same person as of now; None when the credential of the request has ended."""
        if person.session is not None:
            return self.by_session(person.session, now)
        if person.token is not None:
            return self.by_token(person.token, now)
        if person.user is None:
            return None if person.until_first and self.users else person
        user = self.users.get(person.user)
        if user is None or (user.password, user.role) != (person.proof, person.role):
            return None
        return self.person(user.id, proof=person.proof)


def without(items: Mapping[int, T], *ids: int) -> dict[int, T]:
    """The items without these ids."""
    return {id: item for id, item in items.items() if id not in ids}
