"""Add, change, delete, check and test devices that people list, in the name of the person of the
request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from flask import request

from discovery.trial_steps import TrialConnection, TrialRequest
from discovery.trials import Trial
from fleet import access_fields, labels, logins, stream_url
from fleet.edit import editing
from fleet.fleet_secrets import Seal
from fleet.kinds import CAMERAS
from fleet.model import DEFAULT_SITE, Access, CannotAsk, Device, Edit, Event
from fleet.stream_url import StreamUrl
from web.http.actions import credentials, trials
from web.http.actions.camera_places import check_same, elsewhere, invalid, with_typed_place
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
    address_of,
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
    "tags": "tags",
    "vendor": "vendor",
    "parents": "parents",
}
"""The fields of a request, by the names of the record."""
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


@dataclass(frozen=True, slots=True)
class _Given:
    """How a device is reached, as a request says it: None is what it does not say."""

    host: str | None
    port: int | None
    path: str | None
    tls: bool | None
    username: str | None
    password: str | None = field(repr=False)
    has_login: bool
    needs_no_login: bool
    credentials: str | None


def add_camera(given: NewCamera) -> SavedDevice:
    """Add a camera, or give a known device its access. Raises Refused and HttpError."""
    given = with_typed_place(given)
    reached, values = _reached(given), _values(given)
    if reached.host is None:
        raise invalid("ip_address", "The address is missing", "Send ip_address or rtsp_url.")
    _check_one_choice(given)
    with current_monitor().secrets.sealing() as seal:
        connections = _new_connections(reached, given, seal)
        if given.same_as is not None:
            device = visible_fleet().device(str(given.same_as))
            connections = [
                (source, _with_lent_login(device, source, connection))
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
    reached, values = _reached(given, device), {**_values(given, device), **kind}
    if device.name is None and values.get("name") == _shown_name(device):
        values.pop("name")  # what was read is sent back
    connections = [*_changed_connections(device, reached, given, seal), *more]
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
    reached = _reached(given)
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
    values = {kept: getattr(given, name) for name, kept in VALUES.items() if name in names}
    for name in ("tags", "parents"):
        if values.get(name, ()) is None:
            values[name] = []
    if "site" in values and not (values["site"] or "").strip():
        values["site"] = DEFAULT_SITE
    settings = {name: getattr(given, name) for name in RECORDING if name in names}
    if settings:
        values["recording"] = {**(device.recording if device else {}), **settings}
    return values


def _warnings(given: CameraFields | DeviceFields) -> list[str]:
    return [NO_SNMP] if "snmp_community" in given.model_fields_set else []


def kind_of(text: str) -> str:
    """A kind of device in one word, as records have it. Raises Invalid."""
    kind = "_".join(text.lower().replace("-", " ").split())
    if not access_fields.WORD.fullmatch(kind):
        raise invalid("device_type", "The kind of device is invalid", "Send a word like switch.")
    return kind


def _reached(given: ConnectionFields, device: Device | None = None) -> _Given:
    """How the device is reached, of the URL and the fields beside it. Raises Invalid where they
    contradict each other. What a change gives as it is already is left out."""
    url = stream_url.parse(given.rtsp_url) if given.rtsp_url else None
    host = access_fields.endpoint(given.ip_address).host if given.ip_address else None
    check_same("ip_address", host, url and url.host)
    url_port = url.port if url and url.has_port else None
    check_same("port", given.port, url_port)
    check_same("username", given.username or None, url and url.username)
    check_same("password", given.password or None, (url and url.password) or None)
    if given.login and (given.username or given.password or (url and url.username)):
        raise invalid("login", "login is none, but a user name is given", "Send one of the two.")
    if given.credentials:
        _check_is_alone(given, url)
    username = given.username or (url.username if url else None)
    password = given.password if given.password is not None else url.password if url else None
    if password and not username and _saved_username(device) is None:
        raise invalid("username", "The user name is missing", "Send it with the password.")
    host = host or (url.host if url else None)
    if device is not None and host == address_of(device, RTSP):
        host = None
    return _Given(
        host,
        given.port or (url.port if url else None),
        url.path if url else None,
        url.tls if url else None,
        username,
        stream_url.valid_password(password),
        _has_login(given, url),
        given.login == "none",
        (given.credentials or "") if "credentials" in given.model_fields_set else None,
    )


def _check_is_alone(given: ConnectionFields, url: StreamUrl | None) -> None:
    """Raise Invalid when a login is given beside a credential set."""
    if given.username or given.password or given.login or (url and url.username):
        raise invalid(
            "credentials", "A credential set and a login are given", "Send one of the two."
        )


def _has_login(given: ConnectionFields, url: StreamUrl | None) -> bool:
    fields = given.model_fields_set
    is_given = not fields.isdisjoint({"username", "password", "login", "credentials"})
    return is_given or bool(url and url.username)


def _saved_username(device: Device | None) -> str | None:
    accesses = device.access.values() if device else ()
    return next((access.username for access in accesses if access.username), None)


# -- the access of the sources ----------------------------------------------------------------


def _new_connections(
    reached: _Given, given: CameraFields, seal: Seal
) -> list[tuple[str, dict[str, Any]]]:
    """The access of each source by which a new camera is reached."""
    common: dict[str, Any] = {"host": reached.host}
    if given.interval is not None:
        common["interval"] = given.interval
    is_address_alone = reached.path is None and reached.port is None
    sources = [RTSP] if not is_address_alone or given.onvif is None else []
    # An address alone says nothing of the protocol: both are asked, as on the page "Add camera".
    is_onvif = given.onvif is not None or (
        is_address_alone and "onvif" not in given.model_fields_set
    )
    sources += [ONVIF] if is_onvif else []
    return [
        (source, {**common, **_place(source, reached, given), **_login(reached, seal)})
        for source in sources
    ]


def _place(source: str, reached: _Given, given: CameraFields) -> dict[str, Any]:
    """Port, path and encryption of a source that is new to the device."""
    if source == ONVIF and given.onvif is None:
        place: dict[str, Any] = {"port": None, "path": ""}
        tls = False
    elif source == ONVIF and given.onvif is not None:
        place = given.onvif.model_dump(include={"port", "path"})
        tls = given.onvif.tls
    else:
        tls = bool(reached.tls)
        default = access_fields.DEFAULT_PORTS["rtsps" if tls else "rtsp"]
        place = {"port": reached.port or default, "path": reached.path or ""}
    options = {**({"tls": True} if tls else {}), **_no_login(reached)}
    if source == RTSP and given.sub_path:
        options[access_fields.SUB_PATH] = given.sub_path
    return {**place, **({"options": options} if options else {})}


def _no_login(reached: _Given) -> dict[str, str]:
    return {"login": "none"} if reached.needs_no_login else {}


def _login(reached: _Given, seal: Seal, is_set_chosen: bool = False) -> dict[str, Any]:
    """The login as an edit carries it, sealed for one source; nothing where none is given. It takes
    the place of a credential set that was chosen."""
    if not reached.has_login:
        return {}
    if reached.credentials:
        return logins.choice_of(reached.credentials)
    fields: dict[str, Any] = {}
    if reached.credentials is not None or is_set_chosen:
        fields["credentials"] = ""
    if reached.username is not None or reached.needs_no_login:
        fields["username"] = reached.username
    if reached.password is not None or reached.needs_no_login:
        fields["secret"] = seal(reached.password) if reached.password else None
    return fields


def _with_lent_login(device: Device, source: str, connection: Mapping[str, Any]) -> dict[str, Any]:
    """The access with the login that another source of the device has for this address, if the
    request says nothing of a login."""
    is_given = not connection.keys().isdisjoint({"username", "secret", "credentials"})
    is_given = is_given or "login" in connection.get("options", {})
    lender = "" if is_given else logins.lender_for(device, source, connection["host"])
    return {**connection, **({"login_of": lender} if lender else {})}


def _changed_connections(
    device: Device, reached: _Given, given: CameraFields, seal: Seal
) -> list[tuple[str, dict[str, Any]]]:
    """(kind, fields) of the edit of each source whose access changes, or is new."""
    edits = []
    for source, access in device.access.items():
        if source in (RTSP, ONVIF, SNMP):
            fields = _changes(source, access, reached, given)
            if source != SNMP:
                fields |= _login(reached, seal, bool(access.credentials))
            edits += [("change", {**fields, "source": source})] if fields else []
    new = [RTSP] if reached.path is not None and RTSP not in device.access else []
    new += [ONVIF] if given.onvif is not None and ONVIF not in device.access else []
    for source in new:
        place = _place(source, reached, given)
        host = reached.host or next((a.host for a in device.access.values() if a.host), None)
        fields = {"host": host, **place, **_login(reached, seal), "source": source}
        fields = _with_lent_login(device, source, fields)
        edits.append(("link", fields if host else _without_host(fields)))
    if not edits and reached.host is not None:
        raise invalid(
            "ip_address",
            "The address of this device is found by scans",
            "Send rtsp_url or onvif to check it at an address as well.",
        )
    return edits


def _without_host(fields: Mapping[str, Any]) -> dict[str, Any]:
    """An access at the device's own address, wherever that is."""
    return {name: value for name, value in fields.items() if name != "host"}


