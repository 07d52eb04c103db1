"""Devices that people add: bodies of requests, and the answers with how each is reached."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from discovery.probe_results import ANSWERED, ProbeResult
from discovery.trial_steps import Step
from fleet import access_fields, labels, logins, shapes, status
from fleet.edit import editing
from fleet.editable_fields import MAX_LENGTHS
from fleet.model import DEFAULT_SITE, Access, Device
from fleet.recording import MAX_RETENTION, QUALITIES
from fleet.shapes import Time
from fleet.stream_url import LONGEST, LONGEST_PASSWORD, StreamUrl
from web.http.payloads import OneOf, Query, SentBack, Strict
from web.http.shapes.devices import HIGHEST, ParentId, Tag

RTSP, ONVIF, SNMP = "rtsp", "onvif", "snmp"
Port = Annotated[int, Field(ge=1, le=65535)]
Host = Annotated[str, Field(min_length=1, max_length=access_fields.LONGEST_HOST)]
TypedHost = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Interval = Annotated[
    int,
    Field(
        ge=access_fields.MIN_INTERVAL,
        le=access_fields.MAX_INTERVAL,
        description="Seconds between two checks.",
    ),
]
LONGEST_CHOICE = 200
MAX_NAME = MAX_LENGTHS["name"]
REFUSED_KINDS = frozenset(
    (
        "login.wrong",
        "login.method",
        "login.clock",
        "tls.changed",
        "tls.old",
        "stream.missing",
        "stream.refused",
        "stream.transport",
        "stream.none",
        "stream.unreadable",
        "stream.path",
    )
)
"""Findings of a device that responds, but gives no video. Their texts speak of this device alone,
so anyone who may check it can read them."""


# -- requests ------------------------------------------------------------------------------


class OnvifAccess(Strict):
    """ONVIF at the address of the device; without values at its usual port and path. Without
    `events`, they stay as they are."""

    port: Port | None = None
    path: str = Field("", max_length=access_fields.LONGEST_PATH)
    tls: bool = False
    events: bool | None = Field(
        None, description="Read what the camera itself reports: tampering, too dark, no storage."
    )


class ConnectionFields(Strict):
    """How to reach a device, and the login. `rtsp_url` may contain the login. An empty password is
    one; `login: none` says that the device needs no login."""

    ip_address: TypedHost | None = Field(
        None, description="A host name or an IP address, also with a port or as a URL."
    )
    port: Port | None = Field(None, description="The RTSP port.")
    username: str | None = Field(None, max_length=access_fields.LONGEST_USERNAME)
    password: str | None = Field(None, max_length=LONGEST_PASSWORD)
    login: Literal["none"] | None = None
    credentials: str | None = Field(
        None,
        max_length=LONGEST_CHOICE,
        description="The name or id of a credential set, instead of a login; null for none.",
    )
    rtsp_url: str | None = Field(None, max_length=LONGEST)
    onvif: OnvifAccess | None = None


class CameraFields(ConnectionFields, SentBack):
    """A camera. `description` are its notes, `location` is its site; each may be sent by either
    name. With `auto_record` it is recorded always. What an answer has besides these fields may be
    sent back; it has no effect."""

    name: str | None = Field(None, max_length=MAX_NAME)
    description: str | None = Field(None, max_length=MAX_LENGTHS["notes"])
    location: str | None = Field(None, max_length=MAX_LENGTHS["site"])
    notes: str | None = Field(None, max_length=MAX_LENGTHS["notes"])
    site: str | None = Field(None, max_length=MAX_LENGTHS["site"])
    tags: list[Tag] | None = Field(None, max_length=editing.MAX_TAGS)
    vendor: str | None = Field(None, max_length=MAX_LENGTHS["vendor"])
    parents: list[ParentId] | None = Field(None, max_length=editing.MAX_PARENTS)
    sub_path: str | None = Field(
        None,
        max_length=access_fields.LONGEST_PATH,
        description="The path of the sub stream, where the device does not tell it.",
    )
    interval: Interval | None = None
    auto_record: bool | None = None
    record_quality: Annotated[str, OneOf(QUALITIES)] | None = None
    retention_days: int | None = Field(None, ge=1, le=MAX_RETENTION)

    @classmethod
    def shown(cls) -> Collection[str]:
        return {*SavedCctvCamera.__annotations__, *SavedCamera.__annotations__}


class NewCamera(CameraFields):
    """A new camera: `ip_address` or `rtsp_url` is required. `same_as`: the number of the device
    that it is; it gets this access instead of a new record. `channel_of`: the number of the device
    at this address of which it is another channel. `is_another`: it is not the device that has this
    address already."""

    same_as: int | None = Field(None, ge=1, le=HIGHEST)
    channel_of: int | None = Field(None, ge=1, le=HIGHEST)
    is_another: bool = False


class DeviceFields(SentBack, Strict):
    """A device of any kind. `device_type` is its kind in one word, such as switch. What an answer
    has besides these fields may be sent back; it has no effect."""

    device_type: str | None = Field(None, min_length=1, max_length=40)
    name: str | None = Field(None, max_length=MAX_NAME)
    ip_address: Host | None = Field(None, description="A host name or an IP address.")
    vendor: str | None = Field(None, max_length=MAX_LENGTHS["vendor"])
    snmp_community: str | None = Field(
        None,
        max_length=LONGEST_PASSWORD,
        description="Saved encrypted for SNMP, which this version does not have yet.",
    )
    description: str | None = Field(None, max_length=MAX_LENGTHS["notes"])
    location: str | None = Field(None, max_length=MAX_LENGTHS["site"])
    tags: list[Tag] | None = Field(None, max_length=editing.MAX_TAGS)
    interval: Interval | None = None

    @classmethod
    def shown(cls) -> Collection[str]:
        return DeviceRow.__annotations__


class NewDevice(DeviceFields):
    """A new device: `ip_address` is required."""

    device_type: str | None = Field("device", min_length=1, max_length=40)
    is_another: bool = False


class PageQuery(Query):
    """A page of the list; without `page` the list is complete."""

    page: int | None = Field(None, ge=1, le=1_000_000)
    per_page: int = Field(100, ge=1, le=1000)


# -- answers -------------------------------------------------------------------------------


class OnvifRow(TypedDict):
    port: int | None
    path: str
    tls: bool
    events: bool


class ReachedCamera(TypedDict):
    """How a camera is reached and recorded. `rtsp_url` has no login; only those with permission to
    edit the camera get its `username`."""

    name: str
    description: str
    location: str
    ip_address: str | None
    port: int | None
    username: str | None
    has_password: bool
    rtsp_url: str | None
    record_quality: str | None
    retention_days: int | None


class SavedCamera(shapes.CameraDetail, ReachedCamera):
    """A camera with how it is reached. Only those with permission to edit the camera get
    `credentials`, the id of its credential set. `interval` is in seconds; null is that of the
    source. `sub_path` is the path of the sub stream, where a person gave it."""

    credentials: str | None
    sub_path: str | None
    onvif: OnvifRow | None
    interval: int | None
    auto_record: bool | None


class CameraSaved(TypedDict):
    """`undo`: the numbers for POST /api/undo, newest first. `warnings`: what of the request has no
    effect yet."""

    success: bool
    camera: SavedCamera
    undo: list[int]
    warnings: list[str]


class CctvCamera(ReachedCamera):
    """A camera as the CCTV system shows it. `status` is online, offline or unknown."""

    id: int
    auto_record: bool
    status: str
    reason: str
    last_seen: Time | None


class SavedCctvCamera(CctvCamera):
    """The same after it was saved. `warnings`: what of the request has no effect yet."""

    warnings: list[str]


class DeviceRow(TypedDict):
    """A device of any kind. `status` is online, offline or unknown."""

    id: int
    name: str
    ip_address: str | None
    vendor: str
    device_type: str
    has_snmp_community: bool
    description: str
    location: str
    tags: list[str]
    status: str
    reason: str
    last_seen: Time | None
    interval: int | None


class DeviceList(TypedDict):
    devices: list[DeviceRow]
    count: int
    total: NotRequired[int]
    page: NotRequired[int]
    per_page: NotRequired[int]


class DeviceSaved(TypedDict):
    """`undo` and `warnings` as for a camera."""

    success: bool
    device: DeviceRow
    undo: list[int]
    warnings: list[str]


class SourceResult(TypedDict):
    """The result of one source: `state` is answered, missed, not asked or failed."""

    source: str
    state: str
    text: str


class CheckResult(TypedDict):
    """A check of one device: `success` if a source got an answer, and none was refused its login or
    its stream."""

    success: bool
    message: str
    status: str
    results: list[SourceResult]


class StepRow(TypedDict):
    """One step of a connection test: `name` is connect, identify, login, streams, describe or
    result; `state` is ok, failed or skipped."""

    name: str
    state: str
    text: str
    source: str
    facts: Mapping[str, Any]


class TrialResult(TypedDict):
    """A connection test. `streams` and `channels` are the choices that the device offers."""

    success: bool
    message: str
    steps: list[StepRow]
    streams: list[Mapping[str, Any]]
    channels: list[Mapping[str, Any]]


# -- building ------------------------------------------------------------------------------


def address_of(device: Device, source: str = "") -> str | None:
    """The address to show: the one that a person gave, else the one where it was seen."""
    given = device.access.get(source)
    hosts = [access.host for access in (given, *device.access.values()) if access and access.host]
    return hosts[0] if hosts else device.address


def rtsp_url(device: Device) -> str | None:
    """The stream URL without the login."""
    access, host = device.access.get(RTSP), address_of(device, RTSP)
    if access is None or host is None:
        return None
    tls = bool(access.options.get("tls"))
    port = access.port or access_fields.DEFAULT_PORTS["rtsps" if tls else "rtsp"]
    return StreamUrl(tls, host, port, access.path).text


def _login(device: Device) -> Access:
    """The access whose login is shown."""
    ways = [device.access[name] for name in (RTSP, ONVIF) if name in device.access]
    return next((access for access in ways if access.username or access.secret), Access())


def _onvif(access: Access | None) -> OnvifRow | None:
    if access is None:
        return None
    options = access.options
    return {
        "port": access.port,
        "path": access.path,
        "tls": bool(options.get("tls")),
        "events": options.get(access_fields.EVENTS) is True,
    }


def interval_of(device: Device) -> int | None:
    return next((access.interval for access in device.access.values() if access.interval), None)


def saved_camera(
    device: Device, detail: shapes.CameraDetail, *, shows_username: bool
) -> SavedCamera:
    return {
        **detail,
        **_reached_camera(device, shows_username=shows_username),
        "credentials": min(logins.sets_of(device), default=None) if shows_username else None,
        "sub_path": device.access.get(RTSP, Access()).options.get(access_fields.SUB_PATH),
        "onvif": _onvif(device.access.get(ONVIF)),
        "interval": interval_of(device),
        "auto_record": device.recording.get("auto_record"),
    }


def _reached_camera(device: Device, *, shows_username: bool) -> ReachedCamera:
    access, login = device.access.get(RTSP), _login(device)
    return {
        "name": labels.name(device),
        "description": device.notes,
        "location": location_of(device),
        "ip_address": address_of(device, RTSP),
        "port": access.port if access else None,
        "username": login.username if shows_username else None,
        "has_password": login.secret is not None,
        "rtsp_url": rtsp_url(device),
        "record_quality": device.recording.get("record_quality"),
        "retention_days": device.recording.get("retention_days"),
    }


def location_of(device: Device) -> str:
    return "" if device.site == DEFAULT_SITE else device.site


def plain_status(device_status: str) -> str:
    """A status in one of the three words of the CCTV system and of the device backend."""
    if device_status in status.UP:
        return "online"
    return "offline" if device_status in status.DOWN else "unknown"


def reason_of(device: Device, device_status: str) -> str:
    return status.reason(device) if device_status in status.DOWN else ""


def cctv_camera(
    device: Device, device_status: str, name: str, *, shows_username: bool
) -> CctvCamera:
    """`name`: as the list shows it, for a channel with its recorder."""
    return {
        "id": device.id,
        **_reached_camera(device, shows_username=shows_username),
        "name": name,
        "auto_record": bool(device.recording.get("auto_record")),
        "status": plain_status(device_status),
        "reason": reason_of(device, device_status),
        "last_seen": shapes.iso(device.last_seen),
    }


def saved_cctv_camera(camera: CctvCamera, warnings: Sequence[str]) -> SavedCctvCamera:
    return {**camera, "warnings": [*warnings]}


def device_row(device: Device, device_status: str, name: str) -> DeviceRow:
    """`name`: as the list shows it, for a channel with its recorder."""
    community = device.access.get(SNMP, Access()).secret_options
    return {
        "id": device.id,
        "name": name,
        "ip_address": address_of(device),
        "vendor": device.vendor,
        "device_type": device.kind,
        "has_snmp_community": bool(community),
        "description": device.notes,
        "location": location_of(device),
        "tags": list(device.tags),
        "status": plain_status(device_status),
        "reason": reason_of(device, device_status),
        "last_seen": shapes.iso(device.last_seen),
        "interval": interval_of(device),
    }


def device_list(rows: Sequence[DeviceRow], total: int, query: PageQuery) -> DeviceList:
    body: DeviceList = {"devices": [*rows], "count": len(rows)}
    if query.page is not None:
        body |= {"total": total, "page": query.page, "per_page": query.per_page}
    return body


def camera_saved(camera: SavedCamera, undo: Sequence[int], warnings: Sequence[str]) -> CameraSaved:
    return {"success": True, "camera": camera, "undo": [*undo], "warnings": [*warnings]}


def device_saved(device: DeviceRow, undo: Sequence[int], warnings: Sequence[str]) -> DeviceSaved:
    return {"success": True, "device": device, "undo": [*undo], "warnings": [*warnings]}


def refusals(device: Device, source: str) -> list[str]:
    """What keeps a source from the login or the stream of a device that responds."""
    return [
        fault.text
        for fault in device.findings
        if fault.source == source and fault.kind in REFUSED_KINDS
    ]


def source_result(result: ProbeResult, title: str, refused: Sequence[str]) -> SourceResult:
    """The result of a source; `refused` says what a device that responds refuses, which may be
    older than the reason of this result."""
    text = result.reason or ("responds" if result.state == ANSWERED else result.state)
    if result.state == ANSWERED and refused and not result.reason:
        text = "; ".join(refused)
    return {"source": result.source, "state": result.state, "text": f"{title}: {text}"}


def check_result(
    results: Sequence[SourceResult], device_status: str, without: str, *, is_refused: bool
) -> CheckResult:
    """The result of a check; `without` says why no source could check the device."""
    is_up = any(result["state"] == ANSWERED for result in results)
    return {
        "success": is_up and not is_refused,
        "message": "; ".join(result["text"] for result in results) or without,
        "status": plain_status(device_status),
        "results": [*results],
    }


def step_row(step: Step) -> StepRow:
    return {
        "name": step.name,
        "state": step.state,
        "text": step.text,
        "source": step.source,
        "facts": step.facts,
    }


def trial_result(steps: Iterable[Step]) -> TrialResult:
    rows = [step_row(step) for step in steps]
    last = rows[-1] if rows else None
    facts = last["facts"] if last else {}
    return {
        "success": last is not None and last["state"] == "ok",
        "message": last["text"] if last else "",
        "steps": rows,
        "streams": [*facts.get("streams", ())],
        "channels": [*facts.get("channels", ())],
    }
