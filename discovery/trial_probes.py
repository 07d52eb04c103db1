"""Ask one source of a trial, within the login budget of discovery/logins.py."""

import hmac
import itertools
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from discovery import verdicts
from discovery.logins import WRONG, LoginGate
from discovery.loop_time import loop_time
from discovery.outcomes import outcome
from discovery.probe_tasks import ProbeTasks
from discovery.proving import OtherDevice, Proving
from discovery.refused_logins import PAUSE, SentLogin, port_of
from discovery.trial_reports import Reports, findings_of, sightings_of
from discovery.trial_steps import RTSP, TrialConnection, TrialRequest, title_of
from discovery.verdicts import Verdict
from fleet import identity, path_logins
from fleet.logins import MAX_REFUSALS, NO_LOGIN
from fleet.model import DEFAULT_SITE, Access, Device, Learned, Target
from fleet.places import access_key
from sources.source import SessionRefused, Source

REFUSALS_BEFORE = MAX_REFUSALS - 1
"""Refusals that a source is told of, so that it tries a login once, whatever the device offers. A
login in the path of a stream may be needed as a Digest, too, so it has all that is left."""
MAX_REFUSED = 1000
"""Refused logins of which it is remembered where."""
OTHER_DEVICE = "Another device responds at this address, so the saved login is not sent"


