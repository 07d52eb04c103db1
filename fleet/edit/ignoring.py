"""Ignore devices: discovery never adds them again until a person undoes it."""

from collections.abc import Sequence
from dataclasses import replace

from fleet import access, identity, labels
from fleet.edit import editing
from fleet.model import (
    DEFAULT_SITE,
    Device,
    Edit,
    Finding,
    Invalid,
    NotFound,
    Refused,
    Report,
    Sighting,
)
from fleet.reduce.draft import Draft

MAX_IGNORED = 10_000
"""Keys that can be ignored at a time."""
MAX_REASON = 200


def apply(draft: Draft, edit: Edit) -> Device | None:
    """Ignore a device, or a key of no known device; with `remove`, stop ignoring it.

    `site` is that of a key. Raises Refused for a device that a person or the workbook listed,
    and when too many keys are ignored.
    """
    device, keys = _subject(draft, edit)
    if edit.fields.get("remove"):
        return _stop_ignoring(draft, edit, device, keys)
    if device is not None and (device.listed or identity.row_key(device)):
        raise Refused(
            f"{labels.name(device)} is listed, so it cannot be ignored",
            "Retire or delete it instead.",
        )
    new = [key for key in keys if key not in draft.ignored]
    if not new:
        return device
    if len(draft.ignored) + len(new) > MAX_IGNORED:
        raise Refused(
            f"{MAX_IGNORED:,} identities are ignored already",
            "Stop ignoring some of them, or separate that network from this server.",
        )
    entry = {"at": edit.at.isoformat(), "by": edit.by, **_reason(edit)}
    draft.ignored |= dict.fromkeys(new, entry)
    draft.is_changed = True
    is_retired_now = device is not None and device.retired_at is None
    if device is not None and is_retired_now:
        device = replace(device, retired_at=edit.at)
        draft.put(device)
    name = labels.name(device) if device else edit.identity
    after = {"ignored": new, "retired": is_retired_now}
    draft.add_event("device.ignored", device, f"{name} is ignored, by {edit.by}", {}, after)
    return device


def _stop_ignoring(
    draft: Draft, edit: Edit, device: Device | None, keys: Sequence[str]
) -> Device | None:
    """Stop ignoring the device. If only ignoring had retired it, it is restored."""
    ignored = [key for key in edit.fields.get("keys", keys) if key in draft.ignored]
    if not ignored:
        raise Refused(f"{_name(device, edit)} is not ignored", "There is nothing to undo.")
    is_back = device is not None and any(
        device.retired_at and draft.ignored[key].get("at") == device.retired_at.isoformat()
        for key in ignored
    )
    for key in ignored:
        del draft.ignored[key]
    draft.is_changed = True
    if device is not None and is_back:
        device = replace(device, retired_at=None)
        draft.put(device)
    text = f"{_name(device, edit)} is no longer ignored, by {edit.by}"
    after = {"restored": is_back}
    draft.add_event("device.unignored", device, text, {"ignored": ignored}, after)
    return device


def _subject(draft: Draft, edit: Edit) -> tuple[Device | None, list[str]]:
    """The device of the edit, if there is one, and the index keys that it means."""
    site = edit.fields.get("site", DEFAULT_SITE)
    if not isinstance(site, str):
        raise Invalid("The site must be text", 'Send {"site": "North"}.')
    device = draft.find(edit.identity, site)
    if device is not None:
        return device, keys_of(device)
    if edit.identity.startswith("id:"):
        raise NotFound(
            f"There is no device {edit.identity[3:][:40]}",
            "GET /api/cameras lists the devices with their numbers and MACs.",
        )
    return None, [identity.index_key(access.validated_key(edit.identity), site)]


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
        return any(key in draft.ignored and not is_known(key) for key in everywhere)
    places = [identity.index_key(key, sighting.site) for key in proved]
    if sighting.address:
        places.append(identity.index_key(f"{identity.ADDRESS}{sighting.address}", sighting.site))
    return any(key in draft.ignored for key in places) and not any(map(is_known, places))


def _reason(edit: Edit) -> dict[str, str]:
    """The reason why it is ignored, if the person gave one."""
    text = edit.fields.get("text")
    if text is None:
        return {}
    if not isinstance(text, str) or len(text) > MAX_REASON:
        raise Invalid(f"The reason has up to {MAX_REASON} characters", "Shorten it.")
    kept = editing.clean("name", text)
    return {"text": kept} if kept else {}


def _name(device: Device | None, edit: Edit) -> str:
    return labels.name(device) if device else edit.identity
