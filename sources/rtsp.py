"""RTSP cameras: is the stream offered, and to this login? One DESCRIBE, and no media.

OPTIONS is answered without a login by nearly all devices, so it proves life and DESCRIBE proves the
login. The first question carries no credentials; its refusal says how to log in. SETUP follows only
while the stream never worked: it tells whether the device sends over TCP, and uses a session.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fleet import path_logins
from fleet.logins import is_spent
from fleet.model import Finding, Invalid, Learned, Report, Sighting, Target
from fleet.stream_url import SCHEMES, StreamUrl
from sources import (
    device_urls,
    login_challenges,
    login_texts,
    rtsp_play,
    session_description,
    stream_facts,
    tls,
)
from sources.login_challenges import (
    Authorization,
    Challenge,
    Login,
    MethodNotSupported,
    login_of,
)
from sources.rtsp_client import Connection
from sources.rtsp_play import CannotPlay, MediaSetup, Opening, SoundFails
from sources.rtsp_wire import Response, TooLong
from sources.session_description import Description
from sources.source import SessionRefused, Source

NAME = "rtsp"
TITLE = "RTSP cameras"
INTERVAL = 600.0
TIMEOUT = 10.0
CAP = 500
PORT, TLS_PORT = 554, 322
MAX_REDIRECTS = 3
MAX_ANSWERS = 2
"""Answers to the challenges of one check: the second only to a nonce that was outdated."""

LOGIN_FINDINGS = ("login.wrong", "login.method", "login.none")
STREAM_FINDINGS = (
    *("stream.missing", "stream.path", "stream.refused", "stream.transport"),
    *("stream.none", "stream.busy", "stream.unreadable"),
)
DENIED_TO_ALL = "the device denies access to this stream (RTSP 403) without asking for a login"
NOT_ENCRYPTED = "it redirects to an unencrypted address, which is not followed"
PATH_REVEALS = (
    "login method not supported: the path of the stream has the password in it, which would reveal "
    "it to a device that has not proved its identity. A credential set is never used in a path: "
    "enter a login of its own"
)
NO_PATH = (
    "the device has no stream without a path (RTSP 404): enter the path from its manual, such as "
    "/stream1"
)


@dataclass(frozen=True, slots=True)
class Options:
    """It has none."""


def build(options: Options, clock: Callable[[], datetime]) -> Source:
    return source(clock)


def source(clock: Callable[[], datetime], timeout: float = TIMEOUT) -> Source:
    """The source. `timeout` is the deadline of one check in seconds."""

    async def probe(target: Target) -> Sequence[Report]:
        return await _Check(target, clock).run()

    return Source(
        *(NAME, TITLE, timeout),
        probe=probe,
        interval=INTERVAL,
        cap=CAP,
        takes_session=True,
    )


def opening_source(
    clock: Callable[[], datetime], opening: Opening, timeout: float = TIMEOUT
) -> Source:
    """The source as it opens one stream: what it proves and costs is as for a check, and the
    stream that plays is in `opening` then."""

    async def probe(target: Target) -> Sequence[Report]:
        try:
            return await _Check(target, clock, opening).run()
        except SoundFails:
            opening.has_audio = False
            return await _Check(target, clock, opening).run()

    return Source(NAME, TITLE, timeout, probe=probe, takes_session=True)


class _Redirected(Exception):
    """The device named another URL of its own."""

    def __init__(self, url: StreamUrl) -> None:
        super().__init__()
        self.url = url


@dataclass(slots=True)
class _Check:
    """One check of one device, and what it has proved so far."""

    target: Target
    clock: Callable[[], datetime]
    opening: Opening | None = None
    """Set where the stream is to play."""
    facts: dict[str, Any] = field(default_factory=dict)
    learned: Learned = field(default_factory=Learned)
    raised: dict[str, str] = field(default_factory=dict)
    """Findings by kind, each with its text."""
    cleared: set[str] = field(default_factory=set)
    spent: int = 0
    """Logins that were sent and not accepted."""
    has_sent_digest: bool = False
    """Since then, Basic is not used: it would show the password to any device that asks."""
    has_sent_login: bool = False
    latency: float | None = None

    async def run(self) -> list[Report]:
        """The reports of the check. Raises as a probe may."""
        url = url_of(self.target)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                return await self._at(url)
            except _Redirected as redirected:
                self._follow(url, redirected.url)
                url = redirected.url
        self._fail("stream.refused", "it redirects again and again without offering a stream")
        return self._reports()

    def _follow(self, url: StreamUrl, other: StreamUrl) -> None:
        """Behind a port forward, another port of the same host is another device: it gets no
        password in a form that reveals it, unless it has the pinned certificate."""
        is_pinned = other.tls and self.target.tls_pin is not None
        if other.port != url.port and not is_pinned:
            self.target = replace(self.target, digest_only=True)

    async def _at(self, url: StreamUrl) -> list[Report]:
        """Ask at this URL of the device. Raises _Redirected besides."""
        text = request_url(url)
        plain = self._without_login(url)
        began = asyncio.get_running_loop().time()
        try:
            async with Connection(url.host, url.port, text, uses_tls=url.tls) as connection:
                if connection.certificate and tls.is_changed(self.target, connection.certificate):
                    return await self._with_changed(connection, plain)
                self.learned = replace(self.learned, tls_pin=connection.certificate)
                self.cleared |= {*tls.FINDINGS}
                response = await connection.ask("OPTIONS", plain)
                self.latency = asyncio.get_running_loop().time() - began
                if self._may_login():
                    await self._stream(connection, url, response)
        except tls.TooOld:
            return [self._sighting(), tls.too_old(self.target, NAME, self.clock())]
        except SessionRefused as error:
            self.raised["stream.busy"] = error.reason  # It disproves no other finding.
            raise SessionRefused(error.reason, self._reports()) from None
        return self._reports()

    async def _with_changed(self, connection: Connection, plain: str) -> list[Report]:
        """Prove only that it is alive: nothing secret goes to a device with another certificate."""
        await connection.ask("OPTIONS", plain)
        assert connection.certificate is not None
        finding = tls.changed(self.target, connection.certificate, NAME, self.clock())
        return [self._sighting(), finding]

    def _without_login(self, url: StreamUrl) -> str:
        """The URL that is asked before a login may be sent. Where the path has one, that of the
        whole device, which OPTIONS takes as well."""
        has_login = path_logins.has_place(self.target.path)
        return request_url(replace(url, path="/") if has_login else url)

    def _may_login(self) -> bool:
        """True if DESCRIBE may be asked, which most devices answer only after a login."""
        target = self.target
        return target.may_login and not is_spent(target.refusals, target.attempts_left)

    # -- the stream ----------------------------------------------------------------------

    async def _stream(self, connection: Connection, url: StreamUrl, options: Response) -> None:
        """Ask for the description, and judge the answer."""
        if not self._may_send_path():
            return
        try:
            response = await self._describe(connection)
        except TooLong as error:
            self._fail("stream.none", f"it {error} as its description, which is too long to read")
            return
        match response.code:
            case 200:
                await self._described(connection, response, options)
            case 401 | 403:
                pass
            case 404:
                self._not_offered()
            case 453 | 503:
                raise SessionRefused(rtsp_play.session_reason(response.code))
            case 301 | 302 | 303 | 305 | 307 | 308:
                self._redirected(url, response)
            case 406 | 461:
                self._fail("stream.transport", rtsp_play.transport_reason(response.code))
            case code:
                self._fail("stream.refused", f"it refuses the stream (RTSP {code})")

    def _may_send_path(self) -> bool:
        """False for a path with a login that is missing, or that the device may not see."""
        if not path_logins.has_place(self.target.path):
            return True
        if login_of(self.target) is None:
            self._raise("login.wrong", "the path of the stream needs a user name and a password")
        elif self.target.digest_only:
            self._raise("login.method", PATH_REVEALS)
        else:
            return True
        return False

    async def _describe(self, connection: Connection) -> Response:
        """The answer to DESCRIBE, after a login if that is needed and possible. A 401 or 403 in the
        end is a finding already."""
        if path_logins.has_place(self.target.path):
            await self._before_login()
        response = await connection.ask("DESCRIBE", connection.url, DESCRIBE)
        login = login_of(self.target)
        if path_logins.has_place(self.target.path):
            if not self._is_path_refused(response):
                return response
        elif response.code == 403 and not challenges_of(response):
            self._fail("stream.refused", DENIED_TO_ALL)
            return response
        if response.code not in (401, 403):
            return response
        if login is None:
            self._raise("login.wrong", "it requires a user name and a password")
            return response
        return await self._log_in(connection, login, response)

    def _is_path_refused(self, response: Response) -> bool:
        """True if the login in the path is not enough, and the device says how to log in besides.
        Such a refusal is spent: nothing tells whether the device took that login for a wrong one.
        """
        match response.code:
            case 401 | 403:
                self.spent += 1
                if response.code == 401 and challenges_of(response):
                    return True
                self._refused(response)
            case _:
                self._judge(response, Challenge("basic"))
        return False

    async def _log_in(self, connection: Connection, login: Login, response: Response) -> Response:
        """The answer after a login. Each login that was sent and not accepted is spent, whatever
        the device answers; a newer nonce gets one more, within the budget."""
        if not self._has_budget():
            if self.spent:
                self._refused(response, reason=login_texts.PATH_ONLY)
            return response
        may_use_basic = not (self.target.digest_only or self.has_sent_digest)
        try:
            challenge = login_challenges.strongest(
                challenges_of(response), may_use_basic=may_use_basic
            )
        except MethodNotSupported as error:
            if self.spent:
                self._refused(response, reason=login_texts.NO_OTHER_METHOD)
            else:
                self._raise("login.method", method_reason(error.schemes, not may_use_basic))
            return response
        newer: Challenge | None = challenge
        for _ in range(MAX_ANSWERS):
            if newer is None or not self._has_budget():
                break
            challenge = newer
            self.has_sent_digest = challenge.scheme == "digest"
            connection.authorization = Authorization(challenge, login)
            await self._before_login()
            response = await connection.ask("DESCRIBE", connection.url, DESCRIBE)
            if response.code not in (401, 403):
                self._judge(response, challenge)
                return response
            self.spent += 1
            newer = login_challenges.renewed(challenge, challenges_of(response))
        self._refused(response, is_outdated=newer is not None)
        return response

    async def _before_login(self) -> None:
        self.has_sent_login = True
        await self.target.before_login()

    def _has_budget(self) -> bool:
        """True if one more login may be refused."""
        left = self.target.attempts_left
        left = None if left is None else left - self.spent
        return not is_spent(self.target.refusals + self.spent, left)

    def _judge(self, response: Response, challenge: Challenge) -> None:
        """Take a success as proof of the login. Any other answer but a refusal proves nothing: a
        busy device, for example, does not look at the login. After a refusal it is spent too."""
        if not 200 <= response.code < 300:
            is_made_up = self.target.is_trial or self.target.works_elsewhere
            if self.spent or (self.target.refusals and not is_made_up):
                self.spent += 1
                refusals = self.target.refusals + self.spent
                self.learned = replace(self.learned, refusals=refusals)
            return
        # A login in the path reveals the password as Basic does, whatever comes besides.
        is_basic = challenge.scheme == "basic" or path_logins.has_place(self.target.path)
        method = "basic" if is_basic else f"digest-{challenge.algorithm}"
        self.learned = replace(self.learned, method=method, refusals=0)
        self.cleared |= {*LOGIN_FINDINGS}

    def _refused(self, response: Response, *, reason: str = "", is_outdated: bool = False) -> None:
        """Note a login that was refused, for this `reason` or for that of the device. It is spent,
        whatever the reason."""
        text = f"{response.reason} {response.body.decode('utf-8', 'replace')}"
        left = login_challenges.attempts_left(text)
        self.learned = replace(
            self.learned, refusals=self.target.refusals + self.spent, attempts_left=left
        )
        if is_outdated:
            text = "it reports every login as outdated (stale nonce), so no login works"
            self._raise("login.method", text)
            return
        denied = login_texts.DENIED if response.code == 403 else login_texts.WRONG
        self._raise("login.wrong", login_texts.with_attempts(reason or denied, left))

    async def _described(
        self, connection: Connection, response: Response, options: Response
    ) -> None:
        """Read a description, and set the stream up as long as it never worked."""
        description = session_description.parse(response.body)
        if not description.is_readable:
            # Nor is it a proof that the device shows its stream to everybody.
            self._fail("stream.unreadable", "its description of the stream cannot be read")
            return
        if not self.has_sent_login:
            self._raise("login.none", login_texts.OPEN)
        server = response.header("server") or options.header("server")
        self.facts = stream_facts.facts_of(description, server)
        if self.target.transport == rtsp_play.UDP:
            self.facts["transport"] = "UDP"
        if description.video is None:
            self._fail("stream.none", "it offers a stream without video")
            return
        is_asked = self.opening is not None or self.target.worked_at is None
        if is_asked and not await self._media(connection, response, options, description):
            return
        self.learned = replace(self.learned, worked_at=self.clock())
        self.cleared |= {*STREAM_FINDINGS}

    async def _media(
        self, connection: Connection, response: Response, options: Response, described: Description
    ) -> bool:
        """True if the device is ready to send the video; the end of the connection ends the
        session. Where the stream is to be opened, it plays then."""
        base = response.header("content-base") or response.header("content-location")
        setup = MediaSetup(connection, base, self.target.transport)
        try:
            if self.opening is not None:
                has_get_parameter = rtsp_play.offers_get_parameter(options)
                await self.opening.play(setup, described, has_get_parameter)
            elif described.video is not None:
                await setup.set_up_video(described.video)
                setup.close()
        except CannotPlay as error:
            self._fail(error.kind, error.text)
            return False
        self.learned = replace(self.learned, transport=setup.transport)
        self.facts.pop("transport", None)
        if setup.transport == rtsp_play.UDP:
            self.facts["transport"] = "UDP"
        return True

    def _not_offered(self) -> None:
        worked = self.target.worked_at
        if worked is None:
            text = "the path of the stream does not exist on the device (RTSP 404)"
            if not self.target.path:
                text = NO_PATH
            self._fail("stream.path", text)
            return
        text = (
            f"stream not offered now (worked at {worked:%Y-%m-%d %H:%M} UTC): switched off or "
            "privacy mode?"
        )
        self._fail("stream.missing", text)

    def _redirected(self, url: StreamUrl, response: Response) -> None:
        """Raise _Redirected for a URL of the same host, else note the finding."""
        try:
            other = redirect_of(url, response.header("location"))
        except Invalid:
            self._fail("stream.refused", "it redirects to an invalid address")
            return
        if other.host.lower() != url.host.lower():
            text = "it redirects to another host, which is not followed"
            self._fail("stream.refused", text)
        elif url.tls and not other.tls:
            self._fail("stream.refused", NOT_ENCRYPTED)
        else:
            raise _Redirected(other)

    # -- reports -------------------------------------------------------------------------

    def _raise(self, kind: str, text: str) -> None:
        """Note a finding of the login, which replaces the others."""
        self.raised[kind] = text
        self.cleared |= {*LOGIN_FINDINGS} - {kind}

    def _fail(self, kind: str, text: str) -> None:
        """Note why there is no stream, which replaces the other reasons."""
        self.raised[kind] = text
        self.cleared |= {*STREAM_FINDINGS} - {kind}

    def _sighting(self) -> Sighting:
        target = self.target
        return Sighting(
            *(target.site, (target.key,), NAME, self.clock()),
            address=target.host,
            latency=self.latency,
            facts=self.facts,
            is_brief=not self.facts,  # A refused login, for example, disproves no fact.
            learned=self.learned,
        )

    def _reports(self) -> list[Report]:
        target, at = self.target, self.clock()
        raised = [
            Finding(target.key, kind, at, text, NAME, site=target.site)
            for kind, text in self.raised.items()
        ]
        cleared = [
            Finding(target.key, kind, at, "", NAME, cleared=True, site=target.site)
            for kind in sorted(self.cleared - self.raised.keys())
        ]
        return [self._sighting(), *raised, *cleared]


DESCRIBE: Mapping[str, str] = {"Accept": "application/sdp"}


def url_of(target: Target) -> StreamUrl:
    """Where the stream of the target is asked for, with the login where its path wants it."""
    uses_tls = target.options.get("tls") is True
    port = target.port or (TLS_PORT if uses_tls else PORT)
    path = path_logins.filled(target.path, target.username, target.secret)
    return StreamUrl(uses_tls, target.host, port, path)


def request_url(url: StreamUrl) -> str:
    """The URL as a request line has it: no blanks, no login."""
    path = quote(url.path, safe=device_urls.SAFE_IN_PATH)
    return replace(url, path=path if path.startswith("/") else f"/{path}").text


def redirect_of(url: StreamUrl, location: str) -> StreamUrl:
    """The URL of a Location header, which may be a path only. A login in its path is the device's
    own, and sent back as it is. Raises Invalid."""
    if location.startswith("/") and not location.startswith("//"):
        return replace(url, path=location)
    other = device_urls.parse(location)
    if other is None or other.scheme not in SCHEMES:
        raise Invalid("The Location is not a stream URL", "Check the settings of the device.")
    return StreamUrl(other.is_tls, str(other.address or other.host), other.port, other.path)


def challenges_of(response: Response) -> list[Challenge]:
    return login_challenges.challenges(response.every("www-authenticate"))


def method_reason(schemes: Iterable[str], is_digest_only: bool) -> str:
    """Why no login was tried."""
    if is_digest_only and "basic" in schemes:
        return (
            "login method not supported: it offers only Basic, which would reveal the password to "
            "a device that has not proved its identity. Turn on Digest or TLS in the device, or "
            "enter its user name and password again if it is the right one"
        )
    known = sorted({*schemes} & {"basic", "digest"})
    named = f" ({', '.join(known)} in a form that is not supported)" if known else ""
    return f"login method not supported{named}. The password was not used"