def _changes(source: str, access: Access, reached: _Given, given: CameraFields) -> dict[str, Any]:
    """What the request changes of where and how often a source asks."""
    fields: dict[str, Any] = {"host": reached.host} if reached.host is not None else {}
    if "interval" in given.model_fields_set:
        fields["interval"] = given.interval
    tls = None
    if source == RTSP:
        fields |= {"path": reached.path} if reached.path is not None else {}
        fields |= {"port": reached.port} if reached.port is not None else {}
        tls = reached.tls
    elif source == ONVIF and given.onvif is not None:
        fields |= given.onvif.model_dump(include={"port", "path"})
        tls = given.onvif.tls
    elif source == ONVIF and "onvif" in given.model_fields_set:
        raise invalid("onvif", "ONVIF cannot be removed from a device", "Undo that it was added.")
    options = dict(access.options)
    if tls is not None and tls != bool(options.get("tls")):
        options.pop("tls", None)
        options |= {"tls": True} if tls else {}
    if reached.has_login and source != SNMP:
        options.pop("login", None)
        options |= _no_login(reached)
    if source == RTSP and "sub_path" in given.model_fields_set:
        options.pop(access_fields.SUB_PATH, None)
        options |= {access_fields.SUB_PATH: given.sub_path} if given.sub_path else {}
    return fields if options == access.options else {**fields, "options": options}


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
