"""Requests to one ONVIF device over HTTP and HTTPS, with their login.

The first request carries no credentials: its refusal tells the method. A wrong password is tried
as often as the budget of the target allows, and a refusal because of the clock or the method is not
one of the password.

A refusal after the login was accepted can be one of this operation alone, or the password was
changed. What the device accepted before is asked again before anything else, which tells the two
apart and costs no more than two refusals in a row.
"""

import asyncio
import os
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fleet.logins import MAX_REFUSALS, is_spent
from fleet.model import NoAnswer, Target
from sources import login_challenges, net, soap, tls
from sources.device_urls import SCHEMES, DeviceUrl
from sources.login_challenges import (
    Authorization,
    Challenge,
    Login,
    MethodNotSupported,
    login_of,
)
from sources.soap import Response

if TYPE_CHECKING:
    import aiohttp

REQUEST_TIMEOUT = 8.0
"""Seconds of one request, from the connection to the last byte."""
CHUNK = 65_536
MAX_UNPROVEN = 2
"""Answers to a login that prove nothing, until no more operations are asked with it."""
MAX_ANSWERS = 2
"""Answers to the challenges of one login: the second only to a nonce that was outdated."""
CLOCK_MATTERS = 5.0
"""Seconds from which a device may mean its clock when it refuses a token."""
OPEN = "open"
"""Outcome of a login: the device requires none."""
ACCEPTED = "accepted"
WRONG = "wrong"
"""The device refused the password, now or before."""
METHOD = "method"
"""The device offers no login method that is supported."""
CLOCK = "clock"
"""The clocks of the device and of this server differ too much."""
UNPROVEN = "unproven"
"""The device neither accepts nor refuses the login."""
NEEDED = "needed"
"""The device requires a login, and none is stored."""


@dataclass(slots=True)
class Logins:
    """What one probe knows about the login. `refusals` includes those of the target. `scheme` is
    the method in use: that of the token, or a scheme of HTTP."""

    login: Login | None
    may_login: bool
    digest_only: bool
    refusals: int
    attempts_left: int | None
    outcome: str = ""
    scheme: str = ""
    authorization: Authorization | None = None
    ahead: float = 0.0
    """Seconds that the device's clock is ahead; the token has its time."""
    challenges: list[Challenge] = field(default_factory=list)
    """Those of the newest response."""
    has_withheld: bool = False
    """Another port wanted the password in a form that reveals it."""
    was_refused: bool = False
    """The device refused this login since it accepted it last."""
    refused_now: int = 0
    """The refusals of this probe since then."""
    may_go_on: bool = True
    """False once others that use this login were refused, too."""
    unproven: int = 0
    """Answers to a login that were neither a success nor a refusal."""
    is_nonce_single: bool = False
    """The device accepts a nonce once, and does not say so: each login needs a new challenge."""
    denied: dict[str, None] = field(default_factory=dict)
    """The operations that the device refused with a login that it accepts."""

    @property
    def schemes(self) -> list[str]:
        return [challenge.scheme for challenge in self.challenges]

    @property
    def has_budget(self) -> bool:
        """True if one more password may be tried."""
        is_allowed = self.may_login and self.may_go_on
        return is_allowed and not is_spent(self.refusals, self.attempts_left)

    @property
    def method(self) -> str:
        """The name of the method that was accepted, as Learned has it."""
        if self.outcome != ACCEPTED:
            return ""
        return f"digest-{self.algorithm}" if self.scheme == "digest" else self.scheme

    @property
    def algorithm(self) -> str:
        return self.authorization.challenge.algorithm if self.authorization else ""


def logins_of(target: Target) -> Logins:
    return Logins(
        login_of(target),
        target.may_login,
        target.digest_only,
        target.refusals,
        target.attempts_left,
        was_refused=target.refusals > 0 and not target.is_trial,
    )


