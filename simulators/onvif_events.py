"""The pull points of a pretend ONVIF device: subscriptions, their messages, their end."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import quoteattr

from simulators.onvif_calls import EVENTS, service_url
from simulators.onvif_device import EventState, OnvifDevice

AXIS = "http://www.axis.com/2009/event"
PARAMETER = re.compile(rf'<(\w+):SubscriptionId xmlns:\1="{AXIS}"[^>]*>(\d+)</')
MESSAGE_LIMIT = re.compile(r"<(?:\w+:)?MessageLimit>(\d+)<")
MAX_SUBSCRIPTIONS = 4
SWALLOWED = 3
"""Requests that a device swallows until it restarts."""
FLOOD = 64
"""Messages that an answer of a flooding device has."""
Call = Callable[[OnvifDevice, int, str, str], str]
"""(device, its port, target and body of the request) -> the body of the answer. May raise Fault."""


class Fault(Exception):
    """The device answers with a fault."""


def is_swallowed(device: OnvifDevice) -> bool:
    """True if a request gets no answer; after a few, the device restarts, without subscriptions."""
    if "hangs" not in device.event_faults or not device.subscriptions:
        return False
    device.swallowed += 1
    if device.swallowed % SWALLOWED == 0:
        device.subscriptions.clear()
    return True


def before(device: OnvifDevice, name: str) -> str:
    """What an answer begins with, beside what it should."""
    is_bomb = name == "PullMessages" and "bomb" in device.event_faults
    return '<!DOCTYPE x [<!ENTITY a "ha">]>' if is_bomb else ""


def message(state: EventState, operation: str) -> str:
    """A message as devices write it. Without `operation`, it is not about a property."""
    groups = "".join(
        f"<tt:{group}>{_items(items)}</tt:{group}>"
        for group, items in (("Source", state.source), ("Data", state.data))
    )
    property_operation = f' PropertyOperation="{operation}"' if operation else ""
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        "<wsnt:NotificationMessage><wsnt:Topic "
        'Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
        f"{state.topic}</wsnt:Topic><wsnt:Message>"
        f'<tt:Message UtcTime="{moment}"{property_operation}>{groups}</tt:Message>'
        "</wsnt:Message></wsnt:NotificationMessage>"
    )


def _items(items: Mapping[str, str]) -> str:
    return "".join(
        f"<tt:SimpleItem Name={quoteattr(name)} Value={quoteattr(value)}/>"
        for name, value in items.items()
    )


def tell(device: OnvifDevice, state: EventState, operation: str = "Changed") -> None:
    """Have the device send it to all subscribers, present and future."""
    same = [each for each in device.event_states if _is_same(each, state)]
    device.event_states[:] = [each for each in device.event_states if each not in same]
    if operation:
        device.event_states.append(state)
    for waiting in device.subscriptions.values():
        waiting.append(message(state, operation))


def _is_same(state: EventState, other: EventState) -> bool:
    return (state.topic, state.source) == (other.topic, other.source)


def create(device: OnvifDevice, port: int, target: str, body: str) -> str:
    device.asked["subscription"] += 1
    if "full" in device.event_faults or len(device.subscriptions) >= MAX_SUBSCRIPTIONS:
        raise Fault("The maximum number of pull points is reached")
    number = device.asked["subscription"]
    device.subscriptions[number] = [message(state, "Initialized") for state in device.event_states]
    return (
        "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference>"
        f"{_reference(device, port, number)}</tev:SubscriptionReference>"
        f"{_times(device)}</tev:CreatePullPointSubscriptionResponse>"
    )


def _reference(device: OnvifDevice, port: int, number: int) -> str:
    url = service_url(device, port, EVENTS)
    if "no-address" in device.event_faults:
        return "<wsa:Address/>"
    if "by-parameter" not in device.event_faults:
        return f"<wsa:Address>{url}?subscription={number}</wsa:Address>"
    return (
        f"<wsa:Address>{url}</wsa:Address><wsa:ReferenceParameters>"
        f'<dom0:SubscriptionId xmlns:dom0="{AXIS}">{number}</dom0:SubscriptionId>'
        "</wsa:ReferenceParameters>"
    )


def _times(device: OnvifDevice) -> str:
    now = datetime.now(UTC) + timedelta(seconds=device.clock_offset)
    begin, end = (
        moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (now, now + timedelta(minutes=2))
    )
    if "epoch" in device.event_faults:
        begin = end = "1970-01-01T00:00:00Z"
    if "bad-time" in device.event_faults:
        end = "2026-01-01T00:61:16Z"
    return (
        f"<wsnt:CurrentTime>{begin}</wsnt:CurrentTime>"
        f"<wsnt:TerminationTime>{end}</wsnt:TerminationTime>"
    )


def _number(device: OnvifDevice, target: str, body: str) -> int:
    """The subscription that a request is about. Raises Fault for one that is not there."""
    if "no-address" in device.event_faults:
        number = next(iter(device.subscriptions), 0)
    elif "by-parameter" in device.event_faults:
        match = PARAMETER.search(body)
        number = int(match.group(2)) if match else 0
    else:
        number = int(parse_qs(urlsplit(target).query).get("subscription", ["0"])[0])
    if number not in device.subscriptions:
        raise Fault("The subscription does not exist")
    return number


def pull(device: OnvifDevice, port: int, target: str, body: str) -> str:
    number = _number(device, target, body)
    limit = MESSAGE_LIMIT.search(body)
    waiting = device.subscriptions[number]
    if "flood" in device.event_faults:
        motion = EventState("tns1:VideoSource/MotionAlarm", {"Source": "V"}, {"State": "true"})
        waiting += [message(motion, "Changed")] * FLOOD
    most = int(limit.group(1)) if limit else 1
    sent, waiting[:] = waiting[:most], waiting[most:]
    if "ends" in device.event_faults:
        del device.subscriptions[number]
    times = _times(device).replace("wsnt:", "tev:")
    return f"<tev:PullMessagesResponse>{times}{''.join(sent)}</tev:PullMessagesResponse>"


def renew(device: OnvifDevice, port: int, target: str, body: str) -> str:
    _number(device, target, body)
    if "no-renew" in device.event_faults:
        raise Fault("Renew is not supported")
    return f"<wsnt:RenewResponse>{_times(device)}</wsnt:RenewResponse>"


def unsubscribe(device: OnvifDevice, port: int, target: str, body: str) -> str:
    del device.subscriptions[_number(device, target, body)]
    return "<wsnt:UnsubscribeResponse/>"


CALLS: dict[str, Call] = {
    "CreatePullPointSubscription": create,
    "PullMessages": pull,
    "Renew": renew,
    "Unsubscribe": unsubscribe,
}
