"""Merge two records, split one, and undo both."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fleet import identity, labels, status, unused_secrets
from fleet.database import device_record
from fleet.model import DEFAULT_SITE, Access, Device, Edit, Invalid, Refused
from fleet.places import access_key
from fleet.reduce import access, channels, disputes, ignore_list, interfaces, joining, undoing
from fleet.reduce.draft import Draft


def merge(
    draft: Draft,
    remaining: int,
    removed: int,
    by: str = "",
    division: undoing.Division | None = None,
) -> Device:
    """Merge `removed` into `remaining`: its keys, history and sources; its id redirects. With
    `division` they become again the record that they were.

    The event carries both records as they were, and the parents and exclusions of those that
    named the removed one, so that it can be undone; also the merged record, where it is not what
    merging the two makes of them.
    """
    keep, gone = draft.devices[remaining], draft.devices[removed]
    draft.drop(gone)
    led = [old for old, new in draft.redirects.items() if new == removed]
    draft.redirects.update(dict.fromkeys(led, remaining))
    draft.redirects[removed] = remaining
    plain = joining.merge_devices(keep, gone, draft.rules)
    draft.put(undoing.rejoin_devices(division, keep, gone, draft.rules) if division else plain)
    references = _redirect_references(draft, removed, remaining)
    merged = then = _repair_parents(draft, draft.devices[remaining])
    ignore_list.forget_listed(draft, merged)
    if keep.retired_at is not None and merged.retired_at is None:
        merged = replace(merged, status=status.ACTIVE, since=draft.now)
        draft.put(merged)
        text = f"{labels.name(merged)} was restored: the device merged into it was not retired"
        draft.add_event("device.restored", merged, text)
    text = f"{labels.name_at(gone)} was merged into {labels.name(keep)}"
    if dropped := joining.dropped_access(keep, gone):
        text += f", without {' and '.join(dropped)}"
    text += f", {labels.author(by)}" if by else ""
    before: dict[str, Any] = {
        "stays": device_record.for_undo(keep),
        "goes": device_record.for_undo(gone),
    }
    before |= {"redirects": led} if led else {}
    before |= references
    before |= {"merged": device_record.for_undo(then)} if then != plain else {}
    draft.add_event("device.merged", merged, text, before, {"stays": remaining, "goes": removed})
    return merged


def _redirect_references(
    draft: Draft, removed: int, remaining: int
) -> dict[str, dict[str, list[int]]]:
    """Redirect parents and exclusions from the removed record to the one that remains; return
    the former ones by the number of the device that has them, as the event keeps them."""
    behind, excluding = {}, {}
    for device in draft.referring_to(removed):
        parents = _redirected(device.parents, removed, remaining, device.id)
        never_merge = _redirected(device.never_merge, removed, remaining, device.id)
        if removed in device.parents:
            behind[str(device.id)] = list(device.parents)
        if removed in device.never_merge:
            excluding[str(device.id)] = list(device.never_merge)
        draft.put(replace(device, parents=parents, never_merge=never_merge))
    references = {"behind": behind, "excluding": excluding}
    return {name: by_number for name, by_number in references.items() if by_number}


def _redirected(ids: Sequence[int], removed: int, remaining: int, own: int) -> tuple[int, ...]:
    """The numbers of other devices, with that of the record that remains for the removed one."""
    redirected = dict.fromkeys(remaining if id == removed else id for id in ids)
    return tuple(id for id in redirected if id != own)


def _give_references_back(draft: Draft, edit: Edit, remaining: int, removed: int) -> None:
    """Let the devices that were behind the removed record, unless their parents were changed
    since, and those that excluded it name it again."""
    for number, parents in _former(edit, "behind"):
        device = draft.find(f"id:{number}", DEFAULT_SITE)
        if device and _redirected(parents, removed, remaining, device.id) == device.parents:
            draft.put(replace(device, parents=tuple(parents)))
            _repair_parents(draft, draft.devices[device.id])
    for number, excluded in _former(edit, "excluding"):
        device = draft.find(f"id:{number}", DEFAULT_SITE)
        if device and remaining in device.never_merge:
            kept = [id for id in device.never_merge if id != remaining or id in excluded]
            draft.put(_excluding(replace(device, never_merge=tuple(kept)), removed))


def _former(edit: Edit, name: str) -> list[tuple[str, list[int]]]:
    """The former parents or exclusions in the event of a merge, by number."""
    by_number = edit.fields.get(name, {})
    entries = by_number.items() if isinstance(by_number, Mapping) else ()
    return [(number, ids) for number, ids in entries if isinstance(ids, list)]


def merge_edit(draft: Draft, device: Device, edit: Edit) -> Device:
    """Merge two records by hand; keys that the two disputed are proof again."""
    number = edit.fields["with"]
    other = draft.find(f"id:{number}", DEFAULT_SITE)
    if other is None:
        raise _no_partner("The device to merge with does not exist", "Select another device.")
    if other.id == device.id:
        raise _no_partner("A device cannot be merged with itself", "Select another device.")
    _check_rows(device, other)
    channels.check_merge(draft, device, other)
    remaining, removed = sorted((device.id, other.id))
    keys = disputes.keys_disputed_between(draft, device, other)
    if not keys:
        merged = merge(draft, remaining, removed, edit.by, _division(draft, edit, (device, other)))
        _take_secrets(draft, merged)
        return merged
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
            "Remove the wrong row from the workbook; its history is kept.",
        )
    raise Refused(
        f"They are two rows of the workbook, {first} and {second}, and only one of them is "
        "still in it",
        "No action is needed: a removed row is excluded from all counts, and its history is kept.",
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
    for half in (rest, new):
        _take_secrets(draft, half)
    channels.divide(draft, (rest, new))
    text = f"Number {new.id} was split off {labels.name(rest)}, {labels.author(edit.by)}"
    before = {"stays": device.id, **_for_rejoining(draft, device, (rest.id, new.id))}
    draft.add_event("device.split", rest, text, before, {"goes": new.id})
    return rest


def _for_rejoining(draft: Draft, whole: Device, halves: Sequence[int]) -> dict[str, Any]:
    """What the event of a division keeps, so that its undo gives the record back as it was."""
    return {
        "whole": device_record.for_undo(whole),
        "halves": [device_record.for_undo(draft.devices[id]) for id in halves],
    }


def _division(draft: Draft, edit: Edit, devices: Sequence[Device]) -> undoing.Division | None:
    """The division of these two records that the edit undoes; None for any other merge, or if the
    event of an earlier version does not have it."""
    try:
        whole = device_record.device_of_event(edit.fields["whole"])
        rest, new = map(device_record.device_of_event, edit.fields["halves"])
    except (KeyError, TypeError, ValueError):
        return None
    if whole.id != rest.id or [rest.id, new.id] != sorted(device.id for device in devices):
        return None
    return undoing.Division(*(_with_current_numbers(draft, half) for half in (whole, rest, new)))


def _take_secrets(draft: Draft, device: Device) -> None:
    """Let the passwords that the device uses be its own."""
    for id in unused_secrets.used_by([device]) & draft.secrets.keys():
        if draft.secrets[id].device != device.id:
            draft.secrets[id] = replace(draft.secrets[id], device=device.id)


def unmerge(draft: Draft, device: Device, edit: Edit) -> Device:
    """Undo a merge: the removed record is restored, and what came since stays with the other."""
    remaining, removed = _records_before(edit)
    if draft.redirects.get(removed.id) != device.id or remaining.id != device.id:
        raise Refused(
            f"{labels.name(device)} has been merged or split since", "Undo the newer change first."
        )
    del draft.redirects[removed.id]
    for old in edit.fields.get("redirects", ()):
        # What had been merged into the removed record leads there again.
        if draft.redirects.get(old) == device.id:
            draft.redirects[old] = removed.id
    remaining, removed = (_with_current_numbers(draft, half) for half in (remaining, removed))
    ended = {
        half.id: disputes.keys_disputed_by_itself(device, half) for half in (remaining, removed)
    }
    disputes.end(draft, [key for keys in ended.values() for key in keys], device.site, edit.at)
    device = draft.devices[device.id]
    draft.drop(device)
    then = _merged_then(draft, edit) or joining.merge_devices(remaining, removed, draft.rules)
    undone = undoing.Merge(device, then, remaining, removed)
    back, removed = undoing.remaining_device(undone), undoing.removed_device(undone)
    back = _with_parents_before(draft, back, remaining, removed)
    back = _excluding(back, removed.id)
    if ended[remaining.id]:
        back = disputes.with_keys_restored(back, ended[remaining.id])
    back = _without_lost(draft, back, removed.id)
    draft.put(back)
    removed = _without_lost(draft, removed, back.id)
    removed = disputes.known_by_address(draft, removed, draft.disputed)
    draft.put(_excluding(removed, back.id))
    if not (draft.devices[back.id].identities and draft.devices[removed.id].identities):
        raise Refused(
            f"The identities of {labels.name(removed)} now belong to another device",
            "Split that device first, or keep these two merged.",
        )
    _give_references_back(draft, edit, back.id, removed.id)
    for half in (back, removed):
        _take_substitute(draft, half.id, ended[half.id])
    back, removed = (_repair_parents(draft, draft.devices[half.id]) for half in (back, removed))
    channels.divide(draft, (back, removed))
    for half in (back, removed):
        _take_secrets(draft, half)
    text = f"{labels.name(back)} and {labels.name(removed)} are separate devices again"
    text += f", {labels.author(edit.by)}"
    before = _for_rejoining(draft, device, (back.id, removed.id))
    draft.add_event("device.unmerged", back, text, before, {"stays": back.id, "goes": removed.id})
    return back


def _excluding(device: Device, other: int) -> Device:
    """The device that is never merged with the other one."""
    return replace(device, never_merge=tuple(dict.fromkeys((*device.never_merge, other))))


def _merged_then(draft: Draft, edit: Edit) -> Device | None:
    """The merged record in the event of a merge; None if it is what merging the two makes."""
    try:
        then = device_record.device_of_event(edit.fields["merged"])
    except (KeyError, ValueError):
        return None
    return _with_current_numbers(draft, then)


def _without_lost(draft: Draft, device: Device, other: int) -> Device:
    """The record without what went to another device or is gone since: the access at a place that
    another one has now, deleted passwords, and exclusions of deleted devices."""
    kept: dict[str, Access] = {}
    for source, way in device.access.items():
        key = access_key(source, way)
        if key is None or access.device_asked_at(draft, device, key) is None:
            kept[source] = access.with_known_secrets(way, draft.secrets)
    known = {other, *draft.devices}.intersection(device.never_merge)
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
            "The event does not contain the two records from before the merge",
            "Split the device instead.",
        ) from None


def _with_current_numbers(draft: Draft, device: Device) -> Device:
    """The device with the numbers that its parents and exclusions have since their own merges."""
    parents, never_merge = (
        tuple(dict.fromkeys(draft.redirects.get(id, id) for id in ids))
        for ids in (device.parents, device.never_merge)
    )
    never_merge = tuple(id for id in never_merge if id != device.id)
    return replace(device, parents=parents, never_merge=never_merge)


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
