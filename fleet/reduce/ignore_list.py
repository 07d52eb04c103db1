"""The devices and keys that a person ignores, as reports and edits meet them."""

from fleet import identity, labels
from fleet.model import Device, Finding, Refused, Report, Sighting
from fleet.reduce.draft import Draft


def keys_of(device: Device) -> list[str]:
    """The index keys by which discovery would add the device again: those that mean the same
    everywhere, or else its place and address."""
    keys = [key for key in device.identities if identity.is_global(key)]
    if not keys:
        keys = [key for key in device.identities if not key.startswith(identity.FORMER)]
        keys += [f"{identity.ADDRESS}{device.address}"] if device.address else []
    return list(dict.fromkeys(identity.index_key(key, device.site) for key in keys))


def check_not_ignored(draft: Draft, device: Device) -> None:
    """Raise Refused for a device that is ignored."""
    if is_ignored(draft, device):
        raise Refused(f"{labels.name(device)} is ignored", "Stop ignoring it instead.")


def forget_listed(draft: Draft, device: Device) -> None:
    """Stop ignoring every key of a device that is not retired."""
    if draft.ignored and device.retired_at is None:
        for key in draft.ignored.keys() & set(keys_of(device)):
            del draft.ignored[key]


def is_ignored(draft: Draft, device: Device) -> bool:
    """True if the device is out of the lists because a person ignored it."""
    return device.retired_at is not None and not draft.ignored.keys().isdisjoint(keys_of(device))


def is_ignored_report(draft: Draft, report: Report) -> bool:
    """True if a report is about what is ignored, so that nothing of it enters.

    A device that is in the lists is always heard, whatever its address was before.
    """
    if not draft.ignored:
        return False
    if isinstance(report, Finding):
        device = draft.find(report.identity, report.site)
        return device is not None and is_ignored(draft, device)
    return isinstance(report, Sighting) and _is_ignored_sighting(draft, report)


def _is_ignored_sighting(draft: Draft, sighting: Sighting) -> bool:
    def is_known(key: str) -> bool:
        owner = draft.devices.get(draft.index.get(key, 0))
        return owner is not None and owner.retired_at is None

    proved = identity.proved(sighting, draft.disputed)
    everywhere = [key for key in proved if identity.is_global(key)]
    if everywhere:
        return any(
            not is_known(key) and {key, identity.owner_of(key)} & draft.ignored.keys()
            for key in everywhere
        )
    places = [identity.index_key(key, sighting.site) for key in proved]
    if sighting.address:
        places.append(identity.index_key(f"{identity.ADDRESS}{sighting.address}", sighting.site))
    return any(key in draft.ignored for key in places) and not any(map(is_known, places))
