"""What a session description says of each medium that plays: payload type, clock, parameters. Pure.

The description is ours (`OpenedStream.description`) and of a few lines; values in it come from the
camera.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

STATIC = {
    0: ("PCMU", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    10: ("L16", 44100),
    11: ("L16", 44100),
    26: ("JPEG", 90_000),
}
"""Payload types that need no `rtpmap` (RFC 3551, section 6)."""
MAX_CLOCK = 1_000_000
MAX_CHANNELS = 8


@dataclass(frozen=True, slots=True)
class SessionMedium:
    """One medium. `encoding` in upper case; `clock`: ticks of its stamps in a second."""

    kind: str
    payload_type: int
    encoding: str
    clock: int
    channels: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    rate: float | None = None


def picture_distance(description: bytes) -> float | None:
    """Seconds between two pictures, where the description tells their rate."""
    rates = (medium.rate for medium in session_media(description) if medium.kind == "video")
    rate = next(rates, None)
    return 1 / rate if rate else None


def session_media(description: bytes) -> list[SessionMedium]:
    """The media in their order; lines that cannot be read are ignored."""
    blocks: list[list[str]] = []
    for line in description.decode("utf-8", "replace").splitlines():
        text = line.strip()
        if text.startswith("m="):
            blocks.append([text[2:]])
        elif blocks and text.startswith("a="):
            blocks[-1].append(text[2:])
    return [_medium(words, lines) for words, *lines in blocks]


def _medium(heading: str, attributes: list[str]) -> SessionMedium:
    words = heading.split()
    kind = words[0].lower() if words else ""
    payload_type = _number(words[3], 127) if len(words) > 3 else 0
    encoding, clock = STATIC.get(payload_type, ("", 90_000 if kind == "video" else 8000))
    channels = 2 if payload_type == 10 else 1
    parameters: dict[str, str] = {}
    size = rate = None
    for name, value in (_attribute(line) for line in attributes):
        number, _, rest = value.partition(" ")
        if name == "rtpmap" and number == str(payload_type):
            parts = [part.strip() for part in rest.split("/")]
            encoding = parts[0].upper()
            clock = (_number(parts[1], MAX_CLOCK) if len(parts) > 1 else 0) or clock
            channels = (_number(parts[2], MAX_CHANNELS) if len(parts) > 2 else 0) or 1
        elif name == "fmtp" and number == str(payload_type):
            parameters = _parameters(rest)
        elif name == "framesize":
            size = _size(rest)
        elif name in ("framerate", "x-framerate"):
            rate = _rate(value) or rate
        elif name == "x-dimensions":
            size = _size(value.replace(",", "-"))
    return SessionMedium(kind, payload_type, encoding, clock, channels, parameters, size, rate)


def _attribute(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return {key.strip().lower(): value.strip() for key, _, value in pairs if key.strip()}


def _size(text: str) -> tuple[int, int] | None:
    width, _, height = text.partition("-")
    size = _number(width, 16_384), _number(height, 16_384)
    return size if all(size) else None


def _rate(text: str) -> float | None:
    """A rate; None for what is none, or less than one picture in five minutes."""
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if 1 / 300 <= rate <= 1000 else None


def _number(text: str, largest: int) -> int:
    """A number from 0 to `largest`; 0 for everything else."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        return 0
    return int(digits) if int(digits) <= largest else 0
