"""The networks that devices are in, and whether an address is in one."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from fleet import labels
from fleet.model import Device

LONGEST = 60
"""Characters of a network in CIDR notation, with room for a zone and blanks."""
USUAL_PREFIX = {4: 24, 6: 64}
"""The length of the prefix where a device does not say its subnet mask."""


@dataclass(frozen=True, slots=True)
class Network:
    """All addresses from `first` to `last`, as numbers. A device that was not reached yet is in the
    network of the address that was entered."""

    version: int
    first: int
    last: int

    def has(self, device: Device) -> bool:
        version, number = address_number(labels.address(device))
        return version == self.version and self.first <= number <= self.last


@lru_cache(maxsize=65_536)
def address_number(address: str | None) -> tuple[int, int]:
    """The version and the number of an address, (9, 0) for none: in this order lists sort."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return (9, 0)
    return (parsed.version, int(parsed))


def canonical(text: str) -> str:
    """A network in CIDR notation, such as `10.1.4.0/24`, without bits of a host; an address alone
    is a network of one. Raises ValueError."""
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError("must be a network such as 10.1.4.0/24") from None


@lru_cache(maxsize=1024)
def parse(text: str) -> Network:
    """The network of a text in CIDR notation. Raises ValueError."""
    parsed = ipaddress.ip_network(canonical(text))
    return Network(parsed.version, int(parsed.network_address), int(parsed.broadcast_address))


def network_of(device: Device) -> str | None:
    """The network of the device's address, in CIDR notation; None without an address."""
    return _network(device.address, str(labels.fact(device, "subnet") or ""))


@lru_cache(maxsize=65_536)
def _network(address: str | None, mask: str) -> str | None:
    version, _number = address_number(address)
    if version not in USUAL_PREFIX:
        return None
    plain = str(address).partition("%")[0]
    for length in (mask, USUAL_PREFIX[version]):
        try:
            network = ipaddress.ip_network(f"{plain}/{length}", strict=False)
        except ValueError:
            continue
        # 0.0.0.0 is what a device says that was never set up.
        if network.prefixlen:
            return str(network)
    return None
