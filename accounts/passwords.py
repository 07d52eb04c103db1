"""Validate, hash and check passwords."""

import unicodedata
from functools import cache
from threading import BoundedSemaphore, Lock

from werkzeug.security import check_password_hash, generate_password_hash

from accounts.model import NotAllowed

SHORTEST, LONGEST = 10, 200
NOT_A_HASH = (ValueError, TypeError, OverflowError)
MIN_SCORE = 3
"""zxcvbn's score below which a password is found within a hundred million guesses."""
MAX_SCORED = 40
"""Characters that zxcvbn scores: for a long text it can take seconds."""
# One check takes 32 MB and a tenth of a second: many at once must not take the machine.
_hash_slots = BoundedSemaphore(2)
_zxcvbn_lock = Lock()
"""zxcvbn keeps the name of the account in a global."""


def validated(password: str, name: str) -> str:
    """Validate a password and return it normalized. Raises NotAllowed when it is easy to guess."""
    text = _normalized(password)
    if not SHORTEST <= len(text) <= LONGEST:
        raise NotAllowed(
            f"A password must have {SHORTEST} to {LONGEST} characters; this one has {len(text)}",
            "A few unrelated words are long and easy to remember.",
            field="password",
        )
    if not _is_text(text):
        raise NotAllowed(
            "The password contains invalid characters", "Choose another password.", field="password"
        )
    if _is_common(text, name):
        raise NotAllowed(
            "This password is easy to guess",
            "Use several unrelated words, without the user name.",
            field="password",
        )
    return text


def _is_common(text: str, name: str) -> bool:
    from zxcvbn import zxcvbn

    own = [name, "camera", "monitor", "camera monitor", "panasonic", "dahua", "onvif"]
    with _zxcvbn_lock:
        score: int = zxcvbn(text[:MAX_SCORED], user_inputs=own)["score"]
    return score < MIN_SCORE


def _is_text(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def _normalized(password: str) -> str:
    """Normalize a password: the same letters typed on another keyboard are the same.

    Cut before: normalizing takes time by the square of the length.
    """
    return unicodedata.normalize("NFKC", password[: 5 * LONGEST])


def _spellings(password: str) -> set[str]:
    """The password normalized and as typed: another program's hash may be of the latter."""
    return {_normalized(password)[: LONGEST + 1], password[: LONGEST + 1]}


def hashed(password: str) -> str:
    """Hash with scrypt and a salt, in Werkzeug's format."""
    with _hash_slots:
        return generate_password_hash(_normalized(password), "scrypt")


def hash_new(password: str, name: str) -> str:
    """Validate and hash a new password: slow. Raises NotAllowed as `validated` does."""
    return hashed(validated(password, name))


def matches(stored: str, password: str) -> bool:
    """True if the password has this hash. Takes as long for `dummy_hash`."""
    with _hash_slots:
        try:
            return any(check_password_hash(stored, spelling) for spelling in _spellings(password))
        except NOT_A_HASH:
            return False


@cache
def dummy_hash() -> str:
    """A hash that no password has, so that an unknown name takes as long as a known one."""
    import secrets

    return hashed(secrets.token_urlsafe(32))


def is_supported(stored: str) -> bool:
    """True if Werkzeug supports this kind of hash; it does not support very old kinds."""
    method, _, rest = stored.partition("$")
    if not rest.partition("$")[2] or not method.startswith(("scrypt", "pbkdf2:")):
        return False
    try:
        check_password_hash(stored, "")
    except NOT_A_HASH:
        return False
    return True
