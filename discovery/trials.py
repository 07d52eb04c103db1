"""Try an address and a login before a device is saved: nothing of a trial is kept.

Each source is asked twice by its `probe`: first without the login, then with it. A login that one
source saw refused is not tried by the next one, and the budget of discovery/logins.py holds for
trials as well.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore
from typing import Any

from discovery.logins import WRONG, LoginGate
from discovery.outcomes import name_of, outcome
from discovery.probe_tasks import ProbeTasks
from fleet import identity
from fleet.logins import MAX_REFUSALS, NO_LOGIN
from fleet.model import (
    DEFAULT_SITE,
    Access,
    CannotAsk,
    Finding,
    Learned,
    Miss,
    NoAnswer,
    Report,
    Sighting,
    Target,
)
from fleet.places import access_key, place
from sources import net
from sources.source import SessionRefused, Source
from store.masking import masked
from store.secret_texts import SecretTexts

log = logging.getLogger(__name__)
OK, FAILED, SKIPPED = "ok", "failed", "skipped"
"""The states of a step."""
NAMES = ("connect", "identify", "login", "streams", "describe", "result")
"""The steps of each source in their order, and the result of all."""
ONVIF, RTSP = "onvif", "rtsp"
TITLES = {ONVIF: "ONVIF", RTSP: "RTSP"}
MAX_TRIALS = 8
"""Trials that run at once."""
MAX_TEXT, MAX_ENTRIES, MAX_DEPTH = 500, 256, 6
"""Characters of a text that a device says, entries of its lists and objects, and their levels."""
CHANGED = "tls.changed"
REFUSALS_BEFORE = MAX_REFUSALS - 1
"""Refusals that a source is told of, so that it tries a login once, whatever the device offers."""


class TooManyTrials(Exception):
    """So many trials run already that this one was not begun."""


@dataclass(frozen=True, slots=True)
class Way:
    """How one source reaches the device of a trial, as in Access. `tls_pin` is the certificate that
    is accepted; None for the first one."""

    source: str
    port: int | None = None
    path: str = ""
    tls: bool = False
    tls_pin: str | None = None


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """An address and a login that a person gave. `username` is None for no login; with a user name,
    `password` is None for an empty password. Unless `may_login`, only what needs no login is asked:
    `no_login_reason` says why. `digest_only`: the password is not the person's own, so it is used
    only in ways that do not reveal it to the device."""

    host: str
    ways: tuple[Way, ...] = (Way(ONVIF), Way(RTSP))
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    may_login: bool = True
    no_login_reason: str = ""
    digest_only: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a trial: `name` is one of NAMES, `state` one of those above, `text` says what
    happened, `facts` are what was found. `source` is empty in the result.

    The facts of the result: `name`, `model`, `serial`, `firmware` and `mac`; `sources` that gave a
    stream or accepted the login; `streams` and `channels`, each a list of objects with `path` and
    whatever else the device says of them, such as `profile`, `codec`, `width` and `height`. A
    channel has its `key`, too.
    """

    name: str
    state: str
    text: str
    source: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Trial:
    """A trial that runs. Iterating gives its steps as they come; `close()` ends it early."""

    def __init__(self) -> None:
        self._steps: SimpleQueue[Step | None] = SimpleQueue()
        self._call: Future[None] | None = None

    def __iter__(self) -> Iterator[Step]:
        return (step for step in self.steps() if step is not None)

    def steps(self, pause: float | None = None) -> Iterator[Step | None]:
        """The steps as they come; None after each `pause` in seconds without one, so that the
        caller can notice that nobody waits any more."""
        try:
            while True:
                try:
                    step = self._steps.get(timeout=pause)
                except Empty:
                    yield None
                    continue
                if step is None:
                    return
                yield step
        finally:
            self.close()

    def close(self) -> None:
        """End the trial, if it still runs."""
        if self._call is not None:
            self._call.cancel()

    def add(self, step: Step) -> None:
        self._steps.put(step)

    def follow(self, call: Future[None]) -> None:
        """End with the call that runs the trial."""
        self._call = call
        call.add_done_callback(lambda _call: self._steps.put(None))


