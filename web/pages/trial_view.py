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
    "picture": "Picture",
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

NEEDS_LOGIN = "Choose “User name and password”, and enter them."
NEEDS_PATH = "Enter the path of the stream. The manual of the device names it."
NEEDS_URL = (
    "Enter the stream URL with its path as the address: {server}/PATH. The manual of the device "
    "names the path."
)
ON_ITS_PAGE = " under Connections"
"""Where the advice for a saved device leads, which is the form itself in a test."""


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
class TrialForm:
    """The form whose connection is tested: the URL of its RTSP server without a path, whether it
    has a field for the path, and whether it has a login."""

    server: str = ""
    has_path: bool = False
    has_login: bool = True


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step: what was asked, the result, and what to do next. `mark` and `state` are shape and
    word of the result."""

    title: str
    mark: str
    state: str
    text: str
    next: str = ""


def is_shown(step: Step) -> bool:
    """False for the result, and for a device that says nothing of itself before a login, as most
    do: that is no fault."""
    is_silent = step.name == "identify" and step.state == "skipped"
    return step.name != RESULT and not is_silent


def row(step: Step, form: TrialForm, is_enough: bool = True) -> StepRow:
    """One step. A protocol that a device does not offer is no failure while another one works or
    may work (`is_enough`)."""
    source = SOURCES.get(step.source, step.source)
    title = f"{source}: {TITLES.get(step.name, step.name).lower()}"
    text = sentence(step.text)
    if step.state == "failed" and step.name == "connect" and is_enough:
        return StepRow(title, MARKS["skipped"], "not available", text)
    hint = _next(step, source, form) if step.state == "failed" else ""
    return StepRow(title, MARKS[step.state], STATES[step.state], text, hint)


def rows(steps: Iterable[Step], form: TrialForm) -> list[StepRow]:
    """All steps of a test that has ended."""
    done = list(steps)
    is_enough = any(step.name in ("connect", RESULT) and step.state == "ok" for step in done)
    shown = [row(step, form, is_enough) for step in done if is_shown(step)]
    # One reason to skip several steps is enough.
    pairs = zip([None, *shown], shown, strict=False)
    return [new for old, new in pairs if not (old and _is_skipped_alike(old, new))]


def _is_skipped_alike(old: StepRow, new: StepRow) -> bool:
    return old.state == new.state == STATES["skipped"] and old.text == new.text


def _next(step: Step, source: str, form: TrialForm) -> str:
    reason = str(step.facts.get("reason", ""))
    if reason == "login.wrong":
        return NEXT["login"] if form.has_login else NEEDS_LOGIN
    if reason == "stream.path":
        return NEEDS_PATH if form.has_path else NEEDS_URL.format(server=form.server)
    known = remedies.what_to_do(reason).replace(ON_ITS_PAGE, "")
    if step.name == "connect":
        known = known or remedies.of_miss(step.text)
    return known or NEXT.get(step.name, "").format(source=source)


def sentence(text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    end = "" if text.endswith((".", "!", "?")) else "."
    return f"{text[0].upper()}{text[1:]}{end}"
