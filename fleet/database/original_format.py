"""Read and write databases of the original camera tracker.

Its file is one JSON object keyed by MAC; times are local and without offset. Whatever
it says of a camera is kept: what has no place of its own stays under facts `tracker`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet import identity, labels, status, validation
from fleet.database.record import Unreadable, indexed
from fleet.model import DEFAULT_SITE, AddressChange, Device, Fleet, SourceState

SOURCE = "panasonic"
ONE_SCAN = timedelta(seconds=60)
"""Within it the former tracker wrote all that one of its scans found."""
_FACTS = {
    "camera_name": "name",
    "model_name": "model",
    "serial_number": "serial",
    "firmware_version": "firmware",
    "current_port": "port",
    "current_subnet": "subnet",
    "current_gateway": "gateway",
    "current_network_mode": "network_mode",
}
_MAPPED = {
    *_FACTS,
    "mac_address",
    "current_ip",
    "first_seen",
    "last_seen",
    "ip_history",
    "total_discoveries",
    "seen_in_last_discovery",
}


def is_original(raw: Mapping[str, Any]) -> bool:
    """An object whose keys are all MACs; an empty one is an empty fleet."""
    return all(identity.mac(key) and isinstance(row, dict) for key, row in raw.items())


def converted_fleet(raw: Mapping[str, Any]) -> Fleet:
    """The fleet in an original database. Raises Unreadable when a row does not fit.

    The original kept no time of its last scan: it was when the newest camera was seen.
    """
    try:
        seen = [_time(row["last_seen"]) for row in raw.values() if row.get("last_seen")]
        last_scan = max(seen, default=None)
        rows = enumerate(raw.items(), start=1)
        devices = {id: _device(id, mac, row, last_scan) for id, (mac, row) in rows}
        for mac, device in zip(raw, devices.values(), strict=True):
            validation.check_device(device, f"device {device.id}, {mac}")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Unreadable(f"a camera in it is invalid ({error})") from error
    if len({device.identities for device in devices.values()}) < len(devices):
        raise Unreadable("it contains a MAC twice, in two spellings")
    state = {"last_scan": {"at": last_scan.isoformat()}} if last_scan else {}
    return indexed(Fleet(devices=devices, next_id=len(devices) + 1, state=state))


def _device(id: int, mac: str, row: Mapping[str, Any], last_scan: datetime | None) -> Device:
    first_seen, last_seen = _time_or_none(row, "first_seen"), _time_or_none(row, "last_seen")
    facts = {new: row[old] for old, new in _FACTS.items() if row.get(old) not in (None, "")}
    rest = {key: value for key, value in row.items() if key not in _MAPPED}
    answered = bool(row.get("seen_in_last_discovery", True))
    state = SourceState(
        seen_at=last_seen,
        missed_at=None if answered else last_scan,
        misses=0 if answered else 1,
        reason="" if answered else "no response to the last scan of the former tracker",
    )
    history = _history(row, first_seen)
    moved_at = last_seen if answered and _has_just_moved(history, last_seen) else None
    up = status.IP_CHANGED if moved_at else status.ACTIVE
    return Device(
        id=id,
        kind="camera",
        site=DEFAULT_SITE,
        identities=(_key(mac),),
        address=row.get("current_ip") or None,
        addresses=history,
        first_seen=first_seen,
        last_seen=last_seen,
        sightings=int(row.get("total_discoveries") or 0),
        moved_at=moved_at,
        states={SOURCE: state},
        facts={SOURCE: facts, **({"tracker": rest} if rest else {})},
        status=up if answered else status.OFFLINE,
        since=last_seen if answered else last_scan,
    )


def _has_just_moved(history: Sequence[AddressChange], last_seen: datetime | None) -> bool:
    """The last scan that heard it found it at another address than the one before."""
    if not history or last_seen is None or history[-1].previous in (None, history[-1].ip):
        return False
    return history[-1].at >= last_seen - ONE_SCAN


def renumbered(fleet: Fleet, first: int) -> Fleet:
    """The fleet with numbers from `first` on: those below were given to others."""
    devices = {
        id: replace(device, id=id) for id, device in enumerate(fleet.devices.values(), first)
    }
    return indexed(replace(fleet, devices=devices, next_id=first + len(devices)))


def rows_of(devices: Iterable[Device]) -> dict[str, dict[str, Any]]:
    """The devices as the original kept them: those with a MAC that are not retired, with all
    that it had a place for. What `converted_fleet` read of them comes back as it was."""
    kept = (device for device in devices if device.retired_at is None)
    return {mac: _row(mac, device) for device in kept if (mac := identity.mac_of(device))}


def _row(mac: str, device: Device) -> dict[str, Any]:
    facts = {old: labels.fact(device, new) for old, new in _FACTS.items()}
    return {
        **device.facts.get("tracker", {}),
        **facts,
        "mac_address": mac,
        "camera_name": device.name or labels.fact(device, "name") or "",
        "current_ip": device.address,
        "first_seen": _local(device.first_seen),
        "last_seen": _local(device.last_seen),
        "ip_history": [
            {"ip": address.ip, "timestamp": _local(address.at), "previous_ip": address.previous}
            for address in device.addresses
        ],
        "total_discoveries": device.sightings,
        "seen_in_last_discovery": device.status in status.UP,
    }


def _local(at: datetime | None) -> str | None:
    """A local time without offset, as the original wrote it."""
    return at.astimezone().replace(tzinfo=None).isoformat() if at else None


def _key(mac: str) -> str:
    plain = identity.mac(mac)
    if plain is None:
        raise ValueError(f"{mac} is not a MAC")
    return f"{identity.MAC}{plain}"


def _history(row: Mapping[str, Any], first_seen: datetime | None) -> tuple[AddressChange, ...]:
    """The address changes, oldest first, including the first address."""
    changes = [
        AddressChange(former["ip"], _time(former["timestamp"]), former.get("previous_ip") or None)
        for former in row.get("ip_history") or []
    ]
    changes.sort(key=lambda change: change.at)
    if not changes and row.get("current_ip") and first_seen:
        changes = [AddressChange(row["current_ip"], first_seen, None)]
    elif changes and changes[0].previous and first_seen:
        changes.insert(0, AddressChange(changes[0].previous, first_seen, None))
    return tuple(changes)


def _time_or_none(row: Mapping[str, Any], key: str) -> datetime | None:
    return _time(row[key]) if row.get(key) else None


def _time(text: str) -> datetime:
    """A local time without offset (or one with) in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
