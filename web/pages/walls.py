"""Walls as values: the pictures that a person put together, and the links that show them."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fleet.model import Invalid, NotFound
from fleet.natural_order import natural_key
from web.http.monitor import Monitor

PREFERENCE = "walls"
MAX_WALLS, MAX_TILES, MAX_LINKS = 30, 36, 10
LONGEST_NAME = 80
STREAMS = ("auto", "main", "sub")
"""What a tile shows; `auto` is the sub stream where there is one."""
LINK_DAYS = (1, 7, 30, 365)


@dataclass(frozen=True, slots=True)
class WallTile:
    """`name` is what the person calls it; empty: as the camera is called."""

    device: int
    stream: str = "auto"
    name: str = ""


@dataclass(frozen=True, slots=True)
class WallLink:
    """A link that shows a wall until `ends`. Only the digest of its secret is kept."""

    id: int
    digest: str
    made: str
    ends: str

    def is_open(self, now: datetime) -> bool:
        return now < datetime.fromisoformat(self.ends)


@dataclass(frozen=True, slots=True)
class Wall:
    id: int
    name: str
    tiles: tuple[WallTile, ...] = ()
    links: tuple[WallLink, ...] = ()


def walls_of(monitor: Monitor, user: int | None) -> list[Wall]:
    """The walls of a user, by name; what is not a wall is left out."""
    return sorted(
        _walls_in(monitor.preferences.of(user, PREFERENCE)),
        key=lambda wall: natural_key(wall.name),
    )


def _walls_in(value: Any) -> list[Wall]:
    rows = value if isinstance(value, list) else []
    return [wall for wall in map(_wall, rows) if wall is not None]


def _wall(row: Any) -> Wall | None:
    try:
        tiles = tuple(WallTile(**tile) for tile in row["tiles"])
        links = tuple(WallLink(**link) for link in row["links"])
        return Wall(int(row["id"]), str(row["name"]), tiles, links)
    except (TypeError, KeyError, ValueError):
        return None


def wall_in(walls: Sequence[Wall], id: int) -> Wall:
    """Raises NotFound."""
    for wall in walls:
        if wall.id == id:
            return wall
    raise NotFound("This wall does not exist", "It was deleted, or it belongs to somebody else.")


def _change(
    monitor: Monitor, user: int | None, make: Callable[[list[Wall]], Sequence[Wall]]
) -> None:
    """Save the walls that `make` returns for those that there are; nobody writes in between."""

    def changed(value: Any) -> Any:
        return [asdict(wall) for wall in make(_walls_in(value))] or None

    monitor.preferences.change(user, PREFERENCE, changed)


def save(monitor: Monitor, user: int | None, wall: Wall) -> Wall:
    """Save a wall; one with the number 0 is new. Its links stay as they are.

    Raises Invalid, NotFound and Unreachable.
    """
    _check(wall)
    saved: list[Wall] = []

    def with_it(walls: list[Wall]) -> list[Wall]:
        if any(_is_same(other.name, wall.name) and other.id != wall.id for other in walls):
            raise Invalid(f"Another wall is already named {wall.name}", "Choose another name.")
        if not wall.id and len(walls) >= MAX_WALLS:
            raise Invalid(f"You already have {MAX_WALLS} walls", "Delete one first.")
        id = wall.id or max((other.id for other in walls), default=0) + 1
        links = wall_in(walls, wall.id).links if wall.id else ()
        saved.append(replace(wall, id=id, links=links))
        return [*(other for other in walls if other.id != id), saved[0]]

    _change(monitor, user, with_it)
    return saved[0]


def delete(monitor: Monitor, user: int | None, id: int) -> None:
    """Delete a wall and its links, if it is there. Raises Unreachable."""
    _change(monitor, user, lambda walls: [wall for wall in walls if wall.id != id])


def add_link(monitor: Monitor, user: int, id: int, days: int) -> str:
    """Make a link that shows the wall for so many days; its token, which is shown only once.

    Raises Invalid, NotFound and Unreachable.
    """
    if days not in LINK_DAYS:
        raise Invalid("Choose how long the link works", "")
    now, secret = monitor.clock(), secrets.token_urlsafe(24)
    ends = (now + timedelta(days=days)).isoformat()

    def with_link(wall: Wall) -> Wall:
        links = [link for link in wall.links if link.is_open(now)]
        if len(links) >= MAX_LINKS:
            raise Invalid(f"This wall already has {MAX_LINKS} links", "Revoke one first.")
        number = max((link.id for link in wall.links), default=0) + 1
        link = WallLink(number, _digest(secret), now.isoformat(), ends)
        return replace(wall, links=(*links, link))

    _change_one(monitor, user, id, with_link)
    return f"{user}.{id}.{secret}"


def revoke_link(monitor: Monitor, user: int, id: int, link: int) -> None:
    """End a link at once. Raises NotFound and Unreachable."""

    def without(wall: Wall) -> Wall:
        return replace(wall, links=tuple(each for each in wall.links if each.id != link))

    _change_one(monitor, user, id, without)


def _change_one(monitor: Monitor, user: int, id: int, change: Callable[[Wall], Wall]) -> None:
    def changed(walls: list[Wall]) -> list[Wall]:
        wall = wall_in(walls, id)
        return [change(wall) if each is wall else each for each in walls]

    _change(monitor, user, changed)


def behind_link(monitor: Monitor, token: str) -> tuple[int, Wall] | None:
    """The owner and the wall that a link shows now; None for one that shows nothing (any more)."""
    user, _, rest = token.partition(".")
    id, _, secret = rest.partition(".")
    if not (user.isdecimal() and id.isdecimal() and len(user) < 12 and len(id) < 12):
        return None
    now, digest = monitor.clock(), _digest(secret)
    for wall in walls_of(monitor, int(user)):
        for link in wall.links if wall.id == int(id) else ():
            if hmac.compare_digest(link.digest, digest) and link.is_open(now):
                return int(user), wall
    return None


def _digest(secret: str) -> str:
    """The secret is random and long: a plain hash of it tells nothing."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _check(wall: Wall) -> None:
    """Raise Invalid for a wall that cannot be saved."""
    if not wall.name:
        raise Invalid("Enter a name", "")
    if len(wall.name) > LONGEST_NAME or any(len(tile.name) > LONGEST_NAME for tile in wall.tiles):
        raise Invalid("A name is too long", f"Use at most {LONGEST_NAME} characters.")
    if len(wall.tiles) > MAX_TILES:
        raise Invalid(
            f"{len(wall.tiles)} cameras are too many for a wall", f"Use at most {MAX_TILES}."
        )
    if any(tile.stream not in STREAMS for tile in wall.tiles):
        raise Invalid("Choose the stream of each camera", "")


def _is_same(name: str, other: str) -> bool:
    return name.casefold() == other.casefold()


def public_names(wall: Wall, names: Mapping[int, str]) -> dict[int, str]:
    """What the tiles of a wall are called, by their devices."""
    return {
        tile.device: tile.name or names[tile.device] for tile in wall.tiles if tile.device in names
    }
