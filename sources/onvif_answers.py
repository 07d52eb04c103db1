"""What ONVIF devices answer about themselves and their streams. Pure, no I/O.

ONVIF Device Management, Media (ver10) and Media2 (ver20). Each function takes the body of a
response and never raises: what is missing or cannot be read is left out, and spoils nothing else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet import identity, texts
from sources import device_urls, soap, xml_tree
from sources.device_urls import DeviceUrl

LONGEST = 64
"""Characters of a name."""
LONGEST_TOKEN = 128
MAX_SOURCES = 1024
"""Video sources that are counted; the streams of the first ones are asked for."""
MAX_PROFILES = 2048
MAX_SCOPES = 64
MAX_MACS = 8


@dataclass(frozen=True, slots=True)
class Information:
    """GetDeviceInformation; what a device leaves out is None."""

    manufacturer: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    hardware: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A stream that the device offers. `source` is the token of its video source, empty where the
    device names none. The encoder is None or 0 where it says nothing of it, as some do for H.265:
    the stream is there all the same. `can_turn`: it comes with pan, tilt or zoom."""

    token: str
    name: str = ""
    source: str = ""
    codec: str | None = None
    width: int = 0
    height: int = 0
    rate: float = 0
    audio: str | None = None
    can_turn: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Uri:
    """An URI of a stream or a snapshot. `until_restart`: the device says that it changes with its
    next restart."""

    url: DeviceUrl = field(repr=False)
    until_restart: bool = False


def _clean(text: str, longest: int = LONGEST) -> str:
    return texts.one_line(text)[:longest].strip()


def information(body: Any) -> Information:
    values = [
        _clean(xml_tree.text(body, "GetDeviceInformationResponse", name).replace("\ufffd", ""))
        or None
        for name in ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber", "HardwareId")
    ]
    return Information(*values)


def services(body: Any) -> dict[str, DeviceUrl]:
    """The addresses of the services by their namespace, from GetServices or GetCapabilities."""
    named = dict[str, DeviceUrl]()
    for service in xml_tree.descendants(body, "Service"):
        namespace = xml_tree.text(service, "Namespace")
        url = device_urls.parse(xml_tree.text(service, "XAddr"))
        if namespace and url is not None:
            named.setdefault(namespace, url)
    kinds = {"Device": soap.DEVICE, "Media": soap.MEDIA, "Events": soap.EVENTS}
    for element, namespace in kinds.items():
        for capabilities in xml_tree.descendants(body, "Capabilities"):
            url = device_urls.parse(xml_tree.text(capabilities, element, "XAddr"))
            if url is not None:
                named.setdefault(namespace, url)
    return named


def scopes(body: Any) -> tuple[str, ...]:
    items = [xml_tree.text(scope, "ScopeItem") for scope in xml_tree.descendants(body, "Scopes")]
    return tuple(_clean(item, 300) for item in items if item)[:MAX_SCOPES]


def endpoint(body: Any) -> str:
    """The endpoint reference of GetEndpointReference; empty if there is none."""
    return xml_tree.text(body, "GetEndpointReferenceResponse", "GUID")


def macs(body: Any) -> tuple[str, ...]:
    """The MACs of GetNetworkInterfaces that identify a device, in the order of the device."""
    texts_of = (
        xml_tree.text(interface, "Info", "HwAddress")
        for interface in xml_tree.descendants(body, "NetworkInterfaces")
    )
    keys = (identity.mac_key(text) for text in texts_of)
    return tuple(dict.fromkeys(key.removeprefix("mac:") for key in keys if key))[:MAX_MACS]


def video_sources(body: Any) -> tuple[str, ...]:
    """The tokens of GetVideoSources, without doubles."""
    tokens = (_token(source) for source in xml_tree.descendants(body, "VideoSources"))
    return tuple(dict.fromkeys(token for token in tokens if token))[:MAX_SOURCES]


def dark_sources(body: Any) -> frozenset[str]:
    """Those of GetVideoSources without a signal, which have a picture of 0 by 0."""
    return frozenset(
        _token(source)
        for source in xml_tree.descendants(body, "VideoSources")
        if xml_tree.text(source, "Resolution", "Width") == "0"
        and xml_tree.text(source, "Resolution", "Height") == "0"
    )


