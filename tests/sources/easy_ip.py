"""Easy IP datagrams for tests: the captured ones, and any others, sound or lying.

Built here from the description of the protocol, not with the code under test.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONSTANT = bytes.fromhex("20111e11231f1e1913")
MAC = "d4:2d:c5:00:00:01"
ADDRESS = "127.20.0.1"
Tags = list[tuple[int, bytes]]


@dataclass(frozen=True)
class Vector:
    """One captured datagram. `decoded` is what it says, by hand; empty where it is no answer."""

    name: str
    command: int
    mac: str
    data: bytes
    checksum_ok: bool
    requester_mac: bytes
    requester_ip: str
    decoded: dict[str, Any]


def _load() -> list[Vector]:
    raw = json.loads(Path(__file__).with_name("panasonic_vectors.json").read_text())
    return [
        Vector(
            f"{number} {packet['name']}",
            int(packet["command"], 16),
            packet["mac"],
            bytes.fromhex(packet["hex"]),
            packet["checksum_ok"],
            bytes.fromhex(packet["requester_mac"].replace(":", "")),
            packet["requester_ip"],
            packet.get("decoded", {}),
        )
        for number, packet in enumerate(raw["packets"], start=1)
    ]


VECTORS = _load()
ANSWERS = [vector for vector in VECTORS if vector.command in (0x0001, 0x000E)]
OTHERS = [vector for vector in VECTORS if vector not in ANSWERS]


def name_of(vector: Vector) -> str:
    return vector.name


def tlvs(data: bytes) -> list[tuple[int, int, bytes]]:
    """(offset, tag, value) of each tag of a sound datagram."""
    at, fields = 48, []
    while at < len(data) - 4:
        tag, size = struct.unpack_from(">HH", data, at)
        fields.append((at, tag, data[at + 4 : at + 4 + size]))
        at += 4 + size
    return fields


def with_checksum(data: bytes) -> bytes:
    return data[:-2] + struct.pack(">H", (1 + sum(data[:-2])) & 0xFFFF)


def packed(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def ip(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


def datagram(
    tags: Tags | None = None, *, mac: str = MAC, command: int = 0x000E, admin: int = 2
) -> bytes:
    """A sound datagram with these tags, or with an address and a name."""
    chosen = plain_tags() if tags is None else tags
    body = b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in chosen)
    head = struct.pack(">HHH", 1, len(body), command) + packed(mac) + bytes(12)
    head += CONSTANT + bytes((0, 0, 2, 2, admin)) + bytes(10)
    return with_checksum(head + body + b"\xff\xff\0\0")


def plain_tags(address: str = ADDRESS, name: bytes = b"Gate") -> Tags:
    return [(0x00, b"\x02"), (0x20, ip(address)), (0x25, b"\0\x50"), (0xA7, name.ljust(16, b"\0"))]
