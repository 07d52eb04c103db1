"""Parse and compare identity keys: global ones, keys of a place, and keys that identify nothing.

    onvif:urn:uuid:4d454930-0000-1000-8000-bcc34217e292   endpoint reference: global, strongest
    mac:d4:2d:c5:14:c5:70                                 MAC: global
    row:1041                                              row of a list: global
    pi:/base/soc/i2c0mux/i2c@1/imx219@10                  camera of this computer: global
    usb:046d:0825:4A1C22B0                                the same at a USB port
    channel:mac:d4:2d:c5:14:c5:70/2                       channel of a recorder: as its owner
    channel:onvif:urn:uuid:4d454930/VideoSource_1         video source of a camera with several
    channel:rtsp:10.0.0.9:554/%2Fcam%3Fchannel%3D2        path at a server that proves no more
    rtsp:10.0.0.9:554/live                                at a place: within its site
    at:onvif:10.0.0.9:80/onvif                            the same of a source named like a kind
    address:10.0.0.9                                      at a place: the device proved no other key
    former:7/rtsp:10.0.0.9:554/live                       what device 7 was: no source proves it

A global key leads to one record wherever it is proved, as long as only one device proves it
(see `fleet.reduce.matching`). A key at a place is a claim with a time (`Device.claims`, see
`fleet.reduce.claims`). A channel key is the key of its owner, then the video source or path in
percent encoding: a MAC or an endpoint reference beside it names the owner, not the channel.
"""

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote

from fleet.model import Device, Sighting

ROW = "row:"
"""Before the site of a row in a list."""
MAC, ENDPOINT = "mac:", "onvif:"
CHANNEL, ADDRESS, FORMER = "channel:", "address:", "former:"
LOCAL = ("pi:", "usb:")
"""Before the key of a camera that is connected to this computer itself."""
GLOBAL = (MAC, ENDPOINT, ROW, *LOCAL)
AT = "at:"
"""Before the key of a place whose source is called as a kind of keys: `onvif:` alone is an
endpoint reference."""
KINDS = (*GLOBAL, CHANNEL, ADDRESS, FORMER, AT, "id:")
_HEX12 = re.compile(r"[0-9a-f]{12}")
_PLAIN_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MAC = re.compile(r"(?i)[0-9a-f]{2}([:-]?[0-9a-f]{2}){5}|([0-9a-f]{4}\.){2}[0-9a-f]{4}")
_PLACEHOLDERS = frozenset(
    {
        "00:01:02:03:04:05",
        "00:11:22:33:44:55",
        "00:12:34:56:78:90",
        "00:12:34:56:78:9a",
        "02:00:00:00:00:00",
        "00:90:4c:11:22:33",
        "0a:0b:0c:0d:0e:0f",
        "12:34:56:78:90:12",
        "12:34:56:78:90:ab",
        "12:34:56:78:9a:bc",
        "aa:bb:cc:dd:ee:ff",
    }
)
"""MACs that chip makers and their samples ship before a unit gets its own. 02:00:00:00:00:00 is
what systems tell that hide the true one, 00:90:4c:11:22:33 the default of Broadcom's drivers."""


def mac(text: str) -> str | None:
    """A MAC in any spelling as `d4:2d:c5:14:c5:70`; None when it is none, or names no
    single device (all zeros, or the group bit set)."""
    if not _PLAIN_MAC.fullmatch(text):
        if not _MAC.fullmatch(text.strip()):
            return None
        digits = re.sub(r"[^0-9a-f]", "", text.lower())
        if not _HEX12.fullmatch(digits):
            return None
        text = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    return None if text == "00:00:00:00:00:00" or text[1] in "13579bdf" else text


@lru_cache(maxsize=65_536)
def mac_key(text: str) -> str | None:
    """The identity `mac:…` of a MAC in any spelling; None for one that identifies nothing:
    malformed, of a group, or a known placeholder."""
    plain = mac(text)
    return f"{MAC}{plain}" if plain and not _is_placeholder(plain) else None


def _is_placeholder(mac: str) -> bool:
    is_one_byte = mac.count(mac[:2]) == 6
    return mac in _PLACEHOLDERS or is_one_byte or mac.startswith("00:00:00:00:00:")


def channel_key(owner: str, source: str) -> str:
    """The key of one channel of the device `owner`, by its video source token or path."""
    return f"{CHANNEL}{owner}/{quote(source, safe='', errors='replace')}"


def owner_of(key: str) -> str:
    """The key of the device whose channel this is; the key itself of what is no channel."""
    return key[len(CHANNEL) :].rpartition("/")[0] if key.startswith(CHANNEL) else key


