"""Remedies for a status or a finding."""

from collections.abc import Sequence

from fleet.channels import is_effect
from fleet.shapes import CameraRow, FindingRow

FINDING_REMEDIES = {
    "password.unset": (
        "No administrator password",
        "Open its web page and set a password.",
    ),
    "setup.open": (
        "Setup window open",
        "If nobody restarted it, find out why it restarted.",
    ),
    "address.shared": (
        "Duplicate address",
        "Give one of the devices another address, or remove its reservation in the router.",
    ),
    "mac.contested": (
        "Two senders use this MAC",
        "One of them is a clone or an attacker. Find the MAC at each of the addresses, for "
        "example in the switch, and disconnect the device that does not belong there.",
    ),
    "identity.shared": (
        "Duplicate MAC or endpoint reference",
        "This is often a manufacturing error. Reserve a fixed address for each in the router, "
        "and ask the manufacturer for a firmware update.",
    ),
    "access.password": (
        "Stored password unreadable",
        "Enter the password again. If the key file was lost, no stored password can be read.",
    ),
    "login.wrong": (
        "Login refused",
        "Enter the right user name and password under Connections. Until then only its presence "
        "is checked, so that the device does not lock the account.",
    ),
    "login.method": (
        "Login method not supported",
        "Turn on Digest login for RTSP or ONVIF in the menu of the device. The password may be "
        "right.",
    ),
    "login.clock": (
        "Login refused because of the clock",
        "Set the time, the time zone and a time server in the menu of the device.",
    ),
    "login.none": (
        "No login required",
        "Set a password on the device.",
    ),
    "tls.changed": (
        "Certificate changed",
        "If the device was replaced, reset or updated, confirm the new certificate under "
        "Connections. Otherwise find out why it changed.",
    ),
    "tls.old": (
        "TLS too old",
        "Install newer firmware, or use a connection without TLS on a network that you trust.",
    ),
    "stream.missing": (
        "Stream not offered now",
        "Check whether it was switched off, or whether privacy mode is on.",
    ),
    "stream.refused": (
        "Stream refused",
        "Open the stream in another player. If that fails too, restart the device or correct the "
        "path under Connections.",
    ),
    "stream.transport": (
        "Stream not offered over TCP",
        "Allow RTSP over TCP in the menu of the device; UDP and multicast are not supported.",
    ),
    "stream.busy": (
        "Stream is busy",
        "Close other viewers of this device, or allow more of them in its menu. The next check "
        "that gets the stream clears this.",
    ),
    "stream.none": (
        "No video in the stream",
        "Choose another stream under Connections, or turn on video in the menu of the device.",
    ),
    "snapshot.broken": (
        "Snapshot broken",
        "Stills come from the stream meanwhile. A firmware update can change the snapshot link: "
        "check the device to read it again.",
    ),
    "capture.failed": (
        "Takes no picture",
        "Stop other programs that use this camera, and check its cable and the power supply. It is "
        "tried again every 5 minutes; a picture ends this.",
    ),
    "picture.black": (
        "Picture is black",
        "Check the lighting, the infrared light, the privacy mode, and the lens for a cover.",
    ),
    "picture.frozen": (
        "Picture is frozen",
        "Restart the camera. If it repeats its last picture by design, as battery cameras do, turn "
        "on “Repeats its last picture” in its picture health.",
    ),
    "picture.blurred": (
        "Picture is blurred",
        "Clean the lens, then correct the focus. If it always looks like this, set a reference in "
        "its picture health.",
    ),
    "picture.covered": (
        "Lens is covered",
        "Look at the camera on site. If this is intended, mark the picture as expected in its "
        "picture health.",
    ),
    "picture.moved": (
        "Camera was moved",
        "Turn it back. If it is where it belongs, set a new reference in its picture health.",
    ),
    "stream.unreadable": (
        "Stream description cannot be read",
        "Check the path and the port under Connections; if they are right, update the firmware.",
    ),
    "stream.path": (
        "No stream at this path",
        "Enter the path of the stream under Connections; the manual of the device names it.",
    ),
    "clock.drift": (
        "Clock is wrong",
        "Set a time server (NTP) in the menu of the device.",
    ),
    "clock.zone": (
        "Time zone or summer time is wrong",
        "Correct the time zone and the summer time in the menu of the device.",
    ),
    "clock.local": (
        "Reports local time as UTC",
        "Camera Monitor allows for this when it logs in. Newer firmware may correct it.",
    ),
    "address.none": (
        "No usable address",
        "Give it an IPv4 address in its network settings.",
    ),
    "address.told": (
        "Reports another address",
        "If it is behind a router, there is nothing to do. Otherwise correct the address in its "
        "network settings.",
    ),
    "address.secret": (
        "Stream address with another password",
        "Enter the whole stream URL of the device under Connections, with its password, which is "
        "stored encrypted.",
    ),
    "signal.none": (
        "No video signal",
        "Check the camera of this channel, its cable and its power.",
    ),
    "camera.tamper": (
        "Tampering reported by the camera",
        "Look at its picture. If the camera was not touched, make its tamper detection less "
        "sensitive in its menu.",
    ),
    "camera.dark": (
        "Too dark, the camera reports",
        "Look at its picture: check the lighting, its infrared light, and whether it is covered.",
    ),
    "camera.blurred": (
        "Blurred, the camera reports",
        "Look at its picture: clean the lens, then correct the focus in the menu of the camera.",
    ),
    "camera.signal": (
        "Video signal lost, the camera reports",
        "Check the cable and the power of the sensor or of the camera at this input.",
    ),
    "camera.storage": (
        "Storage failure reported by the camera",
        "Check its memory card or disk in its menu, and replace it if it is worn out.",
    ),
    "events.unavailable": (
        "Own events of the camera not read",
        "Nothing else is affected. To try again, turn the option off and on under Connections; "
        "newer firmware is tried by itself.",
    ),
    "channels.left-out": (
        "More channels than the list can hold",
        "Delete or retire channels that the device no longer has, then check the device again.",
    ),
    "identity.unproven": (
        "Identity unproven",
        "Turn on TLS or ONVIF discovery in the device, so that it can prove who it is.",
    ),
    "identity.other": (
        "Another device at its address",
        "If the device was replaced, add the new one and retire this one. If it is behind a router "
        "or a recorder, add that at the same address.",
    ),
    "identity.two": (
        "Two devices at one address",
        "Two devices may have the same address, or the device has two network ports. Give each its "
        "own address.",
    ),
    "source.error": (
        "Check failed by an internal error",
        "Check the log of this server, and report the error.",
    ),
    "recording.missing": (
        "Scheduled and not recorded",
        "Check the camera and its connection. The coverage of the recordings shows since when, and "
        "why.",
    ),
    "recording.short": (
        "Recordings deleted early",
        "Use a larger disk, record with lower quality or fewer cameras, or require fewer days.",
    ),
    "video.none": (
        "Responds, no picture",
        "Turn on video in the menu of the device, or restart it.",
    ),
    "address.unstable": (
        "Address changes constantly",
        "Reserve a fixed address for it in the router. If it already has one, another device "
        "may be using its MAC.",
    ),
}

