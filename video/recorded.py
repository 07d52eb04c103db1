"""What is recorded, as values: segments are files, recordings are named ranges over them."""

from dataclasses import dataclass
from datetime import datetime

MANUAL, SCHEDULE, AUTO = "manual", "schedule", "auto"
KINDS = (MANUAL, SCHEDULE, AUTO)
"""What asked for a recording: a person, a schedule, or "always record" of the camera."""

RECORDING, COMPLETED, FAILED = "recording", "completed", "failed"
STATUSES = (RECORDING, COMPLETED, FAILED)
"""`failed`: nothing at all was recorded. One with gaps is `completed`."""

HIGH, MEDIUM, LOW = "high", "medium", "low"
QUALITIES = (HIGH, MEDIUM, LOW)
"""High and medium record the main stream, low the sub stream."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One file on the disk, `media/recordings/<device>/<file>`.

    `header`: bytes of `ftyp` and `moov`. `codec` is `h264`, `h265` or `mjpeg`, `codecs` the codec
    string of the file, empty where browsers have none. `rate`: frames per second, None while
    unknown. `reason`: why it ended before its time (`asked`, `format`, `stream`, `disk`,
    `restart`), or empty. `damaged`: why it cannot be played, or empty.
    """

    device: int
    stream: str
    file: str
    started_at: datetime
    ended_at: datetime
    size: int = 0
    header: int = 0
    frames: int = 0
    width: int = 0
    height: int = 0
    codec: str = ""
    codecs: str = ""
    audio: str = ""
    rate: float | None = None
    notes: tuple[str, ...] = ()
    closed: bool = False
    reason: str = ""
    protected: bool = False
    damaged: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Recording:
    """A named range over the segments of one stream; ranges that overlap share the files.

    `started_at` is when it was asked for. `ended_at` is None while it runs. `due_until`: when it
    ends by itself, None without an end. `schedule`: the number of its schedule. `deleted_at`: when
    it was deleted; until it is removed, that can be undone.
    """

    device: int
    stream: str
    name: str
    kind: str
    started_at: datetime
    quality: str = HIGH
    schedule: int | None = None
    ended_at: datetime | None = None
    due_until: datetime | None = None
    status: str = RECORDING
    reason: str = ""
    by: str = ""
    protected: bool = False
    deleted_at: datetime | None = None
    id: int = 0
