"""The snapshots of a pretend ONVIF device, good and bad."""

import asyncio
from urllib.parse import parse_qs

from simulators.onvif_device import JPEG, OnvifDevice

SOF, SIZE = b"\xff\xc0\x00\x11\x08", slice(5, 9)
ERROR = b"<html><body>401 Unauthorized: session timeout</body></html>"
CROSSED = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n"
Content = tuple[str, bytes]


def huge() -> bytes:
    """A small file that says it has 200 megapixels."""
    at = JPEG.index(SOF)
    size = (10_000).to_bytes(2, "big") + (20_000).to_bytes(2, "big")
    return JPEG[:at] + SOF + size + JPEG[at + SIZE.stop :]


CONTENTS: dict[str, Content] = {
    "well": ("image/jpeg", JPEG),
    "octets": ("application/octet-stream", JPEG),
    "text": ("image/jpeg", ERROR),
    "crossed": ("image/jpeg", CROSSED),
    "half": ("image/jpeg", JPEG[: len(JPEG) // 2]),
    "huge": ("image/jpeg", huge()),
    "empty": ("image/jpeg", b""),
}
"""What it sends with status 200, by kind, with its type."""
UNENDING = frozenset(("silent", "cut", "endless"))
"""Kinds that are no whole answer."""


def query_login(device: OnvifDevice) -> dict[str, str]:
    """The query in which its snapshot wants the login."""
    return {"user": device.accounts.username, "pwd": device.accounts.password}


def judge_query(device: OnvifDevice, query: str, header: str | None) -> str:
    """The outcome of a request with the login in its query. With a header besides, it is refused:
    so do some devices."""
    given = {name: values[0] for name, values in parse_qs(query).items()}
    fields = {"username": given.get("user", ""), "password": given.get("pwd", "")}
    fits = given.items() >= query_login(device).items() and not header
    return device.accounts.note("query", fields, "right" if fits else "wrong", "GET")


async def send_part(kind: str, writer: asyncio.StreamWriter) -> None:
    """Send nothing, half of what was announced, or a picture without an end."""
    if kind == "silent":
        await asyncio.sleep(3600)
    head = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
    length = f"Content-Length: {len(JPEG)}\r\n" if kind == "cut" else ""
    writer.write(f"{head}{length}\r\n".encode() + JPEG[: len(JPEG) // 2])
    while kind == "endless":
        writer.write(bytes(65_536))
        await writer.drain()
    await writer.drain()