class Trials:
    """Runs trials, in the loop of the Scanner."""

    def __init__(self, sources: Mapping[str, Source], gate: LoginGate) -> None:
        self._sources = sources
        self.gate = gate
        self._probes = ProbeTasks()
        self._numbers = itertools.count(1)
        self._running: set[asyncio.Task[Any]] = set()
        self._places = BoundedSemaphore(MAX_TRIALS)

    def enter(self) -> None:
        """Take the place of one trial, which `leave` gives back. Raises TooManyTrials."""
        if not self._places.acquire(blocking=False):
            raise TooManyTrials

    def leave(self) -> None:
        """Give back the place of a trial that ended."""
        self._places.release()

    async def run(self, request: TrialRequest, tell: Callable[[Step], None]) -> None:
        """Ask every source of the request, one after the other, and tell each step."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            await _Asking(self, request, tell).run()
        finally:
            self._running.discard(task)

    async def close(self) -> None:
        """End all trials."""
        for task in self._running:
            task.cancel()
        await self._probes.close()

    def source(self, name: str) -> Source | None:
        source = self._sources.get(name)
        return source if source is not None and source.probe is not None else None

    async def probe(self, source: Source, target: Target) -> Sequence[Report] | BaseException:
        """The reports of one probe, or what it raised."""
        question = (-next(self._numbers), source.name)
        result: Sequence[Report] | BaseException = await outcome(
            lambda: self._probes.run(source, question, target)
        )
        return result


@dataclass(slots=True)
class _Asking:
    """One trial while it runs, and what it has found so far."""

    trials: Trials
    request: TrialRequest
    tell_raw: Callable[[Step], None]
    device: dict[str, Any] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    streams: list[dict[str, Any]] = field(default_factory=list)
    channels: list[dict[str, Any]] = field(default_factory=list)
    refused_by: str = ""
    """The title of the source whose login was refused."""

    async def run(self) -> None:
        for way in self.request.ways:
            source = self.trials.source(way.source)
            if source is None:
                text = f"{title_of(way.source)} is not available on this server"
                self.tell("connect", SKIPPED, text, way)
                continue
            await self.ask(source, self.with_found_path(way))
        self.tell_result()

    def with_found_path(self, way: Way) -> Way:
        """The way to the stream that ONVIF told, unless the person gave a path."""
        stream = next((stream for stream in self.streams if stream.get("path")), None)
        if way.source != RTSP or way.path or stream is None:
            return way
        port = stream.get("port")
        return replace(
            way, path=str(stream["path"]), port=way.port or (port if type(port) is int else None)
        )

    async def ask(self, source: Source, way: Way) -> None:
        reports = await self.trials.probe(source, self.target(way, with_login=False))
        if not self.tell_connected(reports, source, way):
            return
        self.tell_identity(_sightings(reports), way)
        if changed := _findings(reports).get(CHANGED):
            self.tell("login", FAILED, changed.text, way, {"reason": CHANGED})
            return
        if reason := self.no_login_reason():
            for name in ("login", "describe" if way.source == RTSP else "streams"):
                self.tell(name, SKIPPED, reason, way)
            return
        # The device that was identified is the one that gets the login.
        way = replace(way, tls_pin=way.tls_pin or _certificate(reports))
        reports = await self.with_login(source, way)
        if self.tell_login(reports, source, way) and not isinstance(reports, BaseException):
            self.tell_streams(reports, way)

    def no_login_reason(self) -> str:
        """Why no login is tried; empty if it may be."""
        request = self.request
        if not request.may_login:
            return request.no_login_reason
        if self.refused_by:
            return f"Not tried: the device refused this login over {self.refused_by}"
        if request.username is None:
            return ""
        return self.trials.gate.trial_obstacle(request.host, request.username, _now())

    async def with_login(self, source: Source, way: Way) -> Sequence[Report] | BaseException:
        """What the source found with the login, which is spent while it is not known how the device
        took it."""
        target, username = self.target(way, with_login=True), self.request.username
        if username is None:
            return await self.trials.probe(source, target)
        tried = self.trials.gate.tried
        attempt = tried.begin(self.request.host, username, _now())
        reports = await self.trials.probe(source, target)
        if (refusal := _refusal(reports)) is not None:
            tried.refused(attempt, refusal.attempts_left)
            self.refused_by = title_of(way.source)
        elif _is_accepted(reports):
            tried.accepted(attempt)
        elif _sightings(reports) or isinstance(reports, SessionRefused):
            tried.unspent(attempt)
        return reports

    def target(self, way: Way, *, with_login: bool) -> Target:
        """The target of a question, which may spend one refused login at most."""
        request = self.request
        options: dict[str, Any] = {"tls": True} if way.tls else {}
        if request.username is None:
            options["login"] = NO_LOGIN
        access = Access(request.host, way.port, way.path)
        target = Target(
            DEFAULT_SITE,
            access_key(way.source, access) or "",
            request.host,
            way.port,
            way.path,
            tls_pin=way.tls_pin,
            options=options,
            digest_only=request.digest_only,
            is_trial=True,
        )
        if not with_login:
            return replace(target, may_login=False)
        return replace(
            target,
            username=request.username,
            secret=request.password,
            refusals=REFUSALS_BEFORE,
        )

    # -- steps ---------------------------------------------------------------------------

    def tell(
        self, name: str, state: str, text: str, way: Way | None, facts: Mapping[str, Any] = {}
    ) -> None:
        """Tell a step without the password, whatever the device says."""
        source = way.source if way else ""
        texts = SecretTexts.of([self.request.password or ""], self.request.username)
        step = Step(name, state, shown(text, texts), source, shown(dict(facts), texts))
        self.tell_raw(step)

    def tell_connected(
        self, reports: Sequence[Report] | BaseException, source: Source, way: Way
    ) -> bool:
        at = place(Access(self.request.host, way.port))
        if reason := self.reason_of(reports, source):
            self.tell("connect", FAILED, f"{title_of(way.source)} at {at}: {reason}", way)
            return False
        pin = _certificate(reports)
        facts = {"certificate": pin} if pin else {}
        self.tell("connect", OK, f"{title_of(way.source)} responds at {at}", way, facts)
        return True

    def reason_of(self, reports: Sequence[Report] | BaseException, source: Source) -> str:
        """The reason why the device did not answer; empty if it did."""
        if not isinstance(reports, BaseException):
            misses = [report.reason for report in reports if isinstance(report, Miss)]
            return "" if _sightings(reports) else next(iter(misses), "the response is not usable")
        match reports:
            case SessionRefused():
                return "" if reports.reports else f"no free session ({reports.reason})"
            case TimeoutError():
                return f"no response within {source.timeout:g} s"
            case NoAnswer() | CannotAsk():
                return str(reports)
            case OSError():
                return net.reason_of(reports)
        name = name_of(reports) if isinstance(reports, Exception) else type(reports).__name__
        log.error("%s: internal error in a connection test (%s)", source.title, name)
        return f"internal error ({name}); see the log"

    def tell_identity(self, sightings: Sequence[Sighting], way: Way) -> None:
        facts = _identity(sightings)
        self.device |= {key: value for key, value in facts.items() if key not in self.device}
        if not facts:
            self.tell("identify", SKIPPED, "Not identified before login", way)
            return
        named = [str(facts[key]) for key in ("name", "model", "mac") if key in facts]
        self.tell("identify", OK, ", ".join(named) or "Identified", way, facts)

    def tell_login(
        self, reports: Sequence[Report] | BaseException, source: Source, way: Way
    ) -> bool:
        findings = _findings(reports)
        for kind in (CHANGED, WRONG, "login.method", "login.clock"):
            if kind in findings:
                self.tell("login", FAILED, findings[kind].text, way, {"reason": kind})
                return False
        if isinstance(reports, SessionRefused):
            text = f"The device is {reports.reason}. Close other viewers, then test again"
            self.tell("login", SKIPPED, text, way, {"reason": "busy"})
            self.sources.append(way.source)
            return False
        if reason := self.reason_of(reports, source):
            self.tell("login", FAILED, f"The device stopped responding: {reason}", way)
            return False
        methods = [s.learned.method for s in _sightings(reports) if s.learned and s.learned.method]
        if "login.none" in findings:
            text = findings["login.none"].text
        elif methods and self.request.username is not None:
            text = f"Logged in as {self.request.username}"
        else:
            text = "No login required"
        self.tell("login", OK, text, way, {"method": methods[0]} if methods else {})
        self.sources.append(way.source)
        return True

    def tell_streams(self, reports: Sequence[Report], way: Way) -> None:
        """Tell what was found with the login: the streams or channels, or one stream's codec."""
        sightings, findings = _sightings(reports), _findings(reports)
        self.device |= {
            key: value for key, value in _identity(sightings).items() if key not in self.device
        }
        is_rtsp = way.source == RTSP
        name = "describe" if is_rtsp else "streams"
        broken = [fault for kind, fault in findings.items() if kind.startswith("stream.")]
        if broken:
            self.tell(name, FAILED, broken[0].text, way, {"reason": broken[0].kind})
            self.sources.remove(way.source)
            return
        channels, streams = channels_of(sightings), streams_of(sightings)
        if is_rtsp and not channels:
            self.describe(streams, way)
            return
        self.channels = self.channels or channels
        self.streams = self.streams or streams
        count = len(channels or streams)
        noun = "channel" if channels else "stream"
        text = f"{count} {noun}" if count == 1 else f"{count} {noun}s"
        facts = {"channels": channels} if channels else {"streams": streams}
        self.tell(name, OK if count else FAILED, text if count else "No streams", way, facts)

    def describe(self, streams: list[dict[str, Any]], way: Way) -> None:
        facts = {key: value for stream in streams[:1] for key, value in stream.items()}
        facts["path"] = way.path
        for stream in self.streams:
            if stream.get("path") == way.path:
                stream |= facts
                break
        else:
            self.streams.insert(0, facts)
        self.tell("describe", OK, stream_text(facts), way, facts)

    def tell_result(self) -> None:
        facts = {
            **self.device,
            "sources": self.sources,
            "streams": self.streams,
            "channels": self.channels,
        }
        if self.sources:
            named = " and ".join(title_of(name) for name in self.sources)
            self.tell("result", OK, f"Reachable by {named}", None, facts)
        else:
            self.tell("result", FAILED, "No working connection found", None, facts)


