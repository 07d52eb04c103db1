"""Add a listed device by hand, which is asked before discovery finds it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fleet import access_fields, editable_fields, identity, labels, recorder_list, status
from fleet.edit import editing, new_channels
from fleet.kinds import CAMERA
from fleet.model import DEFAULT_SITE, Access, Device, Edit, Invalid, Refused
from fleet.places import access_key
from fleet.reduce import access, capacity, kinds, told_streams
from fleet.reduce.access import for_event
from fleet.reduce.draft import Draft


def add(draft: Draft, edit: Edit) -> Device:
    """A new listed device by its way of asking (`source` and its access), its `key`, or both.

    `kind` is a person's choice; `likely_kind` is one that a report may replace, as is the default.
    `more`: the access of other sources, by source. `is_another`: it is not the device that has this
    address already. `facts`: what the device says of itself by the source. A stream of a recorder
    is a channel of it, and so is one of the device `channel_of`, at its site. Raises Refused.
    """
    device = _new_device(draft, edit)
    neighbours = _at_same_address(draft, device)
    recorder = new_channels.recorder_of(draft, edit, device, neighbours)
    if recorder is not None:
        _check_new(new_channels.with_same_stream(draft, recorder, device))
        device, neighbours = new_channels.as_channel(device, recorder, edit), []
    for key in device.identities:
        access.check_free(draft, identity.index_key(key, device.site), key)
        owner = draft.find(key, device.site)
        _check_new(owner or access.device_asked_at(draft, device, key))
    if neighbours and not edit.fields.get("is_another"):
        _check_new(neighbours[0])
    if not capacity.makes_room(draft, None):
        raise Refused(
            f"The fleet is full ({capacity.MAX_DEVICES:,} devices)",
            "Retire or delete devices that no longer exist.",
        )
    device = replace(device, never_merge=tuple(other.id for other in neighbours))
    draft.put(device)
    for other in neighbours:
        draft.put(replace(other, never_merge=(*other.never_merge, device.id)))
    text = f"{labels.name(device)} was added {labels.author(edit.by)}"
    draft.add_event("device.added", device, text, {}, added_values(device))
    return draft.devices[device.id]


def added_values(device: Device) -> dict[str, Any]:
    """All values that a person gave of a device: while they are unchanged, adding can be undone."""
    ways = {source: for_event(access) for source, access in device.access.items()}
    values = editable_fields.values(device)
    return {**values, "kind": device.kind, "listed": device.listed, "access": ways}


def check_unchanged(device: Device, edit: Edit) -> None:
    """Raise Refused when undo would delete a device that somebody changed since it was added."""
    expected = edit.fields.get("expect")
    if expected is not None and not _is_as_added(device, expected):
        raise Refused(
            f"{labels.name(device)} was changed after it was added",
            "Undo the newer changes first, or retire or delete the device.",
        )


def _is_as_added(device: Device, expected: Mapping[str, Any]) -> bool:
    """True if the device has the values of its event, and the stream that ONVIF named since then.
    An event that an older version wrote lacks the fields of this one, which are empty then."""
    ways = told_streams.without_told(device, expected.get("access") or {})
    values = {**added_values(replace(device, access=ways)), "kind": expected.get("kind")}
    return {name: value for name, value in values.items() if value or name in expected} == expected


def _new_device(draft: Draft, edit: Edit) -> Device:
    """The device of the edit, before it is known whether it may be added. Raises Invalid."""
    chosen = edit.fields.get("kind")
    kind = edit.fields.get("likely_kind", CAMERA) if chosen is None else chosen
    if not isinstance(kind, str) or not access_fields.WORD.fullmatch(kind):
        raise _invalid("kind", "The kind is invalid", "Send a kind such as camera or recorder.")
    device = Device(
        id=draft.new_id(),
        kind=kind,
        kind_source=kinds.ASSUMED if chosen is None else kinds.PERSON,
        site=DEFAULT_SITE,
        identities=(),
        listed=True,
        status=status.UNKNOWN,
        since=edit.at,
    )
    device = replace(device, **editing.given_values(device, edit, draft.devices))
    keys = []
    if edit.fields.get("key") is not None:
        keys.append(access.validated_key(edit.fields["key"]))
    if edit.fields.get("source") is not None:
        ways = _ways(draft, edit, device.id)
        device = replace(device, access=ways)
        keys += [key for source, entry in ways.items() if (key := access_key(source, entry))]
        if facts := edit.fields.get("facts"):
            device = replace(device, facts={access_fields.source(edit.fields["source"]): facts})
    elif any(name in edit.fields for name in access.FIELDS):
        raise _invalid(
            "source", "The source is missing", "Send the source that checks it, such as rtsp."
        )
    if not keys:
        raise _invalid("host", "The address is missing", "Enter a host name or an IP address.")
    return replace(device, identities=tuple(dict.fromkeys(keys)))


def _ways(draft: Draft, edit: Edit, id: int) -> dict[str, Access]:
    """The access of every source of the edit. Raises Refused."""
    more = edit.fields.get("more") or {}
    every = {access_fields.source(edit.fields["source"]): edit.fields}
    every |= {access_fields.source(source): fields for source, fields in more.items()}
    if recorder_list.SOURCE in every:
        raise Refused("Recorders are managed in the workbook", "Add a row to the workbook.")
    return {
        source: access.apply_fields(draft, Access(), fields, id) for source, fields in every.items()
    }


def _at_same_address(draft: Draft, device: Device) -> list[Device]:
    """The devices at this site whose address is the new one's."""
    hosts = {entry.host for entry in device.access.values() if entry.host}
    return [
        other for host in hosts for other in draft.at(device.site, host) if other.address == host
    ]


def _check_new(known: Device | None) -> None:
    """Raise Refused, with what to do, for a device that already exists."""
    if known is None:
        return
    name = labels.name_at(known)
    if known.retired_at is not None:
        raise Refused(f"{name} is the same device and is retired", "Restore it instead.")
    if known.listed:
        raise Refused(
            f"{name} is already in the list", "Edit that device, or enter another address."
        )
    raise Refused(
        f"{name} was already found at this address",
        "Link this address and login to it to keep its history.",
    )


def _invalid(name: str, error: str, hint: str) -> Invalid:
    invalid = Invalid(error, hint)
    invalid.field = name
    return invalid
