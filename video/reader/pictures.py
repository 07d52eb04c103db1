"""The pictures of one stream, decoded in a thread of their own: recording waits for no decoder."""

from collections import deque
from collections.abc import Iterable
from threading import Condition, Thread

from video.jpegs import Jpegs
from video.packets import EncodedPacket
from video.reader.sending import Send, picture_message
from video.watching import PictureOptions

MAX_WAITING = 4 << 20
"""Bytes of packets that wait for the decoder; it goes on at the next key frame when it is slow."""


class Pictures:
    """Makes pictures as long as somebody wants them."""

    def __init__(self, number: int, send: Send) -> None:
        self._number = number
        self._send = send
        self._changed = Condition()
        self._packets: deque[EncodedPacket] = deque()
        self._waiting = 0
        self._needs_key = True
        self._wanted: frozenset[PictureOptions] = frozenset()
        self._is_closed = False
        self._thread = Thread(target=self._run, name="pictures", daemon=True)
        self._thread.start()

    def want(self, options: Iterable[PictureOptions]) -> None:
        with self._changed:
            self._wanted = frozenset(options)

    def feed(self, packet: EncodedPacket) -> None:
        """Give the decoder a packet of video; never blocks."""
        with self._changed:
            if self._waiting + len(packet.data) > MAX_WAITING:
                self._packets.clear()
                self._waiting, self._needs_key = 0, True
            if self._needs_key and not packet.is_key:
                return
            self._needs_key = False
            self._packets.append(packet)
            self._waiting += len(packet.data)
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _next(self) -> tuple[EncodedPacket, frozenset[PictureOptions]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._packets or self._is_closed)
            if self._is_closed:
                return None
            packet = self._packets.popleft()
            self._waiting -= len(packet.data)
            return packet, self._wanted

    def _run(self) -> None:
        jpegs = Jpegs()
        while (work := self._next()) is not None:
            for options, picture in jpegs.feed(*work):
                self._send(picture_message(self._number, options, picture))
