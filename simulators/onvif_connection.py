"""One HTTP connection to a pretend ONVIF device: its requests, and the answers of its mode."""

import asyncio
import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from simulators import onvif_calls as calls
from simulators import onvif_events
from simulators.logins import Accounts
from simulators.onvif_device import OnvifDevice
from simulators.onvif_snapshots import CONTENTS, UNENDING, judge_query, send_part

SOAP_TYPE = "application/soap+xml; charset=utf-8"
LONGEST_BODY = 1_000_000
BODY_CALL = re.compile(r"<(?:[\w-]+:)?Body\b[^>]*>\s*<(?:[\w-]+:)?(\w+)")
PROFILE = re.compile(r"<(?:[\w-]+:)?ProfileToken\b[^>]*>\s*([^<\s]+)")
TOKEN_FIELDS = {
    "username": re.compile(r"<(?:[\w-]+:)?Username\b[^>]*>([^<]*)<"),
    "nonce": re.compile(r"<(?:[\w-]+:)?Nonce\b[^>]*>([^<]*)<"),
    "created": re.compile(r"<(?:[\w-]+:)?Created\b[^>]*>([^<]*)<"),
    "digest": re.compile(r"<(?:[\w-]+:)?Password\b[^>]*>([^<]*)<"),
}
TEXT_PASSWORD = "#PasswordText"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<SOAP-ENV:Envelope xmlns:SOAP-ENV="{SOAP}" xmlns:ter="http://www.onvif.org/ver10/error" '
    f'xmlns:tds="{calls.DEVICE}" xmlns:trt="{calls.MEDIA}" xmlns:tr2="{calls.MEDIA2}" '
    f'xmlns:tev="{calls.EVENTS}" xmlns:wsnt="{calls.NOTIFICATION}" '
    'xmlns:wsa="http://www.w3.org/2005/08/addressing" '
    'xmlns:tns1="http://www.onvif.org/ver10/topics" '
    'xmlns:tt="http://www.onvif.org/ver10/schema"><SOAP-ENV:Body>{}</SOAP-ENV:Body>'
    "</SOAP-ENV:Envelope>"
)
PAGE = "<!DOCTYPE html><html><head><title>Login</title></head><body><form></form></body></html>"
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">'
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)
REASONS = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    500: "Internal Server Error",
}
FAULTS = {
    "fault": "The action requested requires authorization and the sender is not authorized",
    "clock": "Wsse authorized time check failed.",
    "attempts": "Login failed. You still have {left} attempt(s).",
}
Answer = tuple[int, list[tuple[str, str]], bytes]


def fault(code: str, subcode: str, text: str) -> bytes:
    inner = (
        f"<SOAP-ENV:Fault><SOAP-ENV:Code><SOAP-ENV:Value>SOAP-ENV:{code}</SOAP-ENV:Value>"
        f"<SOAP-ENV:Subcode><SOAP-ENV:Value>ter:{subcode}</SOAP-ENV:Value></SOAP-ENV:Subcode>"
        f'</SOAP-ENV:Code><SOAP-ENV:Reason><SOAP-ENV:Text xml:lang="en">{text}</SOAP-ENV:Text>'
        "</SOAP-ENV:Reason></SOAP-ENV:Fault>"
    )
    return ENVELOPE.format(inner).encode()


def soap(status: int, body: bytes) -> Answer:
    return status, [("Content-Type", SOAP_TYPE)], body


def page(status: int) -> Answer:
    return status, [("Content-Type", "text/html")], PAGE.encode()


