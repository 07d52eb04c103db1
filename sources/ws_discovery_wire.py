"""The datagrams of WS-Discovery, as ONVIF devices use it. Pure, no I/O.

WS-Discovery of April 2005 over SOAP 1.2 and UDP port 3702; ONVIF Core Specification, chapter 7.
Nothing in an answer leads back to its question: devices reuse the id of the message, write
their own, or none. So each datagram is judged by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

from sources import device_urls, xml_tree
from sources.device_urls import DeviceUrl

PORT = 3702
GROUP, GROUP_IPV6 = "239.255.255.250", "ff02::c"
ANYBODY = "", "dn:NetworkVideoTransmitter"
"""The types to ask for: some devices answer only a question without any, some only the other."""
LARGEST = 16 * 1024
"""Bytes of a datagram that is read. Devices send 1 to 4 KB."""
MAX_MATCHES = 32
"""In one datagram."""
MAX_ITEMS = 64
"""Of each list in a match."""
LONGEST_ITEM = 300
SCOPE = "onvif://"
ANONYMOUS = "/addressing/role/anonymous"
DEFAULT = DeviceUrl("http", "", 80, "/onvif/device_service")
"""Where ONVIF devices answer that tell no address."""


class InvalidReply(Exception):
    """The datagram is no answer of an ONVIF device; the text says why."""


@dataclass(frozen=True, slots=True)
class ProbeMatch:
    """An answer. `endpoint` is the endpoint reference (`urn:uuid:…`), empty where it has none;
    `types` are local names. `sender` is the address that sent it, an IPv6 link-local one with its
    interface (`fe80::1%eth0`); `interface` is where it came in. `instance` is another number after
    each restart of the device (AppSequence, which is optional), empty where it has none."""

    endpoint: str
    xaddrs: tuple[str, ...]
    types: tuple[str, ...]
    scopes: tuple[str, ...]
    sender: str
    interface: str = ""
    instance: str = ""


def probe(message: str, types: str) -> bytes:
    """A question. `message` is its id, of which each question has its own."""
    kind = f"<d:Types>{types}</d:Types>" if types else "<d:Types/>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
        ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
        "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>"
        f"<a:MessageID>urn:uuid:{message}</a:MessageID>"
        "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
        f"</s:Header><s:Body><d:Probe>{kind}</d:Probe></s:Body></s:Envelope>"
    ).encode()


def parse(data: bytes, sender: str, interface: str = "") -> list[ProbeMatch]:
    """The matches of one datagram that ONVIF devices sent, one at least. Raises InvalidReply."""
    if len(data) > LARGEST:
        raise InvalidReply("response too large")
    try:
        tree = xml_tree.parse(data)
    except xml_tree.NotXml as error:
        raise InvalidReply(str(error)) from error
    entries = xml_tree.nodes(tree, "Envelope", "Body", "ProbeMatches", "ProbeMatch")
    if not entries:
        raise InvalidReply("not a probe match")
    instance = xml_tree.text(tree, "Envelope", "Header", "AppSequence", "@InstanceId")[:32]
    matches = [_match(entry, sender, interface, instance) for entry in entries[:MAX_MATCHES]]
    usable = [match for match in matches if _is_onvif(match)]
    if not usable:
        raise InvalidReply("not an ONVIF device")
    return usable


def _match(entry: object, sender: str, interface: str, instance: str) -> ProbeMatch:
    return ProbeMatch(
        endpoint_reference(xml_tree.text(entry, "EndpointReference", "Address")),
        _items(entry, "XAddrs"),
        tuple(item.rpartition(":")[2] for item in _items(entry, "Types")),
        _items(entry, "Scopes"),
        sender,
        interface,
        instance,
    )


def _items(entry: object, name: str) -> tuple[str, ...]:
    items = xml_tree.text(entry, name).split()
    return tuple(item for item in items if len(item) <= LONGEST_ITEM)[:MAX_ITEMS]


def _is_onvif(match: ProbeMatch) -> bool:
    """True if anything about it says ONVIF, or nothing says what it is. Printers and PCs answer
    too; they name their types."""
    return (
        not match.types
        or any(name.startswith("NetworkVideo") for name in match.types)
        or any(scope.lower().startswith(SCOPE) for scope in match.scopes)
        or any("/onvif" in url.lower() for url in match.xaddrs)
    )


def endpoint_reference(text: str) -> str:
    """An endpoint reference in one spelling; empty for one that identifies nothing."""
    if not text or len(text) > LONGEST_ITEM or text.endswith(ANONYMOUS):
        return ""
    digits = text.lower().removeprefix("urn:").removeprefix("uuid:").strip("{}")
    if len(digits.replace("-", "").strip("0")) == 0:
        return ""
    if all(character in "0123456789abcdef-" for character in digits):
        return f"urn:uuid:{digits}"
    return text


def candidate(match: ProbeMatch, subnets: Iterable[IPv4Network] = ()) -> DeviceUrl | None:
    """Where to ask the device; None without a usable address. `subnets` are our own.

    The address that sent the answer, if an XAddr names it; else an XAddr on one of our subnets;
    else the sender, with the port and the path of an XAddr. A loopback address is another
    machine's, unless the sender has one.
    """
    sender = ip_address(match.sender)
    parsed = (device_urls.parse(text) for text in match.xaddrs)
    urls = [url for url in parsed if url is not None and url.scheme in ("http", "https")]
    usable = [url for url in urls if _is_usable(url, sender)]
    for url in usable:
        if url.address == sender:
            return url
    own = list(subnets)
    for url in usable:
        if isinstance(url.address, IPv4Address) and any(url.address in net for net in own):
            return url
    if _needs_interface(sender):
        return None
    first = (usable or urls or [DEFAULT])[0]
    return DeviceUrl(first.scheme, match.sender, first.port, first.path)


def _is_usable(url: DeviceUrl, sender: IPv4Address | IPv6Address) -> bool:
    address = url.address
    if address is None or address.is_unspecified or address.is_multicast:
        return False
    if _needs_interface(address):
        return False
    if address == IPv4Address("255.255.255.255"):
        return False
    if address.is_loopback:
        return sender.is_loopback
    return not address.is_link_local or sender.is_link_local


def _needs_interface(address: IPv4Address | IPv6Address) -> bool:
    """True for an IPv6 link-local address: it means something only with an interface."""
    return isinstance(address, IPv6Address) and address.is_link_local


def names(scopes: Sequence[str]) -> dict[str, str]:
    """What the scopes tell by their category: `name`, `hardware`, `location`, `mac`."""
    from urllib.parse import unquote

    facts = dict[str, str]()
    for scope in scopes:
        category, _, value = scope.partition("://")[2].partition("/")[2].partition("/")
        text = unquote(value).replace("_", " ").strip()
        known = category.lower()
        if known in ("name", "hardware", "location", "mac") and text:
            facts[known] = f"{facts[known]}, {text}" if known in facts else text
    return facts