class TrialTurns:
    """Whose turn it is among the protocols of a device, which may have accounts of their own: the
    next test of a login asks at a port that did not refuse it lately.

    It counts nothing, unlike RefusedLogins, which limits what checks and tests cost together and
    outlives a restart: a login that any port of the device accepts is forgotten here at all of
    them, and keeps its refusals there. In memory, by a keyed hash of each login.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._ports: dict[bytes, dict[int | None, float]] = {}

    def refusing(self, sent: SentLogin, now: float) -> set[int | None]:
        """The ports that refused it lately."""
        ports = self._ports.get(self._hash(sent), {})
        return {port for port, until in ports.items() if until > now}

    def add(self, sent: SentLogin, now: float) -> None:
        while len(self._ports) >= MAX_REFUSED:
            del self._ports[next(iter(self._ports))]
        self._ports.setdefault(self._hash(sent), {})[sent.port] = now + PAUSE

    def forget(self, sent: SentLogin) -> None:
        """Forget a login that was accepted."""
        self._ports.pop(self._hash(sent), None)

    def _hash(self, sent: SentLogin) -> bytes:
        login = repr((sent.host.lower(), sent.username, sent.password)).encode()
        return hmac.digest(self._key, login, "sha256")


class TrialProbes:
    """Asks the sources for all trials."""

    def __init__(self, sources: Mapping[str, Source], gate: LoginGate, proving: Proving) -> None:
        self._sources = sources
        self.gate = gate
        self.proving = proving
        self.turns = TrialTurns()
        self._tasks = ProbeTasks()
        self._numbers = itertools.count(1)

    def source(self, name: str) -> Source | None:
        source = self._sources.get(name)
        return source if source is not None and source.probe is not None else None

    async def probe(self, source: Source, target: Target) -> Reports:
        """The reports of one probe, or what it raised."""
        question = (-next(self._numbers), source.name)
        result: Reports = await outcome(lambda: self._tasks.run(source, question, target))
        return result

    async def close(self) -> None:
        """End all probes."""
        await self._tasks.close()


@dataclass(slots=True)
class TrialLogin:
    """Asks without and with the login of one trial. A login that one source saw refused is not
    tried by the next one."""

    probes: TrialProbes
    request: TrialRequest
    refused_by: str = ""
    """The title of the source whose login was refused."""
    verdict: Verdict = Verdict.UNKNOWN
    """Whether the device of the request is there, since its login was about to be sent."""

    async def no_login_reason(self, connection: TrialConnection, reports: Reports) -> str:
        """Why no login is tried at a device that reported this without one; empty if it may be."""
        request = self.request
        if not request.may_login:
            return request.no_login_reason
        if request.device and await self._is_another(request.device, connection, reports):
            return OTHER_DEVICE
        if self.refused_by:
            return self._after_refusal(connection)
        sent = self._sent(connection)
        if sent is None:
            return ""
        reason = self.probes.gate.trial_allowance(sent).reason
        return reason or self._turn_reason(connection, sent)

    def _after_refusal(self, connection: TrialConnection) -> str:
        reason = f"Not tried: the device refused this login over {self.refused_by}"
        sent = self._sent(connection)
        if sent is None or sent.port in self.probes.turns.refusing(sent, loop_time()):
            return reason
        title = title_of(connection.source)
        return f"{reason}. If the password is right, test again: {title} is asked then"

    def _turn_reason(self, connection: TrialConnection, sent: SentLogin) -> str:
        """Why another connection of the request has its turn: this one refused the login in the
        test before, and the other one was not asked. So a test costs one refusal at most."""
        refusing = self.probes.turns.refusing(sent, loop_time())
        others = [self._sent(other) for other in self.request.connections if other != connection]
        if sent.port not in refusing or all(other and other.port in refusing for other in others):
            return ""
        return (
            f"Not tried again: the device refused this login over {title_of(connection.source)} in "
            "the test before"
        )

    async def without_login(self, source: Source, connection: TrialConnection) -> Reports:
        """What the source found without the login."""
        return await self.probes.probe(source, self._target(connection, with_login=False))

    async def with_login(self, source: Source, connection: TrialConnection) -> Reports:
        """What the source found with the login, which is spent while it is not known how the device
        took it."""
        target, sent = self._target(connection, with_login=True), self._sent(connection)
        if sent is None:
            return await self.probes.probe(source, target)
        gate = self.probes.gate
        allowance = gate.trial_allowance(sent)
        is_in_path = connection.source == RTSP and path_logins.has_place(connection.path)
        refusals = allowance.refusals if is_in_path else REFUSALS_BEFORE
        sent_logins = list[float]()
        target = replace(
            target,
            refusals=refusals,
            attempts_left=allowance.attempts_left,
            before_login=_noting(sent_logins),
        )
        attempt = gate.pending.begin(sent, MAX_REFUSALS - target.refusals)
        try:
            reports = await self.probes.probe(source, target)
            if (refusal := _refusal(reports, target.refusals)) is not None:
                number = max(1, (refusal.refusals or 0) - target.refusals)
                gate.trial_refused(sent, number, refusal.attempts_left)
                self.probes.turns.add(sent, loop_time())
                self.refused_by = title_of(connection.source)
            elif _is_accepted(reports):
                gate.trial_accepted(sent)
                self.probes.turns.forget(sent)
            elif allowance.refusals and _is_answered(reports):
                # After a refusal, an answer that proves nothing is spent too.
                gate.trial_refused(sent, len(sent_logins))
            elif not _is_answered(reports):
                gate.trial_unanswered(sent, len(sent_logins))
        finally:
            gate.pending.end(attempt)
        return reports

    def spare(self, connection: TrialConnection) -> bool:
        """Forget that a picture refused the login, which the device itself has accepted: accounts
        for pictures of its own must not stop the checks. True if it was refused."""
        was_refused, self.refused_by = bool(self.refused_by), ""
        if was_refused and (sent := self._sent(connection)) is not None:
            self.probes.gate.trial_accepted(sent)
            self.probes.turns.forget(sent)
        return was_refused

    async def _is_another(
        self, device: Device, connection: TrialConnection, reports: Reports
    ) -> bool:
        """True where the login of this device would be sent to another one, as checks find out."""
        proving, request = self.probes.proving, self.request
        subject = proving.subject(device, connection.source)
        if any(identity.is_another(subject, sighting) for sighting in sightings_of(reports)):
            return True
        if request.password is None or (connection.tls and connection.tls_pin):
            self.verdict = Verdict.PROVED  # Of a certificate, the source itself proves it.
            return False
        try:
            self.verdict = await proving.verdict_at(request.host, device, connection.source)
        except OtherDevice:
            return True
        return self.verdict is Verdict.STRANGER

    def _may_use_basic(self, connection: TrialConnection) -> bool:
        """True if the device may get the password in a form that reveals it: one that a person
        entered now, or a saved one as a check would send it."""
        request = self.request
        if connection.digest_only or (request.access and request.access.digest_only):
            return False
        if request.device is None or request.access is None:
            return not request.digest_only
        subject = self.probes.proving.subject(request.device, connection.source)
        return self.verdict is Verdict.PROVED or verdicts.may_use_basic(
            request.access,
            connection.source,
            subject,
            request.host,
            is_claimed=self.verdict is Verdict.CLAIMED,
        )

    def _sent(self, connection: TrialConnection) -> SentLogin | None:
        """The login as the device sees it, if there is one."""
        request = self.request
        if request.username is None:
            return None
        port = port_of(
            connection.source, Access(port=connection.port, options={"tls": connection.tls})
        )
        return SentLogin(request.host, port, request.username, request.password or "")

    def _target(self, connection: TrialConnection, *, with_login: bool) -> Target:
        """The target of a question."""
        request = self.request
        options: dict[str, Any] = {"tls": True} if connection.tls else {}
        if request.username is None:
            options["login"] = NO_LOGIN
        access = Access(request.host, connection.port, connection.path)
        target = Target(
            DEFAULT_SITE,
            access_key(connection.source, access) or "",
            request.host,
            connection.port,
            connection.path,
            tls_pin=connection.tls_pin,
            options=options,
            digest_only=not self._may_use_basic(connection),
            is_trial=True,
        )
        if not with_login:
            return replace(target, may_login=False)
        return replace(target, username=request.username, secret=request.password)


def _refusal(reports: Reports, refusals: int) -> Learned | None:
    """What was learned when a password was refused, after so many refusals; None where none was."""
    learned = [sighting.learned for sighting in sightings_of(reports) if sighting.learned]
    spent = [known for known in learned if (known.refusals or 0) > refusals]
    if not spent and WRONG in findings_of(reports):
        return Learned()
    return spent[0] if spent else None


def _is_answered(reports: Reports) -> bool:
    return bool(sightings_of(reports)) or isinstance(reports, SessionRefused)


def _noting(times: list[float]) -> Callable[[], Awaitable[None]]:
    """Notes when each login is sent."""

    async def note() -> None:
        times.append(loop_time())

    return note


def _is_accepted(reports: Reports) -> bool:
    return any(s.learned is not None and bool(s.learned.method) for s in sightings_of(reports))