class CertificateChanged(ssl.SSLError):
    """Raised in the handshake, for a certificate that was not accepted."""

    reason = "CERTIFICATE_CHANGED"


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked: the element of the operation, in this namespace, at this place."""

    place: DeviceUrl
    namespace: str
    body: str

    @property
    def name(self) -> str:
        return self.body.partition("<")[2].partition(">")[0].partition("/")[0].partition(" ")[0]


class Conversation:
    """The requests of one probe to one device. `fingerprint` is that of its first certificate. Once
    `pin` is set, a connection with another certificate fails before a request is sent. Requests
    about a subscription have an `addressing`."""

    def __init__(
        self, session: "aiohttp.ClientSession", target: Target, clock: Callable[[], datetime]
    ) -> None:
        self.session = session
        self.clock = clock
        self.before_login = target.before_login
        self._after_refusal = target.after_refusal
        self.logins = logins_of(target)
        self.port = target.port or SCHEMES["https" if target.options.get("tls") else "http"]
        self.fingerprint: str | None = None
        self.pin: str | None = None
        self.addressing: soap.Addressing | None = None
        self._proofs: dict[int, Operation] = {}
        """By port, an operation that needed the login and was accepted with it."""
        self._refused_in_a_row = Counter[int]()
        """By port, the refusals of the accepted login since it was accepted there last."""
        self._context: ssl.SSLContext | None = None

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = tls.new_context()
            self._context.sslobject_class = _watching(self._see)
        return self._context

    def _see(self, der: bytes) -> None:
        """Called with the certificate of each connection, before anything is sent by it."""
        seen = tls.fingerprint(der)
        if self.fingerprint is None:
            self.fingerprint = seen
        if seen != (self.pin or self.fingerprint):
            raise CertificateChanged

    # -- asking ------------------------------------------------------------------------------

    async def ask(self, place: DeviceUrl, namespace: str, body: str) -> Response:
        """The response to one operation, with the login if it is needed. Raises as `send` does."""
        logins, operation = self.logins, Operation(place, namespace, body)
        if logins.scheme:
            return await self._ask_logged_in(operation)
        response = await self._send(operation)
        if not response.is_success and self._must_withhold(place):
            logins.has_withheld = True
            return response
        if not soap.refusal(response, logins.schemes, ""):
            return response
        return await self._log_in(response, operation)

    async def _ask_logged_in(self, operation: Operation) -> Response:
        """The response to an operation, of a device that accepted the login before."""
        logins, place = self.logins, operation.place
        if self._refused_in_a_row[place.port] >= MAX_REFUSALS:
            return await self._send_without_login(operation)
        if logins.is_nonce_single:
            response = await self._send_fresh(operation)
        else:
            response = await self._send(operation)
            if not response.is_success and self._must_withhold(place):
                logins.has_withheld = True
                return response
            if response.status == 401 and self._renew(is_silent=False):
                response = await self._send(operation)
        if self._is_refusal(response):
            return await self._asked_again(operation, response)
        self._refused_in_a_row[place.port] = 0
        return response

    async def _asked_again(self, operation: Operation, response: Response) -> Response:
        """The response to an operation that was refused with a login that worked before."""
        logins, port = self.logins, operation.place.port
        is_outdated = response.status == 401 and self._renew(is_silent=True)
        if await self._is_changed(operation, response):
            return response
        if is_outdated and self._refused_in_a_row[port] < MAX_REFUSALS:
            # Some devices have a new nonce for each request, and say so only now.
            response = await self._send_fresh(operation)
            if not self._is_refusal(response):
                self._accept(operation)
                logins.is_nonce_single = logins.is_nonce_single or response.is_success
                return response
            if await self._is_changed(operation, response):
                return response
        logins.denied[operation.name] = None
        return response

    async def _is_changed(self, operation: Operation, response: Response) -> bool:
        """True unless the device still accepts the login for another operation, which is asked
        before another login is sent: a changed password costs two refusals."""
        logins, port = self.logins, operation.place.port
        self._refused_in_a_row[port] += 1
        self._refused(response)
        proof = self._proofs.get(port) or next(iter(self._proofs.values()), None)
        if logins.has_budget and proof is None:
            return False
        logins.outcome = WRONG
        if logins.has_budget and proof is not None:
            logins.outcome = UNPROVEN  # and stays so without an answer
            answer = await self._send_fresh(proof)
            if answer.is_success:
                self._accept(proof)
                return False
            if self._is_refusal(answer):
                self._refused(answer)
                logins.outcome = WRONG
        logins.scheme, logins.authorization = "", None
        return True

    def _is_refusal(self, response: Response) -> bool:
        """True if the device refused the login with which this was asked."""
        logins = self.logins
        reason = soap.refusal(response, logins.schemes, logins.scheme)
        return reason in (soap.LOGIN, soap.METHOD)

    async def _send_fresh(self, operation: Operation) -> Response:
        """The response with a nonce that the device made just now, so that it refuses the password
        or the operation, and not the nonce."""
        if self.logins.scheme == "digest":
            response = await self._send_without_login(operation)
            if response.is_success:
                return response
            self._renew(is_silent=True)
        return await self._send(operation)

    async def _send_without_login(self, operation: Operation) -> Response:
        logins = self.logins
        kept = logins.scheme, logins.authorization
        logins.scheme, logins.authorization = "", None
        try:
            return await self._send(operation)
        finally:
            logins.scheme, logins.authorization = kept

    async def _send(self, operation: Operation) -> Response:
        return await self.send(operation.place, operation.namespace, operation.body)

    def may_reveal(self, place: DeviceUrl) -> bool:
        """False at another port than that of the device, unless it has the pinned certificate:
        behind a port forward, it is another device."""
        return place.port == self.port or (place.is_tls and self.pin is not None)

    def _must_withhold(self, place: DeviceUrl) -> bool:
        """True if the newest response asks for the login, and only Basic would answer it there."""
        if self.logins.login is None or self.may_reveal(place):
            return False
        try:
            login_challenges.strongest(self.logins.challenges, may_use_basic=False)
        except MethodNotSupported as error:
            return "basic" in error.schemes
        return False

    def _renew(self, *, is_silent: bool) -> bool:
        """Answer a newer nonce from now on; False if the device named none."""
        logins = self.logins
        if logins.authorization is None or logins.login is None:
            return False
        used = logins.authorization.challenge
        newer = login_challenges.renewed(used, logins.challenges, is_silent=is_silent)
        if newer is not None:
            logins.authorization = Authorization(newer, logins.login)
        return newer is not None

    async def _log_in(self, response: Response, operation: Operation) -> Response:
        """The response after a refusal without credentials, with the login as far as it may be
        tried. The outcome says how it went."""
        logins = self.logins
        logins.outcome = self._outcome_before()
        if logins.outcome:
            return response
        if logins.challenges:
            return await self._by_http(response, operation)
        return await self._by_token(operation)

    def _outcome_before(self) -> str:
        """Why no login is tried; empty if it may be."""
        if self.logins.login is None:
            return NEEDED
        return "" if self.logins.has_budget else WRONG

    async def _by_http(self, response: Response, operation: Operation) -> Response:
        """Each login that was sent and not accepted is spent, whatever the device answers."""
        logins = self.logins
        if not logins.has_budget:
            logins.outcome, logins.scheme = WRONG, ""
            return response
        try:
            self._authorize()
        except MethodNotSupported:
            logins.outcome = METHOD
            return response
        for _ in range(MAX_ANSWERS):
            await self.before_login()
            response = await self._send(operation)
            if not soap.refusal(response, logins.schemes, logins.scheme):
                return self._judge(response, operation)
            self._refused(response)
            is_outdated = self._renew(is_silent=False)
            if not (is_outdated and logins.has_budget):
                break
        logins.outcome = METHOD if is_outdated else WRONG
        logins.scheme, logins.authorization = "", None
        return response

    def _authorize(self) -> None:
        """Answer the newest challenge from now on. Raises MethodNotSupported."""
        logins = self.logins
        assert logins.login is not None
        challenge = login_challenges.strongest(
            logins.challenges, may_use_basic=not logins.digest_only
        )
        logins.authorization = Authorization(challenge, logins.login)
        logins.scheme = challenge.scheme
        # After one Digest, Basic would show the password to any device that asks for it.
        logins.digest_only = logins.digest_only or challenge.scheme == "digest"

    async def _by_token(self, operation: Operation) -> Response:
        """Log in by WS-UsernameToken: by the device's clock, then by ours."""
        logins, theirs = self.logins, self.logins.ahead
        clocks = (theirs, 0.0) if abs(theirs) > CLOCK_MATTERS else (theirs,)
        for ahead in clocks:
            logins.scheme, logins.ahead = soap.TOKEN, ahead
            await self.before_login()
            response = await self._send(operation)
            reason = soap.refusal(response, logins.schemes, soap.TOKEN)
            if not reason:
                return self._judge(response, operation)
            logins.digest_only = True
            if reason == soap.METHOD:
                self._refused(response)
                return await self._by_http(response, operation)
            if reason == soap.CLOCK:
                logins.outcome = CLOCK
                continue
            self._refused(response)
            logins.outcome = WRONG
            if not logins.has_budget:
                break
        logins.scheme = ""
        return response

    def _judge(self, response: Response, operation: Operation) -> Response:
        """Take a success as proof of the login. Any other answer but a refusal proves nothing, and
        the next operation logs in again; after a refusal it is spent too."""
        logins = self.logins
        if response.is_success:
            self._accept(operation)
            # A question about a subscription can change it: it is not asked twice.
            if self.addressing is None:
                self._proofs[operation.place.port] = operation
            return response
        logins.scheme, logins.authorization = "", None
        logins.unproven += 1
        if logins.was_refused:
            self._refused(response)
            logins.outcome = WRONG
        else:
            logins.outcome = UNPROVEN if logins.unproven >= MAX_UNPROVEN else ""
        return response

    def _accept(self, operation: Operation) -> None:
        logins = self.logins
        logins.outcome, logins.refusals, logins.refused_now = ACCEPTED, 0, 0
        logins.attempts_left, logins.was_refused = None, False
        self._after_refusal(0)
        self._refused_in_a_row[operation.place.port] = 0

    def _refused(self, response: Response) -> None:
        logins = self.logins
        logins.refusals += 1
        logins.refused_now += 1
        logins.was_refused = True
        logins.may_go_on = self._after_refusal(logins.refused_now)
        if response.attempts_left is not None:
            logins.attempts_left = response.attempts_left

    # -- one request -------------------------------------------------------------------------

    async def get(
        self,
        place: DeviceUrl,
        authorization: str,
        reads_on: Callable[[int, bytearray], bool],
        seconds: float,
    ) -> tuple[int, list[Challenge], bytes]:
        """One GET: its status, the challenges of its answer, and the body, as long as `reads_on`
        wants more of it after this status and these bytes. Raises as `send` does."""
        import aiohttp

        headers = {"User-Agent": net.USER_AGENT, "Accept-Encoding": "identity"}
        if authorization:
            headers["Authorization"] = authorization
        try:
            async with self.session.get(
                _url(place),
                headers=headers,
                allow_redirects=False,
                ssl=self._tls() if place.is_tls else True,
                timeout=aiohttp.ClientTimeout(total=seconds),
            ) as answer:
                content = bytearray()
                while reads_on(answer.status, content):
                    if not (chunk := await answer.content.read(CHUNK)):
                        break
                    content += chunk
                offered = answer.headers.getall("WWW-Authenticate", ())
                return answer.status, login_challenges.challenges(offered), bytes(content)
        except aiohttp.ClientError as error:
            raise _error_of(error) from error
        except TimeoutError as error:
            raise NoAnswer(f"no response within {seconds:g} s") from error

    async def send(self, place: DeviceUrl, namespace: str, body: str) -> Response:
        """One request and its response, whatever it says. Raises NoAnswer, tls.TooOld, and OSError,
        which `net.cannot_ask` can judge."""
        import aiohttp

        header = self.addressing.header() if self.addressing else ""
        data = soap.envelope(namespace, body, header + self._token())
        try:
            async with self.session.post(
                _url(place),
                data=data,
                headers=self._headers(place, namespace, body, data),
                allow_redirects=False,
                ssl=self._tls() if place.is_tls else True,
            ) as answer:
                content = await _content(answer)
                headers = answer.headers.getall("WWW-Authenticate", ())
                self.logins.challenges = login_challenges.challenges(headers)
                return soap.read(answer.status, content)
        except aiohttp.ClientError as error:
            raise _error_of(error) from error
        except TimeoutError as error:
            raise NoAnswer(f"no response within {REQUEST_TIMEOUT:g} s") from error

    def _token(self) -> str:
        logins = self.logins
        if logins.scheme != soap.TOKEN or logins.login is None:
            return ""
        moment = self.clock() + timedelta(seconds=logins.ahead)
        return soap.username_token(logins.login, moment, os.urandom(16))

    def _headers(self, place: DeviceUrl, namespace: str, body: str, data: bytes) -> dict[str, str]:
        operation = Operation(place, namespace, body).name
        action = self.addressing.action if self.addressing else f"{namespace}/{operation}"
        kind = f'application/soap+xml; charset=utf-8; action="{action}"'
        headers = {"Content-Type": kind, "User-Agent": net.USER_AGENT}
        headers["Accept-Encoding"] = "identity"
        logins = self.logins
        if logins.authorization is None or not logins.scheme:
            return headers
        if logins.scheme == "basic" and not self.may_reveal(place):
            return headers
        headers["Authorization"] = logins.authorization.answer("POST", place.path, data)
        return headers


