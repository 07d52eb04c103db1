"""The commands about cameras: discover, scan, list, stats, history, export, cleanup, delete."""

import argparse
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import app as monitor_app
from accounts.deletion import Deletion, sample
from audit.audit_log import without_secrets
from audit.model import AuditEntry
from commands.monitor import (
    CANNOT_ASK,
    DONE,
    NOTHING,
    Failed,
    ask_monitor,
    read_fleet,
    scan_in_monitor,
    tell_monitor,
    with_monitor,
)
from commands.output import as_json, complain, show
from discovery.scan_record import scan_record
from discovery.single_scan import discover as discover_once
from fleet import identity, labels, shapes, state, status
from fleet.authors import COMMAND_LINE
from fleet.database import original_format
from fleet.edit import cleaning
from fleet.kinds import CAMERAS
from fleet.model import Device, Fleet
from fleet.queries import SORTS, DeviceFilter, select
from fleet.status import Rules
from fleet.status_rules import rules_of
from fleet.texts import sentences
from settings import Settings
from sources.build import build_sources, source_rules
from video.build import VideoPackage


def rows_of(
    settings: Settings, devices: Iterable[Device], fleet: Fleet
) -> list[shapes.CameraDetail]:
    now, rules = monitor_app.utc_now(), _rules_of(settings, fleet)
    return [
        shapes.detail(
            device,
            status.status(device, fleet.devices, now, rules),
            now,
            rules,
            fleet.devices,
        )
        for device in devices
    ]


def _rules_of(settings: Settings, fleet: Fleet) -> Rules:
    sources = build_sources(settings.select, monitor_app.utc_now)
    return rules_of(fleet, settings.auto_scan_interval, source_rules(sources))


def _statuses_of(settings: Settings, fleet: Fleet) -> dict[int, str]:
    """The statuses of a fleet that was read from its file."""
    return status.statuses(fleet.devices, monitor_app.utc_now(), _rules_of(settings, fleet))


def discover(settings: Settings, args: argparse.Namespace) -> int:
    """Scan and print the devices that are online. Saved only if Camera Monitor is running."""
    result = scan_in_monitor(settings)
    if result is None:
        devices, scan = discover_once(
            build_sources(settings.select, monitor_app.utc_now), monitor_app.utc_now
        )
        result = scan_record(scan) if scan else {}
        fleet = Fleet(devices={device.id: device for device in devices})
    else:
        fleet = read_fleet(settings)
    started = result["at"]
    answered = [device for device in fleet.devices.values() if _answered(device, started)]
    rows = rows_of(settings, _sorted(answered, args.sort or "address", fleet), fleet)
    report_scan(result, args.verbose)
    show(rows, args)
    if not rows and result["error"]:
        return CANNOT_ASK
    return DONE if rows else NOTHING


def _answered(device: Device, started: str) -> bool:
    return any(
        state.asked and state.asked.isoformat() == started and not state.misses
        for state in device.states.values()
    )


def scan(settings: Settings, args: argparse.Namespace) -> int:
    """Scan the network and save the result, also while Camera Monitor is not running."""
    result = scan_in_monitor(settings) or _scan_without_monitor(settings)
    if args.json:
        print(as_json(result))
    else:
        print(f"{result['found']} online, {result['missed']} not responding")
    report_scan(result, args.verbose)
    return CANNOT_ASK if result["error"] and not result["found"] else DONE


def _scan_without_monitor(settings: Settings) -> dict[str, Any]:
    def work(monitor: Any) -> dict[str, Any]:
        monitor.scanner.open(listen=False)
        monitor.scanner.start(COMMAND_LINE)
        monitor.scanner.wait()
        return scan_record(monitor.scanner.last)

    result: dict[str, Any] = with_monitor(settings, work)
    return result


def report_scan(result: Mapping[str, Any], verbose: bool) -> None:
    """Report a scan on stderr: its failures always, the rest with --verbose."""
    for source in result["sources"]:
        for scope, reason in source["failed"].items():
            complain(f"{scope}: {reason}")
        if verbose:
            where = ", ".join(source["interfaces"]) or "no interface"
            complain(
                f"{source['title']}: {labels.counted(source['requests'], 'request')} on {where}, "
                f"{labels.counted(source['answers'], 'response')}, "
                f"{labels.counted(source['found'], 'device')}"
            )
            for reason, number in source["refused"].items():
                complain(f"  {labels.counted(number, 'datagram')} rejected: {reason}")


