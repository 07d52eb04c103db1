"""The fields of a device that people edit, in one table. Pure.

What an edit takes, how long a text may be, the sentence of the event, what undo compares, and that
a person worked on a device all follow from its rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.model import Device


@dataclass(frozen=True, slots=True)
class EditableField:
    """A field of `Device`, by its name there.

    `change` tells of a new `value` in an event; without it the event says only that the field was
    changed. `max_length` is for texts, in characters; control characters go, and so do line breaks
    of one that `is_one_line`. `marks_work`: a device that has a value was worked on by a person, so
    it is not deleted to make room, nor as one that nobody named.
    """

    name: str
    change: str | None = None
    max_length: int | None = None
    is_one_line: bool = True
    marks_work: bool = True


FIELDS = (
    EditableField("name", max_length=120),
    EditableField("notes", max_length=5000, is_one_line=False),
    EditableField("tags", "{value}"),
    # Every device has a site.
    EditableField("site", "site changed to {value}", max_length=60, marks_work=False),
    # `editing` says which devices.
    EditableField("parents", "connected through {value}"),
    EditableField("vendor", max_length=60),
    # Every device has a kind; `editing` says whose can be changed.
    EditableField("kind", "kind changed to {value}", marks_work=False),
    EditableField("recording"),
)
BY_NAME: Mapping[str, EditableField] = {field.name: field for field in FIELDS}
MAX_LENGTHS: Mapping[str, int] = {
    field.name: field.max_length for field in FIELDS if field.max_length is not None
}
"""The texts, and the most characters each may have."""
EDITABLE = (*BY_NAME, "parent")
"""What an edit takes; `parent` is the first of the `parents`."""


def values(device: Device) -> dict[str, Any]:
    """All editable values, as events carry them."""
    return {name: event_value(device, name) for name in BY_NAME}


def event_value(device: Device, name: str) -> Any:
    """One editable value as events carry it: JSON has lists only."""
    value = getattr(device, name)
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def has_work(device: Device) -> bool:
    """True if the device has a value that only a person gives."""
    return any(field.marks_work and getattr(device, field.name) for field in FIELDS)
