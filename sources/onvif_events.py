"""The events of one ONVIF device through a pull point: subscribe, pull, renew, unsubscribe.

ONVIF Core Specification, chapter 9; WS-BaseNotification 1.3. Whether a device has pull points is
not what it lists: it is asked for one. Each question is short, so that a device with few
connections is never held up by one of ours.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from statistics import median
from typing import Any

from fleet.model import NoAnswer, Report, Target
from sources import onvif, onvif_answers, onvif_http, onvif_notifications, soap, tls, xml_tree
from sources.device_urls import SCHEMES, DeviceUrl
from sources.device_urls import parse as parsed_url
from sources.onvif_http import Conversation, conversation
from sources.onvif_notifications import Notification
from sources.onvif_reading import Reading, device_service, own_place
from sources.onvif_reports import login_findings
from sources.soap import Addressing, Response

LASTS = 120.0
"""Seconds of a subscription: that long it stays in the device if this server dies."""
SHORTEST, LONGEST = 20.0, 86_400.0
"""Seconds of one that a device may choose; others are not believed."""
MESSAGE_LIMIT = 64
MOST_PULLS = 4
"""Answers one after the other while a device has more messages than fit into one."""
END_TIMEOUT = 2.0
"""Seconds to end a subscription."""
MEASURED = 3
"""Answers whose time is taken before the subscription."""
LONGEST_ADDRESS = 1000
MAX_PARAMETERS, LONGEST_PARAMETER = 4, 256
CREATE = (
    "<CreatePullPointSubscription><InitialTerminationTime>PT2M</InitialTerminationTime>"
    "</CreatePullPointSubscription>"
)
PULL = (
    f"<PullMessages><Timeout>PT1S</Timeout><MessageLimit>{MESSAGE_LIMIT}</MessageLimit>"
    "</PullMessages>"
)
RENEW = "<Renew><TerminationTime>PT2M</TerminationTime></Renew>"
UNSUBSCRIBE = "<Unsubscribe/>"
CREATE_ACTION = f"{soap.EVENTS}/EventPortType/CreatePullPointSubscriptionRequest"
PULL_ACTION = f"{soap.EVENTS}/PullPointSubscription/PullMessagesRequest"
_MANAGER = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager"
RENEW_ACTION, UNSUBSCRIBE_ACTION = f"{_MANAGER}/RenewRequest", f"{_MANAGER}/UnsubscribeRequest"
NOT_OFFERED = "its ONVIF service does not offer events to be fetched (pull points)"
ONLY_BASIC = "it accepts only Basic for its events, which reveals the password with each question"
_NOT_OFFERED = (
    *("notimplemented", "notsupported", "actionmismatch", "unknownaction", "noaction"),
    *("methodnotfound", "notunderstood", "nosuchoperation"),
)
"""Texts of faults that mean so."""


class Ended(Exception):
    """The device ended the subscription, or refused its login so many times (`refused`)."""

    def __init__(self, reason: str, refused: int = 0) -> None:
        super().__init__(reason)
        self.refused = refused


async def latency(target: Target, clock: Callable[[], datetime]) -> float:
    """Seconds until the device answers what a check asks, by a connection of its own and without a
    login. Raises NoAnswer, tls.TooOld and OSError."""
    plain = replace(target, username=None, secret=None, may_login=False)
    async with conversation(plain, clock) as talk:
        talk.pin = target.tls_pin
        began = asyncio.get_running_loop().time()
        await talk.send(device_service(plain), soap.DEVICE, "<GetSystemDateAndTime/>")
        return asyncio.get_running_loop().time() - began


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a subscription is asked: the place, its address and elements as the device gave them,
    and for how many seconds it lasts."""

    place: DeviceUrl
    address: str
    parameters: str
    lasts: float


