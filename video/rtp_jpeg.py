"""JPEG pictures from RTP packets (RFC 2435). Pure, no I/O.

Only a part of a JPEG's header travels: it is made again here, as a whole JFIF file. Pictures wider
than 2040 pixels carry their real header in an extension (ONVIF Streaming Specification, 5.1.4).
"""

import struct
from collections.abc import Iterator

from video.access_units import MAX_PICTURE, Unit
from video.packets import VideoCoding
from video.rtp import RtpPacket

ONVIF_EXTENSION = 0xFFD8
HEADER = struct.Struct("!B3sBBBB")
JFIF = bytes.fromhex("ffd8ffe000104a46494600010100000100010000")
MAX_TABLES = 1024
LUMA = (
    *(16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40),
    *(26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51),
    *(56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87),
    *(95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99),
)
CHROMA = (
    *(17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99),
    *(99,) * 48,
)
"""Quantization tables of ITU-T T.81, K.1 and K.2, in zigzag order."""
DC_VALUES = bytes(range(12))
LUMA_DC = bytes.fromhex("00010501010101010100000000000000")
CHROMA_DC = bytes.fromhex("00030101010101010101010000000000")
LUMA_AC = bytes.fromhex("0002010303020403050504040000017d")
LUMA_AC_VALUES = bytes.fromhex(
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f0"
    "2433627282090a161718191a25262728292a3435363738393a434445464748494a"
    "535455565758595a636465666768696a737475767778797a838485868788898a"
    "92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6"
    "c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
)
CHROMA_AC = bytes.fromhex("00020102040403040705040400010277")
CHROMA_AC_VALUES = bytes.fromhex(
    "000102031104052131061241510761711322328108144291a1b1c109233352f0"
    "156272d10a162434e125f11718191a262728292a35363738393a434445464748"
    "494a535455565758595a636465666768696a737475767778797a828384858687"
    "88898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3"
    "c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8"
    "f9fa"
)
"""Huffman tables of ITU-T T.81, K.3 to K.6."""


class JpegAssembler:
    """A picture of which a packet is missing is left out: it would be torn."""

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        self.damaged = 0
        self._described_size = size
        self._header = b""
        self._scan = bytearray()
        self._stamp = 0
        self._size = (0, 0)
        self._tables: dict[int, bytes] = {}
        self._coding: VideoCoding | None = None

    def feed(self, packet: RtpPacket) -> Iterator[Unit]:
        if len(packet.payload) < HEADER.size:
            return
        offset = int.from_bytes(packet.payload[1:4], "big")
        if offset == 0:
            self._begin(packet)
        elif not self._header:
            return
        elif packet.is_after_loss or packet.stamp != self._stamp or offset != len(self._scan):
            self._give_up()
            return
        else:
            self._scan += packet.payload[HEADER.size + self._restart_size(packet.payload) :]
        if len(self._scan) > MAX_PICTURE:
            self._give_up()
        elif packet.is_last and self._header:
            yield self._finished()

    def _give_up(self) -> None:
        self.damaged += 1
        self._header = b""
        self._scan.clear()

    @staticmethod
    def _restart_size(payload: bytes) -> int:
        return 4 if 64 <= payload[4] < 128 else 0

    def _begin(self, packet: RtpPacket) -> None:
        if self._header:
            self.damaged += 1
        payload = packet.payload
        _specific, _offset, kind, quality, columns, rows = HEADER.unpack_from(payload)
        place = HEADER.size + self._restart_size(payload)
        restart = int.from_bytes(payload[HEADER.size : HEADER.size + 2], "big")
        tables, place = self._quantization(payload, place, quality)
        self._header, self._stamp = b"", packet.stamp
        self._scan = bytearray(payload[place:])
        size = self._described_size if 0 in (columns, rows) else (columns * 8, rows * 8)
        extended = _extended(packet.extension)
        if extended is not None:
            self._header, self._size = extended
        elif tables and size and kind & 0x3F in (0, 1):
            self._size = size
            self._header = _header(
                size, kind & 0x3F, tables, restart if self._restart_size(payload) else 0
            )
        else:
            self._give_up()

    def _quantization(self, payload: bytes, place: int, quality: int) -> tuple[bytes, int]:
        """The two tables in zigzag order, empty where there are none, and where the scan begins."""
        if quality < 128:
            return _scaled_tables(quality), place
        if len(payload) < place + 4:
            return b"", place
        precision, length = (
            payload[place + 1],
            int.from_bytes(payload[place + 2 : place + 4], "big"),
        )
        tables = payload[place + 4 : place + 4 + length]
        if length == 0:
            return self._tables.get(quality, b""), place + 4
        if precision or length > MAX_TABLES or len(tables) not in (64, 128):
            return b"", place + 4 + length
        self._tables[quality] = tables
        return tables, place + 4 + length

    def _finished(self) -> Unit:
        data = self._header + self._scan
        if not data.endswith(b"\xff\xd9"):
            data += b"\xff\xd9"
        self._header = b""
        self._scan = bytearray()
        if self._coding is None or (self._coding.width, self._coding.height) != self._size:
            self._coding = VideoCoding("mjpeg", *self._size)
        return Unit(data, self._stamp, True, self._coding)


def _scaled_tables(quality: int) -> bytes:
    """RFC 2435, 4.2: the standard tables for a quality of 1 to 99."""
    level = min(max(quality, 1), 99)
    factor = 5000 // level if level < 50 else 200 - level * 2
    return bytes(min(max((value * factor + 50) // 100, 1), 255) for value in LUMA + CHROMA)


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack("!BBH", 0xFF, marker, len(content) + 2) + content


def _header(size: tuple[int, int], kind: int, tables: bytes, restart: int) -> bytes:
    width, height = size
    second = 1 if len(tables) == 128 else 0
    sampling = 0x21 if kind == 0 else 0x22
    quantization = b"".join(
        bytes((number,)) + tables[number * 64 : number * 64 + 64] for number in range(second + 1)
    )
    frame = struct.pack("!BHHB", 8, height, width, 3) + bytes(
        (1, sampling, 0, 2, 0x11, second, 3, 0x11, second)
    )
    huffman = (
        *(b"\x00", LUMA_DC, DC_VALUES, b"\x10", LUMA_AC, LUMA_AC_VALUES),
        *(b"\x01", CHROMA_DC, DC_VALUES, b"\x11", CHROMA_AC, CHROMA_AC_VALUES),
    )
    return b"".join(
        (
            JFIF,
            _segment(0xDB, quantization),
            _segment(0xC0, frame),
            _segment(0xC4, b"".join(huffman)),
            _segment(0xDD, struct.pack("!H", restart)) if restart else b"",
            _segment(0xDA, bytes.fromhex("03010002110311003f00")),
        )
    )


def _extended(extension: tuple[int, bytes] | None) -> tuple[bytes, tuple[int, int]] | None:
    """The header in an extension, and the size that it tells; None if it has none."""
    if extension is None or extension[0] != ONVIF_EXTENSION:
        return None
    data, place, size = extension[1], 0, None
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in (0xC0, 0xC1, 0xC2) and place + 9 <= len(data):
            height, width = struct.unpack_from("!HH", data, place + 5)
            size = (width, height)
        place += 2 + max(length, 2)
        if marker == 0xDA:
            break
    return (b"\xff\xd8" + data[:place], size) if size and all(size) else None
