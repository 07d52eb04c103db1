"""The pages of walls: many live pictures at a time, and links that show them to others."""

from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for

from fleet import labels
from fleet.model import Device, Invalid, Refused
from fleet.texts import one_line, sentences
from web.http import live_views
from web.http.auditing import note
from web.http.authentication import client_address
from web.http.authorization import needs, public
from web.http.errors import HttpError, status_of
from web.http.live_responses import tiles_response
from web.http.monitor import Monitor, current_monitor
from web.http.payloads import query_args
from web.http.shapes.video import TilesQuery
from web.http.stream_sessions import Viewer
from web.http.visible_fleet import VisibleFleet, current_person, visible_fleet
from web.pages import pickers, walls
from web.pages.shared_walls import shared_fleet
from web.pages.walls import LINK_DAYS, LONGEST_NAME, MAX_TILES, STREAMS, Wall, WallTile

bp = Blueprint("wall_pages", __name__)
STREAM_TITLES = {"auto": "Automatic", "main": "Main stream", "sub": "Sub stream"}


@dataclass(frozen=True, slots=True)
class ShownTile:
    """A tile as the page has it. `has_sub`: there is a sub stream."""

    device: int
    name: str
    stream: str
    has_sub: bool


def _user() -> int | None:
    person = current_person()
    return person.user if person else None


def _number(name: str) -> int:
    text = request.values.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 12 else 0


def _shown(visible: VisibleFleet, wall: Wall) -> list[ShownTile]:
    """The tiles whose cameras this person may watch."""
    devices = visible.devices()
    placed = [(tile, devices.get(tile.device)) for tile in _followed(wall).tiles]
    return [
        _tile(tile, device, labels.name_among(device, devices))
        for tile, device in placed
        if device is not None and visible.may("video.view", device)
    ]


def _tile(tile: WallTile, device: Device, name: str) -> ShownTile:
    return ShownTile(device.id, tile.name or name, tile.stream, live_views.has_sub(device))


def _followed(wall: Wall) -> Wall:
    """The wall with the numbers that its cameras have now: records can have been merged."""
    redirects = current_monitor().redirects
    tiles = (replace(tile, device=redirects.get(tile.device, tile.device)) for tile in wall.tiles)
    return replace(wall, tiles=tuple(tiles))


@bp.get("/wall")
@needs("video.view")
def index() -> Any:
    """The wall of this number, or the first one."""
    monitor = current_monitor()
    every, id = walls.walls_of(monitor, _user()), _number("wall")
    if not every:
        return _edit_page(Wall(0, ""))
    wall = walls.wall_in(every, id) if id else every[0]
    tiles = _shown(visible_fleet(), wall)
    return render_template("wall.html", walls=every, wall=wall, tiles=tiles)


@bp.get("/wall/edit")
@needs("video.view")
def edit() -> Any:
    """The form of a wall; without a number that of a new one."""
    id = _number("wall")
    wall = walls.wall_in(walls.walls_of(current_monitor(), _user()), id) if id else Wall(0, "")
    return _edit_page(wall)


def _edit_page(wall: Wall, fault: str = "", made: str = "") -> str:
    wall, devices = _followed(wall), visible_fleet().devices()
    names = {id: labels.name_among(devices[id], devices) for id in _devices(wall) if id in devices}
    now = current_monitor().clock()
    return render_template(
        "wall_edit.html",
        wall=wall,
        names=names,
        fault=fault,
        made=made,
        links=[each for each in wall.links if each.is_open(now)],
        may_share=_user() is not None and bool(wall.tiles) and _may_share(wall),
        days=LINK_DAYS,
        streams=STREAM_TITLES,
        longest=LONGEST_NAME,
        most=MAX_TILES,
        walls=walls.walls_of(current_monitor(), _user()),
    )


def _devices(wall: Wall) -> list[int]:
    return [tile.device for tile in wall.tiles]


def _may_share(wall: Wall) -> bool:
    """True if this person may share every picture of the wall that they see."""
    visible, devices = visible_fleet(), visible_fleet().devices()
    return all(visible.may("wall.share", devices[id]) for id in _devices(wall) if id in devices)


