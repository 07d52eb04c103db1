"""Sound from RTP packets: AAC (RFC 3640, RFC 6416) and what is sent sample by sample (RFC 3551).

Pure, no I/O.
"""

import struct
from collections.abc import Iterator

from video.access_units import Unit
from video.codec_strings import mp4a
from video.packets import AudioCoding
from video.rtp import RtpPacket
from video.session_media import SessionMedium

PLAIN = {"PCMA": "pcm_alaw", "PCMU": "pcm_mulaw", "G722": "g722", "L16": "pcm_s16be"}
"""Encodings whose payload is sound and nothing else, and what libav calls them."""
RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""Of AAC by its index (ISO/IEC 14496-3, table 1.18)."""
SAMPLES = 1024
MAX_BLOCK = 65536
MAX_CONFIG = 256
"""Bytes; a real AudioSpecificConfig has two to a few dozen."""


class PlainAssembler:
    """Each packet is a block of sound."""

    def __init__(self, medium: SessionMedium) -> None:
        self.damaged = 0
        # RFC 3551, 4.5.2: the clock of G.722 is 8000, by an old mistake, and its rate is 16000.
        rate = 16000 if medium.encoding == "G722" else medium.clock
        self.coding = AudioCoding(PLAIN[medium.encoding], rate, medium.channels)

    def feed(self, packet: RtpPacket) -> Iterator[Unit]:
        yield Unit(packet.payload, packet.stamp, True, self.coding)


class AacAssembler:
    """Blocks of AAC: several in a packet, or one in several packets."""

    def __init__(self, medium: SessionMedium, coding: AudioCoding) -> None:
        self.damaged = 0
        self._coding = coding
        self._is_latm = medium.encoding == "MP4A-LATM"
        self._size_bits = _number(medium.parameters.get("sizelength"), 13)
        self._index_bits = _number(medium.parameters.get("indexlength"), 3)
        self._ticks = SAMPLES * medium.clock // coding.rate
        self._part = bytearray()
        self._expected = 0

    def feed(self, packet: RtpPacket) -> Iterator[Unit]:
        if packet.is_after_loss:
            self._part.clear()
        if self._is_latm:
            yield from self._latm(packet)
            return
        payload = packet.payload
        if len(payload) < 2:
            return
        bits = int.from_bytes(payload[:2], "big")
        place = 2 + (bits + 7) // 8
        sizes = self._sizes(payload[2:place], bits)
        if len(sizes) == 1 and sizes[0] > len(payload) - place:
            yield from self._fragment(packet, payload[place:], sizes[0])
            return
        for number, size in enumerate(sizes):
            if size == 0 or place + size > len(payload):
                self.damaged += 1
                return
            yield self._unit(payload[place : place + size], packet.stamp + number * self._ticks)
            place += size

    def _unit(self, data: bytes, stamp: int) -> Unit:
        return Unit(data, stamp & 0xFFFFFFFF, True, self._coding)

    def _sizes(self, headers: bytes, bits: int) -> list[int]:
        value, left = int.from_bytes(headers, "big"), len(headers) * 8
        width = self._size_bits + self._index_bits
        sizes = []
        for _ in range(min(bits, left) // width):
            left -= width
            sizes.append(value >> left + self._index_bits & ((1 << self._size_bits) - 1))
        return sizes

    def _fragment(self, packet: RtpPacket, content: bytes, size: int) -> Iterator[Unit]:
        if size > MAX_BLOCK or size != self._expected:
            self._part.clear()
        self._expected = size
        self._part += content
        if len(self._part) >= size or packet.is_last:
            data = bytes(self._part[:size])
            self._part.clear()
            if len(data) == size:
                yield self._unit(data, packet.stamp)
            else:
                self.damaged += 1

    def _latm(self, packet: RtpPacket) -> Iterator[Unit]:
        """RFC 6416, no configuration in the packets: the length in bytes of 255, then a block."""
        self._part += packet.payload
        if not packet.is_last and len(self._part) < MAX_BLOCK:
            return
        data, place, number = bytes(self._part), 0, 0
        self._part.clear()
        while place < len(data):
            size = 0
            while place < len(data) and data[place] == 0xFF:
                size, place = size + 255, place + 1
            size, place = size + (data[place] if place < len(data) else 0), place + 1
            if size == 0 or place + size > len(data):
                self.damaged += 1
                return
            yield self._unit(data[place : place + size], packet.stamp + number * self._ticks)
            place, number = place + size, number + 1


def aac_coding(medium: SessionMedium) -> AudioCoding | None:
    """How AAC of this medium is coded; None where the description does not tell."""
    try:
        config = bytes.fromhex(medium.parameters.get("config", ""))
    except ValueError:
        return None
    if medium.encoding == "MP4A-LATM":
        config = _of_latm(config)
    if not 2 <= len(config) <= MAX_CONFIG:
        return None
    (head,) = struct.unpack("!H", config[:2])
    index, channels = head >> 7 & 15, head >> 3 & 15
    if index >= len(RATES) or not 1 <= channels <= 7:
        return None
    return AudioCoding("aac", RATES[index], 8 if channels == 7 else channels, config, mp4a(config))


def _of_latm(config: bytes) -> bytes:
    """The AudioSpecificConfig in a StreamMuxConfig of one layer (ISO/IEC 14496-3, table 1.42)."""
    if len(config) < 4 or config[0] & 0x80:
        return b""
    value = int.from_bytes(config, "big") << 15
    shifted = value & ((1 << len(config) * 8) - 1)
    return shifted.to_bytes(len(config), "big")[:2]


def _number(text: str | None, default: int) -> int:
    is_number = text is not None and text.isascii() and text.isdigit() and 0 < len(text) < 3
    return (int(text) if text and is_number else 0) or default
