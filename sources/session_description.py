"""Session descriptions (SDP) of cameras: their media, and where each is controlled. Pure, no I/O.

RFC 8866 and RFC 6184, 7798 (parameter sets), read leniently: only `m=` lines and their `a=` lines
matter, and a line that cannot be used is left out.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from fleet import parameter_sets, userinfo
from fleet.parameter_sets import MAX_RATE, MAX_SIDE, InvalidSet, Picture
from sources.rtsp_wire import CONTROLS

LONGEST = 256 * 1024
"""Bytes that are read; a camera needs some hundred."""
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
MAX_MEDIA = 256
MAX_ATTRIBUTES = 256
"""Lines of one medium."""
LONGEST_VALUE = 8192
STATIC = {
    "0": "PCMU",
    "3": "GSM",
    "8": "PCMA",
    "9": "G722",
    "14": "MPA",
    "26": "JPEG",
    "32": "MPV",
    "33": "MP2T",
    "34": "H263",
}
"""Payload types that need no `rtpmap` (RFC 3551, section 6)."""
NUMBER = re.compile(r"[0-9]{1,5}(\.[0-9]{1,6})?")
WHOLE = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Medium:
    """One `m=` line. `kind` is video, audio, application...; `attributes` are as they were sent."""

    kind: str
    protocol: str
    formats: tuple[str, ...]
    attributes: Sequence[tuple[str, str]] = field(default=())

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]

    @property
    def control(self) -> str:
        """Its control URL, or a part of one; empty where the whole session is controlled."""
        return next((value for value in self.values("control") if value != "*"), "")

    @property
    def is_send_only(self) -> bool:
        """True if the client sends: the way back to a loudspeaker (ONVIF Streaming, 5.3)."""
        return any(key == "sendonly" for key, _value in self.attributes)

    @property
    def encoding(self) -> str:
        """The encoding in upper case, such as H264; empty if nothing tells it."""
        payload = self.formats[0] if self.formats else ""
        for value in self.values("rtpmap"):
            number, _, mapping = value.partition(" ")
            name = mapping.strip().partition("/")[0]
            if number == payload and name:
                return name.strip().upper()
        return STATIC.get(payload, "")

    @property
    def parameters(self) -> Mapping[str, str]:
        """What `fmtp` says of the first format; names in lower case."""
        payload = self.formats[0] if self.formats else ""
        for value in self.values("fmtp"):
            number, _, text = value.partition(" ")
            if number == payload:
                pairs = (part.strip().partition("=") for part in text.split(";"))
                return {key.strip().lower(): val.strip() for key, _, val in pairs if key.strip()}
        return {}

    @property
    def picture(self) -> Picture | None:
        """Size and rate: from an attribute, else from the parameter sets; None if none tells."""
        coded, size = self._coded(), _size(self.attributes)
        rate = _rate(self.attributes) or (coded.rate if coded else None)
        if size is None:
            size = (coded.width, coded.height) if coded else None
        return Picture(*size, rate) if size else None

    @property
    def rate(self) -> float | None:
        """Pictures a second, where the description tells."""
        picture = self.picture
        return picture.rate if picture else _rate(self.attributes)

    def _coded(self) -> Picture | None:
        sets = self.parameters
        if self.encoding == "H264":
            return _first(parameter_sets.h264, sets.get("sprop-parameter-sets", "").split(","))
        if self.encoding in ("H265", "HEVC"):
            return _first(parameter_sets.h265, sets.get("sprop-sps", "").split(","))
        return None


@dataclass(frozen=True, slots=True)
class Description:
    """A session: its media in their order, and the lines before the first of them. Unless
    `is_readable`, it is no description, and says nothing about the stream."""

    media: tuple[Medium, ...]
    attributes: Sequence[tuple[str, str]] = field(default=())
    is_readable: bool = True

    @property
    def control(self) -> str:
        """The control URL of the whole session, or a part of one; empty for the base itself."""
        values = (value for name, value in self.attributes if name == "control" and value != "*")
        return next(values, "")

    @property
    def video(self) -> Medium | None:
        """The medium of the picture: the first that the device sends. One that it marks as sent
        by the client is the picture only if there is no other: a maker marks its own so."""
        return _chosen(self.media, "video") or next(
            (medium for medium in self.media if medium.kind == "video"), None
        )

    @property
    def audio(self) -> Medium | None:
        """The microphone, never the way back to the loudspeaker."""
        return _chosen(self.media, "audio")


def _chosen(media: Iterable[Medium], kind: str) -> Medium | None:
    return next(
        (medium for medium in media if medium.kind == kind and not medium.is_send_only), None
    )


def parse(data: bytes) -> Description:
    """Read a description. What has neither a version nor media is not readable, nor is UTF-16."""
    if data.startswith(UTF_16):
        return Description((), is_readable=False)
    own, media = list[tuple[str, str]](), list[tuple[list[str], list[tuple[str, str]]]]()
    attributes, has_version = own, False
    for line in data[:LONGEST].decode("utf-8", "replace").splitlines():
        kind, _, value = line.translate(CONTROLS).strip().partition("=")
        if kind == "m" and len(media) < MAX_MEDIA:
            attributes = []
            media.append((value.split(), attributes))
        elif kind == "a" and len(value) <= LONGEST_VALUE and len(attributes) < MAX_ATTRIBUTES:
            name, _, rest = value.partition(":")
            attributes.append((name.strip().lower(), rest.strip()))
        has_version = has_version or kind == "v"
    usable = tuple(_medium(words, lines) for words, lines in media if len(words) >= 3)
    return Description(usable, tuple(own), is_readable=has_version or bool(usable))


def _medium(words: list[str], attributes: list[tuple[str, str]]) -> Medium:
    kind, _port, protocol, *formats = words
    return Medium(kind.lower(), protocol, tuple(formats), tuple(attributes))


def control_url(requested: str, content_base: str, control: str) -> str:
    """The URL of a control attribute, on the host and port of the URL that was requested.

    Joined as live555 and FFmpeg do: appended to the base after a slash, and not by RFC 3986. A base
    that is no URL, or that names another host (behind a port forward), is repaired: its path and
    query are kept. Userinfo of any of them is left out.
    """
    base = content_base.strip()
    if not _is_url(base):
        base = requested
    if _is_url(control):
        base, control = control, ""
    if control and control != "*":
        base += ("" if base.endswith("/") else "/") + control.lstrip("/")
    return _at_host_of(requested, base)


def _is_url(text: str) -> bool:
    scheme, _, rest = text.partition("://")
    return scheme.lower() in ("rtsp", "rtsps") and bool(rest) and rest[0] not in "/?"


def _at_host_of(requested: str, url: str) -> str:
    ours = urlsplit(requested)
    # By hand: the path of a camera may hold what a parser of URLs stumbles over, such as "[".
    _login, rest = userinfo.split(url.partition("://")[2])
    start = min((rest.find(mark) for mark in "/?" if mark in rest), default=len(rest))
    place = ours.netloc.rpartition("@")[2]
    return urlunsplit((ours.scheme, place, "", "", "")) + rest[start:]


def _first(read: Callable[[bytes], Picture], texts: Iterable[str]) -> Picture | None:
    """The first set that can be read: makers send the picture set in the same list."""
    for text in texts:
        try:
            return read(base64.b64decode(text + "=" * (-len(text) % 4)))
        except (InvalidSet, binascii.Error):
            continue
    return None


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if WHOLE.fullmatch(text) else None


def _size(attributes: Iterable[tuple[str, str]]) -> tuple[int, int] | None:
    """Pixels by one of the attributes that makers use."""
    given = dict(reversed(list(attributes)))
    for name, order in (("framesize", 1), ("x-dimensions", 1), ("cliprect", -1)):
        numbers = [int(number) for number in WHOLE.findall(given.get(name, ""))]
        # framesize begins with the payload type, cliprect with the upper left corner.
        pair = numbers[-2:][::order]
        if len(pair) == 2 and all(0 < side <= MAX_SIDE for side in pair):
            return pair[0], pair[1]
    sides = [_whole(given.get(name, "").rpartition(";")[2]) for name in ("width", "height")]
    if all(side is not None and 0 < side <= MAX_SIDE for side in sides):
        return sides[0] or 0, sides[1] or 0
    return None


def _rate(attributes: Iterable[tuple[str, str]]) -> float | None:
    """The first rate that can be one: makers send "0S" before the true one."""
    for name, value in attributes:
        match = NUMBER.match(value)
        if name in ("framerate", "x-framerate") and match:
            rate = float(match.group())
            if 0 < rate <= MAX_RATE:
                return rate
    return None
