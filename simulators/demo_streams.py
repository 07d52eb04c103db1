"""The demo's cameras of other makers: by RTSP alone, by ONVIF, and a recorder with its channels.

All times of the past are days ago. The records of the past have no login: the demo enters the
logins as a person does, through the API, when the monitor has started.
"""

import json
import os
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.error import HTTPError

from simulators.demo_scenes import COVERED, HEIGHT, WIDTH, Scene, scene
from simulators.demo_scenes import DARK as DARK_PICTURE
from simulators.logins import Accounts
from simulators.onvif import (
    DISCOVERY_PORT,
    OnvifDevice,
    OnvifServers,
    Profile,
    VideoSource,
    recorder_sources,
)
from simulators.place import streams_of
from simulators.rtsp import RtspDevice, RtspServers, Stream

RTSP, ONVIF = "rtsp", "onvif"
SOURCES = (RTSP, ONVIF)
WORKSHOP, LIBRARY = "Workshop", "Library"
USERNAME = "viewer"
WORKED = 5.3
"""When the stream that is missing now was last seen."""
READY_WITHIN = 60.0
CHECKS = {RTSP: 144, ONVIF: 144}
"""A day, one each ten minutes."""
LAST_CHECK = 120 / 86400
REFUSED = "connection refused"
FAULTS = {
    "login.none": "no login required: anyone on its network can watch its video",
    "login.wrong": "wrong user name or password",
    "stream.missing": "stream not offered now (worked at {worked:%Y-%m-%d %H:%M} UTC): switched "
    "off or privacy mode?",
    "signal.none": "The recorder receives no video signal on this channel.",
    "clock.zone": "time zone or summer time wrong by +1 h",
}
Json = dict[str, Any]
Span = tuple[float, float]


@dataclass(frozen=True)
class Camera:
    """A camera of the demo. `number` is the last part of its address and of its MAC; a channel has
    that of its recorder. `is_open`: it has no login; `refuses`: its password was changed."""

    name: str
    site: str
    source: str
    number: int
    style: str = "reolink"
    path: str = "/stream1"
    mode: str = "well"
    is_open: bool = False
    refuses: bool = False
    codec: str = "H264"
    clock: float = 0.0
    tags: tuple[str, ...] = ()
    notes: str = ""
    first_seen: float = 88.2
    silent: tuple[Span, ...] = ()
    faults: tuple[tuple[str, float], ...] = ()
    channels: int = 0
    channel: int = 0

    @property
    def dark(self) -> int:
        """The channel without signal, of a recorder."""
        return DARK if self.channels else 0

    @property
    def address(self) -> str:
        return f"127.30.0.{self.number}"

    @property
    def mac(self) -> str:
        return f"00:00:5e:00:53:{self.number:02x}"

    @property
    def login(self) -> Accounts:
        return Accounts() if self.is_open else Accounts(USERNAME, f"demo-{self.number}")


