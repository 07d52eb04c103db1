"""Change a device's fields by hand, and undo it. Pure."""

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fleet import (
    access_fields,
    channels,
    editable_fields,
    identity,
    labels,
    recorder_list,
    recording,
)
from fleet.editable_fields import BY_NAME, EDITABLE, MAX_LENGTHS
from fleet.model import DEFAULT_SITE, Device, Edit, Event, Facts, Invalid, NotFound, Refused
from fleet.reduce import access, kinds
from fleet.texts import LIST_HINT

MAX_TAGS, LONGEST_TAG = 20, 40
MAX_NAMED_TAGS = 3
MAX_PARENTS = 8
UNDOABLE = frozenset({*EDITABLE, "retired"})
ACCESS_KEYS = frozenset({*access.FIELDS, "source"})
"""What `change` sets of the access of one source; `fleet.edit.access_edits` checks it."""


_OF_DIVISION = ("whole", "halves")
"""In the event of a split or of an undone merge: the record before, and the two of it."""


@dataclass(frozen=True, slots=True)
class EditSummary:
    """The event of an edit, before it has a number."""

    kind: str
    text: str
    before: Facts
    after: Facts


def existing(device: Device | None, edit: Edit) -> Device:
    """The device of the edit. Raises NotFound."""
    if device is None:
        raise NotFound(
            f"Device {edit.identity.removeprefix('id:')} does not exist",
            LIST_HINT,
        )
    return device


def apply_edit(
    device: Device, edit: Edit, devices: Mapping[int, Device]
) -> tuple[Device, EditSummary | None]:
    """Apply the edit and return the device and its event; (device, None) if nothing changes.

    Raises Refused when the fields do not fit, or the device is no longer as the edit
    expects it (`expect` of an undo).
    """
    _check_expected(device, edit)
    match edit.kind:
        case "change":
            return _apply_change(device, edit, devices)
        case "retire" | "restore":
            return _apply_retirement(device, edit)
    raise Refused(f"A device cannot be edited by {edit.kind!r}", "Use change, retire or restore.")


def _check_expected(device: Device, edit: Edit) -> None:
    expected = {
        key: value for key, value in edit.fields.get("expect", {}).items() if key not in ACCESS_KEYS
    }
    if "parent" in expected and len(device.parents) > 1:
        raise changed_since(device)
    if any(key not in UNDOABLE or event_value(device, key) != expected[key] for key in expected):
        raise changed_since(device)


def changed_since(device: Device) -> Refused:
    """The refusal of an undo that would overwrite a newer change."""
    return Refused(
        f"{labels.name(device)} has been changed since then",
        "Undo the newer change first, or enter the value you want.",
    )


def event_value(device: Device, key: str) -> Any:
    """One editable value as events carry it."""
    if key == "retired":
        return device.retired_at is not None
    return editable_fields.event_value(device, key)


def _apply_change(
    device: Device, edit: Edit, devices: Mapping[int, Device]
) -> tuple[Device, EditSummary | None]:
    wanted = _new_values(device, edit, devices)
    after = {key: value for key, value in wanted.items() if value != event_value(device, key)}
    if not after:
        return device, None
    before = {key: event_value(device, key) for key in after}
    new = replace(device, **_as_fields(after))
    text = f"{_change_text(after, device, new, devices)}, {labels.author(edit.by)}"
    return new, EditSummary("device.edited", text, before, after)


def given_values(device: Device, edit: Edit, devices: Mapping[int, Device]) -> dict[str, Any]:
    """The editable values of an edit as the fields of a device. Raises Invalid."""
    return _as_fields(_new_values(device, edit, devices))


def _new_values(device: Device, edit: Edit, devices: Mapping[int, Device]) -> dict[str, Any]:
    """The editable values of an edit; `parent` as `parents` where there are several."""
    edit = replace(edit, fields=_resolved(edit.fields, device))
    given = [key for key in EDITABLE if key in edit.fields]
    wanted = {key: _validated(key, edit, device, devices) for key in given}
    return (
        with_parents(wanted, device) if len(device.parents) > 1 or "parents" in wanted else wanted
    )


