"""Texts for people: clean what they typed or pasted, and join sentences. Pure."""

import re
import unicodedata

LIST_HINT = "GET /api/cameras lists the devices with their numbers and MACs."
"""The hint of an error that a device does not exist."""
UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, halves of surrogate pairs and noncharacters: XML 1.0 (2.2) forbids most
of them, so that no spreadsheet can store them, and none has a shape to show."""
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]"
)
"""Characters without width that change no other one: pasted from web pages and SharePoint."""
JOINERS = re.compile("[\u200c\u200d\ufe00-\ufe0f\U000e0000-\U000e007f\U000e0100-\U000e01ef]")
"""Without width too, but a text may need them: Persian words, emoji of several signs."""


def storable(text: str) -> str:
    """The text without the characters that a spreadsheet cannot hold."""
    return UNFIT.sub("", text)


def one_line(text: str) -> str:
    """The text in one line, without outer and doubled blanks and invisible characters."""
    spaced = " ".join(text.split())
    if spaced.isascii() and spaced.isprintable():
        return spaced  # nothing to remove, as in nearly every cell of a table
    return " ".join(INVISIBLE.sub("", storable(spaced)).split())


def name_of(text: str) -> str:
    """A text that identifies something: those that look the same are the same."""
    line = one_line(text)
    if line.isascii():
        return line
    return " ".join(unicodedata.normalize("NFC", JOINERS.sub("", line)).split())


def sentences(error: str, hint: str) -> str:
    """An error and its hint as sentences: one full stop between them, whether the error has one
    or not."""
    return f"{error.removesuffix('.')}. {hint}".rstrip()