DARK, COVERED_CHANNEL = 6, 5
"""The channels of the recorder that have no signal, and a cover on the lens."""
ROOMS = (
    *("Reading room 1", "Reading room 2", "Returns desk", "Stairs", "Lift"),
    *("Roof terrace", "Delivery door", "Magazine"),
)
CAMERAS = (
    Camera("Workshop door", WORKSHOP, RTSP, 1, "dahua", tags=("door",), silent=((41.2, 41.1),)),
    Camera("Workshop bench", WORKSHOP, RTSP, 2, is_open=True, faults=(("login.none", 60.2),)),
    Camera(
        "Paint booth",
        WORKSHOP,
        RTSP,
        3,
        "hikvision",
        refuses=True,
        notes="The painters changed its password. Ask them.",
        faults=(("login.wrong", 6.4),),
    ),
    Camera(
        "Forklift bay",
        WORKSHOP,
        RTSP,
        4,
        "tp-link",
        mode="missing",
        is_open=True,
        faults=(("stream.missing", WORKED),),
    ),
    Camera("Roof mast", WORKSHOP, RTSP, 5, "cheap", mode="off", is_open=True, silent=((1.4, 0),)),
    Camera("Library entrance", LIBRARY, ONVIF, 11, tags=("door", "people")),
    Camera("Library hall", LIBRARY, ONVIF, 12, codec="H265", silent=((25.3, 25.2),)),
    Camera("Archive", LIBRARY, ONVIF, 13, clock=3600, faults=(("clock.zone", 32.5),)),
    Camera("Recorder, library", LIBRARY, ONVIF, 14, "dahua", tags=("recorder",), channels=8),
    *(
        Camera(
            name,
            LIBRARY,
            ONVIF,
            14,
            channel=channel,
            faults=(("signal.none", 2.2),) if channel == DARK else (),
        )
        for channel, name in enumerate(ROOMS, 1)
    ),
)
NEW = Camera("Recorder, new wing", LIBRARY, ONVIF, 21, "dahua", channels=8)
"""It is not in the fleet: people add it. No search finds it."""


# -- the devices -----------------------------------------------------------------------------


class Streams:
    """The pretend devices on two ports, running inside `with`. They answer WS-Discovery too, where
    no other program has its port."""

    def __init__(self, onvif_port: int, rtsp_port: int) -> None:
        self.onvif_port, self.rtsp_port = onvif_port, rtsp_port
        rtsp: list[RtspDevice] = []
        onvif: list[OnvifDevice] = []
        for camera in (*CAMERAS, NEW):
            if camera.channel:
                continue
            login, seen = camera.login, _scene(camera)
            streams = {camera.path: _stream(Stream(camera.codec), seen)}
            if camera.source == ONVIF:
                device = _onvif_device(camera, login, rtsp_port)
                scenes = _scenes(camera, device)
                device.pictures = {path: each.jpeg for path, each in scenes.items()}
                # A recorder streams a channel without signal too: a black picture.
                streams = {
                    path: replace(_stream(stream, scenes.get(path)), status=200)
                    for path, stream in streams_of(device).items()
                }
                onvif.append(device)
            device_login = Accounts(USERNAME, "changed") if camera.refuses else login
            rtsp.append(
                RtspDevice(
                    camera.address,
                    streams=streams,
                    accounts=device_login,
                    style=camera.style,
                    mode=camera.mode,
                )
            )
        known = onvif[:-1]
        self._servers = (
            RtspServers(rtsp, rtsp_port),
            OnvifServers(known, onvif_port, DISCOVERY_PORT if _is_free(known) else 0),
            OnvifServers(onvif[-1:], onvif_port),
        )
        self._running = ExitStack()

    @property
    def hint(self) -> str:
        """How people add the recorder that is not in the fleet."""
        return f"{NEW.address}:{self.onvif_port}, user {USERNAME}, password {NEW.login.password}"

    def __enter__(self) -> "Streams":
        for servers in self._servers:
            self._running.enter_context(servers)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._running.close()


def _scene(camera: Camera, channel: int = 0) -> Scene | None:
    """What a camera sees, or a channel of a recorder."""
    if channel and channel == camera.dark:
        return scene(0, DARK_PICTURE)
    covered = camera.channels and channel == COVERED_CHANNEL and camera is not NEW
    return scene(camera.number * 100 + channel, COVERED if covered else "")


def _scenes(camera: Camera, device: OnvifDevice) -> dict[str, Scene]:
    """What is seen, by path of a stream; empty where nothing can be drawn."""
    scenes: dict[str, Scene] = {}
    for number, source in enumerate(device.sources, 1):
        seen = _scene(camera, number if camera.channels else 0)
        scenes |= {profile.path: seen for profile in source.profiles if seen}
    return scenes


def _stream(stream: Stream, seen: Scene | None) -> Stream:
    """A stream that shows a scene; a grey one without."""
    if seen is None or stream.codec != "H264":
        return stream
    return replace(stream, width=WIDTH, height=HEIGHT, picture=seen.key_frame)


