"""A stream that plays: its packets out of the bytes of the connection, and what keeps it alive.

Pure, no I/O: the process with the sockets feeds it. RFC 2326 as cameras speak it: responses and
requests between packets, stray bytes, and packets of a session that ended without their knowledge.
"""

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any, Protocol

from sources import login_challenges, net
from sources.login_challenges import Authorization
from sources.rtsp_wire import InvalidResponse, Request, Response, read_head, request

DEFAULT_TIMEOUT = 60.0
"""Seconds after which a server ends a silent session, where it names none (RFC 2326, 12.37)."""
SHORTEST, LONGEST = 1.0, 30.0
"""Seconds between two signs of life, whatever the device names."""
MESSAGES = (
    *(b"RTSP/", b"TEARDOWN ", b"ANNOUNCE ", b"REDIRECT ", b"OPTIONS "),
    *(b"GET_PARAMETER ", b"SET_PARAMETER "),
)
"""How responses and the requests of a device begin."""
LONGEST_MARK = max(map(len, MESSAGES))
MAX_HEAD = 8 * 1024
"""Bytes of a message before its body; while media flow, no device sends much of one."""
PACKET, LINE_ENDS = b"$", b"\r\n"
SHORTEST_PACKET = 8
"""Bytes of an RTCP packet without anything in it; an RTP packet has 12."""
RTP_VERSION = 2
ENDS = {
    "TEARDOWN": "the device ended the stream",
    "ANNOUNCE": "the device announced another stream",
    "REDIRECT": "the device redirects the stream",
}
"""Requests after which nothing more comes."""
REFUSED = "the device refuses the login of the stream that plays"
NO_SUCH_METHOD = frozenset((400, 404, 405, 451, 454, 501, 551))
"""Responses to GET_PARAMETER of devices that want OPTIONS instead."""


class HasChannel(Protocol):
    """A medium with the channel of its RTP packets; RTCP has the next one."""

    @property
    def channel(self) -> int: ...


