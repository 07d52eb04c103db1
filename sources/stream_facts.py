"""What a session description says of a camera, as facts for people. Pure, no I/O."""

from typing import Any

from fleet import texts
from sources.session_description import Description, Medium

CODECS = {
    "MPEG4-GENERIC": "AAC",
    "MP4A-LATM": "AAC",
    "HEVC": "H265",
    "MP4V-ES": "MPEG4",
    "MPV": "MPEG2",
}
"""Encodings of RTP (RFC 3551, 3640, 3016) by the names that people know."""
LONGEST = 64
LONGEST_CODEC = 32
MAX_TRACKS = 8


def facts_of(description: Description, server: str) -> dict[str, Any]:
    """The facts of a stream; what is unknown is left out."""
    video, audio = description.video, description.audio
    facts: dict[str, Any] = {"audio": audio is not None}
    facts["codec"] = _codec(video) if video else ""
    facts["audio_codec"] = _codec(audio) if audio else ""
    if video:
        picture = video.picture
        facts |= {"width": picture.width, "height": picture.height} if picture else {}
        facts["rate"] = _short(video.rate)
    facts["tracks"] = _tracks(description)
    facts["server"] = texts.one_line(server)[:LONGEST]
    return {key: value for key, value in facts.items() if value not in (None, "")}


def _codec(medium: Medium) -> str:
    """The name of the encoding; empty for one that is no name."""
    name = medium.encoding[:LONGEST_CODEC]
    is_name = name.isascii() and name.replace("-", "").replace(".", "").replace("_", "").isalnum()
    return CODECS.get(name, name) if is_name else ""


def _short(rate: float | None) -> float | int | None:
    if rate is None:
        return None
    return int(rate) if rate == int(rate) else round(rate, 2)


def _tracks(description: Description) -> str:
    """All media in their order, such as "video H264, audio AAC, application"."""
    named = [
        f"{medium.kind[:LONGEST_CODEC]} {_codec(medium)}".strip()
        for medium in description.media
        if medium.kind.isascii() and medium.kind.replace("-", "").isalnum()
    ]
    more = len(named) - MAX_TRACKS
    return ", ".join(named[:MAX_TRACKS] + ([f"{more} more"] if more > 0 else []))
