"""Keep what a source learned about reaching a device: login method and certificate. Pure.

It changes no status and is worth no event: it is written with the next thing that is.
"""

from collections.abc import Mapping
from dataclasses import replace

from fleet.access_fields import PIN, is_method
from fleet.model import Access, Device, Sighting


def with_learned(device: Device, sighting: Sighting) -> Mapping[str, Access]:
    """The access of the device by source, with what this source learned.

    Nothing is kept when a person has changed the access since it was asked with; a fingerprint
    that is there stays: only the first certificate is trusted unseen.
    """
    learned, access = sighting.learned, device.access.get(sighting.source)
    if learned is None or learned.access is None or access is None:
        return device.access
    if not is_same_but_learned(learned.access, access):
        return device.access
    method = learned.method if learned.method and is_method(learned.method) else access.method
    pin = access.tls_pin or (learned.tls_pin if PIN.fullmatch(learned.tls_pin or "") else None)
    if (method, pin) == (access.method, access.tls_pin):
        return device.access
    return {**device.access, sighting.source: replace(access, method=method, tls_pin=pin)}


def is_same_but_learned(asked: Access, access: Access) -> bool:
    """True if the access differs from the one that was asked with only in what was learned."""
    is_first_pin = asked.tls_pin is None and access.tls_pin is not None
    pin = None if is_first_pin else access.tls_pin
    return replace(access, method=asked.method, tls_pin=pin) == asked
