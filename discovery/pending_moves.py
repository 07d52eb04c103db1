"""Hold back address changes during a discovery, and drop those that another sender contradicts.

Anybody can forge an answer to a broadcast, so a contradiction moves nobody and is one finding for
as long as it lasts. Two addresses with one endpoint reference are two interfaces of one device,
and a MAC that is disputed already (`fleet.reduce.disputes`) is left to the addresses.
"""

from collections.abc import Callable, Container
from dataclasses import replace
from datetime import datetime

from fleet import identity
from fleet.model import Device, Finding, Report, Sighting

CONTESTED = "mac.contested"
TEXT = "two senders claim this MAC with different addresses; the device keeps its previous address"


class PendingMoves:
    """Holds moves back until the discovery has ended: by then a second sender has spoken too.

    `known` is the device that has an identity at a site, as the Tracker says; `disputed` are the
    keys that prove nothing.
    """

    def __init__(
        self, known: Callable[[str, str], Device | None], disputed: Container[str] = ()
    ) -> None:
        self._known = known
        self._disputed = disputed
        self._places: dict[tuple[str, str], dict[str, Sighting]] = {}

    def take(self, sighting: Sighting) -> list[Sighting]:
        """The sighting, if it moves nobody: nothing is held against it."""
        address, keys = sighting.address, identity.proved(sighting, self._disputed)
        if address is None or not keys:
            return [sighting]
        places = self._places.setdefault((keys[0], sighting.site), {})
        places.setdefault(address, sighting)
        device = self._known(keys[0], sighting.site)
        home = device.address if device else None
        return [sighting] if address == (home or next(iter(places))) else []

    def end(self, at: datetime, is_whole: bool) -> list[Report]:
        """The moves that nothing contradicts, and a finding for each MAC that is contested.
        Only a discovery that was not broken off says that it no longer is."""
        reports: list[Report] = []
        for (key, site), places in self._places.items():
            first = next(iter(places.values()))
            device = self._known(key, site)
            home = device.address if device else None
            finding = Finding(key, CONTESTED, at, TEXT, first.source, site=site)
            if len(places) > 1 and key.startswith(identity.MAC):
                if home is not None and home not in places:
                    reports.append(replace(first, address=home, only_alive=True))
                reports.append(replace(finding, evidence={"addresses": sorted(places)[:20]}))
                continue
            reports += [places[ip] for ip in places if ip != (home or first.address)]
            if (
                is_whole
                and device
                and any(finding.kind == CONTESTED for finding in device.findings)
            ):
                reports.append(replace(finding, cleared=True))
        return reports
