"""Begin to play a stream: SETUP of its media, PLAY, and the connection handed out as it is.

TCP first, and UDP once where the device refuses TCP. The picture decides: sound that cannot be set
up is left out. What is read of the media then is in `sources/rtsp_playing.py`.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fleet.model import NoAnswer
from sources import playable_media, session_description
from sources.playable_media import NotPlayable
from sources.rtsp_client import Connection, Pump
from sources.rtsp_playing import HasChannel, Playing
from sources.rtsp_wire import Response, TooLong
from sources.session_description import Description, Medium
from sources.source import SessionRefused

TCP, UDP = "tcp", "udp"
REQUESTS = {
    TCP: "RTP/AVP/TCP;unicast;interleaved={}-{}",
    UDP: "RTP/AVP;unicast;client_port={}-{}",
}
AUDIO_TIMEOUT = 3.0
"""Seconds that a device has to accept its own sound."""
RECEIVE_BUFFER = 2 << 20
PORT_TRIES = 32
"""Attempts to get two ports in a row, the first of them even (RFC 3550, section 11)."""
MAX_CHANNEL = 255
BUSY = frozenset((453, 503))
NO_UDP_PORT = "it does not say from which port it sends the stream over UDP"

NO_PORTS = "this server has no two free UDP ports in a row"


class CannotPlay(Exception):
    """There is no stream: `kind` is that of the finding, the text the reason."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class SoundFails(Exception):
    """The device did not survive the question for its sound: to be asked again without it."""


@dataclass(frozen=True, slots=True)
class PlayedMedium:
    """A medium that plays, as in `video.model.OpenedMedium`."""

    kind: str
    encoding: str
    channel: int


@dataclass(frozen=True, slots=True)
class Played:
    """A stream that plays, as in `video.model.OpenedStream`. With TLS, `pump` must run."""

    description: bytes
    media: tuple[PlayedMedium, ...]
    transport: str
    sockets: tuple[socket.socket, ...]
    control: Mapping[str, Any] = field(repr=False)
    rest: bytes = field(repr=False)
    pump: Pump | None = None

    def close(self) -> None:
        """End the session, and close the sockets."""
        end_session(self.control, self.media, self.sockets)


def end_session(
    control: Mapping[str, Any], media: Iterable[HasChannel], sockets: Sequence[socket.socket]
) -> None:
    """Send TEARDOWN for a stream that nobody reads, and close its sockets. Never blocks."""
    with suppress(OSError):
        sockets[0].setblocking(False)
        sockets[0].send(Playing(control, media).teardown())
    for sock in sockets:
        sock.close()


