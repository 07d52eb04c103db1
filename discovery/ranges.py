"""The addresses that a person wants to scan: single ones, ranges and networks. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from fleet.model import Invalid

MAX_ADDRESSES = 4096
"""Of one scan: a /20."""
LONGEST = 2000
"""Characters."""
EXAMPLE = "Enter addresses such as 192.168.1.20, 192.168.1.10-50 or 192.168.1.0/24."


@dataclass(frozen=True, slots=True)
class RangePlan:
    """What a scan asks: the addresses, each once, in the order in which they were entered."""

    text: str
    addresses: Sequence[str]
    rtsp_port: int = 554
    http_port: int = 80
    site: str = ""

    @property
    def public(self) -> int:
        """How many of the addresses are on the internet, not in a private network."""
        return sum(IPv4Address(address).is_global for address in self.addresses)


def parse(text: str) -> list[str]:
    """The addresses of a text: entries separated by commas or blanks. Raises Invalid."""
    if len(text) > LONGEST:
        raise _invalid(f"The ranges have more than {LONGEST:,} characters", "Scan fewer at once.")
    addresses: dict[str, None] = {}
    for entry in text.replace(",", " ").replace(";", " ").split():
        first, last = _limits(entry)
        if last - first + len(addresses) >= MAX_ADDRESSES:
            raise _invalid(
                f"More than {MAX_ADDRESSES:,} addresses",
                "A scan covers at most a /20. Scan the rest later.",
            )
        for number in range(first, last + 1):
            addresses[_checked(number)] = None
    if not addresses:
        raise _invalid("No address was entered", EXAMPLE)
    return [*addresses]


def _limits(entry: str) -> tuple[int, int]:
    """The first and the last address of an entry, as numbers. Raises Invalid."""
    try:
        if "/" in entry:
            return _limits_of_network(IPv4Network(entry, strict=False))
        first, dash, last = entry.partition("-")
        begin = IPv4Address(first)
        if not dash:
            return int(begin), int(begin)
        end = IPv4Address(last if "." in last else f"{first.rpartition('.')[0]}.{last}")
    except ValueError:
        raise _invalid(f"{entry[:40]} is not an IPv4 address or a range", EXAMPLE) from None
    if end < begin:
        raise _invalid(f"{entry[:40]} ends before it begins", EXAMPLE)
    return int(begin), int(end)


def _limits_of_network(network: IPv4Network) -> tuple[int, int]:
    """Without the addresses of the network itself and of its broadcast."""
    first, last = int(network.network_address), int(network.broadcast_address)
    return (first, last) if network.prefixlen > 30 else (first + 1, last - 1)


def _checked(number: int) -> str:
    address = IPv4Address(number)
    if address.is_multicast or address.is_unspecified or number >> 28 == 15:
        raise _invalid(f"{address} is not the address of a single device", EXAMPLE)
    return str(address)


def _invalid(error: str, hint: str) -> Invalid:
    invalid = Invalid(error, hint)
    invalid.field = "ranges"
    return invalid
