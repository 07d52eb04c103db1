"""Easy IP, the search protocol of Panasonic / i-PRO: bytes in, values out. No I/O.

There is no public specification; the layout comes from captures of real devices and of
the vendor's tool. All integers are big-endian.

    0  magic 00 01          24  constant, 9 bytes
    2  length N of body     34  flags: 00, version, role, administrator
    4  command              48  body: tag (2), length (2), value, ...
    6  device MAC         48+N  end mark ff ff
   12  requester MAC      50+N  checksum: 1 + sum of all bytes before, modulo 65536
   18  requester IPv4
   22  step
"""

import struct
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

MAGIC = b"\x00\x01"
CONSTANT = bytes.fromhex("20111e11231f1e1913")
END = b"\xff\xff"
HEADER = 48
TRAILER = 4
MAX_REPLY = 2048

ANNOUNCE, SEARCH, REPLY = 0x0001, 0x000D, 0x000E
OTHERS = {0x0002: "a config message", 0x0003: "a config acknowledge", 0x0004: "a commit"}
WANTED = bytes.fromhex("0020002100220023002500280040004100420044")
WANTED += bytes.fromhex("00a500a600a700a800ad00b300b400b700b8")

MODES = {0: "DHCP", 2: "Static", 3: "Static", 4: "Auto (AutoIP)", 5: "Auto (Advanced)"}
"""Network modes, tag 00. Static is 2 in replies and 3 in announcements."""

KNOWN = {0x00, 0x20, 0x21, 0x22, 0x23, 0x25, 0x40, 0x44, 0xA7, 0xA8, 0xA9, 0xB4, 0xC0, 0xC1, 0xD1}
COPIES = {0xA0, 0xA1, 0xA2, 0xA3}
MAX_TAGS, LONGEST_TAG, MAX_TAG_BYTES = 24, 64, 512
"""Unknown tags that are kept of an answer, and bytes of one and of all. The captures have up to
ten of them, with 16 bytes at most."""
LONGEST_TEXT = 64
"""Characters of a name, model, serial or firmware. Real fields have 16 bytes."""


class InvalidReply(ValueError):
    """Raised for a datagram that is refused; the text is the reason."""


@dataclass(frozen=True, slots=True)
class SearchReply:
    """A search reply or an announcement.

    `address` is None when the device has none yet. `password_set` and `setup_open` are
    None where the device does not say. `facts` are for people: what has no field here,
    unknown tags as `tag_45: "0040"`.
    """

    mac: str
    command: int
    kind: str
    address: str | None
    port: int | None
    name: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    password_set: bool | None
    setup_open: bool | None
    facts: Mapping[str, Any]


def checksum(data: bytes) -> bytes:
    return struct.pack(">H", (1 + sum(data)) & 0xFFFF)


def search(mac: bytes, address: str) -> bytes:
    """The 94 bytes of the vendor's search request, from this interface."""
    body = struct.pack(">HH", 0xFFF0, len(WANTED)) + WANTED
    head = MAGIC + struct.pack(">HH", len(body), SEARCH) + bytes(6) + mac
    head += IPv4Address(address).packed + bytes(2) + CONSTANT + bytes(1) + bytes((0, 2, 1))
    data = head.ljust(HEADER, b"\x00") + body + END
    return data + checksum(data)


def parse(data: bytes) -> SearchReply:
    """The answer in a datagram. Raises InvalidReply for anything else.

    The checksum is not demanded: devices accept requests without one, and a wrong one
    costs nothing that the lengths and the end mark have not proved already.
    """
    command = _command(data)
    tags = _tags(data)
    mac = data[6:12]
    if mac == bytes(6) or mac[0] & 1:
        raise InvalidReply("its MAC is not that of a single device")
    model = _text(tags.get(0xA8))
    return SearchReply(
        mac=mac.hex(":"),
        command=command,
        kind="recorder" if is_recorder(tags, model) else "camera",
        address=_host(tags.get(0x20)),
        port=_port(tags.get(0x25)),
        name=_text(tags.get(0xA7)),
        model=model,
        serial=_text(tags.get(0xD1)),
        firmware=_text(tags.get(0xA9)),
        password_set={1: False, 2: True}.get(data[37]),
        setup_open={0: True, 1: False}.get(_number(tags.get(0xB4), -1)),
        facts=_facts(tags),
    )


