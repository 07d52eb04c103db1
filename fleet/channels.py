"""Channels: the cameras that one device serves at its own address. Pure.

A recorder has one for each camera that it records, a camera with several sensors one for each of
them. A channel has a record of its own, with the device that serves it as its first parent, and is
asked at the address of that device.
"""

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import unquote

from fleet import access_fields, identity
from fleet.kinds import RECORDER
from fleet.model import Access, Device, Fault, Invalid

STREAM = "stream"
"""The link of a device with the path of its main stream."""
SUB_STREAM = "stream.sub"
"""The link with the path of its sub stream."""
SNAPSHOT = "snapshot"
"""The link with the path of its snapshot, such as `/snap.jpg`, `:8080/snap.jpg` or, with TLS,
`https:443/snap.jpg`."""
HTTPS_LINK = "https"
"""How the link of an encrypted snapshot begins."""
SOURCE = "rtsp"
"""The source that asks the stream of a channel."""
PORT = 554
"""The port of that source where none is given."""
TLS_PORT = 322
"""The same with TLS."""
TLS_LINK = "rtsps"
"""How the link of an encrypted stream begins."""
NO_SIGNAL = "signal.none"
NO_STREAM = frozenset(("stream.missing", "stream.path"))
"""Findings about a path that the device does not serve."""


def is_effect(kind: str, kinds: Collection[str]) -> bool:
    """True for a finding about the missing stream of a channel whose other findings explain it: it
    has no video signal."""
    return kind in NO_STREAM and NO_SIGNAL in kinds


def causes(faults: Sequence[Fault]) -> list[Fault]:
    """The findings of a device without those that another one explains."""
    kinds = {fault.kind for fault in faults}
    return [fault for fault in faults if not is_effect(fault.kind, kinds)]


def is_channel(device: Device) -> bool:
    """True for a device that is known only as a channel of another one. A camera that proved
    itself has an address of its own, though a recorder records it too."""
    keys = device.identities
    if not any(key.startswith(identity.CHANNEL) for key in keys):
        return False
    return not any(key.startswith((identity.MAC, identity.ENDPOINT)) for key in keys)


def recorder_of(device: Device, devices: Mapping[int, Device]) -> Device | None:
    """The device that serves the channel; None for one that is not a channel."""
    if not device.parents or not is_channel(device):
        return None
    return devices.get(device.parents[0])


def is_served_by(device: Device, parent: Device) -> bool:
    """True if the parent of a channel is the device that serves it, and not what that is behind."""
    keys = (key for key in device.identities if key.startswith(identity.CHANNEL))
    if parent.kind == RECORDER or any(identity.owner_of(key) in parent.identities for key in keys):
        return True
    own, served = device.access.get(SOURCE), parent.access.get(SOURCE)
    if own is None or served is None or (host := own.host or device.address) is None:
        return False
    servers = host, served.host or parent.address
    return servers[0] == servers[1] and (own.port or PORT) == (served.port or PORT)


def server_of(access: Access) -> tuple[int, bool]:
    """The port of a stream, and whether it is encrypted."""
    is_tls = access.options.get("tls") is True
    return access.port or (TLS_PORT if is_tls else PORT), is_tls


def stream_access(link: str | None) -> Access | None:
    """The access to the stream that a device named: by a link without host, such as `/cam`,
    `:8554/cam` or, with TLS, `rtsps:322/cam`. None for an unusable link.

    No person entered its port, so a login goes there only with Digest.
    """
    if not link or link == ":":
        return None
    place = link.removeprefix(TLS_LINK) if link.startswith(f"{TLS_LINK}:") else link
    port, slash, path = place[1:].partition("/") if place[0] == ":" else ("", "", place)
    options = {"tls": True} if place is not link else {}
    fields = {"path": f"{slash}{path}", "port": port or None, "options": options}
    try:
        return Access(**access_fields.values(fields), digest_only=True)
    except Invalid:
        return None


def part_of(key: str) -> str:
    """The video source or path in the key of a channel."""
    return unquote(key.rpartition("/")[2])


def parts_of(device: Device) -> set[str]:
    """The video sources or paths by which the channel is known."""
    return {part_of(key) for key in device.identities if key.startswith(identity.CHANNEL)}


def title(device: Device) -> str:
    """What a channel without a name is called: "Channel 2"."""
    for facts in device.facts.values():
        if number := facts.get("channel"):
            return f"Channel {number}"
    return f"Channel {max(parts_of(device), default='')}".strip()