@dataclass(slots=True)
class _Pair:
    """Two UDP sockets for RTP and RTCP, which take packets of the device alone."""

    rtp: socket.socket
    rtcp: socket.socket

    @classmethod
    def bound(cls, address: str) -> "_Pair":
        """Two ports in a row at this address of ours. Raises CannotPlay."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for _ in range(PORT_TRIES):
            pair = cls(_datagrams(family), _datagrams(family))
            try:
                pair.rtp.bind((address, 0))
                port = pair.port
                if port % 2 == 0:
                    pair.rtcp.bind((address, port + 1))
                    return pair
            except OSError:
                pass
            pair.close()
        raise CannotPlay("stream.refused", NO_PORTS)

    @property
    def port(self) -> int:
        return int(self.rtp.getsockname()[1])

    def connect(self, host: str, ports: tuple[int, int]) -> None:
        """Take packets of these ports of the device alone, and none that came before."""
        for sock, port in zip((self.rtp, self.rtcp), ports, strict=True):
            sock.connect((host, port))
            with suppress(OSError):
                while sock.recv(1):
                    pass

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


def _datagrams(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    return sock


class MediaSetup:
    """The media of one connection that are set up. `transport` is the one to begin with, then the
    one that the device took. `close()` closes the sockets of UDP."""

    def __init__(self, connection: Connection, base: str, transport: str = TCP) -> None:
        self.connection = connection
        self.base = base
        self.transport = transport or TCP
        self.media: list[tuple[Medium, int]] = []
        self.pairs: list[_Pair] = []

    def close(self) -> None:
        for pair in self.pairs:
            pair.close()

    async def set_up_video(self, video: Medium) -> None:
        """Set the picture up, over the other transport if the device refuses the first. Raises
        CannotPlay and SessionRefused, and whatever a request does."""
        response = await self._set_up(video)
        if _refuses(response, self.transport):
            code = response.code
            self.transport = UDP if self.transport == TCP else TCP
            response = await self._set_up(video)
            if _refuses(response, self.transport):
                raise CannotPlay("stream.transport", transport_reason(code))
        if response.code in BUSY:
            raise SessionRefused(session_reason(response.code))
        if not response.is_success:
            text = f"it refuses to send the stream (RTSP {response.code})"
            raise CannotPlay("stream.refused", text)

    async def set_up_audio(self, audio: Medium) -> None:
        """Set the sound up, if the device takes that. Raises SoundFails where the connection is
        not usable after it."""
        try:
            async with asyncio.timeout(AUDIO_TIMEOUT):
                await self._set_up(audio)
        except CannotPlay:
            return
        except (TimeoutError, NoAnswer, TooLong, OSError) as error:
            raise SoundFails from error

    async def _set_up(self, medium: Medium) -> Response:
        """Ask for one medium. It is set up if the device accepts it."""
        pair = _Pair.bound(self.connection.ends[0]) if self.transport == UDP else None
        channel = 2 * len(self.media)
        first = pair.port if pair else channel
        headers = {"Transport": REQUESTS[self.transport].format(first, first + 1)}
        url = session_description.control_url(self.connection.url, self.base, medium.control)
        try:
            response = await self.connection.ask_renewing("SETUP", url, headers)
            if response.is_success and not _refuses(response, self.transport):
                self._accepted(medium, channel, pair, response.header("transport"))
                pair = None
        finally:
            if pair is not None:
                pair.close()
        return response

    def _accepted(self, medium: Medium, channel: int, pair: _Pair | None, answer: str) -> None:
        if pair is None:
            own = _first_of(answer, "interleaved", channel)
            # Some devices name the same channels for every medium, and send on those asked for.
            is_free = all(abs(own - taken) > 1 for _medium, taken in self.media)
            channel = own if own < MAX_CHANNEL and is_free else channel
        else:
            pair.connect(self.connection.ends[1], _server_ports(answer))
            self.pairs.append(pair)
        self.media.append((medium, channel))


@dataclass(slots=True)
class Opening:
    """The way of one stream to its reader: `played` once it plays, until `take()`.

    `has_audio`: the sound is wanted, too. `on_accepted` is called when the device has shown what
    it offers, after any login.
    """

    on_accepted: Callable[[], None] = lambda: None
    has_audio: bool = True
    played: Played | None = None

    def take(self) -> Played | None:
        """The stream that plays, for its reader, once."""
        played, self.played = self.played, None
        return played

    def close(self) -> None:
        """End what nobody took."""
        if (played := self.take()) is not None:
            played.close()

    async def play(
        self, setup: MediaSetup, description: Description, has_get_parameter: bool
    ) -> None:
        """Play the media of a connection. Raises as `set_up_video` does, and SoundFails."""
        self.on_accepted()
        video = description.video
        assert video is not None
        try:
            playable_media.lines_of(video)
        except NotPlayable as error:
            raise CannotPlay("stream.unreadable", str(error)) from None
        try:
            await setup.set_up_video(video)
            audio = description.audio if self.has_audio else None
            if audio is not None and playable_media.is_playable(audio):
                await setup.set_up_audio(audio)
            await self._begin(setup, description, has_get_parameter)
        finally:
            if self.played is None:
                setup.close()

    async def _begin(
        self, setup: MediaSetup, description: Description, has_get_parameter: bool
    ) -> None:
        connection = setup.connection
        url = session_description.control_url(connection.url, setup.base, description.control)
        connection.url, connection.keeps_media = url, True
        response = await connection.ask_renewing("PLAY", url, {"Range": "npt=0.000-"})
        if response.code in BUSY:
            raise SessionRefused(session_reason(response.code))
        if not response.is_success:
            text = f"it refuses to play the stream (RTSP {response.code})"
            raise CannotPlay("stream.refused", text)
        login = connection.authorization
        control = {
            "transport": setup.transport,
            "url": url,
            "session": connection.session,
            "number": connection.number,
            "has_get_parameter": has_get_parameter,
            "timeout": connection.timeout,
            "login": login.values if login else None,
        }
        out = await connection.hand_out()
        sockets = [out.socket]
        for pair in setup.pairs:
            sockets += [pair.rtp, pair.rtcp]
        self.played = Played(
            playable_media.description([medium for medium, _channel in setup.media]),
            tuple(
                PlayedMedium(medium.kind, playable_media.encoding_of(medium), channel)
                for medium, channel in setup.media
            ),
            *(setup.transport, tuple(sockets), control, out.rest, out.pump),
        )


def offers_get_parameter(options: Response) -> bool:
    """True if the response to OPTIONS names it, as the sign of life that most devices want."""
    return "GET_PARAMETER" in options.header("public").upper().replace(",", " ").split()


def _refuses(response: Response, transport: str) -> bool:
    """True if the device does not send over this transport, or chose another one by itself."""
    answer = response.header("transport").lower()
    if response.is_success and answer:
        is_tcp = "interleaved" in answer or "/tcp" in answer
        return "multicast" in answer or is_tcp != (transport == TCP)
    return response.code in (406, 461) or "unsupported transport" in response.reason.lower()


def transport_reason(code: int) -> str:
    return f"it sends the stream only over UDP or multicast, not over TCP (RTSP {code})"


def session_reason(code: int) -> str:
    return f"busy, or at its limit of viewers (RTSP {code})"


def _server_ports(answer: str) -> tuple[int, int]:
    first = _first_of(answer, "server_port", 0)
    if not 0 < first < 65535:
        raise CannotPlay("stream.transport", NO_UDP_PORT)
    return first, first + 1


def _first_of(transport: str, name: str, default: int) -> int:
    """The first of the two numbers of this parameter of a Transport header."""
    for part in transport.split(";"):
        key, _, value = (text.strip() for text in part.partition("="))
        first = value.partition("-")[0].strip()
        if key.lower() == name and first.isascii() and first.isdecimal() and len(first) < 6:
            return int(first)
    return default
