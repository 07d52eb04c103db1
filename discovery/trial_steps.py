"""What a trial is asked for, and the steps that it reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet.model import Access, Device

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
"""The states of a step."""
NAMES = ("connect", "identify", "login", "streams", "describe", "picture", "result")
"""The steps of each source in their order, and the result of all."""
ONVIF, RTSP = "onvif", "rtsp"
TITLES = {ONVIF: "ONVIF", RTSP: "RTSP"}


@dataclass(frozen=True, slots=True)
class TrialPicture:
    """A picture of the camera: a small JPEG, the size of the whole one, and when it was taken."""

    data: bytes = field(repr=False)
    width: int
    height: int
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class TrialConnection:
    """A connection of a device to test, which is an Access of the fleet once it is saved. `tls_pin`
    is the certificate that is accepted; None for the first one. `digest_only`: the device named the
    port, so the password is used there only in ways that do not reveal it."""

    source: str
    port: int | None = None
    path: str = ""
    tls: bool = False
    tls_pin: str | None = None
    digest_only: bool = False


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """An address and a login that a person gave. `username` is None for no login; with a user name,
    `password` is None for an empty password. Unless `may_login`, only what needs no login is asked:
    `no_login_reason` says why. `digest_only`: the password is not the person's own, so it is used
    only in ways that do not reveal it to the device. `device`: the one whose saved login this is;
    another one does not get it. `wants_picture`: a picture of the camera is taken, too."""

    host: str
    connections: tuple[TrialConnection, ...] = (TrialConnection(ONVIF), TrialConnection(RTSP))
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    may_login: bool = True
    no_login_reason: str = ""
    digest_only: bool = False
    device: Device | None = None
    access: Access | None = None
    shows_username: bool = True
    wants_picture: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a trial: `name` is one of NAMES, `state` one of those above, `text` says what
    happened, `facts` are what was found. `source` is empty in the result.

    The facts of the result: `name`, `model`, `serial`, `firmware` and `mac`; `sources` that gave a
    stream or accepted the login; `streams` and `channels`, each a list of objects with `path` and
    whatever else the device says of them, such as `profile`, `codec`, `width` and `height`. A
    channel has its `key`, too.
    """

    name: str
    state: str
    text: str
    source: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    picture: TrialPicture | None = field(default=None, repr=False)


def title_of(source: str) -> str:
    return TITLES.get(source, source)
