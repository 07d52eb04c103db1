"""The description (SDP) of a stream for libavformat: its media alone, made plain. Pure.

What a device wrote goes through a C library, so only lines that are understood are kept: payload
types, `rtpmap`, `fmtp` and what tells the size. No address is in it that could be connected to.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator

from sources.session_description import Medium

HEAD = ("v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=-", "t=0 0")
KEPT = ("framerate", "x-framerate", "framesize", "x-dimensions", "cliprect")
VIDEO, AUDIO = "video", "audio"
DYNAMIC = 96
"""The first payload type that needs an `rtpmap`."""
CLOCK = 90_000
SETS = {
    "H264": ("sprop-parameter-sets",),
    "H265": ("sprop-vps", "sprop-sps", "sprop-pps"),
}
"""Parameters with sets in Base64; wrong ones are left out, for the true ones come in the stream."""
NAMES = {"HEVC": "H265"}
LONGEST_NAME = 32
UNKNOWN = "its description does not say how the video is encoded"
ENCRYPTED = "it sends the stream encrypted (SRTP), which is not supported"


class NotPlayable(Exception):
    """The medium cannot be read; the text is the reason."""


def encoding_of(medium: Medium) -> str:
    """The encoding in upper case, by its parameter sets where nothing else tells. Empty for one
    that is no name."""
    name = medium.encoding
    if not name:
        parameters = medium.parameters
        name = next((each for each, sets in SETS.items() if sets[-1] in parameters), "")
    is_name = name.isascii() and name.replace("-", "").replace(".", "").replace("_", "").isalnum()
    return NAMES.get(name, name) if is_name and len(name) <= LONGEST_NAME else ""


def is_playable(medium: Medium) -> bool:
    """True if the medium can be described."""
    try:
        lines_of(medium)
    except NotPlayable:
        return False
    return True


def description(media: Iterable[Medium]) -> bytes:
    """The description of these media, in their order. Raises NotPlayable."""
    lines = [*HEAD, *(line for medium in media for line in lines_of(medium))]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii", "replace")


def lines_of(medium: Medium) -> list[str]:
    """The lines of one medium. Raises NotPlayable."""
    if "SAVP" in medium.protocol.upper():
        raise NotPlayable(ENCRYPTED)
    payload, encoding = _payload(medium), encoding_of(medium)
    if payload is None or not encoding:
        raise NotPlayable(UNKNOWN)
    lines = [f"m={medium.kind} 0 RTP/AVP {payload}", *_mapping(medium, payload, encoding)]
    if parameters := ";".join(_parameters(medium, encoding)):
        lines.append(f"a=fmtp:{payload} {parameters}")
    lines += [f"a={name}:{value}" for name, value in medium.attributes if name in KEPT]
    return [_plain(line) for line in lines]


def _payload(medium: Medium) -> int | None:
    number = medium.formats[0] if medium.formats else ""
    is_type = number.isascii() and number.isdecimal() and len(number) <= 3 and int(number) < 128
    return int(number) if is_type else None


def _mapping(medium: Medium, payload: int, encoding: str) -> Iterator[str]:
    for value in medium.values("rtpmap"):
        number, _, mapping = value.strip().partition(" ")
        _name, _, clock = mapping.strip().partition("/")
        if number == str(payload):
            rate, _, channels = clock.strip().partition("/")
            if _is_number(rate):
                more = f"/{int(channels)}" if _is_number(channels) else ""
                yield f"a=rtpmap:{payload} {encoding}/{int(rate)}{more}"
                return
    if payload >= DYNAMIC:
        if medium.kind != VIDEO:
            raise NotPlayable(UNKNOWN)
        yield f"a=rtpmap:{payload} {encoding}/{CLOCK}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) > 0


def _parameters(medium: Medium, encoding: str) -> Iterator[str]:
    sets = SETS.get(encoding, ())
    for name, value in medium.parameters.items():
        if name not in sets:
            yield f"{name}={value}" if value else name
        elif usable := ",".join(text for text in value.split(",") if _is_base64(text)):
            yield f"{name}={usable}"


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except binascii.Error:
        return False


def _plain(line: str) -> str:
    return "".join(character for character in line if " " <= character <= "~")
