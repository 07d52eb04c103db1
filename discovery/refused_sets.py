"""Credential sets whose login many devices refused and none accepted."""

from collections import Counter

from fleet import logins
from fleet.model import Fleet

MOST = 10
"""Devices that refuse the login of a set, and none that accepts it, until no other device gets it:
a wrong password in a set of hundreds of cameras is not tried twice at each of them."""


class RefusedSets:
    """Counts once for each snapshot of the fleet."""

    def __init__(self) -> None:
        self._fleet: Fleet | None = None
        self._reasons: dict[str, str] = {}

    def reason(self, fleet: Fleet, id: str) -> str:
        """Why the login of the set is sent to no device that has not accepted it; empty if it
        is."""
        if fleet is not self._fleet:
            self._fleet, self._reasons = fleet, _reasons(fleet)
        return self._reasons.get(id, "")


def _reasons(fleet: Fleet) -> dict[str, str]:
    if not fleet.credentials:
        return {}
    refused, accepted = Counter[str](), set[str]()
    for device in fleet.devices.values():
        for id in logins.sets_of(device):
            ways = [way for way in device.access.values() if way.credentials == id]
            refused[id] += any(way.refusals for way in ways)
            if any(way.method not in ("", logins.NO_LOGIN) and not way.refusals for way in ways):
                accepted.add(id)
    return {
        id: _text(fleet.credentials[id].name, count)
        for id, count in refused.items()
        if count >= MOST and id not in accepted and id in fleet.credentials
    }


def _text(name: str, count: int) -> str:
    return (
        f"{count} devices refused the credential set {name} and none accepted it, so it is not "
        "tried here. Correct its user name or password."
    )
