"""Remedies for a status or a finding."""

from fleet.shapes import CameraRow

FINDING_REMEDIES = {
    "password.unset": (
        "No administrator password",
        "Open its page by the address and set one; until then anybody on the network can.",
    ),
    "setup.open": (
        "Set-up window open",
        "It closes 20 minutes after the device started. If nobody restarted it, find out why "
        "it did.",
    ),
    "address.shared": (
        "Shared address",
        "Give one of the two another address, or take it out of the router's list of fixed ones.",
    ),
    "mac.contested": (
        "Two senders claim this MAC",
        "One of them is a copy or an attacker. Look for the MAC at each of the addresses, for "
        "example in the switch, and unplug the one that does not belong there.",
    ),
    "identity.shared": (
        "MAC or endpoint reference used twice",
        "Two devices report the same one, often by the manufacturer's mistake. Reserve a fixed "
        "address for each in the router, and ask the manufacturer for an update.",
    ),
    "access.password": (
        "Stored password unreadable",
        "Enter it again. If the key file was lost, that is so for every stored password.",
    ),
    "address.unstable": (
        "Address changes constantly",
        "Reserve a fixed address for it in the router. If it has one, somebody else may use its "
        "MAC.",
    ),
}

STATUS_REMEDIES = {
    "OFFLINE": "Check its power and cable, then scan again.",
    "MISSING": "Not seen for a day. If it is gone for good, retire it; its history stays.",
    "UNREACHABLE": "Its parent device is down; check that first.",
    "UNKNOWN": "It was not checked yet. Scan the network.",
    "IP_CHANGED": "Its address is new. The next scan that finds it there settles it.",
}
CLOUD_REMEDIES = {
    "OFFLINE": "Check its power and its line to the internet, and that P2P is on in its menu.",
    "UNKNOWN": "It is asked about at the cloud within a minute.",
}


def of_status(row: CameraRow) -> str:
    """The remedy for a camera's status; empty if it needs none."""
    is_far = row["kind"] == "recorder" and not row["current_ip"]
    known = {**STATUS_REMEDIES, **CLOUD_REMEDIES} if is_far else STATUS_REMEDIES
    return known.get(row["status"], "")


def title(kind: str) -> str:
    """A finding's name; its kind when we have none."""
    return FINDING_REMEDIES.get(kind, (kind, ""))[0]


def what_to_do(kind: str) -> str:
    return FINDING_REMEDIES.get(kind, ("", ""))[1]