# -- what a device said ----------------------------------------------------------------------


def title_of(source: str) -> str:
    return TITLES.get(source, source)


def _sightings(reports: Sequence[Report] | BaseException) -> list[Sighting]:
    if isinstance(reports, SessionRefused):
        reports = reports.reports
    if isinstance(reports, BaseException):
        return []
    return [report for report in reports if isinstance(report, Sighting)]


def _findings(reports: Sequence[Report] | BaseException) -> dict[str, Finding]:
    if isinstance(reports, SessionRefused):
        reports = reports.reports
    if isinstance(reports, BaseException):
        return {}
    findings = [report for report in reports if isinstance(report, Finding)]
    return {finding.kind: finding for finding in findings if not finding.cleared}


def _certificate(reports: Sequence[Report] | BaseException) -> str | None:
    """The fingerprint of the certificate that the source met, if any."""
    learned = [sighting.learned for sighting in _sightings(reports) if sighting.learned]
    return next((known.tls_pin for known in learned if known.tls_pin), None)


def _refusal(reports: Sequence[Report] | BaseException) -> Learned | None:
    """What was learned when a password was refused; None where none was."""
    learned = [sighting.learned for sighting in _sightings(reports) if sighting.learned]
    spent = [known for known in learned if (known.refusals or 0) > REFUSALS_BEFORE]
    if not spent and WRONG in _findings(reports):
        return Learned()
    return spent[0] if spent else None


