"""All accounts: kept in SQL, held in memory, so that every request can be judged at once."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from threading import RLock
from typing import TYPE_CHECKING, Any

from accounts import account_rows as rows
from accounts import names, passwords
from accounts.model import (
    LEVELS,
    RIGHTS,
    ROLES,
    SCOPES,
    WEEKDAYS,
    Grant,
    Hours,
    NotAllowed,
    Person,
    Session,
    Token,
    User,
)
from accounts.snapshot import AccountSnapshot, without

if TYPE_CHECKING:
    from sqlalchemy import Engine

SESSION_LIFETIME = timedelta(days=30)
MAX_SESSIONS = 50
"""Of one user and kind; a further login ends the oldest of its kind: a script that logs in
each time throws no browser out."""
MAX_TOKENS = 50
MAX_GRANTS = 500
TOKEN_PREFIX = "cm_"  # nosec B105 (how the text of a token begins)


class Accounts:
    """Users, their sessions and tokens, and their grants.

    Every change is in SQL before it takes effect, which it then does at once. Methods raise
    NotAllowed for invalid values, and store.sql.Unreachable.
    """

    def __init__(
        self, engine: "Engine", key: Callable[[], bytes], clock: Callable[[], datetime]
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.snapshot = AccountSnapshot()
        self._key = key
        self._lock = RLock()
        self._by_digest: dict[str, Session | Token] = {}
        self._used: dict[int, datetime] = {}

    def open(self) -> None:
        """Load all accounts; the tables must exist.

        Call it again after an outage of the database: its last write may have succeeded or not.
        """
        with self._lock:
            users, grants, sessions, tokens = rows.load(self.engine, self.clock())
            self._publish(
                users={user.id: user for user in users},
                grants={grant.id: grant for grant in grants},
                sessions={session.id: session for session in sessions},
                tokens={token.id: token for token in tokens},
            )

    def _publish(self, **changed: Any) -> None:
        self.snapshot = replace(self.snapshot, **changed, revision=self.snapshot.revision + 1)
        every: list[Session | Token] = [
            *self.snapshot.sessions.values(),
            *self.snapshot.tokens.values(),
        ]
        self._by_digest = {key.digest: key for key in every}

    # -- look-ups --------------------------------------------------------------------------

    def has_any(self) -> bool:
        """True if there is an account, so that everyone must log in."""
        return bool(self.snapshot.users)

    def user(self, id: int) -> User:
        """Look up a user by number. Raises NotAllowed (404)."""
        user = self.snapshot.users.get(id)
        if user is None:
            raise NotAllowed(f"User {id} does not exist", "GET /api/users lists them.", 404)
        return user

    def by_name(self, name: str) -> User | None:
        key = names.key_of(name)
        return next(
            (user for user in self.snapshot.users.values() if names.key_of(user.name) == key), None
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock all accounts: a decision made inside holds to its end."""
        with self._lock:
            yield

    # -- users -----------------------------------------------------------------------------

    def add_first(self, name: str, password: str) -> User:
        """Add the first account, an administrator. Raises NotAllowed (409) when there is one."""
        with self._lock:
            if self.has_any():
                raise NotAllowed(
                    "The first account already exists", "Log in with that account.", 409
                )
            return self.add(name, password, "admin")

    def add(self, name: str, password: str, role: str, sees_all: bool = True) -> User:
        """Add a user. Raises NotAllowed for a name that is taken (409) or invalid."""
        name = names.validated(name)
        return self.add_hashed(name, passwords.hash_new(password, name), role, sees_all)

    def add_hashed(self, name: str, stored: str, role: str, sees_all: bool = True) -> User:
        """Add a user whose password is known only as a hash that Werkzeug can check."""
        _check_choice("role", role, ROLES)
        with self._lock:
            if self.by_name(name) is not None:
                raise NotAllowed(
                    f"The user name {name} is already in use",
                    "Choose another name.",
                    409,
                    field="username",
                )
            values: dict[str, Any] = {
                "name": name,
                "role": role,
                "password": stored,
                "sees_all": sees_all,
                "created": self.clock(),
                "last_address": "",
            }
            user = User(rows.add_user(self.engine, **values), **values)
            self._publish(users={**self.snapshot.users, user.id: user})
            return user

    def change(
        self,
        id: int,
        *,
        role: str | None = None,
        password: str | None = None,
        stored: str | None = None,
        sees_all: bool | None = None,
        keep: int | None = None,
    ) -> User:
        """Change a user. A new role or password ends all sessions and tokens of that user,
        but for the session `keep`. `stored`: the password as its hash. Raises NotAllowed when
        nobody would be left to manage."""
        if password is not None:
            stored = passwords.hash_new(password, self.user(id).name)
        with self._lock:
            user = self.user(id)
            values: dict[str, Any] = {}
            if role is not None and role != user.role:
                _check_choice("role", role, ROLES)
                values["role"] = role
            if sees_all is not None and sees_all != user.sees_all:
                values["sees_all"] = sees_all
            if stored is not None:
                values["password"] = stored
            if not values:
                return user
            self._check_admin_left(replace(user, **values))
            ends = bool(values.keys() & {"role", "password"})
            sessions = [
                session
                for session in _ids_of_user(id, self.snapshot.sessions)
                if ends and session != keep
            ]
            tokens = [token for token in _ids_of_user(id, self.snapshot.tokens) if ends]
            rows.change_user(self.engine, id, sessions, tokens, **values)
            self._publish(
                users={**self.snapshot.users, id: replace(user, **values)},
                sessions=without(self.snapshot.sessions, *sessions),
                tokens=without(self.snapshot.tokens, *tokens),
            )
            return self.user(id)

    def remove(self, id: int) -> None:
        """Remove a user with its grants, sessions and tokens. Raises NotAllowed for the last
        administrator."""
        with self._lock:
            user = self.user(id)
            self._check_admin_left(replace(user, role="viewer"))
            rows.remove(self.engine, "users", id)
            snapshot = self.snapshot
            self._publish(
                users=without(snapshot.users, id),
                grants=without(snapshot.grants, *_ids_of_user(id, snapshot.grants)),
                sessions=without(snapshot.sessions, *_ids_of_user(id, snapshot.sessions)),
                tokens=without(snapshot.tokens, *_ids_of_user(id, snapshot.tokens)),
            )

    def _check_admin_left(self, changed: User) -> None:
        """Require an administrator who sees everything. Raises NotAllowed (409)."""
        users = self.snapshot.users
        if _manages(users[changed.id]) and not any(
            _manages(user) for user in (changed, *without(users, changed.id).values())
        ):
            raise NotAllowed(
                f"{changed.name} is the last administrator",
                "Make another user an administrator first.",
                409,
            )

    # -- grants ----------------------------------------------------------------------------

    def grant(
        self,
        user: int,
        level: str,
        *,
        device: int | None = None,
        site: str | None = None,
        hours: Hours | None = None,
        weekdays: Sequence[str] = (),
        rights: Sequence[str] = (),
        store: str | None = None,
    ) -> Grant:
        """Grant a user a level of access to one device, one site or one store."""
        wanted = Grant(0, user, level, device, site, hours, tuple(weekdays), tuple(rights), store)
        (grant,) = self.grant_all(user, [wanted])
        return grant

    def grant_all(self, user: int, wanted: Sequence[Grant]) -> list[Grant]:
        """Grant a user all of these, or none of them where one is refused."""
        checked = [_checked_grant(replace(grant, user=user)) for grant in wanted]
        with self._lock:
            self._check_room_for_grants(user, len(checked))
            ids = rows.add_grants(self.engine, checked)
            grants = [replace(grant, id=id) for grant, id in zip(checked, ids, strict=True)]
            self._publish(grants={**self.snapshot.grants, **{grant.id: grant for grant in grants}})
            return grants

    def _check_room_for_grants(self, user: int, number: int) -> None:
        """Raise NotAllowed (404, 409) where the user cannot have so many more grants."""
        self.user(user)
        if len(self.snapshot.grants_of(user)) + number > MAX_GRANTS:
            raise NotAllowed(
                f"A user can have at most {MAX_GRANTS} grants",
                "Grant whole sites or stores instead of single cameras.",
                409,
            )

    def revoke_grant(self, user: int, id: int) -> Grant:
        """Remove a grant. Raises NotAllowed (404)."""
        with self._lock:
            grant = self.snapshot.grants.get(id)
            if grant is None or grant.user != user:
                raise NotAllowed(f"User {user} has no grant {id}", "List the user's grants.", 404)
            rows.remove(self.engine, "grants", id)
            self._publish(grants=without(self.snapshot.grants, id))
            return grant

    def forget_devices(self, ids: Collection[int]) -> None:
        """Take deleted devices out of all grants and tokens. A token that was for them alone is
        for no device at all then."""
        gone = set(ids)
        with self._lock:
            grants = [id for id, grant in self.snapshot.grants.items() if grant.device in gone]
            tokens = {
                id: replace(token, devices=tuple(n for n in token.devices if n not in gone))
                for id, token in self.snapshot.tokens.items()
                if token.devices is not None and gone.intersection(token.devices)
            }
            if not grants and not tokens:
                return
            rows.forget_devices(
                self.engine, grants, {id: token.devices or () for id, token in tokens.items()}
            )
            self._publish(
                grants=without(self.snapshot.grants, *grants),
                tokens={**self.snapshot.tokens, **tokens},
            )

    # -- coming in -------------------------------------------------------------------------

    def check(self, name: str, password: str) -> User | None:
        """Check name and password and return the user; an unknown name takes as long."""
        user = self.by_name(name)
        is_match = passwords.matches(user.password if user else passwords.dummy_hash(), password)
        return user if is_match else None

    def name_for_log(self, name: str) -> str:
        """Format a name typed at a login for the audit log. An unknown one can be a password in
        the wrong field: only a digest of it is kept, the same for the same name."""
        user = self.by_name(name)
        if user is not None:
            return user.name
        return f"unknown name #{self.digest(f'name:{names.key_of(name)}')[:8]}"

    def begin_session(self, user: User, kind: str, address: str, agent: str) -> tuple[Session, str]:
        """Begin a session and return it with its secret, which is kept only as a digest.

        Raises NotAllowed when the password of `user` was changed meanwhile.
        """
        with self._lock:
            if self.user(user.id).password != user.password:
                raise NotAllowed("The password was just changed", "Log in again.", 409)
            sessions = self.snapshot.sessions
            same_kind = [
                id for id in sorted(_ids_of_user(user.id, sessions)) if sessions[id].kind == kind
            ]
            self.end_sessions(*same_kind[: max(0, len(same_kind) - MAX_SESSIONS + 1)])
            secret, now = secrets.token_urlsafe(32), self.clock()
            values: dict[str, Any] = {
                "user": user.id,
                "digest": self.digest(secret),
                "kind": kind,
                "created": now,
                "ends": now + SESSION_LIFETIME,
                "address": address[:60],
                "agent": agent[:200],
            }
            session = Session(id=rows.add_session(self.engine, **values), **values)
            rows.change_user(self.engine, user.id, last_login=now, last_address=address[:60])
            updated = replace(self.user(user.id), last_login=now, last_address=address[:60])
            self._publish(
                sessions={**self.snapshot.sessions, session.id: session},
                users={**self.snapshot.users, user.id: updated},
            )
            return session, secret

    def end_sessions(self, *sessions: int) -> None:
        """End sessions; the streams that they opened end within a second."""
        with self._lock:
            existing = [session for session in sessions if session in self.snapshot.sessions]
            if existing:
                rows.remove(self.engine, "sessions", *existing)
                self._publish(sessions=without(self.snapshot.sessions, *existing))

    # -- tokens ----------------------------------------------------------------------------

    def add_token(
        self,
        user: int,
        name: str,
        scope: str,
        devices: Sequence[int] | None = None,
        ends: datetime | None = None,
    ) -> tuple[Token, str]:
        """Add a key for scripts and return it with its text, which is shown only this time."""
        _check_choice("scope", scope, SCOPES)
        with self._lock:
            self.user(user)
            if len(_ids_of_user(user, self.snapshot.tokens)) >= MAX_TOKENS:
                raise NotAllowed(
                    f"A user can have at most {MAX_TOKENS} tokens", "Revoke a token first.", 409
                )
            secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
            values: dict[str, Any] = {
                "user": user,
                "name": name,
                "digest": self.digest(secret),
                "scope": scope,
                "created": self.clock(),
                "ends": ends,
            }
            device_ids = None if devices is None else sorted(set(devices))
            id = rows.add_token(self.engine, **values, devices=device_ids)
            token = Token(
                id=id, **values, devices=None if device_ids is None else tuple(device_ids)
            )
            self._publish(tokens={**self.snapshot.tokens, id: token})
            return token, secret

    def revoke_token(self, id: int) -> Token:
        """End a token. Raises NotAllowed (404)."""
        with self._lock:
            token = self.snapshot.tokens.get(id)
            if token is None:
                raise NotAllowed(f"Token {id} does not exist", "List the tokens.", 404)
            rows.remove(self.engine, "tokens", id)
            self._publish(tokens=without(self.snapshot.tokens, id))
            return token

    def save_last_uses(self) -> None:
        """Save the times at which tokens were last used; called by a job."""
        with self._lock:
            used = self._used.copy()
            uses = {id: at for id, at in used.items() if id in self.snapshot.tokens}
            rows.save_last_uses(self.engine, uses)
            for id, at in used.items():
                if self._used[id] == at:
                    del self._used[id]
            tokens = {id: replace(self.snapshot.tokens[id], used=at) for id, at in uses.items()}
            if tokens:
                self.snapshot = replace(self.snapshot, tokens={**self.snapshot.tokens, **tokens})

    # -- the person behind a request -------------------------------------------------------

    def digest(self, secret: str) -> str:
        return hmac.new(self._key(), secret.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def by_secret(self, secret: str) -> Person | None:
        """The person behind this cookie or token; None when it is not valid."""
        key = self._by_digest.get(self.digest(secret))
        if key is None:
            return None
        if isinstance(key, Token):
            self._used[key.id] = self.clock()
            return self.snapshot.by_token(key.id, self.clock())
        return self.snapshot.by_session(key.id, self.clock())

    def by_digest(self, digest: str) -> Person | None:
        """The person of the session with this digest; None when it has ended."""
        key = self._by_digest.get(digest)
        if not isinstance(key, Session):
            return None
        return self.snapshot.by_session(key.id, self.clock())

    def by_password(self, user: int) -> Person | None:
        """A person who has just given name and password."""
        return self.snapshot.person(user, proof=self.user(user).password)

    def refreshed(self, person: Person) -> Person | None:
        """The same person as of now; None when their session, token or password has ended."""
        return self.snapshot.refreshed(person, self.clock())


def _ids_of_user(
    user: int, items: Mapping[int, Grant] | Mapping[int, Session] | Mapping[int, Token]
) -> list[int]:
    """The numbers of the items that belong to a user."""
    return [id for id, item in items.items() if item.user == user]


def _manages(user: User) -> bool:
    return user.role == "admin" and user.sees_all


def _checked_grant(grant: Grant) -> Grant:
    """The grant with its days and rights in their order. Raises NotAllowed."""
    _check_choice("level", grant.level, LEVELS)
    if (grant.device is not None) + bool(grant.site) + bool(grant.store) != 1:
        raise NotAllowed("A grant needs a camera, a site or a store", "Select one of the three.")
    for item in grant.weekdays:
        _check_choice("weekdays", item, WEEKDAYS)
    for item in grant.rights:
        _check_choice("rights", item, RIGHTS)
    return replace(
        grant,
        site=grant.site or None,
        store=grant.store or None,
        weekdays=tuple(weekday for weekday in WEEKDAYS if weekday in grant.weekdays),
        rights=tuple(right for right in RIGHTS if right in grant.rights),
    )


def _check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise NotAllowed(
            f"{name} {value[:40]!r} does not exist",
            f"Use one of: {', '.join(allowed)}.",
            field=name,
        )