SAID_BY_TITLE = ("password.unset", "setup.open", "login.none", "address.none", "address.told")
"""The findings whose text begins with what their title says, before a colon."""

STATUS_REMEDIES = {
    "OFFLINE": "Check its power and network cable, then scan again.",
    "MISSING": "Not seen for a day. If it was removed for good, retire it; its history is kept.",
    "UNREACHABLE": "Its parent device is down; check that first.",
    "UNKNOWN": "Not checked yet. Scan the network.",
    "IP_CHANGED": "Its address changed. The next scan confirms the new address.",
}
CHECKED_REMEDIES = {
    "OFFLINE": "Check its power and network cable, then check it again.",
}
"""For a device that is checked by its own connection."""
BY_REASON = {
    ", not RTSP": "Correct the port of the connection.",
    "does not speak ONVIF": "Correct the port or the path of the connection.",
    "connection refused": "Turn on RTSP or ONVIF in the menu of the device, or correct the port of "
    "the connection.",
    "host name cannot be resolved": "Correct the host name, or the DNS server of this server.",
    "no route to it": "Correct the address, or add a route on this server.",
    "no host at this address": "Correct the address, or check its power and network cable.",
}
"""What to do about a device that is checked by its own connection, by a part of the reason."""
CLOUD_REMEDIES = {
    "OFFLINE": "Check its power and internet connection, and that P2P is enabled in its menu.",
    "UNKNOWN": "The first check via Dahua cloud follows within a minute.",
}
CHECKING = "Checking now. The result follows within a minute."
"""For a device that is asked at its own address, whether or not anybody scans the network."""


def of_status(row: CameraRow, has_connection: bool = False) -> str:
    """The remedy for a camera's status; empty if it needs none. `has_connection`: it is asked by
    RTSP or ONVIF."""
    if row["status"] == "UNKNOWN" and has_connection:
        return CHECKING
    if has_connection and row["status"] == "OFFLINE" and (advice := of_miss(row["reason"])):
        return advice
    is_far = row["kind"] == "recorder" and not row["current_ip"]
    others = CHECKED_REMEDIES if has_connection else CLOUD_REMEDIES if is_far else {}
    return {**STATUS_REMEDIES, **others}.get(row["status"], "")


def of_miss(reason: str) -> str:
    """What to do about a device that does not respond to its own connection, for this reason; empty
    where there is nothing more exact than to check the device."""
    return next((text for part, text in BY_REASON.items() if part in reason), "")


def causes(findings: Sequence[FindingRow]) -> list[FindingRow]:
    """The rows of findings without those that another one explains."""
    kinds = {finding["kind"] for finding in findings}
    return [finding for finding in findings if not is_effect(finding["kind"], kinds)]


def title(kind: str) -> str:
    """A finding's name; its kind when we have none."""
    return FINDING_REMEDIES.get(kind, (kind, ""))[0]


def explanation(kind: str, text: str) -> str:
    """The text of a finding as a sentence that goes on after its title."""
    rest = text.partition(": ")[2] if kind in SAID_BY_TITLE else ""
    shown = rest or text
    end = "" if shown.endswith((".", "?")) else "."
    return f"{shown[:1].upper()}{shown[1:]}{end}"


def what_to_do(kind: str) -> str:
    return FINDING_REMEDIES.get(kind, ("", ""))[1]
