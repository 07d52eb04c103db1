"""Merge two records, split one, and undo both."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fleet import identity, labels, status, unused_secrets
from fleet.database import device_record
from fleet.model import DEFAULT_SITE, Access, Device, Edit, Invalid, Refused
from fleet.places import access_key
from fleet.reduce import access, disputes, ignore_list, interfaces, joining
from fleet.reduce.draft import Draft


def merge(draft: Draft, remaining: int, removed: int, by: str = "") -> Device:
    """Merge `removed` into `remaining`: its keys, history and sources; its id redirects.

    The event carries both records as they were, and the parents of those that were behind the
    removed one, so that it can be undone.
    """
    keep, gone = draft.devices[remaining], draft.devices[removed]
    draft.drop(gone)
    led = [old for old, new in draft.redirects.items() if new == removed]
    draft.redirects.update(dict.fromkeys(led, remaining))
    draft.redirects[removed] = remaining
    draft.put(joining.merge_devices(keep, gone, draft.rules))
    behind = _redirect_references(draft, removed, remaining)
    merged = _repair_parents(draft, draft.devices[remaining])
    ignore_list.forget_listed(draft, merged)
    if keep.retired_at is not None and merged.retired_at is None:
        merged = replace(merged, status=status.ACTIVE, since=draft.now)
        draft.put(merged)
        text = f"{labels.name(merged)} is back, because number {removed} was not retired"
        draft.add_event("device.restored", merged, text)
    text = f"{labels.name(gone)} (number {removed}) is the same device as {labels.name(keep)}"
    text += f", says {by}" if by else ""
    before: dict[str, Any] = {
        "stays": device_record.for_undo(keep),
        "goes": device_record.for_undo(gone),
    }
    before |= {"redirects": led} if led else {}
    before |= {"behind": behind} if behind else {}
    draft.add_event("device.merged", merged, text, before, {"stays": remaining, "goes": removed})
    return merged


def _redirect_references(draft: Draft, removed: int, remaining: int) -> dict[str, list[int]]:
    """Redirect parents and exclusions from the removed record to the one that remains; return
    the former parents by the number of the device that has them."""
    behind = {}
    for device in draft.referring_to(removed):
        parents = dict.fromkeys(remaining if id == removed else id for id in device.parents)
        never_merge = dict.fromkeys(id for id in device.never_merge if id != removed)
        if removed in device.parents:
            behind[str(device.id)] = list(device.parents)
        if removed in device.never_merge and device.id != remaining:
            never_merge[remaining] = None
        kept = tuple(id for id in parents if id != device.id)
        draft.put(replace(device, parents=kept, never_merge=tuple(never_merge)))
    return behind


def _give_children_back(draft: Draft, edit: Edit, remaining: int, removed: int) -> None:
    """Let the devices that were behind the removed record be behind it again, unless their parents
    were changed since."""
    behind = edit.fields.get("behind", {})
    for number, parents in behind.items() if isinstance(behind, Mapping) else ():
        device = draft.find(f"id:{number}", DEFAULT_SITE)
        if device is None or not isinstance(parents, list):
            continue
        redirected = dict.fromkeys(remaining if id == removed else id for id in parents)
        if tuple(redirected) == device.parents:
            draft.put(replace(device, parents=tuple(parents)))
            _repair_parents(draft, draft.devices[device.id])


def merge_edit(draft: Draft, device: Device, edit: Edit) -> Device:
    """Merge two records by hand; keys that the two disputed are proof again."""
    number = edit.fields["with"]
    other = draft.find(f"id:{number}", DEFAULT_SITE)
    if other is None:
        raise _no_partner(f"There is no device {number}", "Name the other record by its number.")
    if other.id == device.id:
        raise _no_partner("A device cannot be merged with itself", "Name another device.")
    _check_rows(device, other)
    remaining, removed = sorted((device.id, other.id))
    keys = disputes.keys_disputed_between(draft, device, other)
    if not keys:
        return merge(draft, remaining, removed, edit.by)
    merge(draft, remaining, removed, edit.by)
    disputes.end(draft, keys, device.site, edit.at)
    merged = draft.devices[remaining]
    places = {**interfaces.at_shown(device), **interfaces.at_shown(other)}
    known = {**merged.interfaces, **dict.fromkeys(keys, places)}
    draft.put(replace(disputes.with_keys_restored(merged, keys), interfaces=known))
    return draft.devices[merged.id]


def _check_rows(device: Device, other: Device) -> None:
    """Raise Refused for records of two rows of the workbook: a row is one recorder."""
    rows = [identity.row_key(record) for record in (device, other)]
    if None in rows:
        return
    first, second = (str(row).removeprefix(identity.ROW) for row in rows)
    if device.retired_at is None and other.retired_at is None:
        raise Refused(
            f"Both are in the workbook, as {first} and {second}",
            "Take the row that is wrong out of the workbook; its history stays.",
        )
    raise Refused(
        f"They are two rows of the workbook, {first} and {second}, but not both are in it now",
        "No action is needed: a removed row is excluded from all counts, and its history stays.",
    )


def _no_partner(error: str, hint: str) -> Invalid:
    invalid = Invalid(error, hint)
    invalid.field = "with"
    return invalid


def split(draft: Draft, device: Device, edit: Edit) -> Device:
    """Split identities of a record off into another device, by hand."""
    rest, new = joining.split_device(device, edit.fields["identities"], draft.new_id())
    # Otherwise the undo, which merges the two, would restore the one that was retired.
    new = replace(new, retired_at=device.retired_at)
    draft.put(rest)
    draft.put(new)
    for id in unused_secrets.used_by([new]) - unused_secrets.used_by([rest]):
        if id in draft.secrets:
            draft.secrets[id] = replace(draft.secrets[id], device=new.id)
    text = f"{labels.name(rest)} was split by {edit.by}: number {new.id} is another device"
    draft.add_event("device.split", rest, text, {"stays": device.id}, {"goes": new.id})
    return rest


def unmerge(draft: Draft, device: Device, edit: Edit) -> Device:
    """Undo a merge: the removed record is restored, and what came since stays with the other."""
    remaining, removed = _records_before(edit)
    if draft.redirects.get(removed.id) != device.id or remaining.id != device.id:
        raise Refused(
            f"{labels.name(device)} was merged or split again since", "Undo the newer change first."
        )
    del draft.redirects[removed.id]
    for old in edit.fields.get("redirects", ()):
        # What had been merged into the removed record leads there again.
        if draft.redirects.get(old) == device.id:
            draft.redirects[old] = removed.id
    remaining, removed = (_with_current_parents(draft, half) for half in (remaining, removed))
    ended = {
        half.id: disputes.keys_disputed_by_itself(device, half) for half in (remaining, removed)
    }
    disputes.end(draft, [key for keys in ended.values() for key in keys], device.site, edit.at)
    device = draft.devices[device.id]
    draft.drop(device)
    back = joining.unmerge_device(device, remaining, removed, draft.rules)
    back = _with_parents_before(draft, back, remaining, removed)
    back = replace(back, never_merge=(*device.never_merge, removed.id))
    if ended[remaining.id]:
        back = disputes.with_keys_restored(back, ended[remaining.id])
    back = _without_lost(draft, back, removed.id)
    draft.put(back)
    removed = _without_lost(draft, removed, back.id)
    removed = joining.with_sightings_since(device, removed, remaining)
    removed = joining.at_proved_addresses(device, removed)
    removed = disputes.known_by_address(draft, removed, draft.disputed)
    draft.put(replace(removed, never_merge=(*removed.never_merge, back.id)))
    if not (draft.devices[back.id].identities and draft.devices[removed.id].identities):
        raise Refused(
            f"The identities of {labels.name(removed)} now belong to another device",
            "Split that device first, or leave these two together.",
        )
    _give_children_back(draft, edit, back.id, removed.id)
    for half in (back, removed):
        _take_substitute(draft, half.id, ended[half.id])
    back, removed = (_repair_parents(draft, draft.devices[half.id]) for half in (back, removed))
    text = f"{labels.name(back)} and {labels.name(removed)} are two devices again, says {edit.by}"
    draft.add_event("device.unmerged", back, text, {}, {"stays": back.id, "goes": removed.id})
    return back


def _without_lost(draft: Draft, device: Device, other: int) -> Device:
    """The record without what went to another device or is gone since: the access at a place that
    another one has now, deleted passwords, and exclusions of deleted devices."""
    kept: dict[str, Access] = {}
    for source, way in device.access.items():
        key = access_key(source, way)
        if key is None or access.device_asked_at(draft, device, key) is None:
            is_there = way.secret in draft.secrets
            kept[source] = way if is_there else replace(way, secret=None)
    known = {other, *draft.devices, *draft.redirects}.intersection(device.never_merge)
    return replace(
        device, access=kept, never_merge=tuple(id for id in device.never_merge if id in known)
    )


def _take_substitute(draft: Draft, id: int, ended: Sequence[str]) -> None:
    """Merge the record that was made for the address of a device while its keys were disputed
    into that device."""
    device = draft.devices[id]
    substitute = draft.find(f"{identity.ADDRESS}{device.address}", device.site)
    if not ended or substitute is None or substitute.id <= id or substitute.listed:
        return
    # The other half is known by its address, too, while its keys are disputed.
    if substitute.id not in device.never_merge and id not in substitute.never_merge:
        merge(draft, id, substitute.id)


def _records_before(edit: Edit) -> tuple[Device, Device]:
    """Read both records from before a merge. Raises Refused when the event is incomplete."""
    try:
        return (
            device_record.device_of_event(edit.fields["stays"]),
            device_record.device_of_event(edit.fields["goes"]),
        )
    except (KeyError, ValueError):
        raise Refused(
            "The event does not contain the records before the merge", "Split the device instead."
        ) from None


def _with_current_parents(draft: Draft, device: Device) -> Device:
    """The device with the numbers that its parents have since their own merges."""
    parents = dict.fromkeys(draft.redirects.get(parent, parent) for parent in device.parents)
    return replace(device, parents=tuple(parents))


def _with_parents_before(draft: Draft, back: Device, remaining: Device, removed: Device) -> Device:
    """The device that is split off again, with the parents that it lost because they were merged
    with it or behind it."""
    kept = [
        parent
        for parent in remaining.parents
        if parent in (removed.id, *back.parents) or _is_behind(draft, back, parent)
    ]
    return replace(back, parents=tuple(dict.fromkeys((*kept, *back.parents))))


def _repair_parents(draft: Draft, device: Device) -> Device:
    """Remove parents that do not exist or are behind the device."""
    parents = dict.fromkeys(draft.redirects.get(parent, parent) for parent in device.parents)
    existing = [parent for parent in parents if parent in draft.devices]
    kept = [parent for parent in existing if not _is_behind(draft, device, parent)]
    if tuple(kept) != device.parents:
        draft.put(replace(device, parents=tuple(kept)))
    return draft.devices[device.id]


def _is_behind(draft: Draft, device: Device, parent: int) -> bool:
    return identity.is_circle(replace(device, parents=(parent,)), draft.devices)