def _resolved(fields: Mapping[str, Any], device: Device) -> dict[str, Any]:
    """The fields with the values that depend on what the device has at the moment of the write.

    `add_tags` and `remove_tags` become its `tags`. With `seen_parents`, the `parents` take the
    place of these alone: the person of the edit does not see the others. Raises Invalid.
    """
    wanted = dict(fields)
    added, removed = wanted.pop("add_tags", ()), wanted.pop("remove_tags", ())
    if added or removed:
        gone, new = _parsed_tags("remove_tags", removed), _parsed_tags("add_tags", added)
        wanted["tags"] = [*(tag for tag in device.tags if tag not in gone), *new]
    seen = wanted.pop("seen_parents", None)
    if seen is not None and "parents" in wanted:
        wanted["parents"] = [*wanted["parents"], *(id for id in device.parents if id not in seen)]
    return wanted


def with_parents(fields: Mapping[str, Any], device: Device) -> dict[str, Any]:
    """The fields of an edit with `parent` as `parents`. `parent` is the one parent that most
    devices have: a new one takes the place of them all, and the first of them is no new one.
    Raises Invalid.
    """
    wanted = dict(fields)
    if "parent" not in wanted:
        return wanted
    parent = wanted.pop("parent")
    parents = [] if parent is None else [parent]
    if "parents" not in wanted:
        wanted["parents"] = list(device.parents) if parent == device.parent else parents
    elif list(wanted["parents"][:1]) != parents:
        invalid = Invalid(
            "parent and parents name different devices",
            "Send only one of the two, or make parent the first of parents.",
        )
        invalid.field = "parents"
        raise invalid
    return wanted


