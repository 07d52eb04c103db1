"""The hosts that a device's passwords may be sent to.

At the address that a person trusted with the password, discovery/proving.py asks who is there, and
a device that can prove nothing is still asked with its login: decision 81 has the reason. To any
other address a device moves when a broadcast says so, which anybody can forge; the password follows
only when the device has proved itself there, and a proof holds only while nothing hints that
another device may be there now.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from discovery.due_queue import Question, QueueEntry
from fleet import identity
from fleet.model import Access, AddressChange, Device, Report, Sighting, Target
from fleet.places import access_key

Known = Callable[[str, str], Device | None]
"""The device of a key at a site, or None."""
PROOF_LASTS = 3600.0
"""Seconds until a device proves itself once more."""
MAX_NEIGHBOURS = 16
"""Other devices at an address, beyond which no proof is remembered there."""


def may_send_secrets(access: Access, host: str) -> bool:
    """True if the secrets of a resolved access may be sent to this host: a person gave the host, or
    the password was saved, or its credential set chosen, while the device was there."""
    has_secret = access.secret or access.secret_options
    return not has_secret or access.secret_host == host


class Unproven(Exception):
    """Raised when something answers that does not prove to be the device of the password."""


class UnprovenRefusal(Exception):
    """Raised when something refuses a session before it proved to be the device of the password:
    that says nothing about the device."""


def unproven_reason(entry: QueueEntry) -> str:
    """Why the password is not sent to the host of this entry."""
    saved = entry.access.secret_host or "another address"
    return (
        f"the password was saved for {saved}, and the device at {entry.host} cannot be "
        "identified; enter the password again"
    )


def access_without_secrets(access: Access) -> Access:
    """The access without anything secret."""
    return replace(access, secret=None, secret_options={})


def with_place_key(target: Target, source: str, access: Access) -> Target:
    """The target under the key of its place, so that a source that only gives back the key of the
    target proves nothing."""
    return replace(target, key=access_key(source, replace(access, host=target.host)) or target.key)


def has_proof(
    device: Device, reports: Iterable[Report], known: Known, disputed: Container[str]
) -> bool:
    """True if the answer proves a key of the device that is valid at every site; those that are
    disputed prove nothing."""
    keys = (
        (key, report.site)
        for report in reports
        if isinstance(report, Sighting)
        for key in identity.proved(report, disputed)
    )
    owners = (known(key, site) for key, site in keys if identity.is_global(key))
    return any(owner is not None and owner.id == device.id for owner in owners)


@dataclass(frozen=True, slots=True)
class Proof:
    """A device that proved itself at the host of `entry`, and what that rests on: its keys, its
    last change of address, and when which other device was there. `at` is the monotonic time."""

    entry: QueueEntry
    at: float
    identities: tuple[str, ...]
    last_change: tuple[AddressChange, ...]
    neighbours: Mapping[int, datetime | None]


def proof_of(
    entry: QueueEntry,
    device: Device,
    at_host: Iterable[Device],
    disputed: Container[str],
    now: float,
) -> Proof:
    """What a proof of this device would rest on now; `at_host` are the devices at its host,
    `disputed` the keys that prove nothing."""
    keys = tuple(key for key in device.identities if key not in disputed)
    neighbours = {
        other.id: _proved_at(other, entry.host) for other in at_host if other.id != device.id
    }
    return Proof(entry, now, keys, device.addresses[-1:], neighbours)


def _proved_at(device: Device, host: str) -> datetime | None:
    """The last time at which any source proved the device at the host."""
    known = [times[host] for times in device.source_addresses.values() if host in times]
    return max(known, default=None)


class Proofs:
    """The proofs that are remembered, in memory: each for one source at one device.

    One ends with whatever may have brought another device to the host: see `is_valid` and
    `forget`.
    """

    def __init__(self) -> None:
        self._known: dict[Question, Proof] = {}

    def keep(self, proof: Proof) -> None:
        """Remember a proof, unless too many devices are at the host."""
        if len(proof.neighbours) <= MAX_NEIGHBOURS:
            self._known[proof.entry.question] = proof

    def is_valid(self, proof: Proof) -> bool:
        """True if one is remembered that rests on the same as `proof` and is not too old: host and
        access are those of the same entry of the queue, the device did not move, not even away and
        back, it has the same keys, and no other device was proved there since. Any other is
        forgotten."""
        known = self._known.get(proof.entry.question)
        if known and proof.at - known.at < PROOF_LASTS and replace(known, at=proof.at) == proof:
            return True
        self.forget(proof.entry.question)
        return False

    def forget(self, question: Question) -> None:
        """Forget the proof of a device that missed, or is not asked any more."""
        self._known.pop(question, None)
