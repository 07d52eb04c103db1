"""Size and frame rate in the sequence parameter sets of H.264 and H.265. Pure, no I/O.

ITU-T H.264, 7.3.2.1.1 and E.1.1; ITU-T H.265, 7.3.2.2, 7.3.3 and E.2.1. What a camera sends may
be cut or wrong: each reader raises InvalidSet for what does not hold together.
"""

from dataclasses import dataclass

MAX_SIDE = 16_384
"""Pixels; more is no camera."""
MAX_RATE = 1000.0
LONGEST = 4096
"""Bytes of a parameter set that are read."""
WITH_CHROMA_H264 = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))
"""Profiles of H.264 whose set says how colours are stored."""


class InvalidSet(Exception):
    """Raised for bytes that are no sequence parameter set."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels, and pictures a second where the set says so."""

    width: int
    height: int
    rate: float | None = None


class _Bits:
    """Bits of a set, the stuffing taken out. Reading past the end raises InvalidSet."""

    def __init__(self, data: bytes) -> None:
        raw = data[:LONGEST].replace(b"\x00\x00\x03", b"\x00\x00")
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
    bits.unsigned()
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
    return _picture(width, height, _rate_h264(bits))


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


def _rate_h264(bits: _Bits) -> float | None:
    """The rate in the usability information; what is broken there spoils nothing else."""
    try:
        if not bits.flag():
            return None
        _skip_colours(bits)
        if not bits.flag():
            return None
        ticks, scale = bits.bits(32), bits.bits(32)
    except InvalidSet:
        return None
    # A frame lasts two ticks: one for each field.
    return scale / (2 * ticks) if ticks else None


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
    return _picture(width, height, None)


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


def _picture(width: int, height: int, rate: float | None) -> Picture:
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise InvalidSet("no size")
    is_rate = rate is not None and 0 < rate <= MAX_RATE
    return Picture(width, height, rate if is_rate else None)
