"""The steps of a connection test as the page shows them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from web.http import remedies

TITLES = {
    "connect": "Connection",
    "identify": "Device",
    "login": "Login",
    "streams": "Streams",
    "describe": "Stream",
}
SOURCES = {"onvif": "ONVIF", "rtsp": "RTSP"}
MARKS = {"ok": "active", "failed": "offline", "skipped": "unknown"}
STATES = {"ok": "passed", "failed": "failed", "skipped": "skipped"}
RESULT = "result"
NEXT = {
    "connect": "Check the address and the port, the power and the network cable, and that {source} "
    "is turned on in the menu of the device.",
    "login": "Check the user name and the password, then test again.",
    "streams": "Check in the menu of the device that a stream is turned on.",
    "describe": "Check the path of the stream in the manual of the device, then test again.",
}
"""What to do about a failed step for whose reason there is nothing more exact."""

OF_REASON = {
    "login.wrong": NEXT["login"],
    "stream.path": "Enter the stream URL with its path as the address: rtsp://192.168.1.20/PATH. "
    "The manual of the device names the path.",
}
"""What to do in a test where the advice for a saved device names its page."""


class Step(Protocol):
    """A step of a trial."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step: what was asked, the result, and what to do next. `mark` and `state` are shape and
    word of the result."""

    title: str
    mark: str
    state: str
    text: str
    next: str = ""


def row(step: Step, is_enough: bool = True) -> StepRow:
    """One step. A protocol that a device does not offer is no failure while another one works or
    may work (`is_enough`)."""
    source = SOURCES.get(step.source, step.source)
    title = f"{source}: {TITLES.get(step.name, step.name).lower()}"
    text = sentence(step.text)
    if step.state == "failed" and step.name == "connect" and is_enough:
        return StepRow(title, MARKS["skipped"], "not available", text)
    hint = _next(step, source) if step.state == "failed" else ""
    return StepRow(title, MARKS[step.state], STATES[step.state], text, hint)


def rows(steps: Iterable[Step]) -> list[StepRow]:
    """All steps of a test that has ended."""
    done = list(steps)
    is_enough = any(step.name in ("connect", RESULT) and step.state == "ok" for step in done)
    shown = [row(step, is_enough) for step in done if step.name != RESULT]
    # One reason to skip several steps is enough.
    pairs = zip([None, *shown], shown, strict=False)
    return [new for old, new in pairs if not (old and _is_skipped_alike(old, new))]


def _is_skipped_alike(old: StepRow, new: StepRow) -> bool:
    return old.state == new.state == STATES["skipped"] and old.text == new.text


def _next(step: Step, source: str) -> str:
    reason = str(step.facts.get("reason", ""))
    known = OF_REASON.get(reason) or remedies.what_to_do(reason)
    return known or NEXT.get(step.name, "").format(source=source)


def sentence(text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    end = "" if text.endswith((".", "!", "?")) else "."
    return f"{text[0].upper()}{text[1:]}{end}"