class Playing:
    """One stream after PLAY, by the `control` of `sources/rtsp_play.py`. Times are those of the
    monotonic clock; `rest` is what was read before, whose packets the first `feed` gives too.
    `ended` is the reason why nothing more comes, empty as long as the device said nothing;
    `refusals`: logins that it refused, most likely as its password was changed. After each `feed`,
    what `to_send` gives goes to the device.
    """

    def __init__(
        self,
        control: Mapping[str, Any],
        media: Iterable[HasChannel],
        rest: bytes = b"",
        now: float | None = None,
    ) -> None:
        is_interleaved = control["transport"] == "tcp"
        first = [medium.channel for medium in media] if is_interleaved else []
        self._channels = frozenset(first + [channel + 1 for channel in first])
        self._url = str(control["url"])
        self._session = str(control["session"])
        self._number = int(control["number"])
        self._method = "GET_PARAMETER" if control["has_get_parameter"] else "OPTIONS"
        login = control.get("login")
        self._authorization = Authorization.restored(login) if login else None
        self._asks_first = bool(control.get("asks_first"))
        self._early = float(control.get("early") or 0.0)
        self._timeout = float(control.get("timeout") or DEFAULT_TIMEOUT)
        self._rest = rest
        self._is_in_step = True
        self._asked: tuple[str, int] | None = None
        self._has_renewed = False
        self._output = bytearray()
        self.ended = ""
        self.refusals = 0
        self.next_keep_alive = (monotonic() if now is None else now) + self._interval

    @property
    def _interval(self) -> float:
        return min(LONGEST, max(SHORTEST, self._timeout / 2)) * (1 - self._early)

    # -- what the device sends -----------------------------------------------------------

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The packets that are whole now, each with its channel, in their order."""
        buffer = self._rest + data if self._rest else data
        packets = list[tuple[int, bytes]]()
        place, size = 0, len(buffer)
        while place < size:
            if not self._is_in_step:
                place = self._next_mark(buffer, place)
                if place >= size:
                    break
            after = self._step(buffer, place, packets)
            if after is None:
                break
            place = after
        self._rest = buffer[place:]
        return packets

    def _next_mark(self, buffer: bytes, place: int) -> int:
        """Where the next thing may begin after stray bytes; a part of a mark at the end is kept."""
        packet = buffer.find(PACKET, place)
        end = len(buffer) if packet < 0 else packet
        places = (buffer.find(mark, place, end) for mark in MESSAGES)
        first = min((at for at in places if at >= 0), default=end)
        if first < len(buffer):
            return first
        for start in range(max(place, end - LONGEST_MARK + 1), end):
            if _may_be_message(buffer[start:]):
                self._is_in_step = True
                return start
        return end

    def _step(self, buffer: bytes, place: int, packets: list[tuple[int, bytes]]) -> int | None:
        """Read what begins here and return where it ends; None until more bytes are there."""
        first = buffer[place]
        if first == PACKET[0]:
            return self._packet(buffer, place, packets)
        if first in LINE_ENDS:
            return place + 1
        begin = buffer[place : place + LONGEST_MARK]
        if begin.startswith(MESSAGES):
            return self._message(buffer, place)
        if _may_be_message(begin):
            return None
        self._is_in_step = False
        return place

    def _packet(self, buffer: bytes, place: int, packets: list[tuple[int, bytes]]) -> int | None:
        """A packet. Those of other channels are left over from a session that ended; behind stray
        bytes, only what looks like RTP is one."""
        size = len(buffer) - place
        if size < 4:
            return None
        channel, length = buffer[place + 1], buffer[place + 2] << 8 | buffer[place + 3]
        is_own, end = channel in self._channels, place + 4 + length
        if length >= SHORTEST_PACKET and size < 5:
            return None
        is_media = length >= SHORTEST_PACKET and buffer[place + 4] >> 6 == RTP_VERSION
        if not (is_own and is_media) and not (self._is_in_step and (is_own or is_media)):
            self._is_in_step = False
            return place + 1
        if end > len(buffer):
            return None
        self._is_in_step = True
        if is_own and is_media:
            packets.append((channel, buffer[place + 4 : end]))
        return end

    def _message(self, buffer: bytes, place: int) -> int | None:
        """A response or a request of the device, which may not be whole yet."""
        end = _end_of_head(buffer, place)
        if end is None:
            if len(buffer) - place < MAX_HEAD:
                return None
            self._is_in_step = False
            return place + MAX_HEAD  # As a whole: each byte of a false message is read once.
        try:
            message, length = read_head(buffer[place:end])
        except InvalidResponse:
            self._is_in_step = False
            return end
        if end + length > len(buffer):
            return None
        self._is_in_step = True
        if isinstance(message, Response):
            self._answered(message)
        else:
            self._asked_by_device(message)
        return end + length

    # -- keep-alive ----------------------------------------------------------------------

    def keep_alive(self, now: float) -> bytes:
        """The request that keeps the session alive, to be sent at `next_keep_alive`."""
        self.next_keep_alive = now + self._interval
        self._has_renewed = False
        return self._ask(with_login=not self._asks_first)

    def teardown(self) -> bytes:
        """The request that ends the session."""
        return self._request("TEARDOWN")

    def to_send(self) -> bytes:
        """What is to be sent now, each byte once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def _ask(self, *, with_login: bool = True) -> bytes:
        data = self._request(self._method, with_login=with_login)
        self._asked = self._method, self._number
        return data

    def _request(self, method: str, *, with_login: bool = True) -> bytes:
        self._number += 1
        headers = {"User-Agent": net.USER_AGENT, "Session": self._session}
        if self._authorization and with_login:
            headers["Authorization"] = self._authorization.answer(method, self._url)
        return request(method, self._url, self._number, headers)

    def _answered(self, response: Response) -> None:
        if self._asked is None or response.code < 200:
            return
        method, number = self._asked
        if response.cseq not in (None, number):
            return
        self._asked = None
        timeout = response.timeout
        if timeout and timeout != self._timeout:
            later = self._interval
            self._timeout = timeout
            self.next_keep_alive += self._interval - later
        if response.code == 401:
            self._refused(response)
        elif method == "GET_PARAMETER" and response.code in NO_SUCH_METHOD:
            self._method = "OPTIONS"
            self._output += self._ask()
        elif response.code == 454:
            self.ended = "the device no longer knows the session (RTSP 454)"

    def _refused(self, response: Response) -> None:
        """Answer a newer nonce once, where the device says that the login itself was not refused.
        One that was refused ends the stream, and nothing more is sent with it: each refusal may
        count for a lockout."""
        used = self._authorization
        offered = login_challenges.challenges(response.every("www-authenticate"))
        was_sent = not self._asks_first or self._has_renewed
        newer = used and login_challenges.renewed(used.challenge, offered, is_silent=not was_sent)
        if used and newer and not self._has_renewed:
            self._has_renewed = True
            self._authorization = used.renewed(newer)
            self._output += self._ask()
        elif used and was_sent:
            self.refusals += 1
            self.forget_login()
            self.ended = REFUSED
        elif used:
            self.forget_login()

    def forget_login(self) -> None:
        """Send no login any more. OPTIONS without one goes on: devices answer it to everybody."""
        self._authorization, self._method = None, "OPTIONS"

    def _asked_by_device(self, message: Request) -> None:
        """Answer a request of the device, or end."""
        if message.method in ENDS:
            self.ended = self.ended or ENDS[message.method]
            return
        number = next((value for name, value in message.headers if name == "cseq"), "")
        lines = ["RTSP/1.0 200 OK", *([f"CSeq: {number}"] if number.isdecimal() else [])]
        self._output += ("\r\n".join(lines) + "\r\n\r\n").encode()


def _may_be_message(begin: bytes) -> bool:
    """True if these last bytes of what came so far may become the beginning of a message."""
    return any(mark.startswith(begin) for mark in MESSAGES)


def _end_of_head(buffer: bytes, place: int) -> int | None:
    limit = place + MAX_HEAD
    ends = [
        at + len(mark)
        for mark in (b"\r\n\r\n", b"\n\n")
        if (at := buffer.find(mark, place, limit)) >= 0
    ]
    return min(ends, default=None)
