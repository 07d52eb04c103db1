"""Access and refresh tokens of a login by API: signed, short-lived, dead with their session."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

ACCESS_LASTS = timedelta(hours=1)
ALGORITHM = "HS256"
REQUIRED = ["sub", "exp", "kind"]


class Tickets:
    """Writes and reads them. `key` gives the secret that signs."""

    def __init__(self, key: Callable[[], bytes], clock: Callable[[], datetime]) -> None:
        self._key = key
        self.clock = clock

    def write(self, kind: str, session: int, ends: datetime) -> str:
        """A ticket of `kind` "access" or "refresh" for a session."""
        import jwt

        body = {"sub": str(session), "kind": kind, "iat": self.clock(), "exp": ends}
        return jwt.encode(body, self._key(), ALGORITHM)

    def access(self, session: int) -> str:
        return self.write("access", session, self.clock() + ACCESS_LASTS)

    def read(self, kind: str, text: str) -> int | None:
        """The session that the ticket is for; None when it is not ours, or has ended."""
        import jwt

        try:
            body: dict[str, Any] = jwt.decode(
                text,
                self._key(),
                [ALGORITHM],
                # Whether it has ended is judged below, by the clock of the house.
                options={"require": REQUIRED, "verify_exp": False, "verify_iat": False},
            )
            ends, session = float(body["exp"]), str(body["sub"])
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            return None
        is_sound = session.isdecimal() and len(session) < 10 and body["kind"] == kind
        return int(session) if is_sound and ends > self.clock().timestamp() else None
