"""Read where a camera is, as people type it: an address, with a port, or a whole URL. Pure."""

from dataclasses import dataclass, field
from typing import Any

from fleet import access_fields, stream_url

RTSP, ONVIF = "rtsp", "onvif"
RTSP_PORTS = frozenset({554, 322, 8554, 10554})
"""With one of these an address is that of an RTSP server."""


@dataclass(frozen=True, slots=True)
class TypedPlace:
    """What the text says, and no more: `source` is empty for an address alone, `port` None where
    it names none and is no URL. `has_scheme`: the text is a URL."""

    source: str
    host: str
    port: int | None = None
    path: str = ""
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    has_scheme: bool = False


def read(text: Any) -> TypedPlace:
    """Read the text: `rtsp://` and `rtsps://` name a stream, `http://` and `https://` the ONVIF
    service, and a port without a scheme the one whose usual port it is. Raises Invalid."""
    scheme, separator, _ = text.strip().partition("://") if isinstance(text, str) else ("", "", "")
    if separator and scheme.lower() in stream_url.SCHEMES:
        url = stream_url.parse(text)
        login = (url.username, url.password)
        return TypedPlace(RTSP, url.host, url.port, url.path, url.tls, *login, has_scheme=True)
    typed = access_fields.endpoint(text)
    if separator:
        source = ONVIF
    else:
        source = source_of_port(typed.port) if typed.port else ""
    place = (typed.host, typed.port, typed.path, typed.is_secure)
    return TypedPlace(source, *place, typed.username, typed.password, has_scheme=bool(separator))


def source_of_port(port: int) -> str:
    """The protocol of an address with this port and without a path."""
    return RTSP if port in RTSP_PORTS else ONVIF
