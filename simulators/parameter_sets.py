"""H.264 (ITU-T H.264, 7.3) and H.265 (ITU-T H.265, 7.3) as a pretend camera sends it: parameter
sets of any size of picture, and for H.264 a grey key frame with frames that repeat it.

Nothing is encoded: each macroblock of the key frame is predicted from nothing and has no residual,
which is the one byte 0x27, and each later frame skips all macroblocks.
"""

from collections.abc import Sequence
from functools import lru_cache

NO_RESIDUAL = (0x27, 8)
"""Intra 16x16 with DC prediction: mb_type 3, chroma mode 0, no change of QP, no coefficients."""


PCM = 25
"""The type of a macroblock that is not encoded."""
NEXT_PCM = b"\x0d\x00"
"""The same, aligned to bytes, where one before it has ended."""


class Bits:
    """Bits in the order in which they are written."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def u(self, value: int, length: int) -> "Bits":
        """A number of this many bits."""
        self._bits.append(f"{value:0{length}b}")
        return self

    def ue(self, *values: int) -> "Bits":
        """Unsigned Exp-Golomb codes."""
        for value in values:
            code = f"{value + 1:b}"
            self._bits.append("0" * (len(code) - 1) + code)
        return self

    def aligned(self) -> bytes:
        """Bytes, filled up with zeros."""
        text = "".join(self._bits)
        text += "0" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")

    def payload(self) -> bytes:
        """Bytes with the stop bit and without three zero bytes in a row."""
        text = "".join(self._bits) + "1"
        text += "0" * (-len(text) % 8)
        raw = int(text, 2).to_bytes(len(text) // 8, "big")
        return _escape(raw)


def _escape(raw: bytes) -> bytes:
    escaped, zeros = bytearray(), 0
    for byte in raw:
        if zeros == 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(escaped)


def _blocks(pixels: int, size: int) -> int:
    return (pixels + size - 1) // size


@lru_cache
def h264_sps(width: int, height: int) -> bytes:
    """Baseline profile, level 4."""
    across, down = _blocks(width, 16), _blocks(height, 16)
    bits = Bits().u(66, 8).u(0xC0, 8).u(40, 8).ue(0, 0, 2, 1).u(0, 1)
    bits.ue(across - 1, down - 1).u(0b11, 2)
    right, bottom = (across * 16 - width) // 2, (down * 16 - height) // 2
    if right or bottom:
        bits.u(1, 1).ue(0, right, 0, bottom)
    else:
        bits.u(0, 1)
    return b"\x67" + bits.u(0, 1).payload()


@lru_cache
def h264_pps() -> bytes:
    bits = Bits().ue(0, 0).u(0, 2).ue(0, 0, 0).u(0, 3).ue(0, 0, 0).u(0, 3)
    return b"\x68" + bits.payload()


@lru_cache
def h264_key_frame(width: int, height: int) -> bytes:
    """An IDR slice, all grey."""
    bits = Bits().ue(0, 7, 0).u(0, 4).ue(0).u(0, 2).ue(0)
    for _ in range(_blocks(width, 16) * _blocks(height, 16)):
        bits.u(*NO_RESIDUAL)
    return b"\x65" + bits.payload()


def h264_raw_key_frame(macroblocks: Sequence[bytes]) -> bytes:
    """An IDR slice of macroblocks as they are (I_PCM, 7.3.5): 256 bytes of luma and twice 64 of
    chroma each, none of them 0."""
    head = Bits().ue(0, 7, 0).u(0, 4).ue(0).u(0, 2).ue(0, PCM).aligned()
    return b"\x65" + _escape(head) + NEXT_PCM.join(macroblocks) + b"\x80"


@lru_cache(maxsize=64)
def h264_same_frame(width: int, height: int, number: int) -> bytes:
    """A slice that repeats the frame before; `number` since the key frame, from 1."""
    macroblocks = _blocks(width, 16) * _blocks(height, 16)
    bits = Bits().ue(0, 5, 0).u(number % 16, 4).u(0, 3).ue(0).ue(macroblocks)
    return b"\x41" + bits.payload()


def _h265_level(bits: Bits) -> Bits:
    """Main profile, level 4.1."""
    bits.u(1, 8).u(0x60000000, 32).u(0b1001, 4).u(0, 44)
    return bits.u(123, 8)


@lru_cache
def h265_vps() -> bytes:
    bits = _h265_level(Bits().u(0, 4).u(0b11, 2).u(0, 6).u(0, 3).u(1, 1).u(0xFFFF, 16))
    bits.u(1, 1).ue(0, 0, 0).u(0, 6).ue(0).u(0, 2)
    return b"\x40\x01" + bits.payload()


@lru_cache
def h265_sps(width: int, height: int) -> bytes:
    across, down = _blocks(width, 8) * 8, _blocks(height, 8) * 8
    bits = _h265_level(Bits().u(0, 4).u(0, 3).u(1, 1)).ue(0, 1, across, down)
    right, bottom = (across - width) // 2, (down - height) // 2
    if right or bottom:
        bits.u(1, 1).ue(0, right, 0, bottom)
    else:
        bits.u(0, 1)
    bits.ue(0, 0, 4).u(1, 1).ue(0, 0, 0).ue(0, 3, 0, 3, 0, 0).u(0, 4).ue(0)
    return b"\x42\x01" + bits.u(0, 5).payload()


@lru_cache
def h265_pps() -> bytes:
    bits = Bits().ue(0, 0).u(0, 7).ue(0, 0, 0).u(0, 3).ue(0, 0).u(0, 6).u(0, 4).ue(0).u(0, 2)
    return b"\x44\x01" + bits.payload()
