"""How a command reaches the fleet: by the running house, or by the files when none runs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import app as house_app
import serving
from fleet.model import Fleet
from fleet.status import Rules
from fleet.tracker import Tracker
from settings import Settings
from store.json_file import CannotOpen, JsonFile
from web import door

DONE, NOTHING, WRONG_USE, CANNOT_ASK = 0, 1, 2, 3
"""Exit codes."""


class Failed(Exception):
    """The command could not do it: one sentence, and the exit code."""

    def __init__(self, text: str, code: int = NOTHING) -> None:
        super().__init__(text)
        self.code = code


def ask_house(settings: Settings, method: str, path: str, body: Any = None) -> door.Said | None:
    """What the running house answers; None when none runs. Raises Failed."""
    places = serving.command_socket(settings)
    if not places:
        return None
    try:
        return door.ask(Path(places[0].removeprefix("unix:")), method, path, body)
    except door.NoAnswer as error:
        raise Failed(str(error)) from None


def tell_house(settings: Settings, method: str, path: str, body: Any = None) -> Any:
    """As ask_house, but an error that the house answers is Failed with its words."""
    said = ask_house(settings, method, path, body)
    if said is None:
        return None
    if said.status >= 400:
        raise Failed(f"{said.body['error']}. {said.body['hint']}")
    return said.body


def scan_in_house(settings: Settings) -> dict[str, Any] | None:
    """Scan by the running house, or join its scan, and wait; None when no house runs."""
    said = ask_house(settings, "POST", "/api/scan")
    if said is None:
        return None
    if said.status not in (200, 409):
        raise Failed(f"{said.body['error']}. {said.body['hint']}")
    begun = ""
    while True:
        state = tell_house(settings, "GET", "/api/scan")
        if state is None:
            raise Failed("The house stopped during the scan.")
        if state["running"] is None:
            break
        begun = state["running"]["at"]
        time.sleep(0.2)
    last = state["last"]
    if last is None or last["at"] < begun:
        raise Failed("The scan ended, but the house could not keep what it did. See its page.")
    return dict(last)


def with_house(settings: Settings, work: Callable[[Any], Any]) -> Any:
    """Do `work` with a house of our own that owns the files meanwhile."""
    house = house_app.build_house(settings)
    try:
        house_app.open_house(house, settings)
    except CannotOpen as error:
        raise Failed(str(error)) from None
    try:
        house.workbooks.keep()
        return work(house)
    finally:
        house_app.stop_house(house)


def read_fleet(settings: Settings) -> Fleet:
    """The fleet in the database file, without owning it. Raises Failed in words."""
    tracker = Tracker(JsonFile(settings.database_path, settings.data_dir), Rules)
    try:
        return tracker.peek()
    except CannotOpen as error:
        raise Failed(str(error)) from None
