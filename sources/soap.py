"""SOAP 1.2 as ONVIF devices speak it: requests with WS-UsernameToken, responses and their faults.
Pure, no I/O.

ONVIF Core Specification, chapters 5.8 and 5.9; WS-Security UsernameToken Profile 1.0.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from sources import xml_tree
from sources.login_challenges import Login, attempts_left

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
EVENTS = "http://www.onvif.org/ver10/events/wsdl"
NOTIFICATION = "http://docs.oasis-open.org/wsn/b-2"
ADDRESSING = "http://www.w3.org/2005/08/addressing"
SCHEMA = "http://www.onvif.org/ver10/schema"
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_TOKEN = _SECURITY + "username-token-profile-1.0"

LOGIN, CLOCK, METHOD = "login", "clock", "method"
"""Why a request was refused: the login is missing or wrong, the clocks differ, or the device wants
another login method."""
TOKEN = "token"  # nosec B105 (a login method)
"""The login method within the envelope. The others are schemes of HTTP."""
_CLOCK_TEXTS = ("timecheck", "timestamp", "messageexpired", "clock", "invalidtime", "timeerror")
_LOGIN_TEXTS = (
    *("notauthori", "unauthori", "authorityfail", "authentication", "authorization", "password"),
    *("accessdenied", "notpermitted", "operationprohibited", "locked"),
)
MAX_TEXT = 4096
"""Bytes of a refusal that are searched for the number of login attempts left."""


@dataclass(frozen=True, slots=True)
class Addressing:
    """What WS-Addressing says of a request: its action, the address that it is for, and the
    elements by which the device knows the subscription there."""

    action: str
    to: str
    parameters: str = ""

    def header(self) -> str:
        """Its elements of the header."""
        return (
            f'<a:Action xmlns:a="{ADDRESSING}">{self.action}</a:Action>'
            f'<a:To xmlns:a="{ADDRESSING}">{escape(self.to, quote=False)}</a:To>{self.parameters}'
        )


def envelope(namespace: str, body: str, header: str = "") -> bytes:
    """A request; `body` is the element of the operation, in this namespace; `header` are elements
    of the header, such as a token as below."""
    header = f"<s:Header>{header}</s:Header>" if header else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">{header}'
        f'<s:Body xmlns="{namespace}" xmlns:t="{SCHEMA}">{body}</s:Body></s:Envelope>'
    ).encode()


def username_token(login: Login, created: datetime, nonce: bytes) -> str:
    """The header that logs in with a digest of the password, valid around `created` by the clock
    of the device."""
    moment = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    # SHA-1 is what the standard says; the nonce and the time make each digest another one.
    digest = hashlib.sha1(
        nonce + moment.encode() + login.password.encode(), usedforsecurity=False
    ).digest()
    return (
        f'<w:Security s:mustUnderstand="1" xmlns:w="{_SECURITY}wssecurity-secext-1.0.xsd"'
        f' xmlns:u="{_SECURITY}wssecurity-utility-1.0.xsd"><w:UsernameToken>'
        f"<w:Username>{escape(login.username, quote=False)}</w:Username>"
        f'<w:Password Type="{_TOKEN}#PasswordDigest">{base64.b64encode(digest).decode()}'
        f'</w:Password><w:Nonce EncodingType="{_SECURITY}soap-message-security-1.0#Base64Binary">'
        f"{base64.b64encode(nonce).decode()}</w:Nonce><u:Created>{moment}</u:Created>"
        "</w:UsernameToken></w:Security>"
    )


@dataclass(frozen=True, slots=True)
class Response:
    """A response. `body` is the tree below the SOAP body, None where there is none, and then
    `trouble` says what came instead. `fault` is every text of a SOAP fault, in lower case without
    blanks; empty if there is no fault. `attempts_left` is how many more logins the device accepts
    before it locks the account, 0 once it is locked; None if the response does not say."""

    status: int
    body: xml_tree.Tree | None
    fault: str = ""
    trouble: str = ""
    attempts_left: int | None = None

    @property
    def is_success(self) -> bool:
        return self.body is not None and not self.fault and self.status < 300

    @property
    def is_soap(self) -> bool:
        return self.body is not None


def read(status: int, data: bytes) -> Response:
    """The response of a device with this HTTP status. Never raises: what cannot be read is
    trouble of this one response."""
    left = attempts_left(data[:MAX_TEXT].decode("utf-8", "replace")) if status >= 300 else None
    try:
        tree = xml_tree.parse(data)
    except xml_tree.NotXml as error:
        return Response(status, None, "", str(error) if data else "empty response", left)
    for body in xml_tree.nodes(tree, "Envelope", "Body"):
        body = body if isinstance(body, dict) else {}
        faults = [text for fault in xml_tree.nodes(body, "Fault") for text in _texts(fault)]
        if "Fault" in body:
            left = attempts_left(" ".join(faults)) if left is None else left
            joined = "".join("".join(text.lower().split()) for text in faults)
            return Response(status, body, joined or "fault", "", left)
        return Response(status, body, "", "", left)
    return Response(status, None, "", "no SOAP message", left)


def _texts(node: object) -> Iterable[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if not key.startswith("@"):
                yield from _texts(value)


def refusal(response: Response, schemes: Iterable[str], sent: str) -> str:
    """Why the device refused: one of LOGIN, CLOCK and METHOD; empty if it did not.

    `schemes` are the login methods that its HTTP answer offers, in lower case; `sent` is the
    method by which the request logged in: TOKEN, a scheme of HTTP, or empty.
    """
    if response.is_success:
        return ""
    if sent == TOKEN and any(text in response.fault for text in _CLOCK_TEXTS):
        return CLOCK
    if response.status == 401:
        return METHOD if sent == TOKEN and "digest" in schemes else LOGIN
    if any(text in response.fault for text in _LOGIN_TEXTS) or response.status == 403:
        return LOGIN
    return LOGIN if response.status == 400 and not response.fault else ""
