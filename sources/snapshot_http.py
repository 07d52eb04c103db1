"""Snapshots: the picture that an ONVIF device gives at an address of its own.

`dialogue` decides without I/O which requests lead to a picture; `take` carries them over HTTP. The
first one has no login, unless the address itself carries one. A picture is known by its bytes:
devices call it octet-stream, and send error texts with status 200.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import quote

from fleet import path_logins
from fleet.channels import HTTPS_LINK
from fleet.model import Learned, Sighting, Target
from fleet.pictures import MOST_BYTES, START, NotJpeg, jpeg_size
from sources import login_challenges
from sources.device_urls import SAFE_IN_PATH, SCHEMES, DeviceUrl
from sources.login_challenges import Authorization, Challenge, Login, MethodNotSupported
from sources.onvif import NAME
from sources.onvif_http import MAX_ANSWERS, Conversation, Logins, conversation

MOST_TEXT = 4096
"""Bytes that are read of what is no picture: a refusal may tell how many attempts are left."""
REFUSALS = (401, 403)
BUSY_WAIT, CHECK_WAIT = 5.0, 600.0
"""Seconds until a busy device has time, and until a check has logged in again."""
BUSY = "The device is busy (HTTP 503)."
LEADS_ELSEWHERE = "Its snapshot leads to another address (HTTP {}), which is not followed."
NO_LOGIN = "Its snapshot requires a user name and a password."
REVEALS = (
    "The address of its snapshot contains the password, and the device has not proved its "
    "identity, so it is not used."
)
METHOD = "Its snapshot offers no login method that may be used{}."
SPARED = (
    "A login was refused at the device. To avoid a lockout, its snapshot is asked for with the "
    "login only after a check was accepted."
)
WRONG = "Its snapshot refuses the login (HTTP {})."
LOGIN_HINT = "Give the user the right to see snapshots in the menu of the device."


class NoPicture(Exception):
    """The device answered, and gave no picture: why, and what to do, in sentences. `is_refused`: it
    refused the login. `wait`: seconds until another attempt is worth it, where the snapshot itself
    is not at fault."""

    def __init__(
        self, reason: str, hint: str = "", *, is_refused: bool = False, wait: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.is_refused = is_refused
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Request:
    """One GET of the snapshot. `has_login`: it shows the device the login, in this header or in its
    path."""

    authorization: str = field(default="", repr=False)
    has_login: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `data` is the beginning where it is no picture."""

    status: int
    challenges: Sequence[Challenge] = ()
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a snapshot is. `path` is as it is sent, with the login where it has a place for one
    (`has_login`). `may_reveal`: the password may be sent there in a form that reveals it."""

    path: str = field(repr=False)
    has_login: bool = False
    may_reveal: bool = False


Dialogue = Generator[Request, Reply, bytes]


def dialogue(place: Place, logins: Logins, *, may_login: bool) -> Dialogue:
    """The requests for one picture, which is the result. What they cost is in `logins`. One refused
    login ends it: the other attempts of the budget are those of checks. Raises NoPicture."""
    if place.has_login:
        return (yield from _by_path(place, logins, may_login=may_login))
    reply = yield Request()
    if reply.status not in REFUSALS or (reply.status == 403 and not reply.challenges):
        return _picture(reply)
    authorization = _authorization(place, logins, reply, may_login=may_login)
    spent = logins.refusals
    for _ in range(MAX_ANSWERS):
        reply = yield Request(authorization.answer("GET", place.path), has_login=True)
        if reply.status not in REFUSALS:
            logins.refusals = spent
            return _picture(reply)
        _refused(logins, reply)
        newer = login_challenges.renewed(authorization.challenge, reply.challenges)
        if newer is None or not logins.has_budget:
            break
        authorization = authorization.renewed(newer)
    raise NoPicture(WRONG.format(reply.status), LOGIN_HINT, is_refused=True)


def _by_path(place: Place, logins: Logins, *, may_login: bool) -> Dialogue:
    """Ask once by an address with the login in it, without a header: some devices refuse both
    together."""
    _login_of(logins, may_login=may_login)
    if not place.may_reveal:
        raise NoPicture(REVEALS)
    reply = yield Request(has_login=True)
    if reply.status in REFUSALS:
        _refused(logins, reply)
        raise NoPicture(WRONG.format(reply.status), LOGIN_HINT, is_refused=True)
    return _picture(reply)


def _authorization(place: Place, logins: Logins, reply: Reply, *, may_login: bool) -> Authorization:
    """The strongest answer to the challenges. Raises NoPicture."""
    login = _login_of(logins, may_login=may_login)
    try:
        challenge = login_challenges.strongest(reply.challenges, may_use_basic=place.may_reveal)
    except MethodNotSupported as error:
        schemes = f" ({', '.join(error.schemes)})" if error.schemes else ""
        raise NoPicture(METHOD.format(schemes)) from None
    return Authorization(challenge, login)


def _login_of(logins: Logins, *, may_login: bool) -> Login:
    if logins.login is None:
        raise NoPicture(NO_LOGIN, "Enter them under Connections.")
    if not (may_login and logins.has_budget):
        raise NoPicture(SPARED, wait=CHECK_WAIT)
    return logins.login


def _refused(logins: Logins, reply: Reply) -> None:
    logins.refusals += 1
    left = login_challenges.attempts_left(reply.data[:MOST_TEXT].decode("utf-8", "replace"))
    logins.attempts_left = logins.attempts_left if left is None else left


def _picture(reply: Reply) -> bytes:
    """The picture of a reply. Raises NoPicture."""
    if reply.status == 503:
        raise NoPicture(BUSY, wait=BUSY_WAIT)
    if 300 <= reply.status < 400:
        raise NoPicture(LEADS_ELSEWHERE.format(reply.status))
    if not 200 <= reply.status < 300:
        raise NoPicture(f"The device answers HTTP {reply.status} instead of a snapshot.")
    try:
        jpeg_size(reply.data)
    except NotJpeg as error:
        raise NoPicture(str(error)) from None
    return reply.data


def reads_on(status: int, data: bytes | bytearray) -> bool:
    """True if more of a body with this beginning is worth reading."""
    is_picture = 200 <= status < 300 and data.startswith(START[: len(data)])
    return len(data) <= (MOST_BYTES if is_picture else MOST_TEXT)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The answer of a device: its picture, or why there is none. `proof` says that it is alive, and
    what the login cost."""

    proof: Sighting
    data: bytes = field(default=b"", repr=False)
    trouble: NoPicture | None = None