def _is_accepted(reports: Sequence[Report] | BaseException) -> bool:
    return any(s.learned is not None and bool(s.learned.method) for s in _sightings(reports))


def _now() -> float:
    return asyncio.get_running_loop().time()


def is_channel(sighting: Sighting) -> bool:
    return any(key.startswith(identity.CHANNEL) for key in sighting.identities)


def _identity(sightings: Sequence[Sighting]) -> dict[str, Any]:
    """What the device itself says of itself."""
    facts: dict[str, Any] = {}
    for sighting in sightings:
        if is_channel(sighting):
            continue
        own = {name: getattr(sighting, name) for name in ("name", "model", "serial", "firmware")}
        own["mac"] = next(iter(identity.macs(sighting.identities)), None)
        facts |= {key: value for key, value in own.items() if value and key not in facts}
    return facts


def channels_of(sightings: Sequence[Sighting]) -> list[dict[str, Any]]:
    """The channels of a recorder, each with its name and stream."""
    return [
        {
            "name": sighting.name,
            **sighting.facts,
            "path": sighting.links.get("stream", ""),
            "key": next(key for key in sighting.identities if key.startswith(identity.CHANNEL)),
        }
        for sighting in sightings
        if is_channel(sighting)
    ]


def streams_of(sightings: Sequence[Sighting]) -> list[dict[str, Any]]:
    """The streams of a camera: those in its facts `streams`, else the one of its link."""
    for sighting in sightings:
        if is_channel(sighting):
            continue
        listed = sighting.facts.get("streams")
        if isinstance(listed, list | tuple) and listed:
            return [dict(stream) for stream in listed if isinstance(stream, Mapping)]
        if "stream" in sighting.links or sighting.facts:
            plain = {
                key: value
                for key, value in sighting.facts.items()
                if not isinstance(value, list | tuple | Mapping)
            }
            path = sighting.links.get("stream")
            return [plain | ({"path": path} if path is not None else {})]
    return []


def stream_text(facts: Mapping[str, Any]) -> str:
    """A stream in words: codec, size, rate."""
    parts = [str(facts["codec"])] if facts.get("codec") else []
    if facts.get("width") and facts.get("height"):
        parts.append(f"{facts['width']} × {facts['height']}")
    if facts.get("rate"):
        parts.append(f"{facts['rate']:g} fps" if isinstance(facts["rate"], int | float) else "")
    return ", ".join(part for part in parts if part) or "The device offers a stream"


def shown(value: Any, texts: SecretTexts, depth: int = 0) -> Any:
    """What a device said, bounded, without the password in any spelling."""
    if isinstance(value, str):
        return texts.hidden(masked(value[: 4 * MAX_TEXT]))[:MAX_TEXT]
    if depth >= MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        entries = itertools.islice(value.items(), MAX_ENTRIES)
        return {
            texts.hidden(str(key))[:MAX_TEXT]: shown(item, texts, depth + 1)
            for key, item in entries
        }
    if isinstance(value, list | tuple):
        return [shown(item, texts, depth + 1) for item in value[:MAX_ENTRIES]]
    return value if isinstance(value, bool | int | float | None) else shown(str(value), texts)
