"""Size and frame rate in the sequence parameter sets of H.264 and H.265. Pure, no I/O.

ITU-T H.264, 7.3.2.1.1 and E.1.1; ITU-T H.265, 7.3.2.2, 7.3.3 and E.2.1. What a camera sends may
be cut or wrong: each reader raises InvalidSet for what does not hold together.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

MAX_SIDE = 16_384
"""Pixels; more is no camera."""
MAX_RATE = 1000.0
LONGEST = 4096
"""Bytes of a parameter set that are read."""
MAX_REORDER = 16
"""Pictures; both standards."""
WITH_CHROMA_H264 = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))
"""Profiles of H.264 whose set says how colours are stored."""


class InvalidSet(Exception):
    """Raised for bytes that are no sequence parameter set."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels, and pictures a second where the set says so. `reorder`: how many pictures can come
    before one that is shown earlier; None where the set does not tell. `number_bits`: bits of the
    number of a frame whose two fields can be sent one after the other; None where they cannot."""

    width: int
    height: int
    rate: float | None = None
    reorder: int | None = field(default=None, compare=False)
    number_bits: int | None = field(default=None, compare=False)


class SentField(NamedTuple):
    """One of the two fields of a frame: the number of the frame, and whether it is the lower."""

    number: int
    is_bottom: bool


def unescape(data: bytes) -> bytes:
    """The bytes of a NAL unit, without those that keep start codes out of it."""
    return data[:LONGEST].replace(b"\x00\x00\x03", b"\x00\x00")


class _Bits:
    """Bits of a set, the stuffing taken out. Reading past the end raises InvalidSet."""

    def __init__(self, data: bytes) -> None:
        raw = unescape(data)
        self._value = int.from_bytes(raw, "big")
        self._left = len(raw) * 8

    def bits(self, number: int) -> int:
        if number > self._left:
            raise InvalidSet("cut off")
        self._left -= number
        return self._value >> self._left & ((1 << number) - 1)

    def flag(self) -> bool:
        return bool(self.bits(1))

    def unsigned(self) -> int:
        """An unsigned Exp-Golomb number."""
        zeros = 0
        while not self.bits(1):
            zeros += 1
            if zeros > 32:
                raise InvalidSet("no number")
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed(self) -> int:
        number = self.unsigned()
        return (number + 1) // 2 if number % 2 else -(number // 2)


def h264(data: bytes) -> Picture:
    """The picture of an H.264 set, its NAL header of one byte included. Raises InvalidSet."""
    bits = _Bits(data)
    if bits.bits(8) & 0x1F != 7:
        raise InvalidSet("not a sequence parameter set")
    profile = bits.bits(8)
    bits.bits(16)
    bits.unsigned()
    chroma, separate = _chroma_h264(bits) if profile in WITH_CHROMA_H264 else (1, False)
    number_bits = bits.unsigned() + 4
    _skip_order_count(bits)
    bits.unsigned()
    bits.bits(1)
    columns, rows = bits.unsigned() + 1, bits.unsigned() + 1
    is_frame = bits.flag()
    if not is_frame:
        bits.bits(1)
    bits.bits(1)
    crop = [bits.unsigned() for _ in range(4)] if bits.flag() else [0] * 4
    # Frames that are made of two fields are cropped by two lines at a time.
    fields = 1 if is_frame else 2
    across = 2 if chroma in (1, 2) and not separate else 1
    down = (2 if chroma == 1 and not separate else 1) * fields
    width = columns * 16 - across * (crop[0] + crop[1])
    height = rows * 16 * fields - down * (crop[2] + crop[3])
    picture = _picture(width, height, *_usability_h264(bits))
    has_fields = not is_frame and not separate
    return replace(picture, number_bits=number_bits) if has_fields else picture


def _chroma_h264(bits: _Bits) -> tuple[int, bool]:
    chroma = bits.unsigned()
    is_separate = bits.flag() if chroma == 3 else False
    bits.unsigned()
    bits.unsigned()
    bits.bits(1)
    if bits.flag():
        for place in range(12 if chroma == 3 else 8):
            if bits.flag():
                _skip_scaling_list(bits, 16 if place < 6 else 64)
    return chroma, is_separate


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed() + 256) % 256
        last = following or last


def _skip_order_count(bits: _Bits) -> None:
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.bits(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()


def _usability_h264(bits: _Bits) -> tuple[float | None, int | None]:
    """Rate and reordering in the usability information; a broken one spoils nothing else."""
    rate = None
    try:
        if not bits.flag():
            return None, None
        _skip_colours(bits)
        if bits.flag():
            ticks, scale = bits.bits(32), bits.bits(32)
            # A frame lasts two ticks: one for each field.
            rate = scale / (2 * ticks) if ticks else None
            bits.bits(1)
        return rate, _reorder_h264(bits)
    except InvalidSet:
        return rate, None


def _reorder_h264(bits: _Bits) -> int | None:
    has_buffers = [_has_buffer(bits) for _ in range(2)]
    bits.bits(2 if any(has_buffers) else 1)
    if not bits.flag():
        return None
    bits.bits(1)
    for _ in range(4):
        bits.unsigned()
    return bits.unsigned()


def _has_buffer(bits: _Bits) -> bool:
    """Skip the description of a buffer (E.1.2), where there is one."""
    if not bits.flag():
        return False
    number = bits.unsigned() + 1
    bits.bits(8)
    for _ in range(min(number, 32)):
        bits.unsigned()
        bits.unsigned()
        bits.bits(1)
    bits.bits(20)
    return True


def _skip_colours(bits: _Bits) -> None:
    """What both codecs have at the beginning of the usability information."""
    if bits.flag() and bits.bits(8) == 255:
        bits.bits(32)
    if bits.flag():
        bits.bits(1)
    if bits.flag():
        bits.bits(4)
        if bits.flag():
            bits.bits(24)
    if bits.flag():
        bits.unsigned()
        bits.unsigned()


def h265(data: bytes) -> Picture:
    """The picture of an H.265 set, its NAL header of two bytes included. Raises InvalidSet.

    The rate is not read: it comes after the reference picture sets, and cameras name it in the
    session description.
    """
    bits = _Bits(data)
    if bits.bits(16) >> 9 & 0x3F != 33:
        raise InvalidSet("not a sequence parameter set")
    bits.bits(4)
    layers = bits.bits(3)
    bits.bits(1)
    _skip_levels(bits, layers)
    bits.unsigned()
    chroma = bits.unsigned()
    is_separate = bits.flag() if chroma == 3 else False
    width, height = bits.unsigned(), bits.unsigned()
    if bits.flag():
        crop = [bits.unsigned() for _ in range(4)]
        width -= (2 if chroma in (1, 2) and not is_separate else 1) * (crop[0] + crop[1])
        height -= (2 if chroma == 1 and not is_separate else 1) * (crop[2] + crop[3])
    return _picture(width, height, None, _reorder_h265(bits, layers))


def _reorder_h265(bits: _Bits, layers: int) -> int | None:
    """That of the highest layer: all layers are shown."""
    reorder = None
    try:
        for _ in range(3):
            bits.unsigned()
        for _ in range(layers + 1 if bits.flag() else 1):
            bits.unsigned()
            reorder = bits.unsigned()
            bits.unsigned()
    except InvalidSet:
        return None
    return reorder


def sent_field(unit: bytes, number_bits: int) -> SentField | None:
    """The field that an H.264 slice is of (7.3.3); None for one of a whole frame. Raises
    InvalidSet."""
    bits = _Bits(unit[:32])
    bits.bits(8)
    for _ in range(3):
        bits.unsigned()
    number = bits.bits(min(number_bits, 16))
    return SentField(number, bits.flag()) if bits.flag() else None


def slice_type(unit: bytes) -> int:
    """The type of an H.264 slice with its NAL header (table 7-6). Raises InvalidSet."""
    bits = _Bits(unit[:32])
    bits.bits(8)
    bits.unsigned()
    return bits.unsigned()


def set_number(unit: bytes, is_h264: bool, is_sequence: bool) -> int:
    """The number of a parameter set with its NAL header. Raises InvalidSet."""
    bits = _Bits(unit[:512])
    bits.bits(8 if is_h264 else 16)
    kind = unit[0] >> 1 & 0x3F
    if not is_h264 and kind == 32:
        return bits.bits(4)
    if is_h264 and is_sequence:
        bits.bits(24)
    elif is_sequence:
        bits.bits(4)
        layers = bits.bits(3)
        bits.bits(1)
        _skip_levels(bits, layers)
    return bits.unsigned()


def _skip_levels(bits: _Bits, layers: int) -> None:
    bits.bits(88)
    bits.bits(8)
    has = [(bits.flag(), bits.flag()) for _ in range(layers)]
    if layers:
        bits.bits(2 * (8 - layers))
    for has_profile, has_level in has:
        if has_profile:
            bits.bits(88)
        if has_level:
            bits.bits(8)


def _picture(width: int, height: int, rate: float | None, reorder: int | None) -> Picture:
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise InvalidSet("no size")
    is_rate = rate is not None and 0 < rate <= MAX_RATE
    is_order = reorder is not None and reorder <= MAX_REORDER
    return Picture(width, height, rate if is_rate else None, reorder if is_order else None)