def url_of(link: str, target: Target) -> DeviceUrl:
    """Where the snapshot of a link without host is: at the host by which the device is reached. TLS
    is never given up."""
    uses_tls = link.startswith(f"{HTTPS_LINK}:") or target.options.get("tls") is True
    scheme = "https" if uses_tls else "http"
    host_part, slash, path = link.removeprefix(HTTPS_LINK).partition("/")
    port = host_part.removeprefix(":")
    is_port = port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536
    return DeviceUrl(
        scheme, target.host, int(port) if is_port else SCHEMES[scheme], f"{slash or '/'}{path}"
    )


async def take(
    target: Target, link: str, clock: Callable[[], datetime], seconds: float
) -> Snapshot:
    """Ask a device for its snapshot, each request for so many seconds at most. Raises as a probe
    may."""
    url = url_of(link, target)
    async with conversation(target, clock) as talk:
        talk.pin = target.tls_pin
        place = _place(url, target, talk)
        # What was refused elsewhere is not tried here: its last attempt is that of a check.
        may_login = not target.refusals or target.works_elsewhere
        steps = dialogue(place, talk.logins, may_login=may_login)
        data, trouble = b"", None
        try:
            request = next(steps)
            while True:
                if request.has_login:
                    await target.before_login()
                asked = replace(url, path=place.path)
                answer = await talk.get(asked, request.authorization, reads_on, seconds)
                request = steps.send(Reply(*answer))
        except StopIteration as end:
            data = end.value
        except NoPicture as error:
            # Its traceback would keep this frame in memory, and what was read, in a circle.
            trouble = error.with_traceback(None)
        return Snapshot(_proof(target, talk.logins, clock()), data, trouble)


def _place(url: DeviceUrl, target: Target, talk: Conversation) -> Place:
    filled = path_logins.filled(url.path, target.username, target.secret)
    return Place(
        quote(filled, safe=SAFE_IN_PATH),
        path_logins.has_place(url.path),
        talk.may_reveal(url) and not target.digest_only,
    )


def _proof(target: Target, logins: Logins, at: datetime) -> Sighting:
    """The device is alive. That it accepted the login is not told: with accounts of their own for
    ONVIF, devices accept here what they refuse there, again and again."""
    spent = logins.refusals if logins.refusals > target.refusals else None
    left = logins.attempts_left if logins.attempts_left != target.attempts_left else None
    return Sighting(
        target.site,
        (target.key,),
        NAME,
        at,
        address=target.host,
        learned=Learned(refusals=spent, attempts_left=left),
        is_brief=True,
    )
