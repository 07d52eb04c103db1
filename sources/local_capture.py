"""Take pictures with the cameras of this computer: one capture at a time of each camera.

A caller that comes while a capture is under way waits for that one. A capture that hangs is killed,
and the camera is opened once more; one that not even a kill ends stays the only one, so that
processes never pile up.
"""

import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from fleet.model import Device, Finding
from fleet.package import Package
from fleet.pictures import NO_THREAD, NotJpeg, NotOffered, NotTaken, TakenPicture, jpeg_size
from sources import camera_messages, camera_troubles
from sources.camera_messages import Message
from sources.camera_process import CameraProcesses, Hung, Limits, Lost
from sources.camera_troubles import Trouble
from sources.capture_findings import CaptureFindings, key_of

log = logging.getLogger(__name__)
SYSTEM_PYTHON = "/usr/bin/python3"
"""Raspberry Pi OS has picamera2 for this one only."""
HALF_NOTE = "Half size: there was not enough memory for the full size."


@dataclass(frozen=True, slots=True)
class Machine:
    """Where this computer shows its cameras, which of them are used (as LOCAL_CAMERAS), and which
    Pythons can use them, the first that has the library."""

    used: str = "pi"
    pythons: tuple[str, ...] = tuple(dict.fromkeys((sys.executable, SYSTEM_PYTHON)))
    dev: Path = Path("/dev")
    sys: Path = Path("/sys/class/video4linux")

    def uses(self, key: str) -> bool:
        """True if the camera with this key is to be used."""
        return self.used == "all" or (self.used == "pi" and key.startswith("pi:"))

    def nodes(self) -> tuple[str, ...]:
        """The names of the kernel's video devices. Without any there is no camera to use."""
        if self.used == "none":
            return ()
        try:
            names = sorted(path.name for path in self.dev.iterdir())
        except OSError:
            return ()
        return tuple(name for name in names if name.startswith(("video", "media")))


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """Options of these cameras, by their names in `settings.py`."""

    local_cameras: str
    camera_python: Path | None
    pi_camera_rotation: str
    pi_camera_flip: str


