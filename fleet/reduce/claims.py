"""Keys that mean something only at a place, and when a device loses them.

    another device proves the key itself                    the other one has it
    the device moved away from the place                    nobody has it
    the device is silent, another one proves the address    nobody has it
    the device is silent, and another one is at the address
      of a sighting that proves nothing but the place       that one has it
    both answer there                                       it stays where it is
    a person listed the device                              it stays, unless another proves the key

A person who said that two devices are not one is not overruled. A record that loses its last key
is kept with its history, under a key that no source proves.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from fleet import identity, status
from fleet.model import Device, Sighting
from fleet.reduce.draft import Draft

_NOT_A_PLACE = (*identity.GLOBAL, identity.CHANNEL)


def is_at_place_only(keys: Iterable[str]) -> bool:
    """True if the keys say where a device is, and nothing of which one it is."""
    return not any(key.startswith(_NOT_A_PLACE) for key in keys)


def may_lose_place(device: Device, rules: status.Rules) -> bool:
    """True if the device no longer answers where it was, and no person put it there."""
    is_gone = device.retired_at is not None or status.is_silent(device, rules)
    return is_gone and not device.listed


def without_keys_at(device: Device, address: str, keys: Iterable[str] = ()) -> Device:
    """The device after it left the address; `keys` are those that it still proves."""
    lost = [
        key for key in device.identities if key not in keys and identity.place_of(key) == address
    ]
    return identity.without(device, lost) if lost else device


def end_at(draft: Draft, device: Device, address: str) -> None:
    """End the claims of silent devices at the address that the device has proved."""
    for other in draft.at(device.site, address):
        if other.id != device.id and may_lose_place(other, draft.rules):
            after = without_keys_at(other, address)
            if after is not other:
                draft.put(after)


def take_from_owners(draft: Draft, device: Device, fresh: Iterable[str]) -> None:
    """Take keys that the device proves from their owners."""
    for key in fresh:
        owner = draft.find(key, device.site)
        if owner is not None and owner.id != device.id:
            draft.put(identity.without(owner, (key,)))


def with_claim_times(
    device: Device, sighting: Sighting, keys: Iterable[str]
) -> Mapping[str, datetime]:
    """The claims of the device, with the time at which the sighting proved each key at a place."""
    at = sighting.at
    proved = {key: at for key in keys if key in device.identities and not identity.is_global(key)}
    return {**device.claims, **proved} if proved else device.claims
