"""The fleet as somebody sees it who has a link to a wall: its cameras, and only their pictures."""

from dataclasses import dataclass, field, replace

from fleet.model import Device
from web.http.monitor import Monitor
from web.http.visible_fleet import VisibleFleet, visible_to
from web.pages import walls
from web.pages.walls import Wall


@dataclass(frozen=True, slots=True)
class SharedFleet(VisibleFleet):
    """What the owner of the wall may show, as of now."""

    token: str = field(default="", repr=False)
    wall: Wall = field(default=Wall(0, ""))

    def may(self, action: str, device: Device | None = None) -> bool:
        """Nothing but to watch the cameras that the owner may watch and share."""
        if action not in ("video.view", "device.view"):
            return False
        owner = visible_to(self.monitor, self.person)
        return owner.may("video.view", device) and owner.may("wall.share", device)

    def refreshed(self) -> "SharedFleet | None":
        """The same as of now; None when the link or the account of its owner has ended."""
        return shared_fleet(self.monitor, self.token)


def shared_fleet(monitor: Monitor, token: str) -> SharedFleet | None:
    """The fleet that a link shows; None for a link that shows nothing (any more)."""
    behind = walls.behind_link(monitor, token)
    person = monitor.authenticator.accounts.snapshot.person(behind[0]) if behind else None
    if behind is None or person is None:
        return None
    wall, redirects = behind[1], monitor.redirects
    numbers = {redirects.get(tile.device, tile.device) for tile in wall.tiles}
    person = visible_to(monitor, replace(person, devices=frozenset(numbers))).person
    return SharedFleet(monitor, person, token=token, wall=wall)