@dataclass(frozen=True, slots=True)
class Mounting:
    """How the Pi camera is mounted: its picture is flipped ("none", "horizontal", "vertical" or
    "both"), then rotated clockwise by 0, 90, 180 or 270 degrees."""

    rotation: int = 0
    flip: str = "none"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: the limits of a capture, how long exposure and colours may settle, and for how long
    half the size is taken after memory was short: the picture of the next hour tries the full
    one."""

    limits: Limits = field(default_factory=Limits)
    warm_up: float = 2.0
    half_for: float = 3300.0


def machine_of(local_cameras: str, camera_python: Path | None) -> Machine:
    """This computer, with the cameras to use and the Python to use them with."""
    if camera_python:
        return Machine(local_cameras, (str(camera_python),))
    return Machine(local_cameras)


def build_local_cameras(
    options: CameraOptions,
    devices: Callable[[], Mapping[int, Device]],
    report: Callable[[Sequence[Finding]], object],
    clock: Callable[[], datetime],
) -> "LocalCameras":
    """The cameras of this computer with the options of `settings.py`. `report` takes findings to
    the fleet."""
    mounting = Mounting(int(options.pi_camera_rotation), options.pi_camera_flip)
    machine = machine_of(options.local_cameras, options.camera_python)
    return LocalCameras(devices, report, clock, machine, mounting)


@dataclass(slots=True)
class _Capture:
    """A capture that is under way; one of the two is set when it is `done`."""

    done: Event = field(default_factory=Event)
    picture: TakenPicture | None = None
    failure: NotTaken | None = None
    process: subprocess.Popen[bytes] | None = None


class LocalCameras(Package):
    """Takes the pictures. `devices` are those of the fleet, by number."""

    def __init__(
        self,
        devices: Callable[[], Mapping[int, Device]],
        report: Callable[[Sequence[Finding]], object],
        clock: Callable[[], datetime],
        machine: Machine,
        mounting: Mounting,
        timing: Timing | None = None,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self._devices = devices
        self._clock = clock
        self._machine = machine
        self._mounting = mounting
        self._timing = timing = timing or Timing()
        self._limits = Limits(timing.limits.start, timing.limits.picture + timing.warm_up)
        self._processes = CameraProcesses()
        self._lock = Lock()
        self._captures: dict[str, _Capture] = {}
        self._half_since: dict[str, float] = {}
        self._findings = CaptureFindings(devices, report, clock, timer)
        self._is_stopped = False

    def capture(self, device: int, timeout: float) -> TakenPicture:
        """A picture of this device, from a capture that began before or with this call. Raises
        NotOffered for a device that is no camera of this computer, and NotTaken."""
        key = key_of(self._devices().get(device))
        if not key:
            raise NotOffered("This camera is not connected to this server itself.")
        if not self._machine.uses(key):
            raise NotTaken(
                "The option LOCAL_CAMERAS does not include this camera.",
                "Set it to all, then restart Camera Monitor.",
            )
        capture = self._begun(key)
        if not capture.done.wait(timeout):
            raise NotTaken(
                "The camera has not sent its picture yet.",
                "Try again in a few seconds.",
                wait=5.0,
            )
        if capture.picture:
            return capture.picture
        failure = capture.failure or NotTaken("The camera could not be used: see the log.")
        raise NotTaken(failure.reason, failure.hint, failure.wait)

    def tick(self) -> str:
        """Try the cameras again that failed, so that a finding comes and ends by itself."""
        for key in self._findings.due():
            if self._machine.uses(key) and not self._is_stopped:
                with suppress(NotTaken):
                    self._begun(key)
        return ""

    def stop(self) -> None:
        """End every capture."""
        self._is_stopped = True
        self._processes.stop()

    def _begun(self, key: str) -> _Capture:
        """The capture of this camera that is under way or stuck, or a new one. Raises NotTaken."""
        with self._lock:
            capture = self._captures.get(key)
            if capture and (not capture.done.is_set() or _is_alive(capture)):
                return capture
            capture = _Capture()
            try:
                Thread(target=self._run, args=(key, capture), name="camera", daemon=True).start()
            except RuntimeError:
                raise NotTaken(*NO_THREAD) from None
            self._captures[key] = capture
            return capture

    def _run(self, key: str, capture: _Capture) -> None:
        try:
            code = self._attempt(key, capture)
            self._note(key, capture, code)
        finally:
            capture.done.set()
            self._forget(key, capture)

    def _forget(self, key: str, capture: _Capture) -> None:
        """Keep no picture once it was given to those who waited, only a process that is stuck."""
        with self._lock:
            if self._captures.get(key) is capture and not _is_alive(capture):
                del self._captures[key]

    def _attempt(self, key: str, capture: _Capture) -> str:
        """Take the picture; the code of the trouble that prevents it."""
        try:
            capture.picture = self._taken(key, capture)
        except NotTaken as failure:
            capture.failure = failure
        except Trouble as trouble:
            code, reason = trouble.code, f"{camera_troubles.reason_of(trouble)}."
            capture.failure = NotTaken(reason, camera_troubles.hint_of(code, key))
            log.info("No picture of %s: %s (%s)", key, code, trouble.detail)
            return code
        return ""

    def _note(self, key: str, capture: _Capture, code: str) -> None:
        """Judge the camera by a capture whose trouble has this code."""
        if capture.picture:
            self._findings.note_picture(key)
        elif code == camera_troubles.ABSENT:
            self._findings.note_absence(key)
        elif capture.failure and not self._is_stopped:
            is_certain = code == camera_troubles.STUCK
            self._findings.note_failure(key, capture.failure.reason, is_certain)

    def _taken(self, key: str, capture: _Capture) -> TakenPicture:
        """A picture in full size, or in half size where memory does not suffice. Raises NotTaken
        and Trouble."""
        since = self._half_since.get(key)
        if since is None or monotonic() - since >= self._timing.half_for:
            try:
                return self._picture(self._request(key, half=False), capture)
            except Trouble as trouble:
                if trouble.code != camera_troubles.MEMORY:
                    raise
            self._half_since[key] = monotonic()
        return self._picture(self._request(key, half=True), capture, (HALF_NOTE,))

    def _request(self, key: str, *, half: bool) -> dict[str, Any]:
        return {
            "do": "take",
            "key": key,
            "half": half,
            "warm_up": self._timing.warm_up,
            "rotation": self._mounting.rotation,
            "flip": self._mounting.flip,
            "sys": str(self._machine.sys),
            "dev": str(self._machine.dev),
        }

    def _picture(
        self, request: Mapping[str, Any], capture: _Capture, notes: tuple[str, ...] = ()
    ) -> TakenPicture:
        head, data = self._reopened(request, capture)
        if head.get("kind") != camera_messages.PICTURE:
            raise Trouble(str(head.get("code")), str(head.get("detail", "")))
        try:
            width, height = jpeg_size(data)
        except NotJpeg as error:
            raise NotTaken(str(error), "Try again.") from None
        way = request["key"].partition(":")[0]
        return TakenPicture(data, width, height, self._clock(), way, notes)

    def _reopened(self, request: Mapping[str, Any], capture: _Capture) -> Message:
        """The answer; a camera that hangs is opened once more. Raises Trouble."""
        try:
            return self._answered(request)
        except Hung as hung:
            self._note_stuck(hung, capture)
        try:
            return self._answered(request)
        except Hung as hung:
            self._note_stuck(hung, capture)
        raise Trouble(camera_troubles.SILENT, "no frame in time, twice")

    def _note_stuck(self, hung: Hung, capture: _Capture) -> None:
        """Keep a process that not even a kill has ended. Raises Trouble for it: the camera cannot
        be opened while that one has it."""
        if hung.process is not None:
            capture.process = hung.process
            raise Trouble(camera_troubles.STUCK)

    def _answered(self, request: Mapping[str, Any]) -> Message:
        """The answer of the first Python that has the library. Raises Hung and Trouble."""
        try:
            return ask_first(self._processes, self._machine.pythons, request, self._limits)
        except Lost as lost:
            code = camera_troubles.FAILED
            if lost.code == -signal.SIGKILL:
                code = camera_troubles.MEMORY  # by the kernel, which had none left
            raise Trouble(code, _last_line(lost.text) or str(lost)) from None
        except OSError as error:
            raise camera_troubles.trouble_of(error) from None


def ask_first(
    processes: CameraProcesses,
    pythons: tuple[str, ...],
    request: Mapping[str, Any],
    limits: Limits,
) -> Message:
    """The answer of the first Python that has the camera's library, or else that of the first.
    Raises Lost, Hung and OSError."""
    first = processes.ask(pythons[0], request, limits)
    if first[0].get("code") != camera_troubles.LIBRARY:
        return first
    for python in pythons[1:]:
        if Path(python).exists():
            answer = processes.ask(python, request, limits)
            if answer[0].get("code") != camera_troubles.LIBRARY:
                return answer
    return first


def _is_alive(capture: _Capture) -> bool:
    return capture.process is not None and capture.process.poll() is None


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2][-200:]
