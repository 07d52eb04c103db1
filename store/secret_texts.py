"""Texts that a device sends, without the passwords that it knows. Pure.

A device may repeat its password wherever it sends a text: as its name, in a banner, in a URL.
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote

from store.masking import Span, decoded_spans, spans_of, spellings, with_masks

SHORTEST, SHORTEST_PART = 3, 6
"""Characters of a password that is looked for, and of one that is looked for within words too."""
WORDS = frozenset(
    (
        *("access", "address", "audio", "camera", "channel", "clock", "codec", "device", "digest"),
        *("error", "firmware", "http", "login", "main", "media", "method", "model", "name"),
        *("network", "onvif", "password", "path", "port", "recorder", "response", "rtsp"),
        *("serial", "server", "stream", "user", "username", "video", "wrong"),
    )
)
"""Words of our own texts. A password that is one of them stays: the mask in the middle of a known
sentence would reveal it, and the word alone does not."""
PLACEHOLDERS = ("{username}", "{password}")


@dataclass(frozen=True, slots=True)
class SecretTexts:
    """The passwords of one device in every spelling, without regard to case."""

    _spellings: tuple[str, ...] = field(default=(), repr=False)
    _passwords: tuple[str, ...] = field(default=(), repr=False)
    """Those that are long enough to be looked for within words."""

    @classmethod
    def of(cls, passwords: Iterable[str], username: str | None = None) -> Self:
        """Of these passwords, also as HTTP sends them together with the user name."""
        every, passwords = set[str](), tuple(passwords)
        for password in passwords:
            if password.lower() not in WORDS:
                every |= {*spellings(password), *_in_base64(password), unquote(password)}
                every |= {*_in_base64(f"{username or ''}:{password}")} if password else set()
        return cls(
            tuple({_lowered(text) for text in every if len(text) >= SHORTEST}),
            tuple({text for text in passwords if is_looked_for(text)}),
        )

    def __bool__(self) -> bool:
        return bool(self._spellings)

    def hidden(self, text: str) -> str:
        """The text with a mask for each password; the very same text if there is none. The
        placeholders of a path stay."""
        lowered = _lowered(text)
        spans = [span for spelling in self._spellings for span in _spans(spelling, lowered)]
        if "%" in text:
            spans += [span for each in self._passwords for span in decoded_spans(each, text)]
        if not spans:
            return text
        places = [span for place in PLACEHOLDERS for span in spans_of(place, lowered)]
        return with_masks(text, (span for span in spans if not _is_within(span, places)))


def is_looked_for(password: str) -> bool:
    """True if the password is looked for within words, in any case."""
    return len(password) >= SHORTEST_PART and password.lower() not in WORDS


def _lowered(text: str) -> str:
    """The text in lower case, of the same length."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := each.lower()) == 1 else each for each in text)


def _spans(spelling: str, text: str) -> Iterator[Span]:
    for start, end in spans_of(spelling, text):
        is_word = not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())
        if is_word or len(spelling) >= SHORTEST_PART:
            yield start, end


def _is_within(span: Span, places: Iterable[Span]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in places)


def _in_base64(text: str) -> Iterable[str]:
    encoded = base64.b64encode(text.encode(errors="replace")).decode().rstrip("=")
    return encoded, encoded.replace("+", "-").replace("/", "_")
