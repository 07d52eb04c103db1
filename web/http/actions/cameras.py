"""Add, change, delete, check and test devices that people list, in the name of the person of the
request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from flask import request

from discovery.trial_steps import TrialConnection, TrialRequest
from discovery.trials import Trial
from fleet import access_fields, labels
from fleet.edit import editing
from fleet.fleet_secrets import Seal
from fleet.kinds import CAMERAS
from fleet.model import DEFAULT_SITE, CannotAsk, Device, Edit, Event
from web.http.actions import credentials, trials
from web.http.actions.camera_connections import (
    changed_connections,
    given_connection,
    new_connections,
    with_lent_login,
)
from web.http.actions.camera_places import elsewhere, invalid, with_typed_place
from web.http.actions.devices import apply_edits, check_may_connect, deletion, edit_of, new_edit
from web.http.auditing import note
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.payloads import json_body
from web.http.shapes.cameras import (
    ONVIF,
    RTSP,
    SNMP,
    CameraFields,
    CheckResult,
    ConnectionFields,
    DeviceFields,
    NewCamera,
    NewDevice,
    check_result,
    refusals,
    source_result,
)
from web.http.shapes.devices import Confirmation
from web.http.visible_fleet import visible_fleet

VALUES = {
    "name": "name",
    "description": "notes",
    "location": "site",
    "notes": "notes",
    "site": "site",
    "tags": "tags",
    "vendor": "vendor",
    "parents": "parents",
}
"""The names of the record, by the fields of a request."""
RECORDING = ("auto_record", "record_quality", "retention_days")
NO_SNMP = "The SNMP community is saved encrypted. This version does not use SNMP yet."
NOT_CHECKED = "No source of this version checks this device at its address."
CAMERA_NOT_CHECKED = "It is not checked: POST /api/cameras adds a camera that ONVIF and RTSP check."
DEVICE_INTERVAL = 300
"""Seconds between two checks of a device that is no camera."""


@dataclass(frozen=True, slots=True)
class SavedDevice:
    """The number of a device, the numbers that undo the edits, newest first, and what of the
    request has no effect yet."""

    id: int
    undo: Sequence[int]
    warnings: Sequence[str] = ()


def add_camera(given: NewCamera) -> SavedDevice:
    """Add a camera, or give a known device its access. Raises Refused and HttpError."""
    given = with_typed_place(given)
    reached, values = given_connection(given), _values(given)
    if reached.host is None:
        raise invalid("ip_address", "The address is missing", "Send ip_address or rtsp_url.")
    _check_one_choice(given)
    with current_monitor().secrets.sealing() as seal:
        connections = new_connections(reached, given, seal)
        if given.same_as is not None:
            device = visible_fleet().device(str(given.same_as))
            connections = [
                (source, with_lent_login(device, source, connection))
                for source, connection in connections
            ]
            edits = [
                new_edit("link", f"id:{device.id}", {**connection, "source": s})
                for s, connection in connections
            ]
            edits += [new_edit("change", f"id:{device.id}", values)] if values else []
        else:
            edits = [_addition(connections, {**values, **_beside(given)})]
        events = apply_edits(edits, "device.add")
    same = [] if given.same_as else elsewhere(reached.host, str(values.get("site", DEFAULT_SITE)))
    warnings = [f"Also checked at another site: {', '.join(same)}"] if same else []
    return _saved(events, given.same_as, [*_warnings(given), *warnings])


def _check_one_choice(given: NewCamera) -> None:
    """Raise Invalid for a request that says in several ways what the camera is to a known one."""
    choices = ("same_as", "channel_of", "is_another")
    chosen = [name for name in choices if getattr(given, name)]
    if len(chosen) > 1:
        raise invalid(
            chosen[1], f"{' and '.join(chosen)} exclude each other", "Send only one of them."
        )


def _beside(given: NewCamera) -> dict[str, Any]:
    """What a new camera is to the device that has its address. Raises HttpError (404) for one that
    is hidden."""
    owner = None
    if given.channel_of is not None:
        owner = visible_fleet().device(str(given.channel_of)).id
    return {"is_another": given.is_another, "channel_of": owner}


def change_camera(device: Device, given: CameraFields) -> SavedDevice:
    """Change what the request names; the rest stays. Raises Refused and HttpError."""
    with current_monitor().secrets.sealing() as seal:
        return _change(device, given, seal)


def _change(
    device: Device,
    given: CameraFields,
    seal: Seal,
    more: Sequence[tuple[str, dict[str, Any]]] = (),
    kind: Mapping[str, str] = MappingProxyType({}),
) -> SavedDevice:
    """All changes in one write, with those of `more`: (kind, fields) of other sources, and the
    `kind` of the device. Raises Refused and HttpError."""
    given = with_typed_place(given)
    reached, values = given_connection(given, device), {**_values(given, device), **kind}
    shown = (labels.name(device), _shown_name(device))
    if device.name is None and values.get("name") in shown:
        values.pop("name")  # what was read is sent back
    connections = [*changed_connections(device, reached, given, seal), *more]
    if connections:
        check_may_connect()
    edits = [edit_of(device, "change", values)] if values else []
    edits += [new_edit(kind, f"id:{device.id}", fields) for kind, fields in connections]
    right = ("device.add",) if connections else ("device.edit", device.id)
    events = apply_edits(edits, *right) if edits else []
    return _saved(events, device.id, _warnings(given))


def _shown_name(device: Device) -> str:
    return labels.name_among(device, visible_fleet().devices())


def add_device(given: NewDevice) -> SavedDevice:
    """Add a device of any kind, which SNMP will check. Raises Refused and HttpError."""
    if given.ip_address is None:
        raise invalid("ip_address", "The address is missing", "Send ip_address.")
    values = {
        **_values(given),
        "kind": kind_of(given.device_type or "device"),
        "is_another": given.is_another,
    }
    interval = DEVICE_INTERVAL if given.interval is None else given.interval
    connection: dict[str, Any] = {"host": given.ip_address, "interval": interval}
    with current_monitor().secrets.sealing() as seal:
        if given.snmp_community:
            connection["secret_options"] = {"community": seal(given.snmp_community)}
        events = apply_edits([_addition([(SNMP, connection)], values)], "device.add")
    unchecked = [CAMERA_NOT_CHECKED] if values["kind"] in CAMERAS else []
    return _saved(events, None, [*_warnings(given), *unchecked])


def change_device(device: Device, given: DeviceFields) -> SavedDevice:
    """Change what the request names; the rest stays. Raises Refused and HttpError."""
    fields = CameraFields.model_validate(
        given.model_dump(exclude_unset=True, exclude={"snmp_community", "device_type"})
    )
    chosen = {"kind": kind_of(given.device_type)} if given.device_type else {}
    with current_monitor().secrets.sealing() as seal:
        connections = []
        if "snmp_community" in given.model_fields_set:
            text = given.snmp_community
            community = {"community": seal(text)} if text else {}
            kind = "change" if SNMP in device.access else "link"
            connections.append((kind, {"source": SNMP, "secret_options": community}))
        saved = _change(device, fields, seal, connections, chosen)
    return replace(saved, warnings=_warnings(given))


def delete_listed(device: Device, confirm: str | None) -> int:
    """Permanently delete a device; `confirm` is its exact name, where one was sent. Returns its
    number. Raises Refused."""
    deletion().delete(device, labels.name(device) if confirm is None else confirm)
    return device.id


def sent_name() -> str | None:
    """The name that confirms a deletion, if the request has a body. Raises as `json_body`."""
    return json_body(Confirmation).confirm if request.get_data() else None


def check_now(device: Device) -> CheckResult:
    """Ask a device now by every source that can. Raises HttpError (503)."""
    monitor = current_monitor()
    try:
        results = monitor.scanner.ask([device.id])
    except CannotAsk as error:
        raise HttpError(503, error.reason, "Try again in a minute.") from None
    checked = monitor.tracker.devices().get(device.id, device)
    refused = {result.source: refusals(checked, result.source) for result in results}
    titles = monitor.scanner.sources
    rows = [source_result(r, titles[r.source].title, refused[r.source]) for r in results]
    statuses = monitor.statuses()[1]
    without = "It is found by scans. " if device.states else ""
    if SNMP in device.access:
        without = "SNMP is not available in this version. "
    note("device.polled", f"camera {device.id}", f"{labels.name(device)} was checked")
    is_refused = any(refused.values())
    device_status = statuses.get(device.id, device.status)
    return check_result(rows, device_status, without + NOT_CHECKED, is_refused=is_refused)


def begin_trial(given: ConnectionFields) -> Trial:
    """Begin a connection test of an address that need not be known. Raises Invalid and
    HttpError (503)."""
    given = with_typed_place(given)
    reached = given_connection(given)
    if reached.host is None:
        raise invalid("ip_address", "The address is missing", "Send ip_address or rtsp_url.")
    onvif = given.onvif
    by_onvif = TrialConnection(ONVIF)
    if onvif:
        by_onvif = TrialConnection(ONVIF, onvif.port, onvif.path, onvif.tls)
    by_rtsp = TrialConnection(RTSP, reached.port, reached.path or "", bool(reached.tls))
    # Of a URL, the stream that the person means is asked first.
    has_path = bool((reached.path or "").strip("/"))
    connections: tuple[TrialConnection, ...]
    connections = (by_rtsp, by_onvif) if has_path else (by_onvif, by_rtsp)
    if onvif is None and "onvif" in given.model_fields_set:
        connections = (by_rtsp,)
    login = (reached.username, reached.password or None)
    if reached.credentials:
        login = credentials.login_of(reached.credentials)
    return trials.begin(
        TrialRequest(
            access_fields.endpoint(reached.host).host,
            connections,
            *login,
            digest_only=bool(reached.credentials),
        )
    )


# -- what a request says ---------------------------------------------------------------------


def _values(given: CameraFields | DeviceFields, device: Device | None = None) -> dict[str, Any]:
    """The editable values of the request, by the names of the record."""
    names = given.model_fields_set
    values: dict[str, Any] = {}
    for name, kept in VALUES.items():
        if name in names:
            value = _recorded_as(kept, getattr(given, name))
            values[kept] = _changed(name, values.get(kept, value), value, device, kept)
    settings = {name: getattr(given, name) for name in RECORDING if name in names}
    if settings:
        values["recording"] = {**(device.recording if device else {}), **settings}
    return values


def _recorded_as(kept: str, value: Any) -> Any:
    """A value of a request, as the record keeps it."""
    if kept in ("tags", "parents") and value is None:
        return []
    if kept == "site" and not (value or "").strip():
        return DEFAULT_SITE
    return value


def _changed(name: str, first: Any, second: Any, device: Device | None, kept: str) -> Any:
    """The one of two values of a field with two names that changes the device: what was read is
    sent back with one change. Raises Invalid where both do."""
    now = getattr(device, kept, None) if device else None
    if second in (first, now):
        return first
    if first == now:
        return second
    other = next(other for other, of in VALUES.items() if of == kept)
    raise invalid(name, f"{other} and {name} are different", f"Send {other} alone.")


def _warnings(given: CameraFields | DeviceFields) -> list[str]:
    return [NO_SNMP] if "snmp_community" in given.model_fields_set else []


def kind_of(text: str) -> str:
    """A kind of device in one word, as records have it. Raises Invalid."""
    kind = "_".join(text.lower().replace("-", " ").split())
    if not access_fields.WORD.fullmatch(kind):
        raise invalid("device_type", "The kind of device is invalid", "Send a word like switch.")
    return kind


# -- edits -------------------------------------------------------------------------------------


def _addition(connections: Sequence[tuple[str, dict[str, Any]]], values: Mapping[str, Any]) -> Edit:
    (source, connection), *others = connections
    fields = {**values, **connection, "source": source}
    return new_edit("add", "", fields | ({"more": dict(others)} if others else {}))


def _saved(events: Sequence[Event], number: int | None, warnings: Sequence[str]) -> SavedDevice:
    added = [event.device for event in events if event.kind == "device.added"]
    id = number if number is not None else added[0]
    assert id is not None  # nosec B101  events of this kind have a device
    return SavedDevice(id, _undo_numbers(events), warnings)


def _undo_numbers(events: Sequence[Event]) -> list[int]:
    return [event.sequence for event in reversed(events) if editing.can_undo(event)]