def _token(node: Any) -> str:
    token = node.get("@token") if isinstance(node, dict) else None
    return token if isinstance(token, str) and 0 < len(token) <= LONGEST_TOKEN else ""


def profiles(body: Any) -> tuple[Profile, ...]:
    """The profiles of Media or Media2 that have a video source, or say nothing about theirs."""
    entries = [node for node in xml_tree.descendants(body, "Profiles") if _token(node)]
    every = {_token(node): _profile(node) for node in entries[:MAX_PROFILES]}
    return tuple(every.values())


def _profile(node: Any) -> Profile:
    places = (
        (
            xml_tree.nodes(node, "VideoSourceConfiguration"),
            xml_tree.nodes(node, "VideoEncoderConfiguration"),
            xml_tree.nodes(node, "AudioEncoderConfiguration"),
        ),
        (
            xml_tree.nodes(node, "Configurations", "VideoSource"),
            xml_tree.nodes(node, "Configurations", "VideoEncoder"),
            xml_tree.nodes(node, "Configurations", "AudioEncoder"),
        ),
    )
    source, encoder, audio = next((place for place in places if any(place)), places[0])
    turning = (
        xml_tree.nodes(node, "PTZConfiguration"),
        xml_tree.nodes(node, "Configurations", "PTZ"),
    )
    name = xml_tree.text(node, "Name")
    resolution = xml_tree.nodes(encoder, "Resolution") if encoder else []
    return Profile(
        _token(node),
        _clean(name),
        _first(source, "SourceToken")[:LONGEST_TOKEN],
        codec_name(_first(encoder, "Encoding")) or None,
        _number(_first(resolution, "Width")),
        _number(_first(resolution, "Height")),
        _rate(_first(xml_tree.nodes(encoder, "RateControl"), "FrameRateLimit")),
        codec_name(_first(audio, "Encoding")) or None,
        any(turning),
    )


def _first(nodes: Sequence[Any], name: str) -> str:
    return next((text for node in nodes if (text := xml_tree.text(node, name))), "")


CODECS = {"JPEG": "MJPEG", "AVC": "H264", "HEVC": "H265", "MPEG4-AAC": "AAC", "MP4A-LATM": "AAC"}


def codec_name(text: str) -> str:
    """The codec in one spelling: H264, H265, MJPEG, AAC, PCMU."""
    plain = _clean(text, 16).upper().replace("H.26", "H26")
    return CODECS.get(plain, plain)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text[:6].isdecimal() and len(text) <= 5 else 0


def _rate(text: str) -> float:
    try:
        rate = float(text[:12] or "0")
    except ValueError:
        return 0
    return rate if 0 < rate <= 1000 else 0


def uri(body: Any) -> Uri | None:
    """The URI of GetStreamUri or GetSnapshotUri of Media or Media2; None without a usable one."""
    for response in ("GetStreamUriResponse", "GetSnapshotUriResponse"):
        for names in (("MediaUri", "Uri"), ("Uri",)):
            url = device_urls.parse(xml_tree.text(body, response, *names))
            if url is not None:
                text = xml_tree.text(body, response, "MediaUri", "InvalidAfterReboot")
                return Uri(url, text.lower() in ("true", "1"))
    return None


def merged(first: Iterable[Profile], second: Iterable[Profile]) -> tuple[Profile, ...]:
    """The profiles of Media with what Media2 knows better of the same ones, then its others."""
    by_token = {profile.token: profile for profile in second}
    kept = []
    for profile in first:
        other = by_token.pop(profile.token, None)
        kept.append(other if other is not None and other.codec and not profile.codec else profile)
    return (*kept, *by_token.values())


def by_source(
    profiles: Sequence[Profile], sources: Sequence[str]
) -> dict[str, tuple[Profile, ...]]:
    """The profiles of each video source, the largest first, in the order of the sources. A profile
    that names no source belongs to the only one, or to one of its own.

    Sources without a profile are left out: nothing can be seen there.
    """
    only = sources[0] if len(sources) == 1 else ""
    groups: dict[str, list[Profile]] = {source: [] for source in sources}
    for profile in profiles:
        source = profile.source or only
        if source not in groups and not (profile.source or only):
            source = profile.token
        groups.setdefault(source, []).append(profile)
    return {
        source: tuple(sorted(group, key=lambda profile: -profile.pixels))
        for source, group in groups.items()
        if group
    }
