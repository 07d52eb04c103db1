"""Validate account names, and compare them by key."""

import re
import unicodedata

from accounts.model import NotAllowed
from fleet.authors import NOT_USERS

LONGEST = 40
EAST = ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HANGUL")
MAX_TYPED = 10 * LONGEST


def validated(name: str) -> str:
    """Validate a name and return it as it is stored. Raises NotAllowed.

    Letters, digits and a few marks: a name that looks like another, hides characters or
    breaks a line of the log is refused.
    """
    text = _normalized(name)
    if not 1 <= len(text) <= LONGEST or len(name) > MAX_TYPED:
        raise NotAllowed(
            f"A user name must have 1 to {LONGEST} characters",
            "Choose another name.",
            field="username",
        )
    if not all(_is_allowed(letter) for letter in text) or "  " in text:
        raise NotAllowed(
            "A user name can contain only letters, digits, single spaces and . _ - @ +",
            "Choose another name.",
            field="username",
        )
    # The author of a change can also be a workbook.
    if key_of(text) in NOT_USERS or key_of(text).endswith(".xlsx"):
        raise NotAllowed(
            f"The user name {text} is reserved",
            "Choose another name: the audit log uses this one for actions without a user.",
            field="username",
        )
    if len({_script(letter) for letter in text if _has_script(letter)}) > 1:
        raise NotAllowed(
            "The letters of a user name must come from one alphabet",
            "Choose another name: a mix of alphabets can imitate another user's name.",
            field="username",
        )
    return text


def key_of(name: str) -> str:
    """The key that is the same for all spellings of one name."""
    return _normalized(_normalized(name).casefold())[: 2 * LONGEST]


def _normalized(name: str) -> str:
    # Cut first: normalizing takes time by the square of the length.
    return unicodedata.normalize("NFKC", name[:MAX_TYPED]).strip()


def _is_allowed(letter: str) -> bool:
    """True for letters, digits and a few signs; the fillers of Korean are invisible letters."""
    return (letter.isalnum() and "FILLER" not in unicodedata.name(letter, "")) or letter in "._-@+ "


def _has_script(letter: str) -> bool:
    """True for characters of an alphabet, also digits other than 0 to 9: some look like an o."""
    return letter.isalnum() and letter not in "0123456789"


def _script(letter: str) -> str:
    """The alphabet: `LATIN`, `CYRILLIC`, ...; the ones of Japanese and Korean go together."""
    script = re.split("[ -]", unicodedata.name(letter, "?").removeprefix("EXTENDED "))[0]
    return "EAST" if script in EAST else script
