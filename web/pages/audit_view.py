"""Entries of the audit log in plain words. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.model import AuditEntry
from fleet import labels
from fleet.model import DEFAULT_SITE

NameOf = Callable[[int], str | None]
"""The name of a device by its number; None if it is deleted."""

GROUPS: Sequence[tuple[str, str, Mapping[str, str]]] = (
    (
        "Logins",
        "",
        {"login": "Logged in", "login.failed": "Failed login", "logout": "Logged out"},
    ),
    (
        "Devices",
        "device.",
        {
            "device.edited": "Device edited",
            "device.added": "Device added",
            "device.retired": "Device retired",
            "device.restored": "Device restored",
            "device.merged": "Devices merged",
            "device.unmerged": "Merge undone",
            "device.split": "Device split",
            "device.linked": "Access added",
            "device.unlinked": "Access removed",
            "device.ignored": "Device ignored",
            "device.unignored": "Device no longer ignored",
            "device.deleted": "Device deleted",
            "device.polled": "Device checked",
            "device.tested": "Connection tested",
        },
    ),
    (
        "Recordings",
        "recording.",
        {
            "recording.started": "Recording started",
            "recording.stopped": "Recording stopped",
            "recording.viewed": "Recordings played",
            "recording.downloaded": "Recording downloaded",
            "recording.linked": "Link created",
            "recording.changed": "Recording changed",
            "recording.deleted": "Recording deleted",
            "recording.restored": "Recording restored",
        },
    ),
    (
        "Fleet",
        "fleet.",
        {
            "fleet.edited": "Several devices edited",
            "fleet.imported": "List imported",
            "fleet.previewed": "Import with logins previewed",
            "fleet.cleaned": "Unseen devices retired",
            "fleet.deleted": "Devices deleted",
            "fleet.export": "Export",
        },
    ),
    (
        "Credential sets",
        "credentials.",
        {
            "credentials.added": "Credential set added",
            "credentials.changed": "Credential set changed",
            "credentials.deleted": "Credential set deleted",
        },
    ),
    (
        "Users",
        "user.",
        {
            "user.added": "User added",
            "user.changed": "User changed",
            "user.password": "Own password changed",
            "user.removed": "User removed",
        },
    ),
    (
        "Schedules",
        "schedule.",
        {
            "schedule.added": "Schedule created",
            "schedule.changed": "Schedule changed",
            "schedule.deleted": "Schedule deleted",
        },
    ),
    ("Permissions", "grant.", {"grant.added": "Access granted", "grant.removed": "Access removed"}),
    ("Tokens", "token.", {"token.made": "Token created", "token.revoked": "Token revoked"}),
    ("Live video", "video.", {"video.viewed": "Live view"}),
    (
        "Stills",
        "still.",
        {
            "still.taken": "Still taken",
            "still.viewed": "Stills viewed",
            "still.downloaded": "Stills downloaded",
            "still.interval": "Interval of stills changed",
        },
    ),
    (
        "Picture health",
        "health.",
        {
            "health.viewed": "Picture health viewed",
            "health.checked": "Picture checked",
            "health.changed": "Picture health changed",
            "health.reference": "Reference picture set",
            "health.expected": "Expected picture set",
            "health.removed": "Kept picture deleted",
        },
    ),
    ("Walls", "wall.", {"wall.shared": "Wall shared", "wall.unshared": "Link to a wall revoked"}),
    (
        "Server",
        "",
        {
            "workbook.changed": "Workbook changed",
            "range.scanned": "Address range scanned",
            "scan.automatic": "Auto-scan turned on or off",
            "clock.confirmed": "Date confirmed",
            "keys.rotated": "Encryption key replaced",
        },
    ),
)
"""(title, prefix of its actions or nothing, {action: title}) of each group of actions."""
FIELDS = {
    "name": "Name",
    "notes": "Notes",
    "vendor": "Vendor",
    "tags": "Tags",
    "site": "Site",
    "kind": "Kind",
    "parents": "Connected through",
    "parent": "Connected through",
    "host": "Address",
    "port": "Port",
    "path": "Path",
    "interval": "Interval",
    "has_password": "Password",  # nosec B105 (the title of a field)
    "p2p": "Serial number",
    "role": "Role",
    "all_cameras": "Access to all devices",
}
"""The fields whose change is shown, and their titles; others are in the folded details."""
DEVICE_ACTS = {
    "device.edited": "Edited",
    "device.retired": "Retired",
    "device.restored": "Restored",
}


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as the page shows it. `device` and its name: of the one that it is about, if that
    is still there."""

    entry: AuditEntry
    sentence: str
    changes: list[str]
    device: int | None
    device_name: str | None