@asynccontextmanager
async def conversation(
    target: Target, clock: Callable[[], datetime]
) -> AsyncIterator[Conversation]:
    """A conversation with connections of its own, which end with it."""
    # The first import takes long enough to delay every other device.
    aiohttp: Any = await asyncio.to_thread(import_module, "aiohttp")
    connector = aiohttp.TCPConnector(limit=1, use_dns_cache=False)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT),
    ) as session:
        yield Conversation(session, target, clock)


def _watching(see: Callable[[bytes], None]) -> type[ssl.SSLObject]:
    """A class of TLS connections that hand over the certificate of the other end."""

    class WatchedTls(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            see(self.getpeercert(binary_form=True) or b"")

    return WatchedTls


def _url(place: DeviceUrl) -> Any:
    import yarl

    host = f"[{place.host}]" if ":" in place.host else place.host
    return yarl.URL(f"{place.scheme}://{host}:{place.port}{place.path}", encoded=True)


async def _content(answer: "aiohttp.ClientResponse") -> bytes:
    """The body, up to a little more than is ever read as XML."""
    from sources.xml_tree import LARGEST

    content = bytearray()
    while len(content) <= LARGEST and (chunk := await answer.content.read(CHUNK)):
        content += chunk
    return bytes(content)


def _error_of(error: Exception) -> Exception:
    """The error of a request as a source may raise it."""
    import aiohttp

    match error:
        case aiohttp.ClientConnectorDNSError():
            return NoAnswer(net.UNRESOLVED)
        case aiohttp.ClientConnectorError(os_error=ssl.SSLError() as cause):
            is_old = cause.reason in tls.TOO_OLD
            return tls.TooOld() if is_old else NoAnswer(tls.reason_of(cause))
        case aiohttp.ServerTimeoutError():
            return NoAnswer(f"no response within {REQUEST_TIMEOUT:g} s")
        case aiohttp.ServerDisconnectedError():
            return NoAnswer("it closed the connection before it responded")
        case aiohttp.ClientPayloadError():
            return NoAnswer("it closed the connection in the middle of its response")
        case aiohttp.ClientOSError(errno=int()):
            return OSError(error.errno, error.strerror)
        case aiohttp.ClientConnectionError():
            return NoAnswer("it closed the connection")
    return NoAnswer("it does not speak HTTP")
