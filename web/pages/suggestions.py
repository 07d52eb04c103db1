"""What a text field offers while somebody types: the tags and sites that are in use."""

from collections.abc import Callable, Iterable, Mapping

from flask import Blueprint, render_template, request

from fleet.model import DEFAULT_SITE, Device
from fleet.natural_order import natural_key
from web.http.authorization import needs
from web.http.visible_fleet import visible_fleet

bp = Blueprint("suggestions_pages", __name__)
SHOWN = 20
LONGEST = 100


def _tags(device: Device) -> Iterable[str]:
    return device.tags


def _site(device: Device) -> Iterable[str]:
    return (device.site,)


VALUES: Mapping[str, Callable[[Device], Iterable[str]]] = {"tag": _tags, "site": _site}


@bp.get("/parts/suggestions")
@needs("device.list")
def suggestions() -> str:
    """The tags or sites (`of`) that contain `q`, as options; those that begin with it first."""
    values = VALUES.get(request.args.get("of", ""))
    needle = request.args.get("q", "")[:LONGEST].strip().casefold()
    names = set[str]()
    if values is not None:
        devices = visible_fleet().devices().values()
        names = {value for device in devices for value in values(device)} - {DEFAULT_SITE}
    matches = [name for name in names if needle in name.casefold()]
    matches.sort(key=lambda name: (not name.casefold().startswith(needle), natural_key(name)))
    return render_template("parts/suggestions.html", names=matches[:SHOWN])
