"""The secrets of a fleet that nothing can bring back any more. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from fleet.model import OF_A_SET, CredentialSet, Device, Secret

MAX_REPLACED = 3
"""Passwords of one device that were replaced and that undo can still bring back."""
MAX_FORMER = 10
"""The same of all credential sets together."""


def used_by(devices: Iterable[Device]) -> set[str]:
    """The ids of the secrets that these devices use."""
    return {
        id
        for device in devices
        for access in device.access.values()
        for id in (access.secret, *access.secret_options.values())
        if id is not None
    }


def replaced(
    secrets: Mapping[str, Secret], new: Collection[str], devices: Mapping[int, Device]
) -> set[str]:
    """The ids to forget now that `new` ones were stored: of each device concerned, all that no
    device uses but the newest few.

    A device that was merged into another one is not concerned: undo brings it back whole.
    """
    owners = {secrets[id].device for id in new} & devices.keys()
    own = used_by(devices[id] for id in owners)
    old = [id for id, secret in secrets.items() if secret.device in owners and id not in own]
    if len(old) <= MAX_REPLACED:
        return set()
    used = used_by(devices.values())
    forgotten: set[str] = set()
    for owner in owners:
        unused = [id for id in old if secrets[id].device == owner and id not in used]
        forgotten.update(unused[:-MAX_REPLACED])
    return forgotten


def former_of_sets(
    secrets: Mapping[str, Secret], sets: Mapping[str, CredentialSet]
) -> Sequence[str]:
    """The ids of the passwords of credential sets to forget: those that no set uses but the newest
    few."""
    used = {entry.secret for entry in sets.values()}
    former = [id for id, secret in secrets.items() if secret.device == OF_A_SET and id not in used]
    return former[:-MAX_FORMER]
