"""The event that represents all rows of an imported list. Pure."""

from fleet import labels
from fleet.model import Edit
from fleet.reduce.draft import Draft

EDIT, EVENT = "import", "fleet.imported"
"""The kind of the edit that ends a batch of rows, and of the event that it makes."""


def finish(draft: Draft, edit: Edit) -> None:
    """End a batch of rows with one event about all of them: `first` and `last` are the
    numbers of their events."""
    events = list(draft.events)
    if not events:
        return
    added = sum(event.kind == "device.added" for event in events)
    changed = len({event.device for event in events}) - added
    parts = [
        f"{count:,} {verb}" for count, verb in ((added, "added"), (changed, "changed")) if count
    ]
    name = str(edit.fields["name"])
    text = f"{name} imported: {', '.join(parts)}, {labels.author(edit.by)}"
    after = {"added": added, "changed": changed}
    after |= {"first": events[0].sequence, "last": events[-1].sequence}
    draft.add_event(EVENT, None, text, {}, after)
