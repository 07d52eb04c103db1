"""Why streams had no picture, as values; and the causes of what is missing in recordings."""

from dataclasses import dataclass
from datetime import datetime, timedelta

OFF, RESTARTED, REFUSED, NO_PICTURE = "off", "restarted", "refused", "no_picture"
RETIRED, INCOMPLETE, NO_SUB = "retired", "incomplete", "no_sub"
DISK, SERVER, DAMAGED, UNSCHEDULED, UNKNOWN = (
    "disk",
    "server",
    "damaged",
    "unscheduled",
    "unknown",
)
CAUSES = {
    OFF: "Camera off",
    RESTARTED: "Camera restarted",
    REFUSED: "Camera refused the stream",
    NO_PICTURE: "No picture",
    RETIRED: "Camera retired or removed",
    INCOMPLETE: "Camera not set up",
    NO_SUB: "No sub stream",
    DISK: "Disk of the recordings",
    SERVER: "Camera Monitor restarted or was off",
    DAMAGED: "Recorded file is damaged",
    UNSCHEDULED: "Not scheduled",
    UNKNOWN: "Unknown",
}
"""The causes of gaps, as people read them."""
CUT = "cut"
"""The cause of a stream that the camera ended or a connection that it refused: it is OFF, or
restarts."""
RUNNING = "running"
"""The cause of the rows that say when this server ran; what is between them is SERVER."""
EVERYTHING = 0
"""The device of an outage that concerns all of them."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time without a picture, of one stream or of all. `ended` is None while it lasts. `reason`
    is what the stream said."""

    device: int
    stream: str
    began: datetime
    ended: datetime | None
    cause: str
    reason: str = ""
    id: int = 0


RESTARTS_WITHIN = timedelta(minutes=5)
"""A camera that restarts by its own plan answers again within this time."""


def is_restart(cause: str, length: timedelta, *, has_cut: bool) -> bool:
    """True if an outage looks like a restart of the camera: it answered again soon, and cut or
    refused connections meanwhile."""
    return cause == OFF and has_cut and length <= RESTARTS_WITHIN
