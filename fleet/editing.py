"""What people may change, and what undoes it. Pure."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fleet import words
from fleet.model import Device, Edit, Event, Facts, NotThere, Refused

LONGEST = {"name": 120, "notes": 5000}
"""What `change` may set, and the most characters each may have."""


@dataclass(frozen=True, slots=True)
class Told:
    """The event of an edit, before it has a number."""

    kind: str
    text: str
    before: Facts
    after: Facts


def found(device: Device | None, edit: Edit) -> Device:
    """The device of the edit. Raises NotThere."""
    if device is None:
        raise NotThere(
            f"There is no device {edit.identity.removeprefix('id:')}",
            "GET /api/cameras lists the devices with their numbers and MACs.",
        )
    return device


def edited(device: Device, edit: Edit) -> tuple[Device, Told | None]:
    """The device after the edit and what to tell; (device, None) if nothing changes.

    Raises Refused when the fields do not fit, or the device is no longer as the edit
    expects it (`expect` of an undo).
    """
    _check_expected(device, edit)
    match edit.kind:
        case "change":
            return _changed(device, edit)
        case "retire" | "restore":
            return _retired(device, edit)
    raise Refused(f"A device cannot be edited by {edit.kind!r}", "Use change, retire or restore.")


def _check_expected(device: Device, edit: Edit) -> None:
    expected = edit.fields.get("expect", {})
    for key, value in expected.items():
        if shown(device, key) != value:
            raise Refused(
                f"{words.name(device)} was changed again since",
                "Undo the newer change first, or set the value that you want.",
            )


def shown(device: Device, key: str) -> Any:
    """One editable value as events carry it."""
    return device.retired_at is not None if key == "retired" else getattr(device, key)


def _changed(device: Device, edit: Edit) -> tuple[Device, Told | None]:
    wanted: dict[str, Any] = {
        key: clean(key, edit.fields[key]) for key in LONGEST if key in edit.fields
    }
    after = {key: value for key, value in wanted.items() if value != shown(device, key)}
    if not after:
        return device, None
    before = {key: shown(device, key) for key in after}
    new = replace(device, **after)
    parts = []
    if "name" in after:
        parts.append(f"{words.name(device)} is now called {words.name(new)}")
    if "notes" in after:
        parts.append(f"the notes of {words.name(new)} were changed")
    text = " and ".join(parts) + f", by {edit.by}"
    return new, Told("device.edited", text[0].upper() + text[1:], before, after)


def clean(key: str, value: Any) -> str | None:
    """A name or notes as they are kept: text without control characters, not too long.

    An empty name is None: the device's own name counts again. Raises Refused.
    """
    if value is None:
        return None if key == "name" else ""
    if not isinstance(value, str):
        raise Refused(f"{key} must be text", f'Send {{"{key}": "..."}}.')
    kept = "".join(c for c in value if c == "\n" or unicodedata.category(c)[0] != "C").strip()
    if key == "name":
        kept = " ".join(kept.split())
    if len(kept) > LONGEST[key]:
        raise Refused(
            f"{key} has {len(kept)} characters, {LONGEST[key]} are allowed", f"Shorten the {key}."
        )
    return kept if kept or key != "name" else None


def _retired(device: Device, edit: Edit) -> tuple[Device, Told | None]:
    retire = edit.kind == "retire"
    if (device.retired_at is not None) == retire:
        return device, None
    moment: datetime | None = edit.at if retire else None
    verb, kind = ("retired", "device.retired") if retire else ("restored", "device.restored")
    text = f"{words.name(device)} was {verb} by {edit.by}"
    told = Told(kind, text, {"retired": not retire}, {"retired": retire})
    return replace(device, retired_at=moment), told


def inverse(event: Event, by: str, at: datetime) -> Edit:
    """The edit that undoes what `event` tells. Raises Refused for what no edit made."""
    identity = f"id:{event.device}"
    fields: Mapping[str, Any] = {"expect": dict(event.after)}
    if event.kind == "device.edited":
        return Edit("change", identity, {**event.before, **fields}, by, at)
    if event.kind in ("device.retired", "device.restored") and event.after:
        kind = "restore" if event.after["retired"] else "retire"
        return Edit(kind, identity, fields, by, at)
    raise Refused(
        f"Event {event.sequence} is not an edit and cannot be undone",
        "Only renaming, notes, retiring and restoring can be undone.",
    )
