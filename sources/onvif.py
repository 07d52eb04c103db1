"""ONVIF cameras and recorders: found by WS-Discovery, asked by SOAP over HTTP or HTTPS.

A check asks for the time, which needs no login and proves that the device is alive. Everything else
is asked once a day, and again when the device was silent or restarted, its clock jumped, its login
changed, or a person checks it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fleet import identity
from fleet.model import (
    DEFAULT_SITE,
    CannotAsk,
    Coverage,
    Finding,
    Learned,
    NoAnswer,
    Report,
    Sighting,
    Target,
)
from sources import net, onvif_clock, onvif_http, soap, tls, ws_discovery, ws_discovery_wire
from sources.device_urls import DeviceUrl
from sources.onvif_http import Conversation, conversation
from sources.onvif_kind import kind_of
from sources.onvif_reading import READ_TIMEOUT, Reader, Reading, device_service
from sources.onvif_reports import (
    WITHHELD,
    channel_sightings,
    facts_of,
    has_withheld_stream,
    links_of,
    login_findings,
)
from sources.source import Cause, Reports, SessionRefused, Source
from sources.ws_discovery import Search, SearchOptions
from sources.ws_discovery_wire import ProbeMatch

NAME = "onvif"
READ_EVERY = 86_400.0
"""Seconds after which everything is asked again."""
CLOCK_JUMP = 60.0
"""Seconds by which the device's clock must have jumped for a restart to be likely."""
PROBE_TIMEOUT = 1.5
"""Seconds for the endpoint reference by WS-Discovery, which not every device answers."""
HTTP = 80
MAX_KNOWN = 50_000


@dataclass(frozen=True, slots=True)
class Options:
    """Options of this source, by their names in `settings.py`."""

    onvif_targets: tuple[str, ...]
    easy_ip_targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnvifOptions:
    clock: Callable[[], datetime]
    search: SearchOptions = SearchOptions()


def build(options: Options, clock: Callable[[], datetime]) -> Source:
    """Build the source with the options of `settings.py`."""
    return source(OnvifOptions(clock, SearchOptions(search_targets(options))))


def search_targets(options: Options) -> tuple[str, ...]:
    """The addresses to search; none for every interface. Whoever restricts one search does not
    want the other to go everywhere."""
    return options.onvif_targets or options.easy_ip_targets


def source(options: OnvifOptions) -> Source:
    client = OnvifClient(options)
    return Source(
        NAME,
        "ONVIF",
        timeout=30.0,
        discover=client.discover,
        probe=client.probe,
        interval=600.0,
        cap=200,
        names_kind=True,
        causes=CAUSES,
    )


CAUSES = (
    Cause(
        "This server is not on the cameras' network. WS-Discovery does not cross a router.",
        "Connect it to the same network or VLAN as the cameras, or add the cameras by address.",
    ),
    Cause(
        "ONVIF or WS-Discovery is turned off in the cameras.",
        "Turn it on in the settings of the camera, often under Network > Integration protocol.",
    ),
    Cause(
        "A firewall on this server blocks UDP port 3702.",
        "Allow datagrams to UDP port 3702 and their responses.",
        "sudo ufw allow proto udp from any port 3702",
    ),
)


@dataclass(frozen=True, slots=True)
class Known:
    """What was read of a device, when (`at`, monotonic), and how it was asked (`access_hash`).
    `ahead` is how far its clock was ahead, `instance` the number of its last start. That number is
    used only once `is_steady`, when a second answer had the same: some devices make one for each
    answer."""

    reading: Reading
    access_hash: int
    at: float
    ahead: float | None
    instance: str = ""
    is_steady: bool = False