def list_cameras(settings: Settings, args: argparse.Namespace) -> int:
    """List the cameras in the database."""
    fleet = read_fleet(settings)
    statuses = _statuses_of(settings, fleet)
    query = DeviceFilter(status=args.status, q=args.search, retired=args.retired)
    devices = select(fleet.devices.values(), statuses, query, CAMERAS).devices
    show(rows_of(settings, _sorted(devices, args.sort or "name", fleet), fleet), args)
    return DONE if devices else NOTHING


def _sorted(devices: Sequence[Device], sort: str, fleet: Fleet) -> list[Device]:
    key = SORTS[sort.lstrip("-")]
    return sorted(
        devices,
        key=lambda device: key(device, device.status, fleet.devices),
        reverse=sort.startswith("-"),
    )


def stats(settings: Settings, args: argparse.Namespace) -> int:
    """Print the device counts."""
    answer = tell_monitor(settings, "GET", "/api/stats") or _counts(settings)
    if args.json:
        print(as_json(answer))
    else:
        for key, value in answer.items():
            print(f"{key:<26} {value}")
    return DONE


def _counts(settings: Settings) -> shapes.Stats:
    fleet = read_fleet(settings)
    return shapes.stats(
        fleet,
        fleet.devices.values(),
        _statuses_of(settings, fleet),
        scanning=False,
        auto_scan=bool(state.auto_scan(fleet)),
        interval=settings.auto_scan_interval,
    )


def history(settings: Settings, args: argparse.Namespace) -> int:
    """Print every address that a camera has had."""
    fleet = read_fleet(settings)
    device = find_device(fleet, args.mac)
    rows = rows_of(settings, [device], fleet)[0]["ip_history"]
    columns = (("timestamp", "SINCE"), ("ip", "ADDRESS"), ("previous_ip", "BEFORE"))
    if not (args.json or args.csv):
        print(f"{labels.name(device)}, {identity.mac_of(device) or device.identities[0]}")
    show(rows, args, columns)
    return DONE


def find_device(fleet: Fleet, key: str) -> Device:
    """The device with this number or MAC. Raises Failed."""
    id = fleet.index.get(f"{identity.MAC}{identity.mac(key)}", 0)
    if key.isdecimal() and not id:
        id = fleet.redirects.get(int(key[:19]), int(key[:19]))
    device = fleet.devices.get(id)
    if device is None:
        raise _no_camera(key)
    return device


def _no_camera(key: str) -> Failed:
    return Failed(f"Camera {key[:60]} does not exist. `cli.py list` shows all cameras.")


def export(settings: Settings, args: argparse.Namespace) -> int:
    """Export the whole database as JSON, without secrets."""
    fleet = read_fleet(settings)
    body = _former(fleet) if args.former else _whole(settings, fleet)
    if args.output is None:
        print(as_json(body))
        return DONE
    try:
        text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
        args.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failed(f"{args.output} cannot be written ({error.strerror}).") from None
    return DONE


def _whole(settings: Settings, fleet: Fleet) -> Mapping[str, Any]:
    return shapes.export(rows_of(settings, fleet.devices.values(), fleet), monitor_app.utc_now())


def _former(fleet: Fleet) -> Mapping[str, Any]:
    """The fleet in the former tracker's format; stderr says how many devices are left out."""
    rows = original_format.rows_of(fleet.devices.values())
    if left := len(fleet.devices) - len(rows):
        complain(
            f"{left} {'device' if left == 1 else 'devices'} not exported: retired or without MAC."
        )
    return rows


def cleanup(settings: Settings, args: argparse.Namespace) -> int:
    """Retire devices not seen for this many days. They are restored when online again."""
    now = monitor_app.utc_now()
    if args.dry_run:
        fleet = read_fleet(settings)
        edits = cleaning.retirements(fleet.devices.values(), args.days, "", now)
        for edit in edits:
            device = fleet.devices[int(edit.identity.removeprefix("id:"))]
            print(labels.name_among(device, fleet.devices))
        print(f"{labels.device_count(edits)} would be retired.")
        return DONE
    answer = tell_monitor(settings, "POST", "/api/cleanup", {"days": args.days})

    def work(monitor: Any) -> dict[str, Any]:
        retirements = cleaning.retirements(
            monitor.tracker.devices().values(), args.days, COMMAND_LINE, now
        )
        return {"retired": len(monitor.tracker.apply(retirements, now)) if retirements else 0}

    number = (answer or with_monitor(settings, work))["retired"]
    print(
        f"{labels.counted(number, 'device')} retired: "
        f"not seen for {labels.counted(args.days, 'day')}."
    )
    return DONE


