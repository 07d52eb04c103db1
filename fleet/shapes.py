"""The public form of devices: every JSON field name of them in the API and the commands.

A new field of a device is not shown until it is listed here. What an event tells of a device is
not built here: `fleet.public` filters it, by a list of its own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, NotRequired

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from fleet import identity, labels, state, status
from fleet.history.uptime import Uptime
from fleet.model import Device, Fault, Fleet
from fleet.recorder_list import RecorderRow
from fleet.secret_columns import masked
from fleet.status import Rules

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time in an answer: ISO 8601 with offset."""


def enum_schema(words: Iterable[str]) -> WithJsonSchema:
    """Describe a text as one of `words`, in the schema only."""
    return WithJsonSchema({"type": "string", "enum": list(words)})


def pattern_schema(pattern: str) -> WithJsonSchema:
    """Describe a text by its pattern, in the schema only."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


Status = Annotated[str, enum_schema(status.NAMES)]
Mac = Annotated[str, pattern_schema("^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")]


class AddressRow(TypedDict):
    """One address of a device; `previous_ip` is null for the first one."""

    ip: str
    timestamp: Time
    previous_ip: str | None


class FindingRow(TypedDict):
    kind: str
    since: Time
    text: str
    source: str
    unknown_since: Time | None


class CameraRow(TypedDict):
    """One camera or recorder in a list. `parent` is the first of its `parents`."""

    id: int
    kind: str
    site: str
    mac_address: Mac | None
    serial_number: str | None
    camera_name: str
    model_name: str | None
    current_ip: str | None
    current_port: int | None
    current_subnet: str | None
    current_gateway: str | None
    firmware_version: str | None
    network_mode: str | None
    first_seen: Time | None
    last_seen: Time | None
    first_seen_formatted: str | None
    last_seen_formatted: str | None
    total_discoveries: int
    status: Status
    ip_changes: int
    seen_in_last_discovery: bool
    reason: str
    since: Time | None
    as_of: Time | None
    retired: bool
    notes: str
    tags: list[str]
    parent: int | None
    parents: list[int]
    own_name: str | None
    findings: list[FindingRow]


class RecordingRow(TypedDict):
    """The recording settings that a person gave; null for those that nobody gave."""

    auto_record: bool | None
    record_quality: str | None
    retention_days: int | None


class CameraDetail(CameraRow):
    """One camera with its full history and its raw facts by source. `given_name` is the name that
    a person entered; null when its own name is used."""

    given_name: str | None
    vendor: str
    recording: RecordingRow
    ip_history: list[AddressRow]
    facts: dict[str, dict[str, Any]]
    identities: list[str]


class CameraList(TypedDict):
    cameras: list[CameraRow]
    count: int
    last_scan: Time | None
    scan_in_progress: bool
    total: NotRequired[int]
    page: NotRequired[int]
    per_page: NotRequired[int]


class Stats(TypedDict):
    total_cameras: int
    active: int
    offline: int
    missing: int
    ip_changed: int
    total_discoveries: int
    cameras_with_ip_changes: int
    last_scan: Time | None
    scan_in_progress: bool
    auto_scan_enabled: bool
    auto_scan_interval: int
    total: int
    online: int
    lastUpdated: float | None


class UptimeRow(TypedDict):
    """Uptime by day, oldest first: `days` has the share of each day that it was online; null if
    unknown."""

    first: str
    days: list[float | None]
    share: float | None


CheckedRecorder = TypedDict(
    "CheckedRecorder",
    {"P2P NUMBER": str, "SITE": str, "STORE NAME": str, "status": str, "reason": str},
)
"""A row of a workbook with the result of a check: `status` is online, offline or unknown."""


class CheckedSerial(TypedDict):
    """The result of the check of one serial."""

    serial: str
    status: str
    reason: str


class Exported(TypedDict):
    exported_at: Time | None
    count: int
    cameras: list[CameraDetail]


def uptime(measured: Uptime) -> UptimeRow:
    days = [None if share is None else round(share, 4) for share in measured.days]
    return {"first": measured.first.isoformat(), "days": days, "share": measured.share}


def iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def _formatted(at: datetime | None) -> str | None:
    """The time as the former camera monitor showed it: local, without offset."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else None


def row(
    device: Device,
    device_status: str,
    now: datetime,
    rules: Rules,
    devices: Mapping[int, Device],
) -> CameraRow:
    """A device as one row. `devices`: those that the viewer sees."""
    return {
        "id": device.id,
        "kind": device.kind,
        "site": device.site,
        "mac_address": identity.mac_of(device),
        "serial_number": _text(device, "serial"),
        "camera_name": labels.name_among(device, devices),
        "model_name": _text(device, "model"),
        "current_ip": labels.address(device),
        "current_port": _port(device),
        "current_subnet": _text(device, "subnet"),
        "current_gateway": _text(device, "gateway"),
        "firmware_version": _text(device, "firmware"),
        "network_mode": _text(device, "network_mode"),
        "first_seen": iso(device.first_seen),
        "last_seen": iso(device.last_seen),
        "first_seen_formatted": _formatted(device.first_seen),
        "last_seen_formatted": _formatted(device.last_seen),
        "total_discoveries": device.sightings,
        "status": device_status,
        "ip_changes": ip_changes(device),
        "seen_in_last_discovery": was_seen(device),
        "reason": status.reason(device) if device_status in status.DOWN else "",
        "since": iso(device.since),
        "as_of": iso(status.last_asked(device)) if status.is_stale(device, now, rules) else None,
        "retired": device.retired_at is not None,
        "notes": device.notes,
        "tags": list(device.tags),
        "parent": device.parent,
        "parents": list(device.parents),
        "own_name": _text(device, "name"),
        "findings": [_finding(finding, device, device_status) for finding in device.findings],
    }


