"""Tell what is wrong with recordings, as findings about their cameras.

Lengths of time run on the monotonic clock: a clock that is set raises no finding.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from fleet.model import Device, Finding
from video.model import ENDED, NO_PICTURE, PLAYING, StreamKey, StreamState
from video.retention import DaysKept

MISSING, NO_VIDEO, SHORT = "recording.missing", "video.none", "recording.short"
"""The kinds of findings: due and not recorded; it answers and sends no video; its recordings are
deleted before their time."""
SOURCE = "video"
LATE = 600.0
"""Seconds without anything recorded, from which on that is a finding."""
FORGIVEN = 0.95
"""A camera that keeps this part of its required days is not short; the rate of recording varies."""


class RecordingWatch:
    """Watches what is due and what grows. `report` takes findings to the fleet; it is only called
    when there is something to tell."""

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
        self._sizes: dict[int, object] = {}
        self._grew_at: dict[int, float] = {}
        self._has_grown: set[int] = set()

    def look(
        self, due: Iterable[int], sizes: Mapping[int, object], reason: Callable[[int], str]
    ) -> None:
        """Judge the devices that are due. `sizes` has a value for each device that is recorded,
        which changes whenever something is on the disk; `reason` is why nothing comes."""
        now, expected = self._timer(), set(due)
        grown = {each for each in expected & sizes.keys() if sizes[each] != self._sizes.get(each)}
        self._sizes = dict(sizes)
        self._grew_at = {
            each: now if each in grown else self._grew_at.get(each, now) for each in expected
        }
        late = {each for each, at in self._grew_at.items() if now - at >= LATE}
        # A finding from before the start lasts until something is recorded.
        self._has_grown = (self._has_grown | grown) & expected - late
        texts = {each: _missing_text(reason(each)) for each in late}
        self._tell(MISSING, texts, expected - self._has_grown)

    def note(self, key: StreamKey, state: StreamState) -> None:
        """Note what a stream does now: without video for the time that it is waited for, that is a
        finding."""
        if state.activity not in (NO_PICTURE, PLAYING, ENDED):
            return
        if (device := self._devices().get(key.device)) is None:
            return
        if state.activity == NO_PICTURE and not _has(device, NO_VIDEO):
            text = f"it answers, and its {key.name} stream has no video"
            self._report([self._finding(device.id, NO_VIDEO, text, stream=key.name)])
        if state.activity == PLAYING and _stream_of(device, NO_VIDEO) == key.name:
            self._report([self._finding(device.id, NO_VIDEO, cleared=True)])

    def note_days(self, days: Iterable[DaysKept]) -> None:
        """Note how long the recordings of each camera are kept."""
        short = {each.device: each for each in days if each.is_short}
        texts = {
            number: f"its recordings are kept for about {each.expected:.0f} of "
            f"{each.required} required days"
            for number, each in short.items()
            if each.expected < each.required * FORGIVEN
        }
        self._tell(SHORT, texts, short.keys())

    def _tell(self, kind: str, texts: Mapping[int, str], kept: Iterable[int]) -> None:
        """Raise a finding for each text, and clear it of all other devices but `kept`. One that is
        known keeps its text."""
        keep, devices = set(kept), self._devices()
        findings = [
            self._finding(number, kind, text)
            for number, text in texts.items()
            if number in devices and not _has(devices[number], kind)
        ]
        findings += [
            self._finding(device.id, kind, cleared=True)
            for device in devices.values()
            if device.id not in keep and _has(device, kind)
        ]
        if findings:
            self._report(findings)

    def _finding(
        self, device: int, kind: str, text: str = "", *, stream: str = "", cleared: bool = False
    ) -> Finding:
        evidence = {"stream": stream} if stream else {}
        now = self._clock()
        return Finding(f"id:{device}", kind, now, text, SOURCE, evidence, cleared=cleared)


def _has(device: Device, kind: str) -> bool:
    return any(fault.kind == kind and fault.source == SOURCE for fault in device.findings)


def _stream_of(device: Device, kind: str) -> str:
    """The stream that the finding is about; empty without one."""
    streams = (fault.evidence.get("stream", "") for fault in device.findings if fault.kind == kind)
    return str(next(streams, ""))


def _missing_text(reason: str) -> str:
    text = f"nothing was recorded for {LATE / 60:.0f} minutes though it is due"
    return f"{text}: {reason}" if reason else text