def _command(data: bytes) -> int:
    if len(data) < HEADER + TRAILER:
        raise InvalidReply("it is too short")
    if data[:2] != MAGIC or data[24:33] != CONSTANT:
        raise InvalidReply("it is not Easy IP")
    length, command = struct.unpack_from(">HH", data, 2)
    if command not in (ANNOUNCE, REPLY):
        raise InvalidReply(f"it is {OTHERS.get(command, 'not a response of a device')}")
    if len(data) > MAX_REPLY or length + HEADER + TRAILER != len(data):
        raise InvalidReply("invalid length")
    if data[HEADER + length : HEADER + length + 2] != END:
        raise InvalidReply("missing end mark")
    return int(command)


def _tags(data: bytes) -> dict[int, bytes]:
    """The body as a map; of a repeated tag the first counts."""
    tags: dict[int, bytes] = {}
    at, end = HEADER, len(data) - TRAILER
    while at < end:
        if at + 4 > end:
            raise InvalidReply("a tag is cut off")
        tag, length = struct.unpack_from(">HH", data, at)
        if at + 4 + length > end:
            raise InvalidReply("a tag is longer than the datagram")
        tags.setdefault(tag, data[at + 4 : at + 4 + length])
        at += 4 + length
    if 0x20 not in tags:
        raise InvalidReply("it contains no address")
    return tags


def is_recorder(tags: Mapping[int, bytes], model: str | None) -> bool:
    """True for a recorder: judged by the one captured (it has tag c0) and its family's names."""
    return 0xC0 in tags or (model or "").upper().startswith(("NX", "WJ"))


def _facts(tags: Mapping[int, bytes]) -> dict[str, Any]:
    mode = _number(tags.get(0x00), -1)
    facts: dict[str, Any] = {
        "network_mode": MODES.get(mode, f"unknown ({mode})" if mode >= 0 else None),
        "subnet": _address(tags.get(0x21)),
        "gateway": _address(tags.get(0x22)),
        "dns": [address for address in _pair(tags.get(0x23)) if address],
        "ipv6": _ipv6(tags.get(0x40)),
        "second_port": _port(tags.get(0x44)),
    }
    if 0xC0 in tags:
        facts["recorder_numbers"] = [_number(tags.get(0xC0)), _number(tags.get(0xC1))]
    facts |= _unknown(tags)
    return {key: value for key, value in facts.items() if value not in (None, [])}


def _unknown(tags: Mapping[int, bytes]) -> dict[str, str]:
    """The tags without a meaning here, as they came, and how many were too much."""
    kept: dict[str, str] = {}
    omitted, size = 0, 0
    for tag, value in tags.items():
        if tag in KNOWN or tag in COPIES or not any(value):
            continue
        fits = len(value) <= LONGEST_TAG and size + len(value) <= MAX_TAG_BYTES
        if fits and len(kept) < MAX_TAGS:
            kept[f"tag_{tag:02x}"] = value.hex()
            size += len(value)
        else:
            omitted += 1
    return {**kept, "facts_omitted": f"{omitted} tags"} if omitted else kept


def _number(value: bytes | None, none: int = 0) -> int:
    return int.from_bytes(value, "big") if value and len(value) <= 4 else none


def _address(value: bytes | None) -> str | None:
    """An IPv4 address or a netmask; None for 0.0.0.0 and nonsense."""
    if value is None or len(value) != 4 or not any(value):
        return None
    return str(IPv4Address(value))


def _host(value: bytes | None) -> str | None:
    """An address that a single device can have; None for groups and everybody."""
    address = _address(value)
    if address is None or IPv4Address(address).is_multicast or IPv4Address(address).is_reserved:
        return None
    return address


def _port(value: bytes | None) -> int | None:
    number = _number(value)
    return number if 0 < number <= 0xFFFF else None


def _pair(value: bytes | None) -> list[str | None]:
    return [_address(value[:4]), _address(value[4:])] if value and len(value) == 8 else []


def _ipv6(value: bytes | None) -> str | None:
    return str(IPv6Address(value)) if value and len(value) == 16 and any(value) else None


def _text(value: bytes | None) -> str | None:
    """Text up to the first NUL, without control characters; None when empty.

    No capture holds a name outside ASCII: UTF-8 is tried, then Shift JIS, which Japanese
    units may use.
    """
    text = _decoded((value or b"")[: 4 * LONGEST_TEXT].split(b"\x00", 1)[0])
    clean = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    return " ".join(clean.split())[:LONGEST_TEXT].rstrip() or None


def _decoded(raw: bytes) -> str:
    """A device cuts a long name at 16 bytes, maybe inside its last character."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        if error.end == len(raw) and error.reason == "unexpected end of data" and error.start:
            return raw[: error.start].decode()
    try:
        return raw.decode("shift_jis")
    except UnicodeDecodeError:
        return raw.decode("ascii", "replace")
