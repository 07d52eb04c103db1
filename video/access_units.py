"""Pictures of H.264 (RFC 6184) and H.265 (RFC 7798) from RTP packets. Pure, no I/O.

The assembler takes packets in order and gives a Unit for each picture: at its last packet, where
the marker tells it, else at the first packet of the next one.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from fleet.parameter_sets import SentField
from video import nal_units
from video.nal_units import H264, ParameterSets, kind_of
from video.packets import AudioCoding, VideoCoding
from video.rtp import RtpPacket

MAX_PICTURE = 16 * 1024 * 1024
"""Bytes; a picture that is larger is left out."""
MAX_UNITS = 4096
LENGTH = struct.Struct("!H")


class Unit(NamedTuple):
    """One picture or block of sound, with the 32 bits of its stamp. `coding` is None where nothing
    tells yet how it is coded: nobody can begin there."""

    data: bytes
    stamp: int
    is_key: bool
    coding: VideoCoding | AudioCoding | None


class Assembler(Protocol):
    """What takes the packets of one medium. `damaged` counts what had to be left out."""

    damaged: int

    def feed(self, packet: RtpPacket) -> Iterator[Unit]: ...


class NalAssembler:
    """H.264 and H.265. A unit of which a packet is missing is left out; the rest of its picture is
    given, but never as a key frame."""

    def __init__(self, sets: ParameterSets, has_order_numbers: bool = False) -> None:
        self.damaged = 0
        self._sets = sets
        self._codec = sets.codec
        self._skip = 2 if has_order_numbers else 0
        self._units: list[bytes] = []
        self._size = 0
        self._stamp = 0
        self._fragments: list[bytes] = []
        self._fragment_size = 0
        self._is_whole = True
        self._has_slice = False
        self._given: int | None = None
        self._first_field: tuple[Unit, SentField] | None = None
        self._is_marker_false = False

    def feed(self, packet: RtpPacket) -> Iterator[Unit]:
        if packet.is_after_loss:
            self._break()
        if packet.stamp != self._stamp:
            yield from self._finish()
            self.damaged += 0 if self._is_whole else 1
            self._stamp, self._is_whole = packet.stamp, True
        for unit in self._unpacked(packet.payload):
            yield from self._add(unit)
        if packet.is_last and self._has_slice and not self._is_marker_false:
            yield from self._finish()

    def _break(self) -> None:
        self._fragments.clear()
        self._is_whole = False

    def _add(self, unit: bytes) -> Iterator[Unit]:
        kind = kind_of(self._codec, unit)
        if kind < 0:
            return
        if self._has_slice and kind in self._codec.begins:
            yield from self._finish()
        if kind in self._codec.slices:
            is_rest = not self._has_slice and self._given == self._stamp
            if is_rest and self._is_whole and not nal_units.begins_picture(self._codec, unit):
                # The camera marks each packet as the last: only its stamps part the pictures.
                self._is_marker_false = True
            elif not self._has_slice and not nal_units.begins_picture(self._codec, unit):
                self._is_whole = False
            self._has_slice = True
        self._size += len(unit)
        if self._size > MAX_PICTURE or len(self._units) >= MAX_UNITS:
            self._is_whole = False
            return
        self._units.append(unit)

    def _finish(self) -> Iterator[Unit]:
        if not self._has_slice:
            # Parameter sets that come with a stamp of their own belong to the next picture.
            return
        for unit in self._units:
            self._sets.take(unit)
        units, is_whole = self._units, self._is_whole
        self._units, self._size, self._has_slice, self._is_whole = [], 0, False, True
        self._given = self._stamp
        if not is_whole:
            self.damaged += 1
        coding = self._sets.coding
        is_key = is_whole and coding is not None and nal_units.is_key(self._codec, units)
        if is_key and coding is not None:
            sets = set(self._codec.sets)
            units = [
                *coding.sets,
                *(unit for unit in units if kind_of(self._codec, unit) not in sets),
            ]
        picture = Unit(nal_units.annex_b(units), self._given, is_key, coding)
        yield from self._paired(picture, nal_units.fields_of(self._sets, units))

    def _paired(self, unit: Unit, fields: frozenset[SentField]) -> Iterator[Unit]:
        """A frame whose two fields are sent one after the other, as one: MP4 has frames only. A
        field that stays alone is given with the next picture."""
        first, self._first_field = self._first_field, None
        field = next(iter(fields)) if len(fields) == 1 else None
        if first and field and field == first[1]._replace(is_bottom=not first[1].is_bottom):
            yield first[0]._replace(data=first[0].data + unit.data)
            return
        if first:
            yield first[0]
        if field:
            self._first_field = unit, field
        else:
            yield unit

    def _unpacked(self, payload: bytes) -> Iterator[bytes]:
        """The whole units that end in this packet."""
        kind = kind_of(self._codec, payload)
        aggregate, fragment = (24, 28) if self._codec is H264 else (48, 49)
        if kind == fragment:
            yield from self._fragment(payload)
            return
        self._fragments.clear()
        start = self._codec.header + self._skip
        if kind == aggregate:
            yield from self._aggregated(payload, start)
        elif kind < aggregate:
            yield from _parted(payload[: self._codec.header] + payload[start:])

    def _aggregated(self, payload: bytes, place: int) -> Iterator[bytes]:
        while place + 2 <= len(payload):
            (size,) = LENGTH.unpack_from(payload, place)
            place += 2
            if size == 0 or place + size > len(payload):
                self._is_whole = False
                return
            yield payload[place : place + size]
            place += size + (1 if self._skip else 0)

    def _fragment(self, payload: bytes) -> Iterator[bytes]:
        header = self._codec.header
        if len(payload) <= header + 1 + self._skip:
            return
        flags, content = payload[header], payload[header + 1 + self._skip :]
        if flags & 0x80:
            self._fragments = [self._restored(payload, flags)]
            self._fragment_size = 0
        self._fragment_size += len(content)
        if not self._fragments or self._fragment_size > MAX_PICTURE:
            self._break()
            return
        self._fragments.append(content)
        if flags & 0x40:
            unit, self._fragments = b"".join(self._fragments), []
            yield from _parted(unit)

    def _restored(self, payload: bytes, flags: int) -> bytes:
        """The header of the unit that is sent in fragments."""
        if self._codec is H264:
            return bytes((payload[0] & 0xE0 | flags & 0x1F,))
        return bytes((payload[0] & 0x81 | (flags & 0x3F) << 1, payload[1]))


def _parted(unit: bytes) -> Iterator[bytes]:
    """The units in it: some cameras send a whole picture, with start codes, as if it were one."""
    start = nal_units.START[1:]
    if start in unit:
        parts = unit.replace(nal_units.START, start).split(start, MAX_UNITS)
        yield from (part for part in parts if part)
    else:
        yield unit
