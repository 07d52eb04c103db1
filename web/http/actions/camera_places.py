"""Where a request says that a camera is: each part in the field that has it."""

from typing import Any, TypeVar

from fleet import labels, typed_place
from fleet.channels import is_channel
from fleet.model import DEFAULT_SITE, Invalid
from fleet.typed_place import TypedPlace
from web.http.shapes.cameras import ONVIF, RTSP, ConnectionFields, OnvifAccess
from web.http.visible_fleet import visible_fleet

MAX_ELSEWHERE = 5
"""Devices of other sites that a warning names."""
Fields = TypeVar("Fields", bound=ConnectionFields)


def with_typed_place(given: Fields) -> Fields:
    """The request with the address alone in `ip_address`: a port, an ONVIF URL or a stream URL in
    it is moved to the field that has it. Raises Invalid where that one says something else."""
    if not given.ip_address:
        return given
    typed = typed_place.read(given.ip_address)
    moved: dict[str, Any] = {"ip_address": typed.host}
    if typed.source == RTSP and typed.has_scheme:
        check_same("rtsp_url", given.rtsp_url, given.ip_address)
        moved["rtsp_url"] = given.ip_address
    elif typed.source == ONVIF and (typed.has_scheme or _has_no_rtsp(given)):
        moved["onvif"] = _onvif_of(typed, given)
        moved |= _login_of(typed, given)
    elif typed.port:
        check_same("port", given.port, typed.port)
        moved["port"] = typed.port
    return given.model_copy(update=moved)


def _has_no_rtsp(given: ConnectionFields) -> bool:
    """True if nothing of the request says that the port in the address is the one of RTSP."""
    is_left_out = given.onvif is None and "onvif" in given.model_fields_set
    return given.port is None and given.rtsp_url is None and not is_left_out


def _onvif_of(typed: TypedPlace, given: ConnectionFields) -> OnvifAccess:
    """The ONVIF service that `ip_address` names. Raises Invalid."""
    named = OnvifAccess(port=typed.port, path=typed.path, tls=typed.tls)
    is_left_out = given.onvif is None and "onvif" in given.model_fields_set
    events = given.onvif.events if given.onvif else None
    place = given.onvif and given.onvif.model_copy(update={"events": None})
    if is_left_out or place not in (None, OnvifAccess(), named):
        raise invalid(
            "onvif", "onvif has another value than ip_address", "Send it in one of the two places."
        )
    return named.model_copy(update={"events": events})


def _login_of(typed: TypedPlace, given: ConnectionFields) -> dict[str, str]:
    """The login in the URL. Raises Invalid."""
    check_same("username", given.username or None, typed.username)
    check_same("password", given.password or None, typed.password)
    login = {"username": typed.username, "password": typed.password}
    return {name: value for name, value in login.items() if value}


def elsewhere(host: str, site: str) -> list[str]:
    """The visible devices with this address at other sites, each with its site."""
    devices = visible_fleet().devices()
    at_host = (
        device
        for device in devices.values()
        if device.site != site and device.retired_at is None and not is_channel(device)
        if host in (device.address, *(access.host for access in device.access.values()))
    )
    return [
        f"{labels.name_among(device, devices)} ({device.site})"
        if device.site != DEFAULT_SITE
        else f"{labels.name_among(device, devices)} (no site)"
        for device in at_host
    ][:MAX_ELSEWHERE]


def check_same(name: str, value: object | None, of_url: object | None) -> None:
    """Raise Invalid when the URL says something else; the values are not quoted."""
    if value is not None and of_url is not None and value != of_url:
        raise invalid(
            name,
            f"{name} and the URL or address differ",
            "Send it in only one of the two places.",
        )


def invalid(name: str, error: str, hint: str) -> Invalid:
    fault = Invalid(error, hint)
    fault.field = name
    return fault
