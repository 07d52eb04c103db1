"""One connection to a pretend RTSP device: its requests, and the answers of the device's mode."""

import asyncio
import ssl
import time
from contextlib import suppress
from urllib.parse import quote

from simulators.rtsp_device import Request, RtspDevice
from simulators.rtsp_media import STRANGE_CHANNEL, interleaved, play, sender_report
from simulators.rtsp_sdp import STYLES, Description, Stream, huge
from simulators.rtsp_udp import UdpMedia

METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
REASONS = {
    200: "OK",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Stream Not Found",
    406: "Not Acceptable",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
DESCRIBE_MODES = {"missing": 404, "busy": 453, "overloaded": 503, "forbidden": 403, "failing": 500}
SETUP_MODES = {"udp-only": 461, "multicast": 406}
SERVERS = {"dahua": "Rtsp Server/3.0", "cheap": "H264DVR 1.0"}
LONGEST_HEAD = 65_536
FLOOD = b"\x00\xff$\x01RTSP/1.0 " * 4096
Headers = list[tuple[str, str]]


class RtspConnection:
    """Serve one client until it leaves."""

    def __init__(
        self,
        device: RtspDevice,
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._device = device
        self._reader, self._writer = reader, writer
        self._number = number
        self._scheme = "rtsps" if tls else "rtsp"
        self._place = f"{device.address}:{port}"
        self._session = ""
        self._channel = 0
        self._stream: Stream | None = None
        self._media: asyncio.Task[None] | None = None
        self._udp: UdpMedia | None = None

    async def run(self) -> None:
        device = self._device
        device.connections += 1
        device.open_connections += 1
        try:
            await self._talk()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the client is gone, or does not speak RTSP
        finally:
            device.open_connections -= 1
            self._leave()
            self._close_udp()
            if self._session:
                device.abandoned += 1
                device.sessions.discard(self._session)
            self._writer.close()

    async def _talk(self) -> None:
        mode = self._device.mode
        if mode == "silent":
            await self._drop_all()
        elif mode == "flooding":
            while True:
                self._writer.write(FLOOD)
                await self._writer.drain()
        elif mode == "banner":
            self._writer.write(b"SSH-2.0-dropbear_2019.78\r\n")
            await self._drop_all()
        while await self._exchange():
            pass

    async def _drop_all(self) -> None:
        """Read until the client gives up."""
        while await self._reader.read(4096):
            pass

    async def _exchange(self) -> bool:
        """Answer one request; False when the connection ends."""
        device = self._device
        is_ended = device.ends_silent and self._media is not None
        async with asyncio.timeout(device.timeouts[1] if is_ended else None):
            request = await self._request()
        if request is None:
            return False
        method, url, headers = request
        if method == "SETUP" and device.audio_code < 0 and _names_audio(url):
            return False
        if self._device.mode == "http":
            self._writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            await self._writer.drain()
            return False
        login = headers.get("authorization")
        agent = headers.get("user-agent", "")
        self._device.requests.append(
            Request(time.monotonic(), method, url, login is not None, agent)
        )
        status, extra, body = self._answer(method, url, headers)
        if method == device.hangs_at:
            return True
        return await self._send(method, headers.get("cseq", ""), status, extra, body)

    async def _request(self) -> tuple[str, str, dict[str, str]] | None:
        """Method, URL and headers (by lower-case name); None at the end. Skips what the client
        sends interleaved."""
        first = await self._reader.read(1)
        while first in (b"$", b"\r", b"\n"):
            if first == b"$":
                head = await self._reader.readexactly(3)
                await self._reader.readexactly(int.from_bytes(head[1:], "big"))
            first = await self._reader.read(1)
        if not first:
            return None
        head = first + await self._reader.readuntil(b"\r\n\r\n")
        start, *lines = head.decode("utf-8", "replace").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if length := int(headers.get("content-length", "0") or 0):
            await self._reader.readexactly(min(length, LONGEST_HEAD))
        method, url, _version = start.split(" ", 2)
        return method, url, headers

    async def _send(
        self, method: str, sequence: str, status: int, extra: Headers, body: bytes
    ) -> bool:
        device = self._device
        if device.mode == "wrong-cseq":
            sequence = str(int(sequence or 0) + 7)
        lines = [f"RTSP/1.0 {status} {REASONS.get(status, status)}"]
        if device.mode != "no-cseq":
            lines.append(f"CSeq: {sequence}")
        lines += [f"{name}: {value}" for name, value in extra]
        if body or method == "DESCRIBE":
            lines.append(f"Content-Length: {len(body)}")
        answer = "\r\n".join([*lines, "", ""]).encode() + body
        if device.mode == "closing" and method == "DESCRIBE" and status == 200:
            self._writer.write(answer[: len(answer) - len(body) // 2 - 1])
            await self._writer.drain()
            return False
        if device.mode == "chattering":
            noise = interleaved(STRANGE_CHANNEL, b"$RTSP/1.0 200 OK\r\n\r\n" * 3)
            answer = noise + sender_report(STRANGE_CHANNEL + 1) + b"\r\n" + answer + noise
        await self._write(answer)
        return True

    async def _write(self, answer: bytes) -> None:
        if self._device.mode == "slow":
            for place in range(len(answer)):
                self._writer.write(answer[place : place + 1])
                await self._writer.drain()
                await asyncio.sleep(self._device.pace)
        self._writer.write(answer if self._device.mode != "slow" else b"")
        await self._writer.drain()

    # -- answers -------------------------------------------------------------------------

    def _answer(self, method: str, url: str, headers: dict[str, str]) -> tuple[int, Headers, bytes]:
        device = self._device
        if method == "OPTIONS" and not device.asks_login_first:
            return 200, self._greeting(), b""
        outcome = self._login(method, headers)
        if outcome != "right":
            return self._refusal(outcome)
        match method:
            case "OPTIONS":
                return 200, self._greeting(), b""
            case "DESCRIBE":
                return self._describe(url)
            case "SETUP":
                return self._set_up(url, headers)
            case "PLAY":
                return self._play(headers)
            case "PAUSE" | "GET_PARAMETER" | "SET_PARAMETER":
                return 200, self._session_header(), b""
            case "TEARDOWN":
                return self._tear_down(headers)
        return 501, [], b""

    def _greeting(self) -> Headers:
        """Dahua opens no session with OPTIONS, but names one."""
        style = self._device.style
        extra: Headers = [("Session", f"1365{self._number:08}")] if style == "dahua" else []
        if server := self._device.server or SERVERS.get(style, ""):
            extra.append(("Server", server))
        return [*extra, ("Public", METHODS)]

    def _login(self, method: str, headers: dict[str, str]) -> str:
        if self._device.needs_user_agent and not headers.get("user-agent"):
            return "none"
        return self._device.accounts.judge(method, headers.get("authorization"))

    def _refusal(self, outcome: str) -> tuple[int, Headers, bytes]:
        accounts = self._device.accounts
        challenges = accounts.challenges(is_stale=outcome == "stale")
        extra = [("WWW-Authenticate", challenge) for challenge in challenges]
        left = accounts.attempts_left
        if left is None or outcome not in ("wrong", "locked"):
            return 401, extra, b""
        text = f"Login failed. You still have {left} attempt(s)."
        return 401, [*extra, ("Content-Type", "text/plain")], text.encode()

    def _describe(self, url: str) -> tuple[int, Headers, bytes]:
        device = self._device
        if device.mode in DESCRIBE_MODES:
            return DESCRIBE_MODES[device.mode], [], b""
        if device.describe_code:
            return device.describe_code, [], b""
        if device.mode == "redirecting":
            count = device.asked["DESCRIBE"]
            return 302, [("Location", f"{self._base()}/again{count}")], b""
        if device.redirect and url != device.redirect:
            return 302, [("Location", device.redirect)], b""
        path, stream = self._match(url)
        if stream is None or stream.status != 200:
            return stream.status if stream else 404, [], b""
        description = self._description(path, stream)
        return 200, list(description.head), description.body

    def _description(self, path: str, stream: Stream) -> Description:
        style = "no-video" if self._device.mode == "no-video" else stream.style
        described = STYLES[style or self._device.style](stream, self._base() + path)
        return huge(described, self._device.huge) if self._device.mode == "huge" else described

    def _base(self) -> str:
        """What its URLs begin with."""
        accounts = self._device.accounts
        login = f"{quote(accounts.username, '')}:{quote(accounts.password, '')}@"
        shown = login if self._device.echoes_login and accounts.username else ""
        return f"{self._scheme}://{shown}{self._place}"

    def _match(self, url: str) -> tuple[str, Stream | None]:
        """The stream of a URL, which may go on with a control; the longest path is taken."""
        asked = "/" + url.partition("://")[2].partition("/")[2]
        fitting = [path for path in self._device.streams if asked.startswith(path)]
        fitting = [path for path in fitting if not asked[len(path) :][:1].isalnum()]
        if not fitting and self._device.style == "hikvision":
            fitting = [path for path in self._device.streams if asked.startswith(_bare(path))]
        if not fitting:
            return "", None
        longest = max(fitting, key=len)
        return longest, self._device.streams[longest]

    def _set_up(self, url: str, headers: dict[str, str]) -> tuple[int, Headers, bytes]:
        device = self._device
        if device.mode in SETUP_MODES:
            return SETUP_MODES[device.mode], [], b""
        if device.setup_code:
            return device.setup_code, [], b""
        transport = headers.get("transport", "")
        is_tcp = "interleaved" in transport or "RTP/AVP/TCP" in transport
        if not (is_tcp or device.udp_code) or (is_tcp and device.udp_code not in (0, 200)):
            return device.udp_code or 461, [], b""
        path, stream = self._match(url)
        if stream is None:
            return 404, [], b""
        if device.audio_code and _names_audio(url):
            return device.audio_code, [], b""
        if not self._session:
            if device.viewers and len(device.sessions) >= device.viewers:
                return 453, [], b""
            self._session = f"{70_000_000 + self._number}"
            device.sessions.add(self._session)
        if url.endswith(_video_control(self._description(path, stream))):
            self._stream, self._channel = stream, _channel(transport)
        if device.udp_code:
            answer = self._udp_transport(_number(transport, "client_port"), url)
            return 200, [("Transport", answer), *self._session_header(device.timeouts[0])], b""
        answer = device.transport or TRANSPORTS.get(device.style, USUAL_TRANSPORT)
        channel = _channel(transport)
        answer = answer.format(first=channel, second=channel + 1)
        return 200, [("Transport", answer), *self._session_header(device.timeouts[0])], b""

    def _udp_transport(self, port: int, url: str) -> str:
        """The Transport of a medium over UDP; of the sound nothing is sent."""
        client = self._writer.get_extra_info("peername")[0]
        media = UdpMedia(self._device.address, client, port)
        if _names_audio(url):
            media.close()
        else:
            self._close_udp()
            self._udp = media
        ports = "-".join(map(str, media.ports))
        return f"RTP/AVP;unicast;client_port={port}-{port + 1};server_port={ports}"

    def _close_udp(self) -> None:
        if self._udp is not None:
            self._udp.close()

    def _session_header(self, timeout: int = 0) -> Headers:
        if not self._session:
            return []
        padding = "       " if self._device.style == "hikvision" else ""
        suffix = f";timeout={timeout}" if timeout else ""
        return [("Session", f"{padding}{self._session}{suffix}")]

    def _owns(self, headers: dict[str, str]) -> bool:
        """Dahua believes any session."""
        session = headers.get("session", "").split(";")[0]
        return bool(self._session) and (self._device.style == "dahua" or session == self._session)

    def _play(self, headers: dict[str, str]) -> tuple[int, Headers, bytes]:
        if not self._owns(headers):
            return 454, [], b""
        self._leave()
        work = play(
            self._stream or Stream("none"), self._channel, self._device.mode, self._send_media
        )
        self._media = asyncio.get_running_loop().create_task(work)
        info = ("RTP-Info", "url=trackID=0;seq=0;rtptime=0;")
        extra = [("Range", "npt=0.000-"), info]
        return 200, [*self._session_header(self._device.timeouts[1]), *extra], b""

    def _send_media(self, block: bytes) -> None:
        """Skips a picture where the client does not read fast enough."""
        if self._udp is not None:
            self._udp.send(block)
            return
        with suppress(OSError):
            if self._writer.transport.get_write_buffer_size() < len(FLOOD):
                self._writer.write(block)

    def _leave(self) -> None:
        if self._media is not None:
            self._media.cancel()
            self._media = None

    def _tear_down(self, headers: dict[str, str]) -> tuple[int, Headers, bytes]:
        if not self._owns(headers):
            return 454, [], b""
        self._leave()
        self._device.teardowns += 1
        self._device.sessions.discard(self._session)
        self._session, self._stream = "", None
        return 200, [], b""


def _bare(path: str) -> str:
    return path.partition("?")[0].rstrip("/") + "/"


def _video_control(description: Description) -> str:
    """The control of the video, or of its first medium where there is none."""
    text = description.body.decode()
    _before, mark, media = text.partition("m=video")
    control = (media if mark else text.partition("m=")[2]).partition("a=control:")[2]
    return control.split("\n")[0].strip()


USUAL_TRANSPORT = "RTP/AVP/TCP;unicast;interleaved={first}-{second};ssrc=5E5E5E5E"
TRANSPORTS = {
    "hikvision": 'RTP/AVP/TCP;unicast;interleaved={first}-{second};ssrc=5e5e5e5e;mode="play"',
    "tp-link": "RTP/AVP/TCP;ssrc=1583242846;interleaved={first}-{second}",
}


def _channel(transport: str) -> int:
    """The first channel that the client asked for."""
    return _number(transport, "interleaved")


def _number(transport: str, parameter: str) -> int:
    """The first of the two numbers of this parameter; 0 where it is missing."""
    for part in transport.split(";"):
        name, _, value = part.partition("=")
        if name.strip() == parameter:
            return int(value.split("-")[0])
    return 0


def _names_audio(url: str) -> bool:
    """True for the control of the sound, in the styles whose second medium it is."""
    return url.endswith("/track2")