class EventSession:
    """A subscription that the device accepted. End it with `end()`. `latency_before` is what
    `latency` was before there was one, in seconds."""

    def __init__(
        self,
        talk: Conversation,
        stack: AsyncExitStack,
        target: Target,
        subscription: Subscription,
        latency_before: float,
    ) -> None:
        self._talk = talk
        self._stack = stack
        self._target = target
        self._subscription = subscription
        self.latency_before = latency_before
        self.lasts = subscription.lasts
        self._is_login_refused = False

    async def pull(self) -> tuple[Notification, ...]:
        """What the device has to tell since the last time. Raises Ended, and as a request does."""
        known: tuple[Notification, ...] = ()
        for _ in range(MOST_PULLS):
            try:
                response = await self._ask(soap.EVENTS, PULL, PULL_ACTION)
            except (NoAnswer, OSError):
                if self._talk.logins.refusals:
                    raise self._refused() from None
                raise
            if not response.is_success:
                raise self._ended(response)
            known += onvif_notifications.notifications(response.body)
            if onvif_notifications.count(response.body) < MESSAGE_LIMIT:
                break
        return known

    async def renew(self) -> bool:
        """Make the subscription last; False for a device that does not know how, whose
        subscriptions last as long as their messages are fetched. Raises as a request does."""
        response = await self._ask(soap.NOTIFICATION, RENEW, RENEW_ACTION)
        return response.is_success

    async def latency(self) -> float:
        """Seconds until the device answers a check. Raises as `latency` above."""
        return await latency(self._target, self._talk.clock)

    async def end(self) -> None:
        """Unsubscribe, unless that would send a refused login again, and close the connection."""
        with suppress(NoAnswer, OSError, tls.TooOld):
            if not self._is_login_refused:
                async with asyncio.timeout(END_TIMEOUT):
                    await self._ask(soap.NOTIFICATION, UNSUBSCRIBE, UNSUBSCRIBE_ACTION)
        await self._stack.aclose()

    async def _ask(self, namespace: str, body: str, action: str) -> Response:
        subscription = self._subscription
        address, parameters = subscription.address, subscription.parameters
        self._talk.addressing = Addressing(action, address, parameters)
        return await self._talk.ask(subscription.place, namespace, body)

    def _ended(self, response: Response) -> Ended:
        logins = self._talk.logins
        reason = soap.refusal(response, logins.schemes, logins.scheme)
        if reason and logins.login is not None:
            return self._refused()
        if response.body is None:
            return Ended(f"its events cannot be read ({response.trouble})")
        return Ended("it ends its subscriptions by itself")

    def _refused(self) -> Ended:
        self._is_login_refused = True
        return Ended("it refuses the login for its events", self._talk.logins.refusals)


