"""Access and refresh tokens of a login by API: signed, short-lived, ended with their session."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

ACCESS_LIFETIME = timedelta(hours=1)
ALGORITHM = "HS256"
REQUIRED = ["sub", "exp", "kind"]
DIGEST = re.compile("[0-9a-f]{64}")


class JwtTokens:
    """Sign and read tokens. `key` gives the secret that signs.

    A session is named by its digest, which is random and therefore never that of another one.
    Its number is not enough: a database that was restored gives the same numbers again.
    """

    def __init__(self, key: Callable[[], bytes], clock: Callable[[], datetime]) -> None:
        self._key = key
        self.clock = clock

    def write(self, kind: str, session: str, ends: datetime) -> str:
        """A token of `kind` "access" or "refresh" for a session."""
        import jwt

        body = {"sub": session, "kind": kind, "iat": self.clock(), "exp": ends}
        return jwt.encode(body, self._key(), ALGORITHM)

    def access(self, session: str) -> str:
        return self.write("access", session, self.clock() + ACCESS_LIFETIME)

    def read(self, kind: str, text: str) -> str | None:
        """The digest of the token's session; None for a foreign or expired token."""
        import jwt

        try:
            body: dict[str, Any] = jwt.decode(
                text,
                self._key(),
                [ALGORITHM],
                # Whether it has ended is judged below, by the clock of the monitor.
                options={"require": REQUIRED, "verify_exp": False, "verify_iat": False},
            )
            ends, session = float(body["exp"]), str(body["sub"])
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            return None
        is_sound = DIGEST.fullmatch(session) and body["kind"] == kind
        return session if is_sound and ends > self.clock().timestamp() else None
