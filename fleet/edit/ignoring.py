"""Ignore devices: discovery never adds them again until a person undoes it."""

from collections.abc import Sequence
from dataclasses import replace

from fleet import identity, labels
from fleet.edit import editing
from fleet.model import (
    DEFAULT_SITE,
    Device,
    Edit,
    Invalid,
    NotFound,
    Refused,
)
from fleet.reduce import access, channels, ignore_list
from fleet.reduce.draft import Draft
from fleet.texts import LIST_HINT

MAX_IGNORED = 10_000
"""Keys that can be ignored at a time."""
MAX_REASON = 200


def apply(draft: Draft, edit: Edit) -> Device | None:
    """Ignore a device, or a key of no known device; with `remove`, stop ignoring it.

    `site` is that of a key; `keys` are index keys, in place of the identity. Raises Refused for a
    device that a person or the workbook listed, and when too many keys are ignored.
    """
    device, keys = _subject(draft, edit)
    if edit.fields.get("remove"):
        return _stop_ignoring(draft, edit, device, keys)
    if device is not None and (device.listed or identity.row_key(device)):
        raise Refused(
            f"{labels.name(device)} was added by a person or the workbook, so it cannot be ignored",
            "Retire or delete it instead.",
        )
    new = [key for key in keys if key not in draft.ignored]
    if not new:
        return device
    if len(draft.ignored) + len(new) > MAX_IGNORED:
        raise Refused(
            f"{MAX_IGNORED:,} identities are already ignored",
            "Stop ignoring some of them, or separate that network from this server.",
        )
    entry = {"at": edit.at.isoformat(), "by": edit.by, **_reason(edit)}
    draft.ignored |= dict.fromkeys(new, entry)
    draft.is_changed = True
    is_retired_now = device is not None and device.retired_at is None
    if device is not None and is_retired_now:
        device = replace(device, retired_at=edit.at)
        draft.put(device)
        channels.retire_along(draft, device, edit.at)
    name = _name(device, edit)
    after = {"ignored": new, "retired": is_retired_now}
    draft.add_event(
        "device.ignored", device, f"{name} is ignored, {labels.author(edit.by)}", {}, after
    )
    return device


def _stop_ignoring(
    draft: Draft, edit: Edit, device: Device | None, keys: Sequence[str]
) -> Device | None:
    """Stop ignoring the device. If only ignoring had retired it, it is restored."""
    ignored = [key for key in edit.fields.get("keys", keys) if key in draft.ignored]
    if not ignored:
        raise Refused(f"{_name(device, edit)} is not ignored", "There is nothing to undo.")
    reasons = [draft.ignored[key]["text"] for key in ignored if draft.ignored[key].get("text")]
    name = labels.name(device) if device else next(iter(map(str, reasons)), _name(device, edit))
    is_back = device is not None and any(
        device.retired_at and draft.ignored[key].get("at") == device.retired_at.isoformat()
        for key in ignored
    )
    for key in ignored:
        del draft.ignored[key]
    draft.is_changed = True
    if device is not None and is_back:
        channels.restore_along(draft, device, device.retired_at)
        device = replace(device, retired_at=None)
        draft.put(device)
    text = f"{name} is no longer ignored, {labels.author(edit.by)}"
    after = {"restored": is_back}
    draft.add_event("device.unignored", device, text, {"ignored": ignored}, after)
    return device


def _subject(draft: Draft, edit: Edit) -> tuple[Device | None, list[str]]:
    """The device of the edit, if there is one, and the index keys that it means."""
    site = edit.fields.get("site", DEFAULT_SITE)
    if not isinstance(site, str):
        raise Invalid("The site must be text", 'Send {"site": "North"}.')
    if not edit.identity and edit.fields.get("keys"):
        return None, [*edit.fields["keys"]]
    device = draft.find(edit.identity, site)
    if device is not None:
        return device, ignore_list.keys_of(device)
    if edit.identity.startswith("id:"):
        raise NotFound(
            f"Device {edit.identity[3:][:40]} does not exist",
            LIST_HINT,
        )
    return None, [identity.index_key(access.validated_key(edit.identity), site)]


def _reason(edit: Edit) -> dict[str, str]:
    """The reason why it is ignored, if the person gave one."""
    text = edit.fields.get("text")
    if text is None:
        return {}
    if not isinstance(text, str) or len(text) > MAX_REASON:
        raise Invalid(f"The reason is longer than {MAX_REASON} characters", "Shorten it.")
    kept = editing.clean("name", text)
    return {"text": kept} if kept else {}


def _name(device: Device | None, edit: Edit) -> str:
    """What the event calls it. A person who ignores a key can say what it is."""
    if device is not None:
        return labels.name(device)
    keys = edit.fields.get("keys") or [edit.identity]
    return _reason(edit).get("text") or ", ".join(keys)[:MAX_REASON]
