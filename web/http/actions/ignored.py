"""What people ignore: list it, and stop ignoring it, in the name of the person of the request."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from fleet import identity, labels
from fleet.edit import editing
from fleet.model import Device, Edit, Fleet, Invalid, NotFound
from fleet.natural_order import natural_key
from web.http.auditing import actor_name, note
from web.http.monitor import current_monitor
from web.http.visible_fleet import visible_fleet

KINDS = {identity.MAC: "MAC", identity.ENDPOINT: "ONVIF", identity.ADDRESS: "Address"}


@dataclass(frozen=True, slots=True)
class IgnoredRow:
    """What one edit ignored: its index keys, the keys as people read them, and `name`, which is
    that of the device that it ignored, or what the person called it. No `site`: at every site."""

    keys: Sequence[str]
    shown: Sequence[str]
    name: str
    site: str | None
    at: str
    by: str
    device: int | None


def rows() -> list[IgnoredRow]:
    """All that is ignored, the newest first; keys that one edit ignored are one row."""
    fleet = current_monitor().tracker.fleet()
    groups = dict[tuple[object, ...], list[str]]()
    for key, entry in fleet.ignored.items():
        device = _device(fleet, key)
        own = device.id if device else key
        groups.setdefault((entry.get("at"), entry.get("by"), own), []).append(key)
    every = [_row(fleet, keys) for keys in groups.values()]
    return sorted(sorted(every, key=_name), key=lambda row: row.at, reverse=True)


def _name(row: IgnoredRow) -> tuple[object, ...]:
    return (natural_key(row.name), row.shown)


def _row(fleet: Fleet, keys: Sequence[str]) -> IgnoredRow:
    entry, device = fleet.ignored[keys[0]], _device(fleet, keys[0])
    name = labels.name(device) if device else str(entry.get("text") or "")
    site, shown = None, list[str]()
    for key in keys:
        own, separator, rest = key.partition("|")
        is_local = bool(separator) and not identity.is_global(key)
        site = own if is_local else site
        shown.append(_shown(rest if is_local else key))
    by, at = str(entry.get("by") or ""), str(entry.get("at") or "")
    by = labels.AUTHORS.get(by, by)
    return IgnoredRow(keys, shown, name, site, at, by, device.id if device else None)


def _device(fleet: Fleet, key: str) -> Device | None:
    return fleet.devices.get(fleet.index.get(key, 0))


def _shown(key: str) -> str:
    """A key as people read it."""
    if key.startswith(identity.CHANNEL):
        part = unquote(key.rpartition("/")[2])
        return f"Channel {part} of {_shown(identity.owner_of(key))}"
    kind, _, value = key.partition(":")
    return f"{KINDS.get(f'{kind}:', kind.upper())} {value}"


def stop_ignoring(chosen: Collection[str]) -> tuple[int, list[int]]:
    """Stop ignoring the rows of these first keys. Returns their number, and the numbers of the
    events that undo it. Raises Invalid for none, NotFound and HttpError (401, 403)."""
    if not chosen:
        raise Invalid("Nothing is selected", "Select devices by their checkboxes first.")
    wanted = [row for row in rows() if row.keys[0] in chosen]
    if not wanted:
        raise NotFound("These devices are no longer ignored", "Reload the page.")
    monitor = current_monitor()
    edits = [_removal(row) for row in wanted]
    events = monitor.tracker.apply(edits, monitor.clock(), visible_fleet().judge("device.add"))
    for event in events:
        note(event.kind, f"camera {event.device}" if event.device else "fleet", event.text)
    return len(wanted), [event.sequence for event in events if editing.can_undo(event)]


def _removal(row: IgnoredRow) -> Edit:
    key = f"id:{row.device}" if row.device else ""
    fields = {"remove": True, "keys": [*row.keys]}
    return Edit("ignore", key, fields, actor_name(), current_monitor().clock())
