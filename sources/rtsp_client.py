"""An RTSP connection: one request after the other, and the end of each session that was begun, or
the connection itself handed out while its stream plays.

It has no deadline of its own: the caller cancels it. The bytes of one exchange are limited.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from fleet.model import NoAnswer
from sources import login_challenges, net, tls
from sources.login_challenges import Authorization
from sources.rtsp_wire import Interleaved, InvalidResponse, Reader, Response, TooLong, request

PIECE = 16 * 1024
"""Bytes that are read before another device has its turn."""
MAX_EXCHANGE = 1024 * 1024
"""Bytes from a request to its response, interleaved data included."""
PUMPED = 64 * 1024
"""Bytes that are carried at once."""
TEARDOWN = 1.0
"""Seconds that the device has to confirm the end of a session."""


class Closed(NoAnswer):
    """The device closed the connection before its response."""


class Connection:
    """A connection to a device. Use it as a context: the end closes the session and the socket.

    `certificate` is the fingerprint of the device's certificate, None without TLS. `url` is that of
    the stream, which ends the session. `authorization` goes with every request once it is set.
    `timeout` is the one that the device named last for the session. With `keeps_media`, what comes
    interleaved is not skipped.
    """

    def __init__(self, host: str, port: int, url: str, *, uses_tls: bool) -> None:
        self.certificate: str | None = None
        self.url = url
        self.authorization: Authorization | None = None
        self.session = ""
        self.timeout: float | None = None
        self.keeps_media = False
        self.number = 0
        self._media = bytearray()
        self._is_handed_out = False
        self._place = host, port
        self._uses_tls = uses_tls
        self._messages = Reader()

    async def __aenter__(self) -> Self:
        """Connect. Raises as `tls.open_connection` does."""
        opened = await tls.open_connection(*self._place, uses_tls=self._uses_tls)
        self._reader, self._writer, self.certificate = opened
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._is_handed_out:
            return
        try:
            if self.session:
                await self._end_session(is_hurried=kind is not None)
        finally:
            if self._uses_tls:
                # An orderly end of TLS would wait for the device.
                self._writer.transport.abort()
            else:
                self._writer.close()

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a request and return its response. What the device sends besides is skipped.

        A response without a number, or with a wrong one, is taken: nothing else can be meant.
        Raises NoAnswer, TooLong and OSError.
        """
        self._send(method, url, headers or {})
        try:
            response = await self._response()
        except InvalidResponse as error:
            if isinstance(error, TooLong):
                raise
            raise NoAnswer(f"it {error}") from None
        except ssl.SSLError as error:
            raise NoAnswer(tls.reason_of(error)) from None
        self.session = response.session or self.session
        self.timeout = response.timeout or self.timeout
        return response

    async def ask_renewing(
        self, method: str, url: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        """As `ask`, with one answer to the newer nonce of a device whose nonces are for one use."""
        response = await self.ask(method, url, headers)
        if response.code != 401 or self.authorization is None:
            return response
        offered = login_challenges.challenges(response.every("www-authenticate"))
        newer = login_challenges.renewed(self.authorization.challenge, offered, is_silent=True)
        if newer is None:
            return response
        self.authorization = self.authorization.renewed(newer)
        return await self.ask(method, url, headers)

    @property
    def ends(self) -> tuple[str, str]:
        """Our address and that of the device, as the connection has them."""
        ours, theirs = map(self._writer.get_extra_info, ("sockname", "peername"))
        return str(ours[0]), str(theirs[0])

    async def hand_out(self) -> "HandedOut":
        """Hand the connection out as it is. It is not closed at the end of the context any more,
        and nothing can be asked."""
        self._is_handed_out = True
        rest = bytes(self._media) + self._messages.rest
        if self._uses_tls:
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            return HandedOut(theirs, rest, Pump(self._reader, self._writer, ours))
        transport = self._writer.transport
        with suppress(RuntimeError):
            transport.pause_reading()  # type: ignore[attr-defined]
        self._reader.feed_eof()
        rest += await self._reader.read()
        sock = socket.socket(fileno=os.dup(self._writer.get_extra_info("socket").fileno()))
        transport.abort()
        return HandedOut(sock, rest, None)

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> None:
        self.number += 1
        own = {"User-Agent": net.USER_AGENT}
        if self.session:
            own["Session"] = self.session
        if self.authorization:
            own["Authorization"] = self.authorization.answer(method, url)
        self._writer.write(request(method, url, self.number, {**own, **headers}))

    async def _response(self) -> Response:
        size = 0
        while True:
            while (message := self._messages.next()) is not None:
                if isinstance(message, Response) and message.code >= 200:
                    return message
                if isinstance(message, Interleaved) and self.keeps_media:
                    self._media += message.framed
            # Full buffers never wait, so a device that floods would hold all others.
            await asyncio.sleep(0)
            data = await self._reader.read(PIECE)
            size += len(data)
            if not data:
                raise Closed(self._reason_of_end())
            if size > MAX_EXCHANGE:
                raise NoAnswer(f"it sent more than {MAX_EXCHANGE >> 20} MB and no response")
            self._messages.feed(data)
            if not self.keeps_media:
                self._messages.skip_media()

    def _reason_of_end(self) -> str:
        if self._messages.is_within_message:
            return "it closed the connection in the middle of a response"
        return "it closed the connection without a response"

    async def _end_session(self, *, is_hurried: bool) -> None:
        """TEARDOWN on every way out. After an error its response is not awaited."""
        self._send("TEARDOWN", self.url, {})
        if is_hurried:
            return
        try:
            async with asyncio.timeout(TEARDOWN):
                await self._response()
        except (TimeoutError, NoAnswer, InvalidResponse, OSError):
            return


class Pump:
    """Carries the bytes between a connection with TLS and the socket of the reader of its stream.

    `run()` ends when either side does.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ours: socket.socket
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._ours = ours

    async def run(self) -> None:
        """Carry them until one side ends, or it is cancelled. What the reader sent last is carried
        in any case: the end of the session."""
        sending = asyncio.create_task(self._send())
        receiving = asyncio.create_task(self._receive())
        try:
            await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
            if not self._reader.at_eof():
                await asyncio.wait((sending,), timeout=TEARDOWN)
        finally:
            sending.cancel()
            receiving.cancel()
            self.close()

    def close(self) -> None:
        """Close both sides. An orderly end of TLS would wait for the device."""
        self._writer.transport.abort()
        self._ours.close()

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await self._reader.read(PUMPED):
                await loop.sock_sendall(self._ours, data)

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await loop.sock_recv(self._ours, PUMPED):
                self._writer.write(data)
                await self._writer.drain()


@dataclass(frozen=True, slots=True)
class HandedOut:
    """A connection that plays: its socket, or one end of a pair that `pump` connects with it while
    it runs; `rest` are the bytes that were read already, interleaved packets and what follows."""

    socket: socket.socket
    rest: bytes = field(repr=False)
    pump: Pump | None
