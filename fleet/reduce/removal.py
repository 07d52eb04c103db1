"""Remove devices from the fleet: deleted by a person, or replaced when it is full."""

from dataclasses import replace

from fleet import editable_fields, identity, labels, recorder_list
from fleet.model import Device, Edit, Finding, Invalid, Refused
from fleet.reduce import channels, findings
from fleet.reduce.draft import Draft

OTHERS = "others"
"""In the evidence of a finding: the MACs of the other devices that it names."""


def delete(draft: Draft, device: Device, edit: Edit) -> Device:
    """Permanently delete a record. `confirm` in the edit is the exact name of the device, which
    for a channel can begin with that of its recorder.

    The channels of a recorder are deleted with it. Its number is never used again, and what has its
    keys is found as a new device, unless a person ignored them. Its passwords are gone; its
    events stay in the journal. Raises Refused for a row that is in the workbook.
    """
    called, confirm = labels.name(device), edit.fields.get("confirm")
    if recorder_list.is_in_list(device):
        raise Refused(
            f"{called} is in the workbook",
            "Remove its row from the workbook first, then delete it.",
        )
    shown = called, labels.name_among(device, draft.devices)
    if confirm is not None and confirm not in shown:
        invalid = Invalid(
            "The name does not match",
            f"Enter its exact name: {called}",
        )
        invalid.field = "confirm"
        raise invalid
    before = {"name": called, "site": device.site, "identities": list(device.identities)}
    # A selection deletes exactly what was counted.
    along = channels.of(draft, device) if "selection" not in edit.fields else []
    text = f"{called} was deleted {labels.author(edit.by)}"
    text += f", with {labels.counted(len(along), 'channel')}" if along else ""
    draft.add_event("device.deleted", device, text, before)
    for gone in (device, *along):
        remove(draft, gone)
    return device


def remove(draft: Draft, device: Device) -> None:
    """Remove the record; `forget_removed` cleans up once for the whole batch."""
    draft.drop(device)
    draft.removed.add(device.id)
    draft.is_changed = True


def forget_removed(draft: Draft) -> None:
    """Remove all references to the removed records."""
    removed = draft.removed
    if not removed:
        return
    _clear_findings(draft, removed)
    _forget_secrets(
        draft, removed | {old for old, new in draft.redirects.items() if new in removed}
    )
    draft.redirects = {old: new for old, new in draft.redirects.items() if new not in removed}
    for device in {
        device.id: device for id in removed for device in draft.referring_to(id)
    }.values():
        parents = tuple(parent for parent in device.parents if parent not in removed)
        never_merge = tuple(id for id in device.never_merge if id not in removed)
        draft.put(replace(device, parents=parents, never_merge=never_merge))


def _clear_findings(draft: Draft, removed: set[int]) -> None:
    """Clear the findings of other devices that name the MAC of one that was removed. What is
    still so between the others, the next scan raises again."""
    before = (draft.fleet.devices.get(id) for id in removed)
    macs = {mac for device in before if device for mac in identity.macs_of(device)}
    for device in list(draft.devices.values()) if macs else ():
        for fault in device.findings:
            if macs.intersection(fault.evidence.get(OTHERS, ())):
                target = f"id:{device.id}"
                findings.apply(
                    draft, Finding(target, fault.kind, draft.now, "", fault.source, cleared=True)
                )


def _forget_secrets(draft: Draft, removed: set[int]) -> None:
    """Delete passwords that were stored for these devices and that no device uses now."""
    unused = {id for id, secret in draft.secrets.items() if secret.device in removed}
    if unused:
        for device in draft.devices.values():
            for access in device.access.values():
                unused -= {access.secret, *access.secret_options.values()}
    for id in unused:
        del draft.secrets[id]


def is_disposable(device: Device) -> bool:
    """True if no person worked on the device: its editable fields, its access, or its listing."""
    is_edited = editable_fields.has_work(device) or device.listed or bool(device.access)
    return not is_edited and identity.row_key(device) is None