def place_key(source: str, place: str) -> str:
    """The key of the place (host, port and path) at which a source asks."""
    key = f"{source}:{place}"
    return f"{AT}{key}" if key.startswith(KINDS) else key


def source_of(key: str) -> str:
    """The source that asks at the place of the key."""
    return key.removeprefix(AT).partition(":")[0]


def former_key(device: int, key: str) -> str:
    """The key of a record that lost its last key to another device."""
    return f"{FORMER}{device}/{key.removeprefix(f'{FORMER}{device}/')}"


def is_global(key: str) -> bool:
    """True if the key means the same at every site."""
    return key.startswith(GLOBAL) or (key.startswith(CHANNEL) and owner_of(key).startswith(GLOBAL))


def place_of(key: str) -> str | None:
    """The address at which the key means something; None for a key that is tied to none."""
    owner = owner_of(key)
    if owner.startswith((*GLOBAL, FORMER)):
        return None
    rest = owner.removeprefix(AT).partition(":")[2].partition("/")[0]
    if rest.startswith("["):
        return rest[1:].partition("]")[0]
    return rest.partition(":")[0] if rest.count(":") == 1 else rest


def proved(sighting: Sighting, disputed: Container[str]) -> tuple[str, ...]:
    """The keys that the sighting proves, in its order, without those that prove nothing. A device
    that proves no other is known by its address, without one by nothing; a channel is neither."""
    keys = [key for key in sighting.identities if _is_proof(key, sighting.site, disputed)]
    if any(key.startswith(CHANNEL) for key in sighting.identities):
        return tuple(key for key in keys if key.startswith(CHANNEL) or not is_global(key))
    if not keys and sighting.address and sighting.identities:
        return (f"{ADDRESS}{sighting.address}",)
    return tuple(keys)


def _is_proof(key: str, site: str, disputed: Container[str]) -> bool:
    owner = owner_of(key)
    if owner.startswith(MAC) and mac_key(owner[4:]) != owner:
        return False
    if key.startswith(FORMER) or index_key(key, site) in disputed:
        return False
    return owner == key or index_key(owner, site) not in disputed


def index_key(identity: str, site: str) -> str:
    """The key of an identity in `Fleet.index`."""
    return identity if is_global(identity) else f"{site}|{identity}"


def keys_of(device: Device) -> list[str]:
    return [index_key(identity, device.site) for identity in device.identities]


def mac_of(device: Device) -> str | None:
    """The MAC that the device proved, or None."""
    for identity in device.identities:
        if identity.startswith("mac:"):
            return identity[4:]
    return None


def macs(identities: Iterable[str]) -> set[str]:
    return {key[4:] for key in identities if key.startswith("mac:")}


def macs_of(device: Device) -> set[str]:
    """Every MAC of the device: a person may say that two are one."""
    return macs(device.identities)


def row_key(device: Device) -> str | None:
    """The key of the device's row in the recorder list; None for what was discovered."""
    return next((key for key in device.identities if key.startswith(ROW)), None)


def endpoints(identities: Iterable[str]) -> set[str]:
    """The ONVIF endpoint references among the keys."""
    return {key for key in identities if key.startswith(ENDPOINT)}


def is_another(device: Device, sighting: Sighting) -> bool:
    """True if the sighting proves another MAC than the device has, though it had the same
    stream: somebody put a new camera in its place. So does another endpoint reference, unless
    the MAC is the same: a device that was reset gives itself a new one. A MAC that is disputed
    still tells devices apart."""
    had = macs_of(device)
    if had and (proved := {mac for mac in macs(sighting.identities) if mac_key(mac)}):
        return not had & proved
    had, proved = endpoints(device.identities), endpoints(sighting.identities)
    return bool(proved and had) and not had & proved


def renamed(device: Device, keys: tuple[str, ...]) -> Device:
    """The device with exactly these keys, and the times of those alone."""
    if keys == device.identities and device.claims.keys() | device.interfaces.keys() <= {*keys}:
        return device
    claims = {key: at for key, at in device.claims.items() if key in keys}
    interfaces = {key: known for key, known in device.interfaces.items() if key in keys}
    return replace(device, identities=keys, claims=claims, interfaces=interfaces)


def without(device: Device, keys: Container[str]) -> Device:
    """The device without these keys. One that loses its last keeps what it was called."""
    kept = tuple(key for key in device.identities if key not in keys)
    return renamed(device, kept or (former_key(device.id, device.identities[0]),))


def is_circle(device: Device, devices: Mapping[int, Device]) -> bool:
    """True if following the parents from the device leads back to it."""
    passed, waiting = set[int](), list(device.parents)
    while waiting:
        at = waiting.pop()
        if at == device.id:
            return True
        if at in devices and at not in passed:
            passed.add(at)
            waiting += devices[at].parents
    return False
