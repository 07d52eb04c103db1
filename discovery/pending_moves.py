"""Hold back address changes during a discovery, and drop those that another sender contradicts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from fleet.model import Device, Finding, Report, Sighting

CONTESTED = "mac.contested"
TEXT = "two senders claim this MAC with different addresses; the device keeps its previous address"


class Claims:
    """Holds moves back until the discovery has ended: by then a second sender has spoken too.

    `known` is the device that has an identity at a site, as the Tracker says.
    """

    def __init__(self, known: Callable[[str, str], Device | None]) -> None:
        self._known = known
        self._places: dict[str, dict[str, Sighting]] = {}

    def take(self, sighting: Sighting) -> list[Sighting]:
        """The sighting, if it moves nobody: nothing is held against it."""
        address = sighting.address
        if address is None:
            return [sighting]
        places = self._places.setdefault(sighting.identities[0], {})
        places.setdefault(address, sighting)
        device = self._known(sighting.identities[0], sighting.site)
        home = device.address if device else None
        return [sighting] if address == (home or next(iter(places))) else []

    def end(self, at: datetime, is_whole: bool) -> list[Report]:
        """The moves that nothing contradicts, and a finding for each MAC that is contested.
        Only a discovery that was not broken off says that it no longer is."""
        found: list[Report] = []
        for key, places in self._places.items():
            first = next(iter(places.values()))
            device = self._known(key, first.site)
            home = device.address if device else None
            finding = Finding(key, CONTESTED, at, TEXT, first.source, site=first.site)
            if len(places) > 1:
                if home is not None and home not in places:
                    found.append(replace(first, address=home, only_alive=True))
                found.append(replace(finding, evidence={"addresses": sorted(places)[:20]}))
                continue
            if home is not None and home not in places:
                found.append(first)
            if is_whole and device and any(one.kind == CONTESTED for one in device.findings):
                found.append(replace(finding, cleared=True))
        return found
