"""How a request says that a device is reached, and what that changes of its accesses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet import access_fields, logins, stream_url
from fleet.fleet_secrets import Seal
from fleet.model import Access, Device
from fleet.stream_url import StreamUrl
from web.http.actions.camera_places import check_same, invalid
from web.http.shapes.cameras import ONVIF, RTSP, SNMP, CameraFields, ConnectionFields, address_of


@dataclass(frozen=True, slots=True)
class GivenConnection:
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


def given_connection(given: ConnectionFields, device: Device | None = None) -> GivenConnection:
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
    return GivenConnection(
        host,
        given.port or (url.port if url else None),
        url.path if url else None,
        url.tls if url else None,
        username,
        stream_url.valid_password(password),
        _has_login(given, url),
        given.login == logins.NO_LOGIN,
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


def new_connections(
    reached: GivenConnection, given: CameraFields, seal: Seal
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


def _place(source: str, reached: GivenConnection, given: CameraFields) -> dict[str, Any]:
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
    options: dict[str, Any] = {**({"tls": True} if tls else {}), **_no_login(reached)}
    if source == RTSP and given.sub_path:
        options[access_fields.SUB_PATH] = given.sub_path
    if source == ONVIF and given.onvif is not None and given.onvif.events:
        options[access_fields.EVENTS] = True
    return {**place, **({"options": options} if options else {})}


def _no_login(reached: GivenConnection) -> dict[str, str]:
    return {"login": logins.NO_LOGIN} if reached.needs_no_login else {}


def _login(reached: GivenConnection, seal: Seal, is_set_chosen: bool = False) -> dict[str, Any]:
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


def with_lent_login(device: Device, source: str, connection: Mapping[str, Any]) -> dict[str, Any]:
    """The access with the login that another source of the device has for this address, if the
    request says nothing of a login."""
    is_given = not connection.keys().isdisjoint({"username", "secret", "credentials"})
    is_given = is_given or "login" in connection.get("options", {})
    lender = "" if is_given else logins.lender_for(device, source, connection["host"])
    return {**connection, **({"login_of": lender} if lender else {})}


def changed_connections(
    device: Device, reached: GivenConnection, given: CameraFields, seal: Seal
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
        fields = with_lent_login(device, source, fields)
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


def _changes(
    source: str, access: Access, reached: GivenConnection, given: CameraFields
) -> dict[str, Any]:
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
    if source == ONVIF and given.onvif is not None and given.onvif.events is not None:
        options.pop(access_fields.EVENTS, None)
        options |= {access_fields.EVENTS: True} if given.onvif.events else {}
    return fields if options == access.options else {**fields, "options": options}