def _is_free(devices: list[OnvifDevice]) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((devices[0].address, DISCOVERY_PORT))
        except OSError:
            return False
    return True


def _onvif_device(camera: Camera, login: Accounts, rtsp_port: int) -> OnvifDevice:
    profile = Profile("Profile_1", camera.path, "mainStream", codec=camera.codec)
    sources: tuple[VideoSource, ...] = (VideoSource("VideoSource_1", (profile,)),)
    if camera.channels:
        sources = recorder_sources(camera.channels, [camera.dark])
    return OnvifDevice(
        camera.address,
        accounts=login,
        mac=camera.mac,
        serial=f"D{camera.number:07}",
        model="NVR-8" if camera.channels else "IPC-100",
        name=camera.name.replace(",", ""),
        sources=sources,
        rtsp_port=rtsp_port,
        clock_offset=camera.clock,
        has_media2=camera.codec == "H265",
    )


# -- the past --------------------------------------------------------------------------------


def past(
    first: int, onvif_port: int, rtsp_port: int, now: datetime
) -> tuple[list[Json], list[Json]]:
    """The records, with ids from `first`, and their events, in no order and without numbers."""
    records: list[Json] = []
    events: list[Json] = []
    parent = first + next(place for place, camera in enumerate(CAMERAS) if camera.channels)
    ports = {RTSP: rtsp_port, ONVIF: onvif_port}
    for number, camera in enumerate(CAMERAS, first):
        records.append(_record(number, camera, parent, ports, now))
        events += _events(number, camera, now)
    return records, events


def _at(days_ago: float, now: datetime) -> str:
    return (now - timedelta(days=days_ago)).isoformat()


def _fault(kind: str, now: datetime) -> str:
    return FAULTS[kind].format(worked=now - timedelta(days=WORKED))


def _turns(camera: Camera) -> list[tuple[float, str]]:
    """(days ago, status), oldest first."""
    turns = [(camera.first_seen, "ACTIVE")]
    for begin, end in sorted(camera.silent, reverse=True):
        turns += [(begin, "OFFLINE"), *([(end, "ACTIVE")] if end else [])]
    return turns


def _events(number: int, camera: Camera, now: datetime) -> Iterator[Json]:
    def event(days_ago: float, kind: str, text: str, **sides: Json) -> Json:
        values = {"at": _at(days_ago, now), "kind": kind, "device": number, "text": text}
        return {**values, "before": {}, "after": {}, **sides}

    if not camera.channel:
        text = f"{camera.name} was added on this server"
        yield event(camera.first_seen + 1 / 1440, "device.added", text)
    yield event(camera.first_seen, "device.found", f"{camera.name} is online")
    for (_, before), (days_ago, after) in pairwise(_turns(camera)):
        is_back = after == "ACTIVE"
        text = f"{camera.name} is {'back online' if is_back else f'offline: {REFUSED}'}"
        sides = {"before": {"status": before}, "after": {"status": after}}
        yield event(days_ago, "device.back" if is_back else "device.offline", text, **sides)
    for kind, days_ago in camera.faults:
        text = f"{camera.name}: {_fault(kind, now)}"
        yield event(days_ago, "finding.raised", text, after={"kind": kind})