class OnvifConnection:
    """Serve one client until it leaves."""

    def __init__(
        self,
        device: OnvifDevice,
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._device, self._port = device, port
        self._reader, self._writer = reader, writer

    async def run(self) -> None:
        try:
            if self._device.mode == "junk":
                self._writer.write(b"\x00\x01\x02 not HTTP\r\n\r\n")
            elif self._device.mode == "silent":
                await self._drop_all()
            else:
                while await self._exchange():
                    pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the client is gone, or does not speak HTTP
        finally:
            self._writer.close()

    async def _drop_all(self) -> None:
        while await self._reader.read(4096):
            pass

    async def _exchange(self) -> bool:
        """Answer one request; False when the connection ends."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        method, target, _version = start.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        if headers.get("expect"):
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = min(int(headers.get("content-length", "0") or 0), LONGEST_BODY)
        body = (await self._reader.readexactly(length)).decode("utf-8", "replace")
        if self._device.mode == "endless":
            await self._send_for_ever()
        if method == "GET" and self._device.snapshot_kind in UNENDING:
            await send_part(self._device.snapshot_kind, self._writer)
            return False
        if onvif_events.is_swallowed(self._device):
            await self._drop_all()
            return False
        if self._device.subscriptions and "slow" in self._device.event_faults:
            await asyncio.sleep(self._device.event_delay)
        status, extra, content = self._answer(method, target, headers, body)
        answer = [f"HTTP/1.1 {status} {REASONS[status]}", f"Content-Length: {len(content)}"]
        answer += [f"{name}: {value}" for name, value in extra]
        self._writer.write("\r\n".join([*answer, "", ""]).encode() + content)
        await self._writer.drain()
        return headers.get("connection", "").lower() != "close"

    async def _send_for_ever(self) -> None:
        self._writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n\r\n")
        while True:
            self._writer.write(b" " * 65_536)
            await self._writer.drain()

    # -- answers -------------------------------------------------------------------------

    def _answer(self, method: str, target: str, headers: dict[str, str], body: str) -> Answer:
        match self._device.mode:
            case "html":
                return page(200)
            case "bomb":
                return soap(200, (BOMB + ENVELOPE.partition("?>")[2].format("&i;")).encode())
            case "redirecting":
                return 302, [("Location", f"http://127.0.0.1:{self._port}{target}")], b""
            case "failing":
                return 500, [], b""
        if method == "GET":
            return self._picture(target, headers)
        return self._call(target, headers, body)

    def _picture(self, target: str, headers: dict[str, str]) -> Answer:
        device = self._device
        parts = urlsplit(target)
        profile = device.profile(parse_qs(parts.query).get("profile", [""])[0])
        if not parts.path.startswith("/onvif/snapshot") or profile is None:
            return page(404)
        device.asked["snapshot"] += 1
        header = headers.get("authorization")
        if device.has_query_login:
            outcome = judge_query(device, parts.query, header)
        else:
            outcome = device.picture_accounts.judge("GET", header)
        if outcome != "right":
            return 401, self._challenges(outcome, device.picture_accounts), b""
        if not device.snapshot_works:
            return page(404)
        kind, content = CONTENTS[device.snapshot_kind]
        if profile.path in device.pictures:
            content = device.pictures[profile.path]()
        return 200, [("Content-Type", kind)], content

    def _challenges(self, outcome: str, accounts: Accounts | None = None) -> list[tuple[str, str]]:
        accounts = accounts or self._device.accounts
        challenges = accounts.challenges(is_stale=outcome == "stale")
        return [("WWW-Authenticate", challenge) for challenge in challenges]

    def _call(self, target: str, headers: dict[str, str], body: str) -> Answer:
        device = self._device
        service = _service(target, body)
        match = BODY_CALL.search(body)
        name = match.group(1) if match else ""
        make = calls.CALLS.get(service, {}).get(name)
        offered = service != calls.MEDIA2 or device.has_media2
        if not name and not device.accounts.is_open:
            return self._refusal("none")  # curl sends no body before it knows the challenge
        device.asked[name] += 1
        is_event = device.has_events and service == calls.EVENTS and name in onvif_events.CALLS
        if name in device.refuses or not (is_event or (make is not None and offered)):
            text = "The requested action is not implemented"
            return soap(500, fault("Receiver", "ActionNotSupported", text))
        if self._needs_login(name):
            outcome = self._judge(headers, body)
            if outcome != "right" or name in device.denies:
                return self._refusal(outcome)
        if is_event:
            return self._event_call(name, target, body)
        assert make is not None
        if name == "GetSystemDateAndTime" and device.date_shape == "fault":
            return soap(500, fault("Receiver", "Action", "Cannot read the clock"))
        token = PROFILE.search(body)
        inner = make(device, self._port, html.unescape(token.group(1)) if token else "")
        if inner is None:
            return soap(500, fault("Sender", "InvalidArgVal", "The profile does not exist"))
        return soap(200, self._wrapped(service, name, inner))

    def _event_call(self, name: str, target: str, body: str) -> Answer:
        try:
            inner = onvif_events.CALLS[name](self._device, self._port, target, body)
        except onvif_events.Fault as error:
            return soap(500, fault("Receiver", "InvalidArgVal", str(error)))
        return soap(
            200, (onvif_events.before(self._device, name) + ENVELOPE.format(inner)).encode()
        )

    def _needs_login(self, name: str) -> bool:
        if name == "GetSystemDateAndTime":
            return self._device.date_shape == "login"
        return name not in calls.OPEN_CALLS

    def _wrapped(self, service: str, name: str, inner: str) -> bytes:
        prefix = {calls.DEVICE: "tds", calls.MEDIA: "trt", calls.MEDIA2: "tr2"}[service]
        text = ENVELOPE.format(f"<{prefix}:{name}Response>{inner}</{prefix}:{name}Response>")
        if name in self._device.spoils:
            text = text.replace("</tds:Model>", "", 1).replace("</SOAP-ENV:Body>", "", 1)
        content = text.encode()
        if name in self._device.garbles:
            content = content.replace(b"<tds:Model>", b"<tds:Model>\xff\xb0", 1)
        return content

    # -- logins --------------------------------------------------------------------------

    def _judge(self, headers: dict[str, str], body: str) -> str:
        """The outcome of a call's login; both kinds are judged, and either is enough."""
        device = self._device
        if device.accounts.is_open:
            return "right"
        header = headers.get("authorization")
        if header and "digest" in device.logins:
            return device.accounts.judge("POST", header)
        fields = _token(body)
        if fields and "wsse" in device.logins:
            return device.accounts.judge_token(fields, self._is_fresh(fields))
        return "none"

    def _is_fresh(self, fields: dict[str, str]) -> bool:
        now = datetime.now(UTC) + timedelta(seconds=self._device.clock_offset)
        try:
            created = datetime.fromisoformat(fields.get("created", "").replace("Z", "+00:00"))
            age = abs((now - created).total_seconds())
        except (ValueError, TypeError):
            return False
        return age <= self._device.token_tolerance

    def _refusal(self, outcome: str) -> Answer:
        device = self._device
        has_digest = "digest" in device.logins
        headers = self._challenges(outcome) if has_digest else []
        status = 401 if has_digest else 400
        kind = device.refusal
        if outcome == "stale" and not headers:
            kind = "clock" if device.names_clock else kind
        match kind:
            case "html":
                return 401, [*headers, ("Content-Type", "text/html")], PAGE.encode()
            case "empty":
                return 401, headers, b""
            case "bad-request":
                return 400, [], b""
        if kind == "attempts" and outcome == "none":
            kind = "fault"
        left = max(0, device.accounts.lock_after - device.accounts.wrong_in_a_row)
        text = FAULTS[kind].format(left=left)
        content = fault("Sender", "NotAuthorized", text)
        return status, [*headers, ("Content-Type", SOAP_TYPE)], content


def _service(target: str, body: str) -> str:
    """The namespace that a call is made in: that of its path, but Media2 and events often share
    one."""
    path = urlsplit(target).path
    if f'<s:Body xmlns="{calls.EVENTS}"' in body or calls.NOTIFICATION in body:
        return calls.EVENTS
    services = {f"/onvif/{name}": service for service, name in calls.PATHS.items()}
    return calls.MEDIA2 if calls.MEDIA2 in body else services.get(path, "")


def _token(body: str) -> dict[str, str]:
    """The elements of a WS-UsernameToken; empty if there is none."""
    matches = {name: pattern.search(body) for name, pattern in TOKEN_FIELDS.items()}
    fields = {
        name: html.unescape(match.group(1)).strip() for name, match in matches.items() if match
    }
    if "username" not in fields:
        return {}
    if TEXT_PASSWORD in body:
        fields["password"] = fields.pop("digest", "")
    return fields
