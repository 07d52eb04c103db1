"""Write the steps of a trial in words, and collect what they found."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from discovery.logins import WRONG
from discovery.outcomes import name_of
from discovery.trial_reports import (
    Reports,
    certificate_of,
    channels_of,
    findings_of,
    identity_of,
    sightings_of,
    stream_text,
    streams_of,
)
from discovery.trial_steps import (
    FAILED,
    OK,
    RTSP,
    SKIPPED,
    Step,
    TrialConnection,
    TrialPicture,
    TrialRequest,
    title_of,
)
from discovery.trial_texts import shown
from fleet.model import Access, CannotAsk, Miss, NoAnswer, Report, Sighting
from fleet.places import place
from fleet.reduce.channels import MAX_CHANNELS
from sources import net
from sources.source import SessionRefused, Source
from store.secret_texts import SecretTexts

log = logging.getLogger(__name__)
CHANGED = "tls.changed"
UNREADABLE = "stream.unreadable"


@dataclass(slots=True)
class StepWriter:
    """Writes the steps of one trial."""

    request: TrialRequest
    receiver: Callable[[Step], None]
    device: dict[str, Any] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    streams: list[dict[str, Any]] = field(default_factory=list)
    channels: list[dict[str, Any]] = field(default_factory=list)

    def write(
        self,
        name: str,
        state: str,
        text: str,
        connection: TrialConnection | None,
        facts: Mapping[str, Any] = {},
    ) -> None:
        """Write a step without the password, whatever the device says."""
        source = connection.source if connection else ""
        texts = SecretTexts.of([self.request.password or ""], self.request.username)
        step = Step(name, state, shown(text, texts), source, shown(dict(facts), texts))
        self.receiver(step)

    def write_connected(
        self, reports: Reports, source: Source, connection: TrialConnection
    ) -> bool:
        at = place(Access(self.request.host, connection.port))
        if reason := self.reason_of(reports, source):
            self.write(
                "connect", FAILED, f"{title_of(connection.source)} at {at}: {reason}", connection
            )
            return False
        pin = certificate_of(reports)
        facts = {"certificate": pin} if pin else {}
        self.write(
            "connect", OK, f"{title_of(connection.source)} responds at {at}", connection, facts
        )
        return True

    def reason_of(self, reports: Reports, source: Source) -> str:
        """The reason why the device did not answer; empty if it did."""
        if not isinstance(reports, BaseException):
            misses = [report.reason for report in reports if isinstance(report, Miss)]
            return "" if sightings_of(reports) else next(iter(misses), "the response is not usable")
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

    def write_identity(self, sightings: Sequence[Sighting], connection: TrialConnection) -> None:
        facts = identity_of(sightings)
        self.device |= {key: value for key, value in facts.items() if key not in self.device}
        if not facts:
            self.write("identify", SKIPPED, "No name, model or MAC before login", connection)
            return
        named = [str(facts[key]) for key in ("name", "model", "mac") if key in facts]
        self.write("identify", OK, ", ".join(named) or "Identified", connection, facts)

    def write_login(self, reports: Reports, source: Source, connection: TrialConnection) -> bool:
        findings = findings_of(reports)
        for kind in (CHANGED, WRONG, "login.method", "login.clock"):
            if kind in findings:
                self.write("login", FAILED, findings[kind].text, connection, {"reason": kind})
                return False
        if isinstance(reports, SessionRefused):
            text = f"The device is {reports.reason}. Close other viewers, then test again"
            self.write("login", SKIPPED, text, connection, {"reason": "busy"})
            self.sources.append(connection.source)
            return False
        if reason := self.reason_of(reports, source):
            self.write("login", FAILED, f"The device stopped responding: {reason}", connection)
            return False
        self.sources.append(connection.source)
        methods = [
            s.learned.method for s in sightings_of(reports) if s.learned and s.learned.method
        ]
        if "login.none" in findings:
            text = findings["login.none"].text
        elif methods and self.request.username is not None:
            name = f" as {self.request.username}" if self.request.shows_username else ""
            text = f"Logged in{name}"
        elif UNREADABLE in findings:
            self.write("login", SKIPPED, "Not known whether a login is required", connection)
            return True
        elif self.request.username is not None and any(k.startswith("stream.") for k in findings):
            text = "Not known whether the login is right: the device gave another error"
            self.write("login", SKIPPED, text, connection)
            return True
        else:
            text = "No login required"
        self.write("login", OK, text, connection, {"method": methods[0]} if methods else {})
        return True

    def write_streams(self, reports: Sequence[Report], connection: TrialConnection) -> None:
        """Write what was found with the login: the streams or channels, or one stream's codec."""
        sightings, findings = sightings_of(reports), findings_of(reports)
        self.device |= {
            key: value for key, value in identity_of(sightings).items() if key not in self.device
        }
        is_rtsp = connection.source == RTSP
        name = "describe" if is_rtsp else "streams"
        broken = [fault for kind, fault in findings.items() if kind.startswith("stream.")]
        if broken:
            self.write(name, FAILED, broken[0].text, connection, {"reason": broken[0].kind})
            self.sources.remove(connection.source)
            return
        every, streams = channels_of(sightings), streams_of(sightings)
        channels = every[:MAX_CHANNELS]
        if is_rtsp and not channels:
            self.describe(streams, connection)
            return
        self.channels = self.channels or channels
        self.streams = _merged(self.streams, streams)
        count = len(every or streams)
        noun = "channel" if channels else "stream"
        text = f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"
        if len(every) > MAX_CHANNELS:
            text += f"; only the first {MAX_CHANNELS} can be added to the list"
        facts = {"channels": channels} if channels else {"streams": streams}
        self.write(
            name, OK if count else FAILED, text if count else "No streams", connection, facts
        )

    def stream_to_describe(self) -> Mapping[str, Any] | None:
        """The first stream or channel with a path, if any; one without signal only if all are."""
        reachable = [stream for stream in (*self.channels, *self.streams) if stream.get("path")]
        lit = [stream for stream in reachable if stream.get("signal") is not False]
        return next(iter([*lit, *reachable]), None)

    def describe(self, streams: list[dict[str, Any]], connection: TrialConnection) -> None:
        facts = {key: value for stream in streams[:1] for key, value in stream.items()}
        facts["path"] = connection.path
        for stream in (*self.channels, *self.streams):
            if stream.get("path") == connection.path:
                stream |= facts
                break
        else:
            self.streams.insert(0, facts)
        self.write("describe", OK, stream_text(facts), connection, facts)

    def write_picture(self, picture: TrialPicture, connection: TrialConnection) -> None:
        text = f"{picture.width} × {picture.height}"
        self.receiver(Step("picture", OK, text, connection.source, picture=picture))

    def write_result(self) -> None:
        facts = {
            **self.device,
            "sources": self.sources,
            "streams": self.streams,
            "channels": self.channels,
        }
        if self.sources:
            named = " and ".join(title_of(name) for name in self.sources)
            self.write("result", OK, f"Reachable by {named}", None, facts)
        else:
            self.write("result", FAILED, "No working connection found", None, facts)


def _merged(
    known: Sequence[Mapping[str, Any]], streams: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The streams of both; one that was described already comes first and keeps its facts."""
    reported = {stream.get("path"): stream for stream in streams}
    described = [{**reported.get(stream.get("path"), {}), **stream} for stream in known]
    paths = {stream.get("path") for stream in known}
    return described + [dict(stream) for stream in streams if stream.get("path") not in paths]
