"""The noun of a list: cameras, recorders, or devices where it holds both."""

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Flask, g

from fleet.kinds import CAMERA, RECORDER, shown_as
from fleet.model import Device
from web.http.snapshot_cache import SnapshotCache
from web.http.visible_fleet import visible_fleet


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun in the singular and in the plural."""

    one: str
    many: str

    def of(self, number: int) -> str:
        """The noun after this number, without the number."""
        return self.one if number == 1 else self.many

    def counted(self, number: int) -> str:
        """Such as `1 recorder`, `2 recorders`."""
        return f"{number} {self.of(number)}"


CAMERA_NOUN = Noun("camera", "cameras")
RECORDER_NOUN = Noun("recorder", "recorders")
DEVICE_NOUN = Noun("device", "devices")
OF_KIND = {CAMERA: CAMERA_NOUN, RECORDER: RECORDER_NOUN}


def noun_of(devices: Iterable[Device]) -> Noun:
    """The noun for all devices that are not retired. Of an empty fleet: devices."""
    first = None
    for device in devices:
        kind = None if device.retired_at else shown_as(device.kind)
        if first and kind and kind != first:
            return DEVICE_NOUN
        first = first or kind
    return OF_KIND[first] if first else DEVICE_NOUN


_noun_of_snapshot = SnapshotCache(noun_of).of


class CurrentNoun:
    """The noun of the fleet that the person of the request sees: `noun` in templates.

    It is found out when a template first uses it, and kept for the request.
    """

    @property
    def one(self) -> str:
        return current_noun().one

    @property
    def many(self) -> str:
        return current_noun().many

    def of(self, number: int) -> str:
        return current_noun().of(number)

    def counted(self, number: int) -> str:
        return current_noun().counted(number)


def current_noun() -> Noun:
    """The noun of the visible fleet; devices where nobody is logged in."""
    if "noun" not in g:
        is_known = "visible_fleet" in g or g.get("person") is not None
        g.noun = _noun_of_snapshot(visible_fleet().devices()) if is_known else DEVICE_NOUN
    noun: Noun = g.noun
    return noun


def register(app: Flask) -> None:
    app.jinja_env.globals["noun"] = CurrentNoun()
