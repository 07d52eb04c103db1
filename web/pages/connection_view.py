"""How each source reaches a device, as its details show it. Of a password it says that there is
one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from discovery.logins import SPENT, WRONG
from fleet import channels, labels, logins
from fleet.access_fields import DEFAULT_PORTS, MAX_INTERVAL
from fleet.last_worked import worked_at
from fleet.logins import KEPT_ATTEMPTS, MAX_REFUSALS, NO_LOGIN, Sets
from fleet.model import Access, Device, Fault
from fleet.places import session_owner
from web.pages.trial_view import SOURCES

NOT_TRIED = "It is not tried again until you change it."
RTSP, ONVIF = "rtsp", "onvif"
EDITABLE = (RTSP, ONVIF)
"""The sources whose connections people enter."""
CERTIFICATE = "tls.changed"


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """One connection. `refused` says that its login is no longer tried; `certificate` is the
    fingerprint that is accepted."""

    source: str
    title: str
    address: str
    login: str
    refused: str = ""
    certificate: str | None = None
    worked_at: datetime | None = None
    interval: str = ""
    recorder: tuple[int, str] | None = None


def connections(
    device: Device, devices: Mapping[int, Device], sets: Sets, may_edit: bool
) -> list[ConnectionRow]:
    """The connections of a device, of those that people enter. Without the right to edit them, a
    person sees no user name and no fingerprint."""
    recorder = channels.recorder_of(device, devices)
    return [
        ConnectionRow(
            source,
            SOURCES[source],
            address_text(source, access, device),
            _login_text(access, lender(device, source, devices, sets), sets, may_edit),
            refused_text(device, source),
            access.tls_pin if may_edit else None,
            worked_at(device, source),
            _interval_text(access.interval),
            (recorder.id, labels.name(recorder)) if recorder else None,
        )
        for source, access in device.access.items()
        if source in EDITABLE
    ]


def address_text(source: str, access: Access, device: Device) -> str:
    """The address as a URL without its login."""
    scheme = "rtsp" if source == "rtsp" else "http"
    scheme += "s" if access.options.get("tls") else ""
    host = access.host or device.address or "(address not known)"
    host = f"[{host}]" if ":" in host else host
    is_usual = access.port in (None, DEFAULT_PORTS[scheme])
    return f"{scheme}://{host}{'' if is_usual else f':{access.port}'}{access.path}"


def lender(device: Device, source: str, devices: Mapping[int, Device], sets: Sets) -> Device | None:
    """The recorder with whose login a channel is asked that has none of its own."""
    if logins.has_own_login(device.access.get(source, Access())):
        return None
    owner = devices.get(session_owner(device, source, devices))
    known = logins.resolved(device, source, devices, sets)
    is_lent = owner is not None and owner.id != device.id and logins.has_login(known)
    return owner if is_lent else None


def _login_text(access: Access, recorder: Device | None, sets: Sets, may_edit: bool) -> str:
    if access.options.get("login") == NO_LOGIN:
        return "No login required"
    if access.username is not None or access.secret:
        named = f"{access.username}, " if access.username and may_edit else ""
        text = f"{named}password saved" if access.secret else f"{named}empty password"
        return f"{text[0].upper()}{text[1:]}" if not named else text
    if access.credentials:
        chosen = sets.get(access.credentials) if may_edit else None
        return f"Credential set {chosen.name}" if chosen else "Credential set"
    return f"Login of {labels.name(recorder)}" if recorder else "No login saved"


def refused_text(device: Device, source: str) -> str:
    """Why the login is not tried any more, also for what it cost at another connection; empty while
    it is."""
    access = device.access.get(source, Access())
    if access.refusals >= MAX_REFUSALS:
        times = "twice" if access.refusals == 2 else f"{access.refusals} times"
        return f"Login refused {times}. {NOT_TRIED}"
    if access.attempts_left is not None and access.attempts_left <= KEPT_ATTEMPTS:
        return f"{labels.counted(access.attempts_left, 'login attempt')} left. {NOT_TRIED}"
    if any(_is_spent(fault) and fault.source == source for fault in device.findings):
        return f"Login refused. {NOT_TRIED}"
    if access.refusals:
        return f"{labels.counted(access.refusals, 'refused login')}."
    return ""


def _is_spent(fault: Fault) -> bool:
    return (fault.kind, fault.text) == (WRONG, SPENT)


def _interval_text(seconds: int | None) -> str:
    if seconds is None or not 0 < seconds <= MAX_INTERVAL:
        return ""
    return f"every {seconds // 60} min" if seconds % 60 == 0 else f"every {seconds} s"


def presented_certificate(device: Device, source: str) -> str | None:
    """The fingerprint of a new certificate that nobody confirmed yet."""
    for fault in device.findings:
        if fault.kind == CERTIFICATE and fault.source == source:
            presented = fault.evidence.get("presented")
            return presented if isinstance(presented, str) else None
    return None
