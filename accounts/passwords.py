"""Validate, hash and check passwords."""

import unicodedata
from functools import cache
from threading import BoundedSemaphore, Lock

from werkzeug.security import check_password_hash, generate_password_hash

from accounts.model import NotAllowed

SHORTEST, LONGEST = 10, 200
NOT_A_HASH = (ValueError, TypeError, OverflowError)
GUESSABLE = 3
"""zxcvbn's score below which a password is found within a hundred million guesses."""
JUDGED = 40
"""zxcvbn looks at so many characters: at all of them it can take seconds."""
# One check takes 32 MB and a tenth of a second: many at once must not take the machine.
_at_work = BoundedSemaphore(2)
_judging = Lock()
"""zxcvbn keeps the name of the account in a global."""


def validated(password: str, name: str) -> str:
    """The password as it is kept and checked. Raises NotAllowed when it is easy to guess."""
    text = _plain(password)
    if not SHORTEST <= len(text) <= LONGEST:
        raise NotAllowed(
            f"A password has {SHORTEST} to {LONGEST} characters, this one has {len(text)}",
            "Several words in a row are easy to remember.",
            field="password",
        )
    if not _is_text(text):
        raise NotAllowed(
            "The password has half characters", "Choose another one.", field="password"
        )
    if _is_common(text, name):
        raise NotAllowed(
            "This password is easy to guess",
            "Use several words that do not belong together, and not the name of the account.",
            field="password",
        )
    return text


def _is_common(text: str, name: str) -> bool:
    from zxcvbn import zxcvbn

    own = [name, "camera", "monitor", "camera monitor", "panasonic", "dahua", "onvif"]
    with _judging:
        score: int = zxcvbn(text[:JUDGED], user_inputs=own)["score"]
    return score < GUESSABLE


def _is_text(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def _plain(password: str) -> str:
    """The same letters typed on another keyboard are the same password.

    Cut before: normalizing takes time by the square of the length.
    """
    return unicodedata.normalize("NFKC", password[: 5 * LONGEST])


def _readings(password: str) -> set[str]:
    """The password as we keep it and as typed: another program's hash may be of the latter."""
    return {_plain(password)[: LONGEST + 1], password[: LONGEST + 1]}


def hashed(password: str) -> str:
    """scrypt with a salt, as Werkzeug writes it."""
    with _at_work:
        return generate_password_hash(_plain(password), "scrypt")


def hash_new(password: str, name: str) -> str:
    """The hash of a new password for this name: slow. Raises NotAllowed as `validated` does."""
    return hashed(validated(password, name))


def matches(stored: str, password: str) -> bool:
    """True if it is the password. Takes as long for `dummy_hash`."""
    with _at_work:
        try:
            return any(check_password_hash(stored, reading) for reading in _readings(password))
        except NOT_A_HASH:
            return False


@cache
def dummy_hash() -> str:
    """A hash that no password matches: an unknown name takes as long as a known one."""
    import secrets

    return hashed(secrets.token_urlsafe(32))


def is_supported(stored: str) -> bool:
    """True if Werkzeug knows this kind of hash; very old kinds it does not."""
    method, _, rest = stored.partition("$")
    if not rest.partition("$")[2] or not method.startswith(("scrypt", "pbkdf2:")):
        return False
    try:
        check_password_hash(stored, "")
    except NOT_A_HASH:
        return False
    return True
