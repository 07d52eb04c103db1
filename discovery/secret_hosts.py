"""Where the passwords of a device may be sent. A device moves when a broadcast says so, which
anybody can forge; its password follows only when the device has proved itself at the new address.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from fleet import identity
from fleet.access import place_key
from fleet.model import Access, Device, Report, Sighting, Target

Known = Callable[[str, str], Device | None]
"""Leads from a key at a site to its device."""


def is_bound(access: Access, host: str) -> bool:
    """Whether everything secret of the access may be sent to this host: a person gave the host,
    or the password was saved while the device was there."""
    has_secret = access.secret or access.secret_options
    return not has_secret or access.host is not None or access.secret_host == host


class Unproven(Exception):
    """Something answers, and does not prove that it is the device whose password is kept."""


def plain(access: Access) -> Access:
    """The access without anything secret."""
    return replace(access, secret=None, secret_options={})


def neutral_key(target: Target, source: str, access: Access) -> Target:
    """The target under the key of its place, so that a source that only gives back the key of the
    target proves nothing."""
    return replace(target, key=place_key(source, replace(access, host=target.host)) or target.key)


def has_proof(device: Device, reports: Iterable[Report], known: Known) -> bool:
    """Whether the answer has a key of the device that means the same everywhere."""
    keys = (
        (key, report.site)
        for report in reports
        if isinstance(report, Sighting)
        for key in report.identities
    )
    owners = (known(key, site) for key, site in keys if identity.is_global(key))
    return any(owner is not None and owner.id == device.id for owner in owners)