@bp.post("/wall")
@needs("account.change")
def change() -> Any:
    """Save or delete a wall; make or revoke a link to it."""
    monitor, user, do = current_monitor(), _user(), request.form.get("do", "")
    wall = Wall(_number("wall"), one_line(request.form.get("name", "")))
    try:
        match do.partition(":"):
            case "save", _, _:
                wall = walls.save(monitor, user, _typed(wall))
                return redirect(f"/wall?wall={wall.id}", 303)
            case "delete", _, _:
                walls.delete(monitor, user, wall.id)
                return redirect("/wall", 303)
            case "share", _, _:
                return _shared(monitor, user, wall.id)
            case "revoke", _, number:
                return _revoked(monitor, user, wall.id, int(number) if number.isdecimal() else 0)
    except Refused as error:
        text = sentences(error.error, error.hint)
        return Response(_edit_page(_as_typed(wall), fault=text), status_of(error))
    raise HttpError(422, "The form cannot do this", "Use one of its buttons.")


def _as_typed(wall: Wall) -> Wall:
    try:
        return _typed(wall)
    except Refused:
        return wall


def _typed(wall: Wall) -> Wall:
    """The wall as the form has it: its tiles in their order, without those that are removed, then
    those that are added. Raises Invalid."""
    form = request.form
    lists = (form.getlist(name) for name in ("device", "stream", "tile_name", "order"))
    removed = set(form.getlist("remove"))
    rows = [
        row for row in zip(*lists, strict=False) if row[0].isdecimal() and row[0] not in removed
    ]
    rows.sort(key=lambda row: int(row[3]) if row[3].isdecimal() else 0)
    tiles = [
        WallTile(int(device), stream if stream in STREAMS else "auto", one_line(name))
        for device, stream, name, _order in rows
    ]
    tiles += [WallTile(id) for id in pickers.picked_numbers("add")]
    if not tiles:
        raise Invalid("This wall has no cameras", "Add at least one.")
    return Wall(wall.id, wall.name, tuple(tiles))


def _shared(monitor: Monitor, user: int | None, id: int) -> Any:
    wall = _followed(walls.wall_in(walls.walls_of(monitor, user), id))
    if user is None or not _may_share(wall):
        raise HttpError(
            403,
            "You don't have permission to share this wall",
            "An administrator can allow it under Settings > Users.",
        )
    token = walls.add_link(monitor, user, id, _number("days"))
    note("wall.shared", f"wall {wall.name}", f"A link shows it for {_number('days')} days")
    wall = walls.wall_in(walls.walls_of(monitor, user), id)
    return _edit_page(wall, made=url_for("wall_pages.shared", token=token, _external=True))


def _revoked(monitor: Monitor, user: int | None, id: int, link: int) -> Any:
    if user is not None:
        walls.revoke_link(monitor, user, id, link)
        note("wall.unshared", f"wall number {id}", "A link to it was revoked")
    return redirect(f"/wall/edit?wall={id}", 303)


# -- what a link shows ----------------------------------------------------------------------


@bp.get("/wall/shared/<token>")
@public
def shared(token: str) -> Any:
    """The wall behind a link, for everybody who has it. It shows the pictures and nothing else."""
    visible = shared_fleet(current_monitor(), token)
    if visible is None:
        raise HttpError(404, "This link no longer works", "Ask for a new one.")
    return render_template(
        "wall_shared.html", wall=visible.wall, tiles=_shown(visible, visible.wall), token=token
    )


@bp.get("/wall/shared/<token>/live")
@public
def shared_live(token: str) -> Response:
    """The pictures of the wall behind a link: the tiles of the wall, in any order."""
    visible = shared_fleet(current_monitor(), token)
    if visible is None:
        raise HttpError(404, "This link no longer works", "Ask for a new one.")
    address = client_address(visible.monitor.authenticator)
    name = f"{visible.person.name} (shared wall {visible.wall.name})"
    agent = request.headers.get("User-Agent", "")[: live_views.LONGEST_AGENT]
    viewer = Viewer(name, f"link {visible.person.user}.{visible.wall.id} {address}", address, agent)
    return tiles_response(visible, query_args(TilesQuery).tiles, viewer)
