"""Is the device at an address the one whose password is to be sent there?"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum

from fleet import identity
from fleet.model import Access, Device, Finding, Report, Sighting
from fleet.places import session_owner
from sources.identify import Evidence

UNPROVEN = "identity.unproven"
"""The kind of the finding about a device that did not prove who it is before a login."""
OTHER = "identity.other"
"""The kind of the finding about an address that proved to be another device than the known one."""
CAMERA = "camera"
FRESH_OR_BASIC = frozenset(("", "basic"))
"""The login methods of an access whose login was not used yet, or works only unencrypted."""


class Verdict(Enum):
    """The device itself; one with its endpoint reference, which anybody can copy; another device of
    the fleet; one that is unknown, but not this one; or nothing that tells."""

    PROVED, CLAIMED, OTHER, STRANGER, UNKNOWN = range(5)


DIGEST_ONLY = (
    "the device cannot prove its identity before the login, so its password is used only with "
    "Digest, which does not reveal it"
)
BASIC = (
    "the device cannot prove its identity before the login, and accepts the password only "
    "unencrypted (Basic). The password is sent because it was entered for this address"
)
STRANGER = (
    "its address has another MAC or ONVIF endpoint reference than this device, so no password is "
    "sent there"
)


def needs_proof(access: Access) -> bool:
    """True if the device must be identified before this login. With a pinned certificate the source
    itself proves it before it logs in."""
    has_pin = access.tls_pin is not None and access.options.get("tls") is True
    return not has_pin and bool(access.secret or access.secret_options)


def may_use_basic(
    access: Access, source: str, subject: Device, host: str, *, is_claimed: bool = False
) -> bool:
    """True if a login that reveals the password is right also for a device that proved nothing, or
    only claims to be this one.

    A person entered the login for this host, and it was not used yet, or works only in this way; a
    channel logs in as its recorder does. A device with an endpoint reference could have claimed it.
    """
    is_entered = access.secret_host == host and access.refusals == 0
    methods = {access.method, subject.access.get(source, access).method}
    is_provable = bool(identity.endpoints(subject.identities))
    return is_entered and methods <= FRESH_OR_BASIC and (is_claimed or not is_provable)


def subject_of(device: Device, source: str, devices: Mapping[int, Device]) -> Device:
    """The device that can be identified there: of a channel its recorder."""
    return devices.get(session_owner(device, source, devices), device)


def can_be_proved(device: Device, disputed: Container[str]) -> bool:
    """True if the device has a key that a question without a login can prove."""
    return bool(keys_of(device, disputed))


def is_behind(device: Device, source: str, neighbours: Iterable[Device]) -> bool:
    """True if the host forwards this question to a device behind it, as recorders and routers do:
    what the host itself proves tells nothing about that device. Two cameras at one port are not
    behind one host; one of them has left it."""
    port = device.access.get(source, Access()).port
    return any(
        other.access[source].port != port if source in other.access else other.kind != CAMERA
        for other in neighbours
    )


def verdict(
    device: Device,
    evidence: Evidence,
    disputed: Container[str],
    owner: Callable[[str], Device | None],
    *,
    is_behind: bool,
) -> Verdict:
    """Judge what an address proved; `owner` is the device that has a key.

    The MAC on our own link outweighs an endpoint reference: a device that was reset gives itself a
    new one, and anybody can copy one. Keys of a kind that the device does not have tell nothing.
    """
    own = keys_of(device, disputed)
    mac = evidence.mac if any(key.startswith(identity.MAC) for key in device.identities) else None
    is_other_mac = mac is not None and mac not in device.identities and not is_behind
    if mac in own:
        return Verdict.PROVED
    if not is_other_mac and own & evidence.answered:
        return Verdict.CLAIMED
    if is_behind:
        return Verdict.UNKNOWN
    others = {mac} if mac and is_other_mac else _other_endpoints(device, evidence, disputed)
    if any((known := owner(key)) and known.id != device.id for key in others):
        return Verdict.OTHER
    return Verdict.STRANGER if others else Verdict.UNKNOWN


def _other_endpoints(device: Device, evidence: Evidence, disputed: Container[str]) -> set[str]:
    """The endpoint references that another device proved, where the device has one itself."""
    if not identity.endpoints(keys_of(device, disputed)):
        return set()
    return {key for key in evidence.endpoints if key not in disputed}


def findings(
    device: Device, source: str, reports: Iterable[Report], text: str, now: datetime
) -> Iterator[Finding]:
    """What a device that answered and did not prove itself is found to be, by the `text`, and the
    end of what it was found to be before."""
    if not any(isinstance(report, Sighting) for report in reports):
        return
    raised = OTHER if text == STRANGER else UNPROVEN if text else ""
    kept = {fault.kind for fault in device.findings if fault.source == source}
    for kind in (UNPROVEN, OTHER):
        if kind == raised:
            yield Finding(f"id:{device.id}", kind, now, text, source)
        elif kind in kept:
            yield Finding(f"id:{device.id}", kind, now, "", source, cleared=True)


def keys_of(known: Device | Sighting, disputed: Container[str]) -> set[str]:
    """The keys that a question without a login can prove."""
    kinds = (identity.MAC, identity.ENDPOINT)
    return {key for key in known.identities if key.startswith(kinds) and key not in disputed}
