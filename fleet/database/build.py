"""Build the store of the fleet: a JSON file is its one form today."""

from pathlib import Path

from fleet.database.fleet_store import FleetStore
from fleet.database.json_store import JsonStore


def build_store(path: Path, data_dir: Path) -> FleetStore:
    """The store that a person knows by `path`; nothing is opened or owned yet."""
    return JsonStore(path, data_dir)