def line(entry: AuditEntry, name_of: NameOf) -> Line:
    """The entry in plain words."""
    kind, _, digits = entry.about.partition(" ")
    number = int(digits) if kind == "camera" and digits.isdecimal() else None
    name = name_of(number) if number is not None else None
    # The text has the name from then, so it is all that tells of a deleted device.
    is_act = entry.action in DEVICE_ACTS and name
    text = f"{DEVICE_ACTS[entry.action]} {name}" if is_act else sentence(entry, name_of)
    return Line(entry, text, changes(entry, name_of), number if name else None, name)


def _name(number: int, name_of: NameOf) -> str:
    return name_of(number) or f"deleted device {number}"


def sentence(entry: AuditEntry, name_of: NameOf) -> str:
    """What was done, as a sentence without its subject: the person is named beside it."""
    about, text = entry.about, entry.text
    of_user = "" if about == entry.who else f" of {about}"
    match entry.action:
        case "login.failed":
            return f"Failed login as {about}"
        case "user.added":
            return f"Added the user {about}"
        case "user.changed":
            password = " (new password)" if "password" in text else ""
            return f"Changed the user {about}{password}"
        case "user.removed":
            return f"Removed the user {about}"
        case "user.password":
            return "Changed their own password"
        case "grant.added":
            return f"Gave {about} {_access(entry.after, text, name_of)}"
        case "grant.removed":
            return f"Removed {about}'s {_access(entry.before, text, name_of)}"
        case "token.made":
            return f"Created the token {text}{of_user}"
        case "token.revoked":
            return f"Revoked the token {text}{of_user}"
        case "scan.automatic":
            return f"Auto-scan {text}"
        case "clock.confirmed":
            return f"Confirmed the date: {text}"
        case "workbook.changed" if entry.after:
            return f"Changed the serial number of {about}"
    return text[:1].upper() + text[1:]


def _access(grant: Mapping[str, Any], text: str, name_of: NameOf) -> str:
    """A grant such as "view access to Lobby, 08:00-18:00"."""
    level, device, site = grant.get("level"), grant.get("device"), grant.get("site")
    if not level:
        return text
    if isinstance(device, int):
        place = _name(device, name_of)
    elif store := grant.get("store"):
        place = f"the store {store}"
    else:
        place = f"the site {labels.site_name(str(site))}"
    weekdays = ", ".join(grant.get("weekdays") or [])
    rights = " and ".join(grant.get("rights") or [])
    limits = [weekdays, grant.get("hours"), f"with {rights}" if rights else ""]
    return ", ".join([f"{level} access to {place}", *(str(limit) for limit in limits if limit)])


def changes(entry: AuditEntry, name_of: NameOf) -> list[str]:
    """Each changed field, such as "Tags: none → lobby", or what else belongs to the sentence."""
    if entry.action in ("user.added", "user.removed", "login.failed"):
        return [entry.text[:1].upper() + entry.text[1:]]
    return [
        f"{title}: {value_text(key, entry.before[key], name_of)} → "
        f"{value_text(key, entry.after[key], name_of)}"
        for key, title in FIELDS.items()
        if key in entry.before and key in entry.after and entry.before[key] != entry.after[key]
    ]


def value_text(key: str, value: Any, name_of: NameOf) -> str:
    """A value of a field as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], {}) or (key == "site" and value == DEFAULT_SITE):
        return "none"
    if key in ("parent", "parents"):
        numbers = value if isinstance(value, list) else [value]
        return ", ".join(_name(n, name_of) if isinstance(n, int) else str(n) for n in numbers)
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)
