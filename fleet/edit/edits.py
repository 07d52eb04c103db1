"""Apply edits: each kind goes to the file that knows it."""

from dataclasses import replace

from fleet import identity, labels
from fleet.edit import (
    access_edits,
    adding,
    cleaning,
    credential_edits,
    editing,
    ignoring,
    import_events,
    linking,
    row_edits,
)
from fleet.model import DEFAULT_SITE, Device, Edit, NotFound, Refused
from fleet.reduce import capacity, channels, ignore_list, merging, removal
from fleet.reduce.draft import Draft


def apply(draft: Draft, edit: Edit) -> Device | None:
    """The device of the edit, which is changed in the draft. Raises Refused."""
    edit = _with_parent(draft, edit)
    match edit.kind:
        case "list":
            return row_edits.apply(draft, edit)
        case "add":
            return adding.add(draft, edit)
        case "ignore":
            return ignoring.apply(draft, edit)
        case "credentials":
            credential_edits.apply(draft, edit)
            return None
        case "import":
            import_events.finish(draft, edit)
            return None
    device = editing.existing(draft.find(edit.identity, DEFAULT_SITE), edit)
    match edit.kind:
        case "merge":
            return merging.merge_edit(draft, device, edit)
        case "split":
            return merging.split(draft, device, edit)
        case "unmerge":
            return merging.unmerge(draft, device, edit)
        case "link":
            return linking.link(draft, device, edit)
        case "delete":
            cleaning.check_selected(device, edit)
            adding.check_unchanged(device, edit)
            return removal.delete(draft, device, edit)
        case "restore":
            ignore_list.check_not_ignored(draft, device)
    return _apply_values(draft, device, edit)


def _with_parent(draft: Draft, edit: Edit) -> Edit:
    """The edit with the number of a parent that it names by `parent_key` and `parent_site`, as one
    that is added in the same write. Raises NotFound."""
    if "parent_key" not in edit.fields:
        return edit
    fields = dict(edit.fields)
    key, site = fields.pop("parent_key"), fields.pop("parent_site", DEFAULT_SITE)
    parent = draft.find(str(key), str(site))
    if parent is None:
        raise NotFound("The parent device is not in the list", "Correct the row that adds it.")
    return replace(edit, fields={**fields, "parent": parent.id})


def _apply_values(draft: Draft, device: Device, edit: Edit) -> Device:
    """The edits that set values of one device."""
    changed, summary = editing.apply_edit(device, edit, draft.devices)
    if edit.kind == "change" and access_edits.has_access_fields(edit):
        changed, summary = access_edits.apply_access_edit(draft, changed, edit, summary)
    if summary is not None:
        _check_keys(draft, changed)
        draft.put(changed)
        text = summary.text + _along(draft, device, changed)
        draft.add_event(summary.kind, changed, text, summary.before, summary.after)
        capacity.trim_retired(draft)
    return changed


def _along(draft: Draft, before: Device, after: Device) -> str:
    """Retire or restore the channels of a recorder with it; return how many, as text."""
    if before.retired_at == after.retired_at:
        return ""
    if after.retired_at is not None:
        number = channels.retire_along(draft, after, after.retired_at)
    else:
        number = channels.restore_along(draft, after, before.retired_at)
    return f", with {labels.counted(number, 'channel')}" if number else ""


def _check_keys(draft: Draft, device: Device) -> None:
    """Check that no device in its new site has the same key. Raises Refused."""
    for key in identity.keys_of(device):
        owner = draft.devices.get(draft.index.get(key, device.id))
        if owner is not None and owner.id != device.id:
            raise Refused(
                f"{labels.name(owner)} has the same identity at site {device.site}",
                "Merge the two, or choose another site.",
            )