def _record(number: int, camera: Camera, parent: int, ports: dict[str, int], now: datetime) -> Json:
    since, status = _turns(camera)[-1]
    silent_since = since if status == "OFFLINE" else 0
    last = _at(silent_since or LAST_CHECK, now)
    seen = camera.first_seen - sum(begin - end for begin, end in camera.silent)
    record: Json = {
        "id": number,
        "kind": "recorder" if camera.channels else "camera",
        "kind_source": ONVIF if camera.channel else "person",
        "site": camera.site,
        "identities": _identities(camera, ports),
        "name": camera.name,
        "notes": camera.notes,
        "tags": list(camera.tags),
        "address": camera.address,
        "addresses": [{"ip": camera.address, "at": _at(camera.first_seen, now), "previous": None}],
        "first_seen": _at(camera.first_seen, now),
        "last_seen": last,
        "sightings": int(seen * CHECKS[camera.source]),
        "states": {camera.source: _state(camera.source, silent_since, last, now)},
        "facts": {},
        "links": {},
        "findings": [
            {
                "kind": kind,
                "since": _at(days_ago, now),
                "text": _fault(kind, now),
                "source": camera.source,
                "evidence": {},
            }
            for kind, days_ago in camera.faults
        ],
        "parents": [parent] if camera.channel else [],
        "listed": not camera.channel,
        "status": status,
        "since": _at(since, now),
    }
    if camera.source == RTSP:
        record["claims"] = {record["identities"][0]: last}
    if camera.is_open:
        record["access"] = {RTSP: _open_access(camera, ports[RTSP], silent_since, now)}
    return record


def _identities(camera: Camera, ports: dict[str, int]) -> list[str]:
    if camera.source == RTSP:
        return [f"rtsp:{camera.address}:{ports[RTSP]}{camera.path}"]
    endpoint = f"onvif:{OnvifDevice(camera.address, mac=camera.mac).endpoint_reference}"
    if camera.channel:
        return [f"channel:{endpoint}/{camera.channel - 1:05}"]
    return [endpoint, f"mac:{camera.mac}"]


def _state(source: str, silent_since: float, last: str, now: datetime) -> Json:
    state: Json = {"seen_at": last, "asked": _at(LAST_CHECK, now)}
    if silent_since:
        missed = {"missed_at": _at(LAST_CHECK, now), "reason": REFUSED}
        state |= {**missed, "misses": int(silent_since * CHECKS[source])}
    return state


def _open_access(camera: Camera, port: int, silent_since: float, now: datetime) -> Json:
    return {
        "host": camera.address,
        "port": port,
        "path": camera.path,
        "options": {"login": "none"},
        "worked_at": _at(WORKED if camera.mode == "missing" else silent_since or LAST_CHECK, now),
    }


# -- the logins ------------------------------------------------------------------------------


def enter_logins(first: int, streams: Streams, port: int) -> None:
    """Enter the login of each camera through the API of the monitor on this port."""
    place = f"http://127.0.0.1:{port}"
    if not _is_ready(place):
        return
    headers = {"Content-Type": "application/json", **_authorization(place)}
    for number, camera in enumerate(CAMERAS, first):
        if not camera.is_open and not camera.channel:
            url = f"{place}/api/cameras/{number}"
            with suppress(OSError):  # the monitor ends, or somebody else has set it up
                _send(url, "PUT", _connection(camera, streams), headers)


def _connection(camera: Camera, streams: Streams) -> Json:
    login = {"username": USERNAME, "password": camera.login.password}
    if camera.source == RTSP:
        url = f"rtsp://{camera.address}:{streams.rtsp_port}{camera.path}"
        return {"rtsp_url": url, **login}
    return {"ip_address": camera.address, "onvif": {"port": streams.onvif_port}, **login}


def _is_ready(place: str) -> bool:
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end:
        try:
            _send(f"{place}/readyz")
        except OSError:
            time.sleep(0.2)
        else:
            return True
    return False


def _authorization(place: str) -> dict[str, str]:
    """The header of a request, where an account was given to the demo."""
    username, password = (os.environ.get(f"ADMIN_{part}") for part in ("USERNAME", "PASSWORD"))
    if not username or not password:
        return {}
    login = {"username": username, "password": password}
    try:
        answer = _send(f"{place}/api/auth/login", "POST", login)
    except HTTPError:
        return {}
    return {"Authorization": f"Bearer {json.loads(answer)['access_token']}"}


def _send(
    url: str, method: str = "GET", body: Json | None = None, headers: dict[str, str] | None = None
) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    usual = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers or usual, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())
