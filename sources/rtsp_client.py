"""An RTSP connection: one request after the other, and the end of each session that was begun.

It has no deadline of its own: the caller cancels it. The bytes of one exchange are limited.
"""

import asyncio
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from fleet.model import NoAnswer
from sources import net, tls
from sources.login_challenges import Authorization
from sources.rtsp_wire import InvalidResponse, Reader, Response, TooLong, request

PIECE = 16 * 1024
"""Bytes that are read before another device has its turn."""
MAX_EXCHANGE = 1024 * 1024
"""Bytes from a request to its response, interleaved data included."""
TEARDOWN = 1.0
"""Seconds that the device has to confirm the end of a session."""


class Connection:
    """A connection to a device. Use it as a context: the end closes the session and the socket.

    `certificate` is the fingerprint of the device's certificate, None without TLS. `url` is that of
    the stream, which ends the session. `authorization` goes with every request once it is set.
    """

    def __init__(self, host: str, port: int, url: str, *, uses_tls: bool) -> None:
        self.certificate: str | None = None
        self.url = url
        self.authorization: Authorization | None = None
        self.session = ""
        self._place = host, port
        self._uses_tls = uses_tls
        self._messages = Reader()
        self._number = 0

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
        return response

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> None:
        self._number += 1
        own = {"User-Agent": net.USER_AGENT}
        if self.session:
            own["Session"] = self.session
        if self.authorization:
            own["Authorization"] = self.authorization.answer(method, url)
        self._writer.write(request(method, url, self._number, {**own, **headers}))

    async def _response(self) -> Response:
        size = 0
        while True:
            while (message := self._messages.next()) is not None:
                if isinstance(message, Response) and message.code >= 200:
                    return message
            # Full buffers never wait, so a device that floods would hold all others.
            await asyncio.sleep(0)
            data = await self._reader.read(PIECE)
            size += len(data)
            if not data:
                raise NoAnswer(self._reason_of_end())
            if size > MAX_EXCHANGE:
                raise NoAnswer(f"it sent more than {MAX_EXCHANGE >> 20} MB and no response")
            self._messages.feed(data)
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
