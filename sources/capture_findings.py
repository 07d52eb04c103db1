"""Say of a camera of this computer that it is connected and gives no picture.

That a camera is listed proves its cable as little as a device that answers a ping proves its
picture: its status stays, and the captures that fail are a finding, which a picture ends.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from fleet import identity
from fleet.model import Device, Finding

KIND, SOURCE = "capture.failed", "local"
AFTER = 3
"""Captures in a row that fail, before that is a finding."""
APART = 30.0
"""Seconds between two failures that are counted: who reloads a page three times proves no more
than who looks once."""
AGAIN_UNSURE, AGAIN_FOUND = 55.0, 300.0
"""Seconds after which a camera that failed is tried by itself: until it is a finding or gives a
picture, and while it is a finding."""


@dataclass(slots=True)
class _Row:
    """Failures in a row, and when the newest counted one and the newest capture were."""

    count: int
    counted_at: float
    tried_at: float


class CaptureFindings:
    """Counts the captures of each camera, by its key. `report` takes findings to the fleet."""

    def __init__(
        self,
        devices: Callable[[], Mapping[int, Device]],
        report: Callable[[Sequence[Finding]], object],
        clock: Callable[[], datetime],
        timer: Callable[[], float],
    ) -> None:
        self._devices = devices
        self._report = report
        self._clock = clock
        self._timer = timer
        self._lock = Lock()
        self._rows: dict[str, _Row] = {}

    def note_picture(self, key: str) -> None:
        """A capture gave a picture: what was wrong is over."""
        with self._lock:
            self._rows.pop(key, None)
        if self._text(key):
            self._tell(key, "", is_over=True)

    def note_failure(self, key: str, reason: str, is_certain: bool = False) -> None:
        """A capture failed for this reason, a sentence. `is_certain`: once is enough."""
        now = self._timer()
        with self._lock:
            row = self._rows.setdefault(key, _Row(0, -APART, now))
            row.tried_at = now
            if row.count == 0 or now - row.counted_at >= APART:
                row.count, row.counted_at = row.count + 1, now
            is_found = is_certain or row.count >= AFTER
        known = self._text(key)
        text = f"it is connected, but takes no picture: {reason[:1].lower()}{reason[1:]}"
        text = text.removesuffix(".")
        if (known or is_found) and text != known:
            self._tell(key, text)

    def note_absence(self, key: str) -> None:
        """The camera was not there, which its status says; only a finding is still to be ended."""
        with self._lock:
            self._rows.pop(key, None)
            if self._text(key):
                self._rows[key] = _Row(0, -APART, self._timer())

    def due(self) -> list[str]:
        """The cameras to try again now."""
        are_found = {
            key: bool(text)
            for device in self._devices().values()
            if device.retired_at is None and (key := key_of(device))
            if (text := _text_of(device)) or key in self._rows
        }
        now = self._timer()
        with self._lock:
            rows = {key: self._rows.setdefault(key, _Row(0, -APART, now)) for key in are_found}
        return [
            key
            for key, row in rows.items()
            if now - row.tried_at >= (AGAIN_FOUND if are_found[key] else AGAIN_UNSURE)
        ]

    def _text(self, key: str) -> str:
        """The text of the finding that the camera has."""
        devices = self._devices().values()
        return next((_text_of(device) for device in devices if key in device.identities), "")

    def _tell(self, key: str, text: str, *, is_over: bool = False) -> None:
        self._report([Finding(key, KIND, self._clock(), text, SOURCE, cleared=is_over)])


def key_of(device: Device | None) -> str:
    """The key by which a device is a camera of this computer; empty for any other device."""
    keys = device.identities if device else ()
    return next((key for key in keys if key.startswith(identity.LOCAL)), "")


def _text_of(device: Device) -> str:
    return next((fault.text for fault in device.findings if fault.kind == KIND), "")
