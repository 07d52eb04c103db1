"""Hand a stream that RTSP has opened to its reader."""

from sources.rtsp_play import Played
from video.model import OpenedMedium, OpenedStream


def opened_stream(played: Played, early: float = 0.0, *, asks_first: bool = False) -> OpenedStream:
    """A stream that plays, as a reader takes it. `early`: by what part of their interval it renews
    its session earlier; `asks_first`: it sends its login with a new nonce only."""
    return OpenedStream(
        played.description,
        tuple(OpenedMedium(each.kind, each.encoding, each.channel) for each in played.media),
        played.transport,
        played.sockets,
        {**played.control, "early": early, "asks_first": asks_first},
        played.rest,
    )
