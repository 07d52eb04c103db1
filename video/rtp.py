"""RTP packets (RFC 3550) of one medium: in order, of one sender, the lost ones counted. Pure."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

HEADER = struct.Struct("!BBHII")
MAX_HELD = 16
"""Packets that wait for one before them. Only UDP changes their order."""
LONGEST_WAIT = 0.2
"""Seconds for which they wait at most."""
MAX_GAP = 3000
"""A larger step of the sequence number is a new beginning, and nothing was lost."""
MAX_LATE = 100
"""Packets by which one comes too late; one that is older is a new beginning too."""
OTHER_AFTER = 1.0
"""Seconds that a sender is silent before packets of another one on its channel are taken. It may be
what a dead session left behind."""
ADOPT_AFTER = 50
"""Packets of another payload type than the description names, and none of that, before the other
one is taken: some cameras describe one type and send another."""


class RtpPacket(NamedTuple):
    """`stamp`: the 32 bits of the camera's clock. `is_after_loss`: packets before it are missing.
    `extension`: profile and content of its header extension."""

    payload: bytes
    stamp: int
    is_last: bool
    is_after_loss: bool
    extension: tuple[int, bytes] | None = None


class _Parsed(NamedTuple):
    payload_type: int
    is_last: bool
    sequence: int
    stamp: int
    source: int
    payload: bytes
    extension: tuple[int, bytes] | None


class Receiver:
    """Takes the packets of one channel, and gives those of one sender and payload type in order.

    `lost` counts packets that never came. What is no RTP is left out.
    """

    def __init__(self, payload_type: int) -> None:
        self.lost = 0
        self._payload_type = payload_type
        self._has_matched = False
        self._others = 0
        self._source: int | None = None
        self._heard = 0.0
        self._next = 0
        self._held: dict[int, _Parsed] = {}
        self._held_since = 0.0

    def feed(self, data: bytes, arrived: float) -> Iterator[RtpPacket]:
        packet = _parse(data)
        if (
            packet is None
            or not self._is_of_type(packet)
            or not self._is_of_sender(packet, arrived)
        ):
            return
        distance = (packet.sequence - self._next) & 0xFFFF
        if distance == 0:
            yield self._ordered(packet, False)
            yield from self._following()
        elif MAX_GAP < distance < 0x10000 - MAX_LATE:
            self._held.clear()
            yield self._ordered(packet, True)
        elif distance <= MAX_GAP:
            if not self._held:
                self._held_since = arrived
            self._held[packet.sequence] = packet
            if len(self._held) >= MAX_HELD or arrived - self._held_since > LONGEST_WAIT:
                yield from self._skipped()

    def _ordered(self, packet: _Parsed, is_after_loss: bool) -> RtpPacket:
        self._next = (packet.sequence + 1) & 0xFFFF
        return RtpPacket(
            packet.payload, packet.stamp, packet.is_last, is_after_loss, packet.extension
        )

    def _following(self) -> Iterator[RtpPacket]:
        while self._next in self._held:
            yield self._ordered(self._held.pop(self._next), False)

    def _skipped(self) -> Iterator[RtpPacket]:
        """Go on after a hole: nothing that still comes can fill it."""
        start = self._next
        nearest = min(self._held, key=lambda number: (number - start) & 0xFFFF)
        self.lost += (nearest - start) & 0xFFFF
        yield self._ordered(self._held.pop(nearest), True)
        yield from self._following()

    def _is_of_type(self, packet: _Parsed) -> bool:
        if packet.payload_type == self._payload_type:
            self._has_matched = True
        elif not self._has_matched:
            self._others += 1
            if self._others > ADOPT_AFTER:
                self._payload_type, self._has_matched = packet.payload_type, True
        return packet.payload_type == self._payload_type

    def _is_of_sender(self, packet: _Parsed, arrived: float) -> bool:
        is_silent = self._source is None or arrived - self._heard >= OTHER_AFTER
        if packet.source != self._source and not is_silent:
            return False
        is_next = (packet.sequence - self._next) & 0xFFFF <= MAX_GAP
        if packet.source != self._source or (is_silent and not is_next):
            self._source, self._next = packet.source, packet.sequence
            self._held.clear()
        self._heard = arrived
        return True


def _parse(data: bytes) -> _Parsed | None:
    if len(data) < HEADER.size or data[0] >> 6 != 2:
        return None
    first, second, sequence, stamp, source = HEADER.unpack_from(data)
    start, end = HEADER.size + 4 * (first & 0x0F), len(data)
    extension = None
    if first & 0x10:
        if start + 4 > end:
            return None
        profile, words = struct.unpack_from("!HH", data, start)
        extension = profile, data[start + 4 : start + 4 + 4 * words]
        start += 4 + 4 * words
    if first & 0x20:
        end -= data[-1]
    if start >= end:
        return None
    kind, is_last = second & 0x7F, bool(second & 0x80)
    return _Parsed(kind, is_last, sequence, stamp, source, data[start:end], extension)