class Opening:
    """One attempt to subscribe, as a probe. `refusal` says why the device gives no events, empty if
    it was not asked; `is_final`: it never will."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._session: EventSession | None = None
        self.refusal = ""
        self.is_final = False

    def take(self) -> EventSession | None:
        """The session, for the caller to end; None without one, or the second time."""
        session, self._session = self._session, None
        return session

    async def probe(self, target: Target) -> Sequence[Report]:
        """The reports about the device that was asked. Raises as a probe may."""
        # Who is there is proved once, and the login is sent with each question after that.
        target = replace(target, digest_only=True)
        try:
            async with AsyncExitStack() as stack:
                talk = await stack.enter_async_context(conversation(target, self._clock))
                return await self._reports(talk, target, stack)
        except tls.TooOld as error:
            raise NoAnswer("it offers only outdated TLS") from error

    async def _reports(
        self, talk: Conversation, target: Target, stack: AsyncExitStack
    ) -> Sequence[Report]:
        answer = await onvif.first_answer(talk, target, self._clock)
        if tls.is_changed(target, talk.fingerprint):
            return answer.with_changed()
        talk.pin = target.tls_pin
        if target.may_login:
            await self._subscribe(talk, target, stack)
        known: list[Report] = [answer.alive(), *answer.tls_findings()]
        if talk.logins.outcome == onvif_http.METHOD:
            # Checks may use the method, and say so if not.
            self.is_final = "basic" in talk.logins.schemes
            self.refusal = ONLY_BASIC if self.is_final else ""
            return known
        return [*known, *login_findings(talk.logins, Reading(), answer.finding)]

    async def _subscribe(self, talk: Conversation, target: Target, stack: AsyncExitStack) -> None:
        before = [await latency(target, self._clock) for _ in range(MEASURED)]
        place = await _service(talk, target)
        if talk.logins.outcome not in ("", onvif_http.ACCEPTED):
            return
        talk.addressing = Addressing(CREATE_ACTION, _text_of(place))
        response = await talk.ask(place, soap.EVENTS, CREATE)
        if subscription := _subscription(response, place, target):
            session = EventSession(talk, stack.pop_all(), target, subscription, median(before))
            self._session = session
        elif talk.logins.outcome in ("", onvif_http.ACCEPTED):
            self.is_final = _is_not_offered(response)
            self.refusal = NOT_OFFERED if self.is_final else "it accepts no subscription"


def _is_not_offered(response: Response) -> bool:
    is_fault = any(text in response.fault for text in _NOT_OFFERED)
    return is_fault or response.status in (404, 405, 501) or response.is_success


async def _service(talk: Conversation, target: Target) -> DeviceUrl:
    """Where the device has its events; its device service where it names no place for them."""
    base = device_service(target)
    for operation in (
        "<GetServices><IncludeCapability>false</IncludeCapability></GetServices>",
        "<GetCapabilities><Category>All</Category></GetCapabilities>",
    ):
        response = await talk.ask(base, soap.DEVICE, operation)
        announced = onvif_answers.services(response.body).get(soap.EVENTS)
        if announced is not None:
            return own_place(announced, base, is_port_given=target.port is not None)
    return base


def _text_of(place: DeviceUrl) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    port = "" if place.port == SCHEMES[place.scheme] else f":{place.port}"
    return f"{place.scheme}://{host}{port}{place.path}"


def _subscription(response: Response, service: DeviceUrl, target: Target) -> Subscription | None:
    """The subscription of a CreatePullPointSubscriptionResponse; None of any other answer. Without
    an address of its own, it is asked where it was made."""
    answers = xml_tree.nodes(response.body, "CreatePullPointSubscriptionResponse")
    if not response.is_success or not answers:
        return None
    address = xml_tree.text(answers, "SubscriptionReference", "Address")[:LONGEST_ADDRESS]
    url = parsed_url(address)
    is_usable = url is not None and url.scheme in ("http", "https")
    place = (
        own_place(url, device_service(target), is_port_given=target.port is not None)
        if url is not None and is_usable
        else service
    )
    parameters = xml_tree.nodes(answers, "SubscriptionReference", "ReferenceParameters")
    return Subscription(
        place,
        address if is_usable else _text_of(service),
        "".join(_parameters(parameters)),
        _lifetime(answers),
    )


def _parameters(nodes: Sequence[Any]) -> list[str]:
    """The elements that each request about the subscription repeats in its header (Axis knows it by
    them alone). Their namespaces are those that they declare themselves."""
    named = [
        (name, value)
        for node in nodes
        if isinstance(node, dict)
        for name, value in node.items()
        if not name.startswith("@") and _is_name(name)
    ]
    return [_parameter(name, value) for name, value in named[:MAX_PARAMETERS]]


def _is_name(name: str) -> bool:
    plain = name.replace("_", "").replace("-", "").replace(".", "")
    return name[:1].isalpha() and plain.isascii() and plain.isalnum() and len(name) <= 64


def _parameter(name: str, value: Any) -> str:
    values = value if isinstance(value, dict) else {}
    declared = [text for key, text in values.items() if key.startswith("@") and _is_uri(text)]
    text = escape(xml_tree.text([value])[:LONGEST_PARAMETER], quote=False)
    if not declared:
        return f"<{name}>{text}</{name}>"
    mark = f'xmlns:a="{soap.ADDRESSING}" a:IsReferenceParameter="true"'
    return f'<p:{name} xmlns:p="{escape(declared[0])}" {mark}>{text}</p:{name}>'


def _is_uri(text: Any) -> bool:
    return isinstance(text, str) and ":" in text and len(text) <= LONGEST_PARAMETER


def _lifetime(answers: Sequence[Any]) -> float:
    """Seconds that the device gives the subscription, by its own clock; the requested ones where it
    says nothing that can be."""
    try:
        begin, end = (
            datetime.fromisoformat(xml_tree.text(answers, name).replace("Z", "+00:00"))
            for name in ("CurrentTime", "TerminationTime")
        )
        seconds = (end - begin).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return LASTS
    return seconds if SHORTEST <= seconds <= LONGEST else LASTS
