"""Merge two records, split one, and undo both."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fleet import access, identity, labels, status, unused_secrets
from fleet.database import device_record
from fleet.edit import ignoring, joining
from fleet.model import DEFAULT_SITE, Access, Device, Edit, Invalid, Refused
from fleet.reduce import disputes, interfaces
from fleet.reduce.draft import Draft


def merge(draft: Draft, stays: int, goes: int, by: str = "") -> Device:
    """Merge `goes` into `stays`: its keys, history and sources; its id redirects.

    The event carries both records as they were, so that it can be undone.
    """
    keep, gone = draft.devices[stays], draft.devices[goes]
    draft.drop(gone)
    led = [old for old, new in draft.redirects.items() if new == goes]
    draft.redirects.update(dict.fromkeys(led, stays))
    draft.redirects[goes] = stays
    merged = joining.merge_devices(keep, gone)
    draft.put(merged)
    for other in list(draft.devices.values()):
        _redirect_references(draft, other, goes, stays)
    merged = _repair_parents(draft, draft.devices[stays])
    ignoring.forget_listed(draft, merged)
    if keep.retired_at is not None and merged.retired_at is None:
        merged = replace(merged, status=status.ACTIVE, since=draft.now)
        draft.put(merged)
        text = f"{labels.name(merged)} is back, because number {goes} was not retired"
        draft.add_event("device.restored", merged, text)
    text = f"{labels.name(gone)} (number {goes}) is the same device as {labels.name(keep)}"
    text += f", says {by}" if by else ""
    before: dict[str, Any] = {
        "stays": device_record.for_undo(keep),
        "goes": device_record.for_undo(gone),
    }
    before |= {"redirects": led} if led else {}
    draft.add_event("device.merged", merged, text, before, {"stays": stays, "goes": goes})
    return merged


def _redirect_references(draft: Draft, device: Device, goes: int, stays: int) -> None:
    """Redirect parents and exclusions from the merged record to the one that stays."""
    if goes in device.parents:
        parents = dict.fromkeys(stays if parent == goes else parent for parent in device.parents)
        kept = tuple(parent for parent in parents if parent != device.id)
        draft.put(replace(device, parents=kept))
    if goes in device.never_merge and device.id != stays:
        never_merge = (*(id for id in device.never_merge if id != goes), stays)
        draft.put(replace(draft.devices[device.id], never_merge=tuple(dict.fromkeys(never_merge))))


def merge_edit(draft: Draft, device: Device, edit: Edit) -> Device:
    """Merge two records by hand; keys that the two disputed are proof again."""
    number = edit.fields["with"]
    other = draft.find(f"id:{number}", DEFAULT_SITE)
    if other is None:
        raise _no_partner(f"There is no device {number}", "Name the other record by its number.")
    if other.id == device.id:
        raise _no_partner("A device cannot be merged with itself", "Name another device.")
    _check_rows(device, other)
    stays, goes = sorted((device.id, other.id))
    keys = disputes.keys_disputed_between(draft, device, other)
    if not keys:
        return merge(draft, stays, goes, edit.by)
    merge(draft, stays, goes, edit.by)
    disputes.end(draft, keys, device.site, edit.at)
    merged = draft.devices[stays]
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
            f"Both stand in the workbook, as {first} and {second}",
            "Take the row that is wrong out of the workbook; its history stays.",
        )
    raise Refused(
        f"They are two rows of the workbook, {first} and {second}, though not both stand in it now",
        "There is nothing to do: a row that left it counts nowhere, and its history stays.",
    )


def _no_partner(error: str, hint: str) -> Invalid:
    invalid = Invalid(error, hint)
    invalid.field = "with"
    return invalid


def split(draft: Draft, device: Device, edit: Edit) -> Device:
    """Split identities of a record off into another device, by hand."""
    rest, new = joining.split_device(device, edit.fields["identities"], draft.new_id())
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
    stays, goes = _records_before(edit)
    if draft.redirects.get(goes.id) != device.id or stays.id != device.id:
        raise Refused(
            f"{labels.name(device)} was merged or split again since", "Undo the newer change first."
        )
    del draft.redirects[goes.id]
    for old in edit.fields.get("redirects", ()):
        # What had been merged into the removed record leads there again.
        if draft.redirects.get(old) == device.id:
            draft.redirects[old] = goes.id
    ended = {half.id: disputes.keys_disputed_by_itself(device, half) for half in (stays, goes)}
    disputes.end(draft, [key for keys in ended.values() for key in keys], device.site, edit.at)
    device = draft.devices[device.id]
    draft.drop(device)
    back = replace(
        joining.unmerge_device(device, stays, goes), never_merge=(*device.never_merge, goes.id)
    )
    if ended[stays.id]:
        back = disputes.with_keys_restored(back, ended[stays.id])
    back = _without_lost(draft, back, goes.id)
    draft.put(back)
    goes = _without_lost(draft, goes, back.id)
    goes = joining.at_proved_addresses(device, goes)
    goes = disputes.known_by_address(draft, goes, draft.disputed)
    draft.put(replace(goes, never_merge=(*goes.never_merge, back.id)))
    if not (draft.devices[back.id].identities and draft.devices[goes.id].identities):
        raise Refused(
            f"The identities of {labels.name(goes)} now belong to another device",
            "Split that device first, or leave these two together.",
        )
    for half in (back, goes):
        _take_substitute(draft, half.id, ended[half.id])
    back, goes = (_repair_parents(draft, draft.devices[half.id]) for half in (back, goes))
    text = f"{labels.name(back)} and {labels.name(goes)} are two devices again, says {edit.by}"
    draft.add_event("device.unmerged", back, text, {}, {"stays": back.id, "goes": goes.id})
    return back


def _without_lost(draft: Draft, device: Device, other: int) -> Device:
    """The record without what went to another device or is gone since: the access at a place that
    another one has now, deleted passwords, and exclusions of deleted devices."""
    kept: dict[str, Access] = {}
    for source, way in device.access.items():
        key = access.place_key(source, way)
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
    if ended and substitute is not None and substitute.id > id and not substitute.listed:
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
