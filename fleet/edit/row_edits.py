"""Apply a row of the list of recorders: a new device, or newer facts of a known one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fleet import labels, status
from fleet.model import Device, Edit, Facts
from fleet.reduce import channels
from fleet.reduce.draft import Draft
from fleet.secret_columns import masked

ROW_TITLES = {"store": "store", "row_site": "site", "columns": "other columns"}


def apply(draft: Draft, edit: Edit) -> Device:
    """One row: a device that was not there, or the newer facts of one that was."""
    source, facts = str(edit.fields["source"]), dict(edit.fields["facts"])
    device = draft.find(edit.identity, str(edit.fields["site"]))
    if device is None:
        return _add(draft, edit, {source: facts})
    before: Facts = device.facts.get(source, {})
    changed = replace(device, facts={**device.facts, source: facts}, listed=True)
    if str(before.get("serial")).upper() != str(facts.get("serial")).upper():
        # Another recorder replaced this one: the reports about the old one do not apply, and the
        # new one has not been seen yet.
        changed = replace(
            changed, facts={source: facts}, states={}, recent_misses={}, last_seen=None
        )
    if device.retired_at is not None:
        changed = replace(changed, retired_at=None)
        draft.put(changed)
        channels.restore_along(draft, changed, device.retired_at)
        draft.add_event(
            "device.restored", changed, f"{labels.name(changed)} was restored: back in the workbook"
        )
    elif before != facts:
        draft.put(changed)
        text = f"{labels.name(changed)}: {_change_text(before, facts)}, {labels.author(edit.by)}"
        draft.add_event(
            "device.edited", changed, text, {"row": _with_masked_columns(before)}, {"row": facts}
        )
    return changed


def _change_text(before: Facts, after: Facts) -> str:
    """Describe a change of a row, in the titles of its columns."""
    if before.get("serial") and before.get("serial") != after.get("serial"):
        return f"serial number changed from {before['serial']} to {after.get('serial')}"
    titles = [
        title
        for key, title in ROW_TITLES.items()
        if (before.get(key) or "") != (after.get(key) or "")
    ]
    return f"{' and '.join(titles) or 'row'} changed"


def _with_masked_columns(facts: Facts) -> dict[str, Any]:
    """An older version kept the columns as they were."""
    columns = facts.get("columns")
    return {**facts, "columns": masked(columns)} if columns else dict(facts)


def _add(draft: Draft, edit: Edit, facts: Mapping[str, Facts]) -> Device:
    device = Device(
        id=draft.new_id(),
        kind=str(edit.fields["kind"]),
        site=str(edit.fields["site"]),
        identities=(edit.identity,),
        facts=facts,
        first_seen=None,
        listed=True,
        status=status.UNKNOWN,
        since=edit.at,
    )
    draft.put(device)
    draft.add_event(
        "device.listed",
        device,
        f"{labels.name(device)} was added to the list {labels.author(edit.by)}",
    )
    return device
