"""Pickers: choose devices, sites and stores in a form by searching for them, also without script.

A picker `parents` sends the values that are chosen as `parents`, and what was typed to find more
as `parents_search`. A text that names exactly one choice is as good as choosing it.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from flask import Blueprint, render_template, request

from fleet import identity, labels
from fleet.kinds import CAMERAS, RECORDER
from fleet.model import DEFAULT_SITE, Device, Invalid
from fleet.natural_order import natural_key
from fleet.queries import DeviceFilter, select, store_of
from web.http.authorization import needs
from web.http.visible_fleet import stores_of, visible_fleet

bp = Blueprint("pickers_pages", __name__)
HINT = "Search by name, address or model."
SHOWN = 20
"""Choices that a search shows."""
MAX_PICKED = 1000
LONGEST_SEARCH = 100
SITE = "site:"
"""Before the name of a site, in the value of a choice; that of a device is its number."""
STORE = "store:"


@dataclass(frozen=True, slots=True)
class Choice:
    """`value` is what the form sends, `about` tells the choice from others of its name, and
    `is_exact` says that the search names just this."""

    value: str
    name: str
    about: str
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class Picker:
    """What is chosen, and the matches of `text`, of which `hidden` are not shown."""

    chosen: list[Choice]
    text: str = ""
    matches: tuple[Choice, ...] = ()
    hidden: int = 0


@bp.get("/parts/choices")
@needs("device.list")
def choices() -> str:
    """The matches of `q` as options; with `sites` also stores and sites."""
    text = request.args.get("q", "")[:LONGEST_SEARCH]
    return render_template("parts/choices.html", picker=search(text, "sites" in request.args))


@bp.app_template_global("picker_of")
def of(values: Iterable[object]) -> Picker:
    """A picker with these values chosen, without those that this person does not see."""
    choices = (_choice(str(value)) for value in values)
    return Picker([choice for choice in choices if choice])


def as_typed(name: str, with_sites: bool = False, but_for: Collection[str] = ()) -> Picker:
    """The picker as the form sent it, with the matches of what was typed."""
    text, picker = _text(name), of(_chosen(name))
    if not text:
        return picker
    left_out = {*but_for, *(choice.value for choice in picker.chosen)}
    matches = search(text, with_sites, left_out)
    exact = [choice for choice in matches.matches if choice.is_exact]
    if len(exact) == 1:
        return Picker([*picker.chosen, *exact])
    return replace(matches, chosen=picker.chosen)


def picked(name: str, with_sites: bool = False) -> list[str]:
    """The values that the form chose. Raises Invalid for a text that does not name one of them."""
    values, text = _chosen(name), _text(name)
    if not text:
        return values
    matches = search(text, with_sites).matches
    exact = [choice.value for choice in matches if choice.is_exact]
    if len(exact) == 1:
        return list(dict.fromkeys([*values, *exact]))
    if exact:
        error = f"{len(exact)} entries match “{text}”"
    elif matches:
        error = f"“{text}” has no exact match"
    else:
        raise invalid(name, f"Nothing matches “{text}”", HINT)
    raise invalid(name, error, "Choose from the list.")


def invalid(field: str, error: str, hint: str) -> Invalid:
    """The error about a field of a form."""
    fault = Invalid(error, hint)
    fault.field = field
    return fault


def picked_numbers(name: str) -> list[int]:
    """The numbers of the devices that the form chose. Raises Invalid."""
    numbers = (number_in(value) for value in picked(name))
    return [number for number in numbers if number is not None]


def device_names(numbers: Iterable[int | None]) -> dict[int, str]:
    """The names of devices by number, of those that this person sees."""
    devices, redirects = visible_fleet().devices(), visible_fleet().monitor.redirects
    now = {number: redirects.get(number, number) for number in numbers if number is not None}
    return {
        number: labels.name_among(devices[id], devices)
        for number, id in now.items()
        if id in devices
    }


def search(text: str, with_sites: bool = False, left_out: Collection[str] = ()) -> Picker:
    """The first matches of a text, by name, those that begin with it first; retired ones last."""
    sites = [*_stores(text), *_sites(text)] if with_sites else []
    devices = [device for retired in (False, True) for device in _devices(text, retired)]
    devices = [device for device in devices if str(device.id) not in left_out]
    sites = [site for site in sites if site.value not in left_out]
    shown = [*sites, *(_of_device(device, text) for device in devices[:SHOWN])][:SHOWN]
    return Picker([], text, tuple(shown), len(sites) + len(devices) - len(shown))


def _devices(text: str, retired: bool) -> list[Device]:
    devices, statuses = visible_fleet().statuses()
    wanted = DeviceFilter(q=text, retired=retired, sort="name")
    matches = select(devices.values(), statuses, wanted, CAMERAS).devices
    start = text.strip().casefold()
    ranks = {
        device.id: 0 if _is_exact(device, start) else 1 + (not _begins(device, start))
        for device in matches
    }
    return sorted(matches, key=lambda device: ranks[device.id])


def _begins(device: Device, start: str) -> bool:
    names = labels.name(device), _name(device)
    return any(name.casefold().startswith(start) for name in names)


def _name(device: Device) -> str:
    return labels.name_among(device, visible_fleet().devices())


def _is_exact(device: Device, text: str) -> bool:
    names = (labels.name(device), _name(device), device.address, labels.fact(device, "serial"))
    mac = identity.mac(text)
    return bool(text) and (
        text in [str(name).casefold() for name in names if name]
        or (mac is not None and mac == identity.mac_of(device))
    )


def _sites(text: str) -> list[Choice]:
    """The sites with this text in their names."""
    needle = text.strip().casefold()
    devices = visible_fleet().devices().values()
    number = Counter(device.site for device in devices if device.retired_at is None)
    names = sorted(
        (name for name in number if needle in labels.site_name(name).casefold()), key=natural_key
    )
    is_exact = {name: labels.site_name(name).casefold() == needle for name in names}
    return [_of_site(name, number[name], is_exact[name]) for name in names]


def _stores(text: str) -> list[Choice]:
    """The stores with this text in their names."""
    needle = text.strip().casefold()
    sites = _sites_by_store()
    names = sorted((name for name in sites if needle in name.casefold()), key=natural_key)
    return [_of_store(name, len(sites[name]), name.casefold() == needle) for name in names]


def _sites_by_store() -> dict[str, set[str]]:
    devices = visible_fleet().devices()
    stores, sites = stores_of(devices), dict[str, set[str]]()
    for device in devices.values():
        if device.retired_at is None and (store := store_of(device, stores)):
            sites.setdefault(store, set()).add(device.site)
    return sites


def _of_store(name: str, count: int, is_exact: bool = False) -> Choice:
    return Choice(STORE + name, name, f"store, {labels.counted(count, 'site')}", is_exact)


def _of_site(name: str, count: int, is_exact: bool = False) -> Choice:
    devices = "1 device" if count == 1 else f"{count} devices"
    return Choice(SITE + name, labels.site_name(name), f"site, {devices}", is_exact)


def _of_device(device: Device, text: str = "") -> Choice:
    serial = labels.fact(device, "serial") if device.kind == RECORDER else None
    name = _name(device)
    parts = (
        device.address or identity.mac_of(device),
        labels.fact(device, "model"),
        serial,
        device.site if device.site != DEFAULT_SITE else None,
        "retired" if device.retired_at else None,
    )
    about = " · ".join(dict.fromkeys(str(part) for part in parts if part and part != name))
    return Choice(str(device.id), name, about, _is_exact(device, text.strip().casefold()))


def _choice(value: str) -> Choice | None:
    """The choice of a value; None for one that this person does not see."""
    devices = visible_fleet().devices()
    if value.startswith(SITE):
        name = value.removeprefix(SITE)
        count = sum(1 for device in devices.values() if device.site == name)
        return _of_site(name, count) if count else None
    if value.startswith(STORE):
        name = value.removeprefix(STORE)
        sites = _sites_by_store().get(name)
        return _of_store(name, len(sites)) if sites else None
    redirects = visible_fleet().monitor.redirects
    number = number_in(value) or 0
    device = devices.get(redirects.get(number, number))
    return _of_device(device) if device else None


def number_in(value: str) -> int | None:
    """The number of the device that is chosen; None for another value."""
    is_number = value.isascii() and value.isdecimal() and len(value) < 10
    return int(value) if is_number else None


def _chosen(name: str) -> list[str]:
    return list(dict.fromkeys(value for value in request.form.getlist(name)[:MAX_PICKED] if value))


def _text(name: str) -> str:
    return request.form.get(f"{name}_search", "").strip()[:LONGEST_SEARCH]