def delete(settings: Settings, args: argparse.Namespace) -> int:
    """Permanently delete a device by its name, or selected devices by their number."""
    body = {
        "first_seen_after": args.first_seen_after,
        "first_seen_before": args.first_seen_before,
        "not_seen_days": args.not_seen_days,
        "never_named": args.never_named,
    }
    times = (body["first_seen_after"], body["first_seen_before"], body["not_seen_days"])
    if args.key:
        if any(body.values()):
            raise Failed("Give either a device or a selection, not both.", 2)
        return _delete_one(settings, args.key, args.confirm)
    if not any(times):
        raise Failed(
            "Give a device, or --first-seen-after, --first-seen-before or --not-seen-days.", 2
        )
    confirm = {}
    if args.confirm is not None:
        if not args.confirm.isdecimal():
            raise Failed("--confirm must be the number of devices to delete.", 2)
        confirm = {"confirm": int(args.confirm[:9])}
    answer = tell_monitor(settings, "POST", "/api/delete", {**body, **confirm})
    count, deleted, sample = (
        _selected(settings, body, confirm)
        if answer is None
        else (
            answer["count"],
            answer["deleted"],
            answer["sample"],
        )
    )
    if not count:
        print("No device matches this selection.")
    elif confirm:
        print(f"{deleted} {'device' if deleted == 1 else 'devices'} deleted.")
    else:
        print("".join(f"{name}\n" for name in sample), end="")
        print(
            f"{count} {'device' if count == 1 else 'devices'} selected. To delete permanently, "
            f"run again with --confirm {count}."
        )
    return DONE if count else NOTHING


def _selected(
    settings: Settings, body: Mapping[str, Any], confirm: Mapping[str, int]
) -> tuple[int, int, list[str]]:
    """Select or delete without a running server: the selected, the deleted, some names."""
    times = {
        key: body[key] and datetime.fromisoformat(body[key])
        for key in ("first_seen_after", "first_seen_before")
    }
    selection = cleaning.Selection(**{**body, **times})

    def work(monitor: Any) -> tuple[int, int, list[str]]:
        act = _deletion(monitor)
        devices = act.select(selection)
        names = sample(devices)
        if not confirm:
            return len(devices), 0, names
        return len(devices), act.delete_selected(selection, devices, confirm["confirm"]), names

    return with_monitor(settings, work)  # type: ignore[no-any-return]


def _delete_one(settings: Settings, key: str, confirm: str | None) -> int:
    name = _name(settings, key)
    if confirm is None:
        raise Failed(
            f"To delete it permanently, confirm its name: --confirm {shlex.quote(name)}", 2
        )
    answer = tell_monitor(
        settings, "DELETE", f"/api/camera/{quote(key, safe='')}", {"confirm": confirm}
    )

    def work(monitor: Any) -> dict[str, Any]:
        device = monitor.tracker.device(key)
        _deletion(monitor).delete(device, confirm)
        return {"deleted": device.id}

    number = (answer or with_monitor(settings, work))["deleted"]
    print(f"Device {number} deleted.")
    return DONE


def _name(settings: Settings, key: str) -> str:
    """The name of the device as the running server knows it, or the database. Raises Failed."""
    answer = ask_monitor(settings, "GET", f"/api/camera/{quote(key, safe='')}")
    if answer is None:
        return labels.name(find_device(read_fleet(settings), key))
    if answer.status == 404:
        raise _no_camera(key)
    if answer.status >= 400:
        raise Failed(sentences(answer.body["error"], answer.body["hint"]))
    return str(answer.body["camera_name"])


def _deletion(monitor: Any) -> Deletion:
    now, by = monitor_app.utc_now(), COMMAND_LINE

    def note(action: str, about: str, text: str, before: Mapping[str, Any]) -> None:
        monitor.audit.note(AuditEntry(now, by, "", action, about, text, without_secrets(before)))

    return Deletion(
        monitor.tracker,
        monitor.authenticator.accounts,
        monitor.trusted,
        note,
        by,
        now,
        also_forget=monitor.packages.find(VideoPackage).schedules.forget_devices,
    )
