"""The recording of one stream, written in a thread of its own: viewers wait for no disk."""

from collections.abc import Mapping, Sequence
from threading import Condition, Thread
from time import monotonic
from typing import Any

from video.message_values import plan_of
from video.model import StreamKey
from video.packets import EncodedPacket
from video.reader.sending import Send, segment_message
from video.segment_file import SegmentWriter

MAX_WAITING = 16 << 20
"""Bytes of packets that wait for the disk: more than a minute of a usual stream."""
TICK = 1.0
"""Seconds without packets after which what waits is written."""
TOO_SLOW = "The disk is too slow"


class Recording:
    """Writes packets until `close`. `head` is that of its message: the lease, the stream's key and
    its plan. No method blocks but `join`."""

    def __init__(
        self, send: Send, number: int, head: Mapping[str, Any], notes: Sequence[str]
    ) -> None:
        self.lease: int = head["lease"]
        self._writer = SegmentWriter(
            StreamKey(head["device"], head["name"]),
            plan_of(head["plan"]),
            lambda segment: send(segment_message(number, self.lease, segment)),
            notes,
        )
        self._changed = Condition()
        self._new: list[EncodedPacket] = []
        self._waiting: list[EncodedPacket] = []
        self._size = 0
        self._end_reason: str | None = None
        self._is_too_slow = False
        self._thread = Thread(target=self._run, name=f"recording-{number}", daemon=True)
        self._thread.start()

    def feed(self, packet: EncodedPacket) -> None:
        """Add a packet, to be passed on with others."""
        self._new.append(packet)

    def pass_on(self) -> None:
        """Give what was added to the thread that writes. Raises RuntimeError when an internal error
        has ended it."""
        if not self._new:
            return
        if not self._thread.is_alive():
            raise RuntimeError("the thread that records has ended")
        with self._changed:
            self._size += sum(len(packet.data) for packet in self._new)
            if self._size > MAX_WAITING:
                self._is_too_slow = True
                self._waiting.clear()
            if not self._is_too_slow:
                self._waiting += self._new
            self._new = []
            self._changed.notify()

    def close(self, reason: str) -> None:
        """End the file for this reason, with all packets that were added."""
        if self._thread.is_alive():
            self.pass_on()
        with self._changed:
            self._end_reason = reason
            self._changed.notify()

    def join(self) -> None:
        """Wait until the file is closed."""
        self._thread.join()

    def _run(self) -> None:
        try:
            while (packets := self._next()) is not None:
                for packet in packets:
                    self._writer.write(packet)
                if self._is_too_slow:
                    self._writer.fail(TOO_SLOW)
                elif not packets:
                    self._writer.tick(monotonic())
        finally:
            self._writer.close(self._end_reason or "stream")

    def _next(self) -> list[EncodedPacket] | None:
        with self._changed:
            if not self._waiting and self._end_reason is None:
                self._changed.wait(TICK)
            packets, self._waiting, self._size = self._waiting, [], 0
            return None if self._end_reason is not None and not packets else packets
