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
CONTESTED_TEXT = (
    "two senders use this MAC with different addresses; the device keeps its previous address"
)


class PendingMoves:
    """Holds moves back until the discovery has ended: by then every sender has answered.

    `known` is the device that has an identity at a site, as the Tracker says; `disputed` are the
    keys that prove nothing.
    """

    def __init__(
        self, known: Callable[[str, str], Device | None], disputed: Container[str] = ()
    ) -> None:
        self._known = known
        self._disputed = disputed
        self._places: dict[tuple[str, str], dict[str, Sighting]] = {}

    def hold_or_pass(self, sighting: Sighting) -> list[Sighting]:
        """Return the sighting if it moves no device; hold it back otherwise."""
        address, keys = sighting.address, identity.proved(sighting, self._disputed)
        if address is None or not keys:
            return [sighting]
        places = self._places.setdefault((keys[0], sighting.site), {})
        places.setdefault(address, sighting)
        addresses = self._known_addresses(keys[0], sighting.site) or {next(iter(places))}
        return [sighting] if address in addresses else []

    def _known_addresses(self, key: str, site: str) -> set[str]:
        """The addresses that the key has now: one, or those of a merged device's interfaces."""
        device = self._known(key, site)
        if device is None:
            return set()
        return {*device.interfaces.get(key, {})} or ({device.address} if device.address else set())

    def end(self, at: datetime, is_whole: bool) -> list[Report]:
        """End the discovery: the moves that nothing contradicts, and a finding for each contested
        MAC. Only a discovery that `is_whole` clears such a finding, and only of a device of which
        no MAC is contested: a merged one has several."""
        reports: list[Report] = []
        contested: set[int] = set()
        settled: dict[int, Finding] = {}
        for (key, site), places in self._places.items():
            first = next(iter(places.values()))
            device, addresses = self._known(key, site), self._known_addresses(key, site)
            moves = places.keys() - (addresses or {str(first.address)})
            finding = Finding(key, CONTESTED, at, CONTESTED_TEXT, first.source, site=site)
            if moves and len(places) > max(1, len(addresses)) and key.startswith(identity.MAC):
                if addresses and device and not addresses & places.keys():
                    reports.append(replace(first, address=device.address, only_alive=True))
                reports.append(replace(finding, evidence={"addresses": sorted(places)[:20]}))
                contested |= {device.id} if device else set()
                continue
            reports += [places[ip] for ip in places if ip in moves]
            if is_whole and device and any(fault.kind == CONTESTED for fault in device.findings):
                settled[device.id] = replace(finding, cleared=True)
        return [*reports, *(cleared for id, cleared in settled.items() if id not in contested)]