@dataclass(frozen=True, slots=True)
class ClockFault:
    """A login that was refused because of the clock: how and when (`at`, monotonic) the device was
    asked, and how far its clock was ahead."""

    access_hash: int
    at: float
    ahead: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What one device said by WS-Discovery: its endpoint reference, and the number of its start."""

    endpoint: str = ""
    instance: str = ""


class OnvifClient:
    """Asks devices, and remembers what it read of each."""

    def __init__(self, options: OnvifOptions) -> None:
        self.options = options
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._clock_faults: OrderedDict[str, ClockFault] = OrderedDict()

    # -- one device --------------------------------------------------------------------------

    async def probe(self, target: Target) -> Sequence[Report]:
        """Ask one device. Raises as a probe may."""
        try:
            async with conversation(target, self.options.clock) as talk:
                return await self._ask(talk, target)
        except tls.TooOld:
            self._forget(target)
            at = self.options.clock()
            alive = Sighting(target.site, (target.key,), NAME, at, address=target.host)
            return [replace(alive, is_brief=True), tls.too_old(target, NAME, at)]
        except (NoAnswer, OSError):
            # It may restart, and then say other things.
            self._forget(target)
            raise

    def _of(self, target: Target) -> Known | None:
        """What was read of the device that is asked; nothing of one that nobody knows yet, or if
        all of it is asked again."""
        is_unknown = target.is_new or target.is_trial or target.wants_all
        return None if is_unknown else self._known.get(target.key)

    def _forget(self, target: Target) -> None:
        if not target.is_trial:
            self._known.pop(target.key, None)

    async def _ask(self, talk: Conversation, target: Target) -> Sequence[Report]:
        probing = asyncio.create_task(self._heard(target))
        try:
            return await self._ask_all(talk, target, probing)
        finally:
            probing.cancel()

    async def _ask_all(
        self, talk: Conversation, target: Target, probing: asyncio.Task[Heard]
    ) -> Sequence[Report]:
        answer = await first_answer(talk, target, self.options.clock)
        ahead = answer.ahead
        if tls.is_changed(target, talk.fingerprint):
            return answer.with_changed()
        # Other services of the device may use TLS though this one does not.
        talk.pin = target.tls_pin
        may_login = target.may_login and not self._has_clock_fault(target, ahead or 0.0)
        if may_login and self._is_due(target, ahead):
            return await self._read(answer, probing)
        heard = await probing
        if may_login and self._has_restarted(target, heard):
            return await self._read(answer, probing)
        alive = replace(answer.alive(), identities=_keys(heard.endpoint, (), target))
        return [alive, *answer.clock_findings(), *answer.tls_findings(), *self._withheld(answer)]

    async def _heard(self, target: Target) -> Heard:
        """What WS-Discovery says, which needs no login; nothing where no device answers, as before,
        or more than one."""
        known = self._of(target)
        if known is not None and target.may_login and not known.reading.endpoint:
            return Heard()
        with suppress(CannotAsk, OSError, ValueError):
            matches = await ws_discovery.unicast_probe(target.host, PROBE_TIMEOUT)
            heard = {Heard(match.endpoint, match.instance) for match in matches}
            return heard.pop() if len(heard) == 1 else Heard()
        return Heard()

    def _withheld(self, answer: "Answer") -> list[Finding]:
        """The finding about streams, by what was read before: a person may have entered their path
        since."""
        known = self._of(answer.target)
        return [answer.withheld(known.reading)] if known is not None else []

    def _has_clock_fault(self, target: Target, ahead: float) -> bool:
        """True if this login would be refused for the clock once more. A device may take such a
        refusal for a wrong password, so it is tried again only after the clock was set, or a day.
        """
        fault = self._clock_faults.get(target.key)
        if fault is None or target.is_trial or fault.access_hash != _access_hash(target):
            return False
        is_same = abs(ahead - fault.ahead) <= onvif_http.CLOCK_MATTERS
        return is_same and asyncio.get_running_loop().time() - fault.at < READ_EVERY

    def _note_clock_fault(self, answer: "Answer") -> None:
        """Remember it, or forget one that is over."""
        target = answer.target
        if target.is_trial:
            return
        self._clock_faults.pop(target.key, None)
        if answer.talk.logins.outcome == onvif_http.CLOCK:
            now = asyncio.get_running_loop().time()
            fault = ClockFault(_access_hash(target), now, answer.ahead or 0.0)
            self._clock_faults[target.key] = fault
            if len(self._clock_faults) > MAX_KNOWN:
                self._clock_faults.popitem(last=False)

    def _has_restarted(self, target: Target, heard: Heard) -> bool:
        """True if the device says that it started since it was read."""
        known = self._of(target)
        if known is None or not (known.instance and heard.instance):
            return False
        is_same = known.instance == heard.instance
        if is_same and not known.is_steady:
            self._known[target.key] = replace(known, is_steady=True)
        return known.is_steady and not is_same

    def _is_due(self, target: Target, ahead: float | None) -> bool:
        """True if everything is to be asked, and not only whether it is alive."""
        known = self._of(target)
        if known is None or known.access_hash != _access_hash(target):
            return True
        jumped = ahead is not None and known.ahead is not None
        if jumped and abs(ahead - known.ahead) > CLOCK_JUMP:  # type: ignore[operator]
            return True
        return asyncio.get_running_loop().time() - known.at >= READ_EVERY

    async def _read(self, answer: "Answer", probing: asyncio.Task[Heard]) -> Sequence[Report]:
        target, talk = answer.target, answer.talk
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                reading = await Reader(talk, target, device_service(target)).read()
        except (NoAnswer, OSError):
            # It answered before: a question that it does not take is no miss.
            reading = Reading()
        self._note_clock_fault(answer)
        if tls.is_changed(target, talk.fingerprint):
            return answer.with_changed()
        heard = await probing
        endpoint = heard.endpoint or ws_discovery_wire.endpoint_reference(reading.endpoint)
        reading = replace(reading, endpoint=endpoint)
        if reading.is_whole and not target.is_trial:
            now = asyncio.get_running_loop().time()
            known = Known(reading, _access_hash(target), now, answer.ahead, heard.instance)
            self._known[target.key] = known
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        return answer.reports(reading)

    # -- all devices -------------------------------------------------------------------------

    async def discover(self) -> Reports:
        """Ask on every interface, or every target, and tell what answers."""
        search = Search(self.options.search)
        waiting: dict[str, ProbeMatch] = {}
        placed = set[str]()
        subnets = [known.subnet for known in net.interfaces() if known.name != "lo"]
        async for match in search.run():
            place = ws_discovery_wire.candidate(match, subnets)
            if place is None:
                waiting.setdefault(match.endpoint, match)
            else:
                placed.add(match.endpoint)
                for report in discovered(match, place, self.options.clock()):
                    yield report
        for endpoint, match in waiting.items():
            for report in (
                ()
                if endpoint in placed or not endpoint
                else discovered(match, None, self.options.clock())
            ):
                yield report
        yield Coverage(
            NAME,
            tuple(sorted(search.scopes)),
            search.scopes.total(),
            search.answers,
            search.refused,
            search.failed,
            search.scopes,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """A device that answered: how it was asked, what its clock says, how long it took."""

    talk: Conversation
    target: Target
    clock: onvif_clock.DeviceClock
    ahead: float | None
    at: datetime
    latency: float

    def alive(self) -> Sighting:
        """That it is alive, and nothing else."""
        return Sighting(
            self.target.site,
            (self.target.key,),
            NAME,
            self.at,
            address=self.target.host,
            latency=self.latency,
            learned=self.learned(),
            is_brief=True,
        )

    def with_changed(self) -> list[Report]:
        """That it is alive, and has another certificate than the accepted one."""
        seen = self.talk.fingerprint or ""
        return [self.alive(), tls.changed(self.target, seen, NAME, self.at)]

    def tls_findings(self) -> list[Finding]:
        """The findings of a device whose certificate was accepted: none."""
        if self.talk.fingerprint is None:
            return []
        return [self.finding(kind, "", cleared=True) for kind in tls.FINDINGS]

    def learned(self) -> Learned:
        logins = self.talk.logins
        is_new = logins.refusals != self.target.refusals or logins.outcome == onvif_http.ACCEPTED
        return Learned(
            logins.method,
            self.talk.fingerprint,
            refusals=logins.refusals if is_new else None,
            attempts_left=logins.attempts_left,
            clock=self.ahead,
        )

    def reports(self, reading: Reading) -> list[Report]:
        """Everything that was read, as reports."""
        sighting = self.sighting(reading)
        reports: list[Report] = [sighting, *self.clock_findings(), *self.tls_findings()]
        reports += login_findings(self.talk.logins, reading, self.finding)
        if not reading.is_whole:
            return reports
        hosts = ", ".join(reading.foreign_hosts[:4])
        text = f"reports another address: {hosts} ({self.target.host} is used)" if hosts else ""
        reports.append(self.finding("address.told", text, cleared=not hosts))
        reports.append(self.withheld(reading))
        return reports + list(channel_sightings(sighting, reading, self.target.channels))

    def withheld(self, reading: Reading) -> Finding:
        """The finding about a stream whose address has a password that is not the saved one."""
        is_raised = has_withheld_stream(reading) and not self.target.has_stream_path
        return self.finding("address.secret", WITHHELD if is_raised else "", cleared=not is_raised)

    def sighting(self, reading: Reading) -> Sighting:
        keys = _keys(reading.endpoint, reading.macs, self.target)
        if not reading.is_whole:
            return replace(self.alive(), identities=keys)
        information = reading.information
        named = ws_discovery_wire.names(reading.scopes)
        channels = self.target.channels
        return replace(
            self.alive(),
            identities=keys,
            kind=kind_of(reading.scopes, information.model, max(len(reading.channels), channels)),
            is_brief=False,
            name=named.get("name", "")[:64] or None,
            model=information.model or named.get("hardware", "")[:64] or None,
            serial=information.serial,
            firmware=information.firmware,
            facts=facts_of(reading, self.clock, channels),
            links=links_of(reading, channels),
        )

    def clock_findings(self) -> list[Finding]:
        """The findings about the clock: one at most is raised, the others are cleared."""
        if self.ahead is None:
            return []
        fault = onvif_clock.fault_of(self.clock, self.at)
        evidence = {"ahead": round(self.ahead)}
        return [
            self.finding(kind, fault.text, evidence)
            if fault is not None and fault.kind == kind
            else self.finding(kind, text, cleared=True)
            for kind, text in onvif_clock.CLOCK_KINDS.items()
        ]

    def finding(
        self, kind: str, text: str, evidence: dict[str, Any] | None = None, *, cleared: bool = False
    ) -> Finding:
        return Finding(
            *(self.target.key, kind, self.at, text, NAME, evidence or {}, cleared),
            site=self.target.site,
        )


async def first_answer(talk: Conversation, target: Target, clock: Callable[[], datetime]) -> Answer:
    """Ask for the time, which needs no login and proves that the device is alive. Raises NoAnswer,
    SessionRefused, and as a request does."""
    began, before = asyncio.get_running_loop().time(), clock()
    response = await talk.send(device_service(target), soap.DEVICE, "<GetSystemDateAndTime/>")
    latency = asyncio.get_running_loop().time() - began
    if response.status == 503:
        raise SessionRefused("busy (HTTP 503)")
    if not response.is_soap and response.status not in (401, 403):
        what = f"{response.trouble}, HTTP {response.status}"
        raise NoAnswer(f"it does not speak ONVIF at this address ({what})")
    shown = onvif_clock.read(response.body)
    ahead = (shown.now - before).total_seconds() if shown.now else None
    talk.logins.ahead = ahead or 0.0
    return Answer(talk, target, shown, ahead, before, latency)


def _access_hash(target: Target) -> int:
    """A hash of how the target is asked, which changes with its address, path, options or login.
    What is kept of a login is this hash only."""
    options = tuple(sorted((key, str(value)) for key, value in target.options.items()))
    return hash((target.host, target.port, target.path, target.username, target.secret, options))


def _keys(endpoint: str, macs: Sequence[str], target: Target) -> tuple[str, ...]:
    """The keys that the device proved, the strongest first; that of the place if it proved none."""
    first = (f"{identity.ENDPOINT}{endpoint}",) if endpoint else ()
    return (*first, *(f"{identity.MAC}{mac}" for mac in macs)) or (target.key,)


def discovered(match: ProbeMatch, place: DeviceUrl | None, at: datetime) -> Iterator[Report]:
    """A match as reports. A device without a usable address is listed with where it was heard."""
    named = ws_discovery_wire.names(match.scopes)
    address = place.host if place else None
    facts: dict[str, Any] = {"location": named["location"][:200]} if "location" in named else {}
    if place is None:
        facts["interface"] = match.interface
    elif place.port != HTTP:
        facts["port"] = place.port
    endpoint = f"{identity.ENDPOINT}{match.endpoint}" if match.endpoint else ""
    key = endpoint or f"{identity.ADDRESS}{address}"
    yield Sighting(
        DEFAULT_SITE,
        (key,),
        NAME,
        at,
        kind=kind_of(match.scopes, None, 1, match.types),
        address=address,
        name=named.get("name", "")[:64] or None,
        model=named.get("hardware", "")[:64] or None,
        facts=facts,
        scope=f"{NAME}:{match.interface}",
        is_brief=True,
    )
    if endpoint:
        text = f"no usable address: it is only at {match.sender}"
        evidence, is_placed = {"address": match.sender}, address is not None
        yield Finding(endpoint, "address.none", at, text, NAME, evidence, cleared=is_placed)