def detail(
    device: Device,
    device_status: str,
    now: datetime,
    rules: Rules,
    devices: Mapping[int, Device],
) -> CameraDetail:
    """A device with everything that is known of it. `devices`: those that the viewer sees."""
    history: list[AddressRow] = [
        {
            "ip": address.ip,
            "timestamp": address.at.isoformat(timespec="seconds"),
            "previous_ip": address.previous,
        }
        for address in device.addresses
    ]
    facts = {source: _public(facts) for source, facts in device.facts.items()}
    return {
        **row(device, device_status, now, rules, devices),
        "given_name": device.name,
        "vendor": device.vendor,
        "recording": recording(device),
        "ip_history": history,
        "facts": facts,
        "identities": list(device.identities),
    }


def recording(device: Device) -> RecordingRow:
    given = device.recording
    return {
        "auto_record": given.get("auto_record"),
        "record_quality": given.get("record_quality"),
        "retention_days": given.get("retention_days"),
    }


def _public(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a source, with the secret columns of the workbook masked."""
    columns = facts.get("columns")
    return {**facts, "columns": masked(columns)} if isinstance(columns, Mapping) else dict(facts)


def _finding(fault: Fault, device: Device, device_status: str) -> FindingRow:
    """The row of a finding. While the device is silent its state is unknown."""
    return {
        "kind": fault.kind,
        "since": fault.since.isoformat(timespec="seconds"),
        "text": fault.text,
        "source": fault.source,
        "unknown_since": iso(device.since) if device_status in status.DOWN else None,
    }


def ip_changes(device: Device) -> int:
    return sum(1 for address in device.addresses if address.previous)


def has_changed(device: Device) -> bool:
    """True if it had another address before; the newest change is checked first."""
    # A loop: the statistics ask this of every device, for which a generator takes twice the time.
    for change in reversed(device.addresses):  # noqa: SIM110
        if change.previous:
            return True
    return False


def was_seen(device: Device) -> bool:
    """True if it answered the newest check of some source."""
    return any(state.seen_at and not state.misses for state in device.states.values())


def _text(device: Device, key: str) -> str | None:
    value = labels.fact(device, key)
    return None if value is None else str(value)


def _port(device: Device) -> int | None:
    value = labels.fact(device, "port")
    return value if isinstance(value, int) else None


def last_scan(fleet: Fleet) -> str | None:
    """The start of the last scan, or None before the first."""
    at: str | None = state.last_scan(fleet).get("at")
    return at


def last_updated(fleet: Fleet, swept: Iterable[datetime] = ()) -> float | None:
    """The time of the last check, in seconds since 1970: by a scan, or by the sweep of a
    source, whose starts are `swept`. None before the first."""
    last = last_scan(fleet)
    begun = [*swept, *([datetime.fromisoformat(last)] if last else [])]
    return max(begun).timestamp() if begun else None


def stats(
    fleet: Fleet,
    devices: Iterable[Device],
    statuses: Mapping[int, str],
    *,
    scanning: bool,
    auto_scan: bool,
    interval: int,
    swept: Iterable[datetime] = (),
) -> Stats:
    """The statistics. Active + offline + missing = total; a changed address is active too."""
    kept = [device for device in devices if device.retired_at is None]
    counts = Counter([statuses[device.id] for device in kept])
    up = sum(counts[name] for name in status.UP)
    missing = counts[status.MISSING]
    return {
        "total_cameras": len(kept),
        "active": up,
        "offline": len(kept) - up - missing,
        "missing": missing,
        "ip_changed": counts[status.IP_CHANGED],
        "total_discoveries": sum([device.sightings for device in kept]),
        "cameras_with_ip_changes": sum(map(has_changed, kept)),
        "last_scan": last_scan(fleet),
        "scan_in_progress": scanning,
        "auto_scan_enabled": auto_scan,
        "auto_scan_interval": interval,
        "total": len(kept),
        "online": up,
        "lastUpdated": last_updated(fleet, swept),
    }


def checked_recorder(row: RecorderRow, status: str, reason: str) -> CheckedRecorder:
    return {
        "P2P NUMBER": row.serial,
        "SITE": row.site,
        "STORE NAME": row.store,
        "status": status,
        "reason": reason,
    }


def checked_serial(checked: CheckedRecorder) -> CheckedSerial:
    return {
        "serial": checked["P2P NUMBER"],
        "status": checked["status"],
        "reason": checked["reason"],
    }


def export(devices: Iterable[Any], at: datetime) -> Exported:
    """The whole database, or a list of it, for people; without secrets, which no shape has."""
    cameras = list(devices)
    return {"exported_at": iso(at), "count": len(cameras), "cameras": cameras}