def _as_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert editable values to the fields of a device."""
    fields = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    if "parent" in fields:
        parent = fields.pop("parent")
        fields["parents"] = () if parent is None else (parent,)
    if "kind" in fields:
        fields["kind_source"] = kinds.PERSON
    return fields


def _change_text(
    changed: Collection[str], old: Device, new: Device, devices: Mapping[int, Device]
) -> str:
    """Describe the changes: "Gate renamed to Lobby; tags and notes changed"."""
    names = ["parents" if key == "parent" else key for key in changed if key != "name"]
    plain = [name for name in names if BY_NAME[name].change is None]
    parts = [f"{' and '.join(plain)} changed"] if plain else []
    parts += [_value_text(name, old, new, devices) for name in names if name not in plain]
    text = ", ".join(parts)
    if "name" not in changed:
        return f"{labels.name(new)}: {text}"
    renamed = f"{labels.name(old)} renamed to {labels.name(new)}"
    return f"{renamed}; {text}" if text else renamed


def _value_text(name: str, old: Device, new: Device, devices: Mapping[int, Device]) -> str:
    """Describe a change with the new value."""
    value = new.kind if name == "kind" else labels.site_name(new.site)
    if name == "parents":
        if not new.parents:
            return "parent device removed"
        value = " and ".join(labels.name(devices[id]) for id in new.parents)
    if name == "tags":
        value = _tags_text(*tag_changes(old.tags, new.tags))
    return str(BY_NAME[name].change).format(value=value)


def tag_changes(old: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[str]]:
    """The added and the removed tags."""
    return [tag for tag in new if tag not in old], [tag for tag in old if tag not in new]


def tags_named(tags: Sequence[str]) -> str:
    """Some tags in a sentence; of many their number."""
    if len(tags) > MAX_NAMED_TAGS:
        return f"{len(tags)} tags"
    return f"{'tag' if len(tags) == 1 else 'tags'} {' and '.join(tags)}"


def _tags_text(added: Sequence[str], removed: Sequence[str]) -> str:
    parts = [f"{tags_named(added)} added"] if added else []
    parts += [f"{tags_named(removed)} removed"] if removed else []
    return " and ".join(parts) or "tags reordered"


def _validated(key: str, edit: Edit, device: Device, devices: Mapping[int, Device]) -> Any:
    """A value as it is kept. Raises Invalid, which names the key, when it does not fit.

    What is there already may be longer than a person may type: two devices that became one
    have the notes and tags of both. It is no new value, nor is what an undo brings back.
    """
    try:
        kept = _parsed(key, edit, device, devices)
        if kept != event_value(device, key) and "expect" not in edit.fields:
            _check_size(key, kept)
            if key == "tags":
                _check_commas(tag for tag in kept if tag not in device.tags)
    except Invalid as invalid:
        invalid.field = key
        raise
    return kept


def _check_size(key: str, kept: Any) -> None:
    """Raise Invalid for a value that is too long."""
    if key == "tags" and (len(kept) > MAX_TAGS or any(len(tag) > LONGEST_TAG for tag in kept)):
        raise Invalid(
            f"At most {MAX_TAGS} tags of {LONGEST_TAG} characters are allowed", "Remove some tags."
        )
    if key in MAX_LENGTHS and len(kept or "") > MAX_LENGTHS[key]:
        raise Invalid(
            f"{key} has {len(kept)} characters; at most {MAX_LENGTHS[key]} are allowed",
            f"Shorten the {key}.",
        )


def _check_commas(tags: Iterable[str]) -> None:
    """Raise Invalid for a tag that forms would read as two."""
    for tag in tags:
        if "," in tag:
            raise Invalid(f'The tag "{tag}" contains a comma', "Send its parts as separate tags.")


def _parsed(key: str, edit: Edit, device: Device, devices: Mapping[int, Device]) -> Any:
    value = edit.fields[key]
    if key == "tags":
        return _tags(value)
    if key == "parent":
        return _parent(value, device, devices)
    if key == "parents":
        return _parents(edit, device, devices)
    if key == "recording":
        return recording.parse(value or {})
    if key == "kind":
        return _kind(value, device)
    kept = clean(key, value)
    if key == "site" and not kept:
        raise Invalid("The site is empty", f'Enter a site, or "{DEFAULT_SITE}" for none.')
    return kept


def _kind(value: Any, device: Device) -> str:
    """The kind of this device. Raises Invalid for one that is no word, or that has to stay."""
    if not isinstance(value, str) or not access_fields.WORD.fullmatch(value):
        raise Invalid("The kind is invalid", "Send a kind such as camera or recorder.")
    if value != device.kind and recorder_list.is_in_list(device):
        raise Invalid(
            f"{labels.name(device)} is a recorder of the workbook",
            "Remove its row from the workbook to use it as another device.",
        )
    if value != device.kind and channels.is_channel(device):
        raise Invalid(
            f"{labels.name(device)} is a channel of a recorder", "A channel is always a camera."
        )
    return value


def _tags(value: Any) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(tag, str) for tag in value):
        raise Invalid("tags must be a list of texts", 'Send {"tags": ["door", "north"]}.')
    plain = (" ".join(_plain(tag).split()) for tag in value)
    return list(dict.fromkeys(tag for tag in plain if tag))


def _parsed_tags(key: str, value: Any) -> list[str]:
    """The tags of the field `key`. Raises Invalid, which names it."""
    try:
        return _tags(value)
    except Invalid as invalid:
        invalid.field = key
        raise


def _parent(value: Any, device: Device, devices: Mapping[int, Device]) -> int | None:
    """The parent of this device: it must exist, and not be behind this one."""
    if value is None:
        return None
    parent = devices.get(value) if type(value) is int else None
    if parent is None:
        raise Invalid(
            f"The parent device {str(value)[:40]} does not exist",
            "Select an existing device.",
        )
    if identity.is_circle(replace(device, parents=(parent.id,)), devices):
        raise Invalid(
            f"{labels.name(parent)} is itself connected through {labels.name(device)}",
            "Choose another parent device.",
        )
    return parent.id


def _parents(edit: Edit, device: Device, devices: Mapping[int, Device]) -> list[int]:
    """The devices through which this one is reached: any one of them is enough. Those that it has
    already may be more: a limited person does not see them all, and two records that became one
    have those of both. So may those that an undo brings back."""
    value = edit.fields["parents"]
    is_list = isinstance(value, list | tuple)
    if not is_list or ("expect" not in edit.fields and _new_of(value, device) > MAX_PARENTS):
        raise Invalid(
            f"parents must be a list of up to {MAX_PARENTS} device numbers",
            'Send {"parents": [12]}, or an empty list for none.',
        )
    parents = [_parent(parent, device, devices) for parent in value]
    return list(dict.fromkeys(id for id in parents if id is not None))


def _new_of(parents: Sequence[Any], device: Device) -> int:
    return sum(1 for parent in parents if parent not in device.parents)


def _plain(text: str) -> str:
    """Remove control characters, which no name needs."""
    return "".join(c for c in text if c == "\n" or unicodedata.category(c)[0] != "C")


def clean(key: str, value: Any) -> str | None:
    """A text as it is kept: without control characters.

    An empty name is None: the device's own name counts again. Raises Invalid.
    """
    if value is None:
        return None if key == "name" else ""
    if not isinstance(value, str):
        raise Invalid(f"{key} must be text", f'Send {{"{key}": "..."}}.')
    kept = _plain(value).strip()
    if BY_NAME[key].is_one_line:
        kept = " ".join(kept.split())
    return kept if kept or key != "name" else None


def _apply_retirement(device: Device, edit: Edit) -> tuple[Device, EditSummary | None]:
    retire = edit.kind == "retire"
    if (device.retired_at is not None) == retire:
        return device, None
    if (
        recorder_list.key_of(device) is not None
        and edit.fields.get("source") != recorder_list.SOURCE
    ):
        raise Refused(
            "Recorders are managed in the workbook",
            "Remove its row from the workbook; its history is kept."
            if retire
            else "Put its row back into the workbook; its history is kept.",
        )
    moment: datetime | None = edit.at if retire else None
    verb, kind = ("retired", "device.retired") if retire else ("restored", "device.restored")
    text = f"{labels.name(device)} was {verb} {labels.author(edit.by)}"
    if "source" in edit.fields:
        reason = "no longer in the workbook" if retire else "back in the workbook"
        text = f"{labels.name(device)} was {verb}: {reason}"
        # The workbook retired it, so only the workbook can restore it.
        return replace(device, retired_at=moment), EditSummary(kind, text, {}, {})
    summary = EditSummary(kind, text, {"retired": not retire}, {"retired": retire})
    return replace(device, retired_at=moment), summary


OF_KEYS = frozenset({"device.ignored", "device.unignored"})
"""Kinds of events that may be about keys of no known device."""


def can_undo(event: Event) -> bool:
    """True if a person's edit made the event, so that another edit takes it back."""
    if is_of_set(event):
        return True
    if event.device is None and event.kind not in OF_KEYS:
        return False
    match event.kind:
        case "device.edited":
            return bool(event.before) and event.before.keys() <= {*EDITABLE, *ACCESS_KEYS}
        case "device.retired" | "device.restored":
            return "retired" in event.after
        case "device.merged":
            return event.before.keys() >= {"stays", "goes"}
        case "device.split" | "device.unmerged":
            return "goes" in event.after
        case "device.added":
            return "access" in event.after
        case "device.linked" | "device.unlinked":
            return "key" in event.before and "key" in event.after
        case "device.ignored":
            return "ignored" in event.after
        case "device.unignored":
            return "ignored" in event.before
    return False


