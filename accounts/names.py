"""Validate account names, and tell which two are the same."""

import re
import unicodedata

from accounts.model import NotAllowed

LONGEST = 40
EAST = ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HANGUL")
MAX_TYPED = 10 * LONGEST


def validated(name: str) -> str:
    """A name as it is kept. Raises NotAllowed.

    Letters, digits and a few marks: a name that looks like another, hides characters or
    breaks a line of the log is refused.
    """
    text = _plain(name)
    if not 1 <= len(text) <= LONGEST or len(name) > MAX_TYPED:
        raise NotAllowed(
            f"A name has 1 to {LONGEST} characters", "Choose another name.", field="username"
        )
    if not all(_is_allowed(letter) for letter in text) or "  " in text:
        raise NotAllowed(
            "A name has letters, digits, blanks and . _ - @ + only",
            "Choose another name.",
            field="username",
        )
    if len({_script(letter) for letter in text if _has_script(letter)}) > 1:
        raise NotAllowed(
            "The letters of a name come from one alphabet",
            "Choose another name: mixed ones can be made to look like somebody else's.",
            field="username",
        )
    return text


def key_of(name: str) -> str:
    """The key that is the same for all spellings of one name."""
    return _plain(_plain(name).casefold())[: 2 * LONGEST]


def _plain(name: str) -> str:
    # Cut first: normalizing takes time by the square of the length.
    return unicodedata.normalize("NFKC", name[:MAX_TYPED]).strip()


def _is_allowed(letter: str) -> bool:
    """The fillers of Korean count as letters and are not seen."""
    return (letter.isalnum() and "FILLER" not in unicodedata.name(letter, "")) or letter in "._-@+ "


def _has_script(letter: str) -> bool:
    """Digits other than 0 to 9 have one too: some look like an o."""
    return letter.isalnum() and letter not in "0123456789"


def _script(letter: str) -> str:
    """The alphabet: `LATIN`, `CYRILLIC`, ...; the ones of Japanese and Korean go together."""
    script = re.split("[ -]", unicodedata.name(letter, "?").removeprefix("EXTENDED "))[0]
    return "EAST" if script in EAST else script
