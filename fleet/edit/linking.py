"""Link an access or a key to a device by hand, and undo it.

The event keeps what was before and after, so that undo is the same change the other way round.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fleet import access_fields, identity, labels, recorder_list
from fleet.model import Access, Device, Edit, Refused
from fleet.places import access_key, place
from fleet.reduce import access
from fleet.reduce.access import for_event, from_event, owner_to_replace
from fleet.reduce.draft import Draft


@dataclass(frozen=True, slots=True)
class _Link:
    """The values that a link sets: an access with the key of its place, or a key alone."""

    source: str | None = None
    access: Access | None = None
    key: str | None = None
    listed: bool = True

    def as_json(self) -> dict[str, Any]:
        sets = {"source": self.source, "access": for_event(self.access)} if self.source else {}
        return {**sets, "key": self.key, "listed": self.listed}


def link(draft: Draft, device: Device, edit: Edit) -> Device:
    """Give the device an access for a source, or a `key`.

    Another device that had the place loses it, unless it is online there. Raises Refused.
    """
    if "undo" in edit.fields:
        return _undo_link(draft, device, edit)
    if device.retired_at is not None:
        raise Refused(f"{labels.name(device)} is retired", "Restore it first.")
    wanted = _wanted(draft, device, edit)
    if wanted == _link_of(device, wanted):
        return device
    text = f"{_name(wanted)} was linked to {labels.name(device)} {labels.author(edit.by)}"
    return _apply_link(draft, device, wanted, _link_of(device, wanted), "device.linked", text)


def _wanted(draft: Draft, device: Device, edit: Edit) -> _Link:
    if "key" in edit.fields:
        named = access.validated_key(edit.fields["key"])
        access.check_free(draft, identity.index_key(named, device.site), named)
        return _Link(key=named, listed=device.listed)
    source = access_fields.source(edit.fields.get("source"))
    if source == recorder_list.SOURCE:
        raise Refused("Recorders are managed in the workbook", "Edit its row in the workbook.")
    known = device.access.get(source, Access())
    new = access.apply_fields(draft, known, edit.fields, device.id)
    key = access_key(source, new)
    if key is not None:
        access.check_free(draft, identity.index_key(key, device.site), key)
    return _Link(source, new, key)


def _link_of(device: Device, wanted: _Link) -> _Link:
    """The values that the device has now in the place of the wanted ones."""
    if wanted.source is None:
        known, key = None, wanted.key
    else:
        known = device.access.get(wanted.source)
        key = access_key(wanted.source, known) if known else None
    return _Link(wanted.source, known, key if key in device.identities else None, device.listed)


def _apply_link(
    draft: Draft, device: Device, wanted: _Link, known: _Link, kind: str, text: str
) -> Device:
    """The device with the link that is wanted in the place of the one that it has."""
    before, owner = known.as_json(), wanted.key and owner_to_replace(draft, device, wanted.key)
    if wanted.key and owner:
        rest, source = access.without_key(owner, wanted.key)
        lost = {"source": source, "access": for_event(owner.access[source])} if source else {}
        before["from"] = {"id": owner.id, "key": wanted.key, **lost}
        draft.put(rest)
        text += f"; it was linked to {labels.name_at(owner)} before"
    if known.key and known.key != wanted.key:
        device = identity.without(device, (known.key,))
    draft.put(_with_link(device, wanted))
    linked = draft.devices[device.id]
    draft.add_event(kind, linked, text, before, wanted.as_json())
    return linked


def _with_link(device: Device, wanted: _Link) -> Device:
    by_source = dict(device.access)
    if wanted.source is not None:
        by_source.pop(wanted.source, None)
        if wanted.access is not None:
            by_source[wanted.source] = wanted.access
    device = access.with_key(device, wanted.key) if wanted.key else device
    return replace(device, access=by_source, listed=wanted.listed)


# -- taking it back --------------------------------------------------------------------------


def _undo_link(draft: Draft, device: Device, edit: Edit) -> Device:
    """The link as it was before, and what another device lost is given back to it."""
    raw, expected = edit.fields["undo"], edit.fields["expect"]
    wanted = _link_before(draft, raw, device)
    known = _link_of(device, replace(wanted, key=expected.get("key") or wanted.key))
    if known.as_json() != dict(expected):
        raise Refused(
            f"{labels.name(device)} has been changed since then",
            "Undo the newer change first, or link it again.",
        )
    is_back = wanted.access is not None or (wanted.source is None and wanted.key is not None)
    kind, verb = ("device.linked", "was linked") if is_back else ("device.unlinked", "was unlinked")
    link = "to" if is_back else "from"
    by = labels.author(edit.by)
    text = f"{_name(wanted if is_back else known)} {verb} {link} {labels.name(device)} {by}"
    device = _apply_link(draft, device, wanted, known, kind, text)
    if "from" in raw:
        _give_back(draft, raw["from"])
    return draft.devices[device.id]


def _give_back(draft: Draft, lost: Mapping[str, Any]) -> None:
    """Restore what a link took from another device, if it exists and no device has the key now."""
    owner, key = draft.find(f"id:{lost['id']}", ""), str(lost["key"])
    if owner is None or draft.find(key, owner.site) is not None:
        return
    if lost.get("source") in owner.access:
        return
    before = _link_before(draft, {**lost, "key": key, "listed": owner.listed}, owner)
    draft.put(_with_link(owner, before))


def _link_before(draft: Draft, raw: Mapping[str, Any], device: Device) -> _Link:
    """The link in an event, without passwords that were deleted or are another device's now."""
    had = from_event(raw.get("access"))
    if had is not None:
        had = access.with_known_secrets(had, access.own_secrets(draft, had, device.id))
    return _Link(raw.get("source"), had, raw.get("key"), bool(raw["listed"]))


def _name(link: _Link) -> str:
    """Name a link for people."""
    if link.source is not None and link.access is not None:
        at = place(link.access) if link.access.host else "the address of the device"
        return f"{labels.protocol(link.source)} at {at}"
    return str(link.key or link.source)