def is_of_set(event: Event) -> bool:
    """True if the event is an edit of a credential set."""
    is_edit = event.kind in ("credentials.added", "credentials.changed", "credentials.deleted")
    return is_edit and ("id" in event.after or "id" in event.before)


def inverse(event: Event, by: str, at: datetime) -> Edit:
    """The edit that undoes `event`. Raises Refused unless `can_undo`."""
    if not can_undo(event):
        raise Refused(
            f"Event {event.sequence} is not an edit by a person, so it cannot be undone",
            "Edits such as names, notes, retiring and merging can be undone. To change data "
            "from the workbook, edit the workbook.",
        )
    key = "" if event.device is None else f"id:{event.device}"
    expected = {"expect": dict(event.after)}
    if is_of_set(event):
        id = (event.after or event.before)["id"]
        fields = {key: value for key, value in event.before.items() if key != "id"}
        return Edit("credentials", id, {**(fields or {"delete": True}), **expected}, by, at)
    match event.kind:
        case "device.edited":
            return Edit("change", key, {**event.before, **expected}, by, at)
        case "device.merged":
            return Edit("unmerge", key, event.before, by, at)
        case "device.split" | "device.unmerged":
            halves = {name: event.before[name] for name in _OF_DIVISION if name in event.before}
            return Edit("merge", key, {"with": event.after["goes"], **halves}, by, at)
        case "device.added":
            return Edit("delete", key, expected, by, at)
        case "device.linked" | "device.unlinked":
            return Edit("link", key, {"undo": dict(event.before), **expected}, by, at)
        case "device.ignored":
            return Edit("ignore", key, {"remove": True, "keys": event.after["ignored"]}, by, at)
        case "device.unignored":
            keys = {} if key else {"keys": event.before["ignored"]}
            return Edit("ignore", key, keys, by, at)
    kind = "restore" if event.after["retired"] else "retire"
    return Edit(kind, key, expected, by, at)
