"""The values of streams. All frozen, no I/O.

A stream is read once, in a child process. What passes between it and the monitor are these values:
encoded fragments, finished pictures, closed files, never a decoded frame.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from video.outages import OFF

MAIN, SUB = "main", "sub"
NAMES = (MAIN, SUB)
"""The streams of a device: the main stream, and the sub stream of a camera that has one."""

OPENING = "opening"
"""The device is being asked for the stream."""
WAITING = "waiting"
"""It sends, and a key frame has not come yet."""
PLAYING = "playing"
NO_PICTURE = "no_picture"
"""It is connected and sends no video."""
RETRYING = "retrying"
"""The last attempt failed, for `StreamState.reason`; the next one comes by itself."""
ENDED = "ended"
"""Nobody needs it any more."""


class StreamKey(NamedTuple):
    """One stream: the number of the device that it shows, and `main` or `sub`."""

    device: int
    name: str = MAIN

    @property
    def is_visitor(self) -> bool:
        """True for the stream of a camera that is not in the list (video/visitors.py)."""
        return self.device < 0


@dataclass(frozen=True, slots=True)
class OpenedMedium:
    """One medium that plays. `channel`: that of its RTP packets on the connection; RTCP has the
    next one. Over UDP it is the number of the pair of sockets, doubled."""

    kind: str
    encoding: str
    channel: int


@dataclass(frozen=True, slots=True)
class OpenedStream:
    """A stream that plays, ready to be handed to a child process, which then owns the sockets.

    `description` is an SDP of these media alone, in the order of `media`, as libavformat reads it.
    `sockets`: the RTSP connection, then over UDP one pair for each medium (RTP, RTCP). `control` is
    all that keep-alive and TEARDOWN need, as JSON values (sources/rtsp_playing.py): never shown or
    logged, for it can hold a login. `rest` are bytes that were read after the answer to PLAY.
    """

    description: bytes
    media: tuple[OpenedMedium, ...]
    transport: str
    sockets: tuple[socket.socket, ...]
    control: Mapping[str, Any] = field(repr=False)
    rest: bytes = field(default=b"", repr=False)


class NotOpened(Exception):
    """The stream could not be opened; the text is the reason in words.

    `wait`: seconds before the next attempt has a meaning, where the device or the monitor tells
    (no free session, no login left); None for the usual back-off. `cause`: OFF, CUT, REFUSED,
    RETIRED, INCOMPLETE, NO_SUB or SERVER of `video.outages`.
    """

    def __init__(self, reason: str, wait: float | None = None, cause: str = OFF) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Format:
    """What a stream holds, from its parameter sets.

    `codecs` is the codec string for MediaSource, such as `avc1.64001f,mp4a.40.2`; empty where MP4
    cannot hold the video (MJPEG). `video` and `audio` are `h264`, `h265`, `mjpeg`, `aac`, or empty.
    `notes` are sentences for people, such as "The sound (GSM) is left out".
    """

    video: str
    width: int
    height: int
    codecs: str = ""
    rate: float | None = None
    audio: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamState:
    """What a stream does now.

    `since` is when this activity began, `picture_at` when the newest video packet came (both wall
    clock, UTC). `key_distance`: seconds between the last two key frames. `cause`: while it is
    RETRYING, as in `NotOpened`.
    """

    activity: str
    since: datetime
    reason: str = ""
    format: Format | None = None
    picture_at: datetime | None = None
    key_distance: float | None = None
    transport: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Init:
    """The beginning of fragmented MP4 (`ftyp` and `moov`); a new one follows a change of format."""

    format: Format
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fragment:
    """One `moof` and `mdat`. `at`: when its first packet arrived, in seconds of the Unix clock."""

    data: bytes = field(repr=False)
    is_key: bool
    at: float


@dataclass(frozen=True, slots=True)
class Picture:
    """One JPEG. `source`: width and height before it was scaled. `grey`: the same as a small binary
    PGM, where that was wished for; there can be nothing but that."""

    data: bytes = field(repr=False)
    width: int
    height: int
    source: tuple[int, int]
    at: float
    grey: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """Where and how a child records a stream. `folder` is that of the device, which is there and
    proved; `seconds`: a file ends at the first key frame after so many."""

    folder: Path
    seconds: float = 300.0
    with_audio: bool = True


@dataclass(frozen=True, slots=True)
class SegmentProgress:
    """A file that grows, or was closed. `started_at` and `ended_at` are times of the wall clock,
    true to the server's clock within a second. `header`: bytes of `ftyp` and `moov`. `reason`: why
    it ended, empty for one that was closed after its time (`asked`, `format`, `stream`, `disk`).
    `error`: what the disk said."""

    path: Path
    started_at: datetime
    ended_at: datetime
    size: int
    header: int
    frames: int
    format: Format
    is_closed: bool = False
    reason: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class LinkCounts:
    """What a stream did since the count before, a minute or less ago."""

    seconds: float
    frames: int
    bytes: int
    lost: int
    reconnects: int
    stalls: int
    longest_key_distance: float
