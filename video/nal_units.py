"""NAL units of H.264 and H.265: what they hold, and which of them make a key frame. Pure, no I/O.

ITU-T H.264, table 7-1 and 7.4.1.2.3; ITU-T H.265, table 7-1 and 7.4.2.4.4.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from fleet import parameter_sets
from fleet.parameter_sets import InvalidSet, Picture, SentField
from video.codec_strings import avc1, hvc1
from video.packets import VideoCoding

START = b"\x00\x00\x00\x01"
RECOVERY_POINT = 6
"""Payload type of the message of both standards that names a picture from which to begin."""


@dataclass(frozen=True, slots=True)
class _Codec:
    """Unit types of a codec. `sets` in the order VPS, SPS, PPS. `begins`: types that belong to the
    next picture if they come after a slice."""

    name: str
    header: int
    slices: frozenset[int]
    keys: frozenset[int]
    sets: tuple[int, ...]
    sequence: int
    messages: int
    begins: frozenset[int]


H264 = _Codec(
    "h264",
    1,
    frozenset(range(1, 6)),
    frozenset({5}),
    (7, 8),
    7,
    6,
    frozenset({6, 7, 8, 9, 14, 15, 16, 17, 18}),
)
H265 = _Codec(
    "h265",
    2,
    frozenset(range(32)),
    frozenset(range(16, 22)),
    (32, 33, 34),
    33,
    39,
    frozenset({32, 33, 34, 35, 39, *range(41, 45), *range(48, 56)}),
)


def kind_of(codec: _Codec, unit: bytes) -> int:
    """The type in the header of a unit; -1 for one that is too short."""
    if len(unit) <= codec.header:
        return -1
    return unit[0] & 0x1F if codec is H264 else unit[0] >> 1 & 0x3F


def begins_picture(codec: _Codec, unit: bytes) -> bool:
    """True for a slice that is the first of its picture."""
    return kind_of(codec, unit) in codec.slices and bool(unit[codec.header] & 0x80)


def is_key(codec: _Codec, units: Sequence[bytes]) -> bool:
    """True if a decoder can begin with this picture.

    Cameras that never send an IDR picture have others to begin with: a recovery point, or in H.264
    pictures without prediction that follow a parameter set.
    """
    kinds = [kind_of(codec, unit) for unit in units]
    if codec.keys.intersection(kinds):
        return True
    if any(
        kind == codec.messages and _has_recovery_point(codec, unit)
        for kind, unit in zip(kinds, units, strict=True)
    ):
        return True
    if codec is not H264 or codec.sequence not in kinds:
        return False
    slices = [unit for kind, unit in zip(kinds, units, strict=True) if kind in codec.slices]
    return bool(slices) and all(_is_intra(unit) for unit in slices)


def _has_recovery_point(codec: _Codec, unit: bytes) -> bool:
    data = parameter_sets.unescape(unit)
    place = codec.header
    while place + 2 <= len(data) and data[place] != 0x80:
        kind, place = _message_number(data, place)
        size, place = _message_number(data, place)
        if kind == RECOVERY_POINT:
            return True
        place += size
    return False


def _message_number(data: bytes, place: int) -> tuple[int, int]:
    total = 0
    while place < len(data) and data[place] == 0xFF:
        total, place = total + 255, place + 1
    return total + (data[place] if place < len(data) else 0), place + 1


def _is_intra(unit: bytes) -> bool:
    """True for a slice of H.264 of type I (2 or 7, table 7-6)."""
    try:
        return parameter_sets.slice_type(unit) in (2, 7)
    except InvalidSet:
        return False


class ParameterSets:
    """The newest parameter sets of a stream, by kind and number. Sets that are not readable are
    refused, so that those of a description that lies are replaced and never replace."""

    MAX_SETS = 32

    def __init__(self, codec: _Codec) -> None:
        self.codec = codec
        self._sets: dict[int, dict[int, bytes]] = {kind: {} for kind in codec.sets}
        self._picture: Picture | None = None
        self._coding: VideoCoding | None = None

    def take(self, unit: bytes) -> None:
        """Remember a unit if it is a parameter set."""
        kind = kind_of(self.codec, unit)
        if kind not in self._sets or len(unit) > parameter_sets.LONGEST:
            return
        known = self._sets[kind]
        number = _set_number(self.codec, kind, unit)
        if number is None or known.get(number) == unit:
            return
        if kind == self.codec.sequence:
            try:
                picture = _read(self.codec, unit)
            except InvalidSet:
                return
            # A camera has one sequence at a time: one of a description with another number lies.
            known.clear()
            self._picture = picture
        if len(known) >= self.MAX_SETS:
            known.clear()
        known[number] = unit
        self._coding = None

    @property
    def number_bits(self) -> int | None:
        """As in `Picture`; None for H.265, whose fields are pictures of their own."""
        return self._picture.number_bits if self._picture else None

    @property
    def coding(self) -> VideoCoding | None:
        """What the sets say; None until there is one of each kind."""
        if self._coding is None and self._picture is not None and all(self._sets.values()):
            self._coding = self._described(self._picture)
        return self._coding

    def _described(self, picture: Picture) -> VideoCoding:
        sequence = next(iter(self._sets[self.codec.sequence].values()))
        return VideoCoding(
            self.codec.name,
            picture.width,
            picture.height,
            tuple(unit for known in self._sets.values() for unit in known.values()),
            avc1(sequence) if self.codec is H264 else hvc1(sequence),
            picture.rate,
            picture.reorder,
        )


def _read(codec: _Codec, unit: bytes) -> Picture:
    return parameter_sets.h264(unit) if codec is H264 else parameter_sets.h265(unit)


def _set_number(codec: _Codec, kind: int, unit: bytes) -> int | None:
    try:
        return parameter_sets.set_number(unit, codec is H264, kind == codec.sequence)
    except InvalidSet:
        return None


def fields_of(sets: ParameterSets, units: Sequence[bytes]) -> frozenset[SentField]:
    """The fields that a picture consists of; none where it is a whole frame."""
    if not sets.number_bits:
        return frozenset()
    fields: set[SentField | None] = set()
    for unit in units:
        if kind_of(sets.codec, unit) in (1, 5):
            with suppress(InvalidSet):
                fields.add(parameter_sets.sent_field(unit, sets.number_bits))
    return frozenset(each for each in fields if each is not None)


def annex_b(units: Sequence[bytes]) -> bytes:
    """Units with their start codes."""
    return b"".join(part for unit in units for part in (START, unit))
