"""The hosts that a device's passwords may be sent to.

A device moves when a broadcast says so, which anybody can forge; its password follows only when the
device has proved itself at the new address.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from fleet import identity
from fleet.model import Access, Device, Report, Sighting, Target
from fleet.places import access_key

Known = Callable[[str, str], Device | None]
"""The device of a key at a site, or None."""


def may_send_secrets(access: Access, host: str) -> bool:
    """True if the secrets of the access may be sent to this host: a person gave the host, or the
    password was saved while the device was there."""
    has_secret = access.secret or access.secret_options
    return not has_secret or access.host is not None or access.secret_host == host


class Unproven(Exception):
    """Raised when something answers that does not prove to be the device of the password."""


def access_without_secrets(access: Access) -> Access:
    """The access without anything secret."""
    return replace(access, secret=None, secret_options={})


def with_place_key(target: Target, source: str, access: Access) -> Target:
    """The target under the key of its place, so that a source that only gives back the key of the
    target proves nothing."""
    return replace(target, key=access_key(source, replace(access, host=target.host)) or target.key)


def has_proof(device: Device, reports: Iterable[Report], known: Known) -> bool:
    """True if the answer has a key of the device that is valid at every site."""
    keys = (
        (key, report.site)
        for report in reports
        if isinstance(report, Sighting)
        for key in report.identities
    )
    owners = (known(key, site) for key, site in keys if identity.is_global(key))
    return any(owner is not None and owner.id == device.id for owner in owners)
