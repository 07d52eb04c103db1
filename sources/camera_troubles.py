"""What can be wrong with a camera of this computer, and what people are told about it."""

import errno
import os
from collections.abc import Iterator

LIBRARY, ABSENT, BUSY, MEMORY = "library", "absent", "busy", "memory"
FORBIDDEN, SILENT, STUCK, FAILED = "forbidden", "silent", "stuck", "failed"
_CODES = {
    errno.EBUSY: BUSY,
    errno.ENOMEM: MEMORY,
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
    errno.ENOENT: ABSENT,
    errno.ENODEV: ABSENT,
    errno.ENXIO: ABSENT,
    errno.EIO: SILENT,
    errno.EPROTO: SILENT,
    errno.ETIMEDOUT: SILENT,
    errno.EREMOTEIO: SILENT,
}
"""What the errors of the system mean for a camera."""
_TEXTS = {os.strerror(number): code for number, code in _CODES.items()}
"""libcamera's errors carry the text of the system's error, not its number."""
APT = "sudo apt install -y --no-install-recommends python3-picamera2"
"""The command for Raspberry Pi OS."""
REASONS = {
    LIBRARY: "The library for Raspberry Pi cameras (picamera2) is not installed",
    ABSENT: "This camera is not connected",
    BUSY: "The camera is in use by another program",
    MEMORY: "There is not enough memory for a picture, even at half size",
    FORBIDDEN: "Camera Monitor does not have permission to use the camera",
    SILENT: "The camera does not send a picture",
    STUCK: "The camera's driver does not respond, so the last capture cannot be ended",
    FAILED: "The camera failed to take a picture",
}
_FIND_PROGRAM = (
    "Stop that program, then try again. This command lists it: "
    "sudo fuser -v /dev/media* /dev/video*"
)
_HINTS = {
    LIBRARY: f"On Raspberry Pi OS, run: {APT}. The camera is found within 5 minutes.",
    BUSY: _FIND_PROGRAM,
    MEMORY: "Stop other programs on this computer, or restart it.",
    FORBIDDEN: (
        "Add the user that runs Camera Monitor to the group video "
        "(sudo usermod -aG video USER), then restart it."
    ),
    STUCK: "Restart this computer. Then check the camera cable and the power supply.",
    FAILED: "Try again. If it fails again, restart this computer.",
}
_PI_HINTS = {
    ABSENT: (
        "Shut down the Raspberry Pi, check both ends of the camera cable, then start it again. "
        "This command must list the camera: rpicam-hello --list-cameras"
    ),
    SILENT: (
        "The usual causes are the camera cable and the power supply. Shut down the Raspberry Pi, "
        "reseat both ends of the cable, and use the power supply that was made for it."
    ),
}
_USB_HINTS = {
    ABSENT: "Plug it into the same USB port again.",
    SILENT: (
        "The usual causes are the USB cable and too little power. Use another port or cable, "
        "or a USB hub with a power supply."
    ),
}


class Trouble(Exception):
    """A camera of this computer cannot be used: a code of `REASONS`, and what the library said."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code if code in REASONS else FAILED
        self.detail = detail


def trouble_of(error: BaseException) -> Trouble:
    """The trouble behind an error of a library, by its cause that says most."""
    for cause in _causes(error):
        if isinstance(cause, Trouble):
            return cause
        code = _code_of(cause)
        if code:
            return Trouble(code, str(cause))
    return Trouble(FAILED, f"{type(error).__name__}: {error}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _code_of(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return MEMORY
    if isinstance(error, OSError) and error.errno in _CODES:
        return _CODES[error.errno]
    return next((code for text, code in _TEXTS.items() if text in str(error)), "")


def hint_of(code: str, key: str) -> str:
    """What to do about a trouble of the camera with this key."""
    own = _PI_HINTS if key.startswith("pi:") else _USB_HINTS
    return own.get(code) or _HINTS.get(code, "")


def reason_of(trouble: Trouble) -> str:
    """The sentence about a trouble; one without a known cause has what the library said."""
    if trouble.code == FAILED and trouble.detail:
        return f"{REASONS[FAILED]}: {trouble.detail[:200]}"
    return REASONS[trouble.code]
