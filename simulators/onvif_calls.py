"""The answers of a pretend ONVIF device, without their envelope: device service, Media, Media2."""

from collections.abc import Callable
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from simulators.onvif_dates import date_and_time
from simulators.onvif_device import OnvifDevice, Profile, VideoSource
from simulators.onvif_snapshots import query_login

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
EVENTS = "http://www.onvif.org/ver10/events/wsdl"
NOTIFICATION = "http://docs.oasis-open.org/wsn/b-2"
PATHS = {
    DEVICE: "device_service",
    MEDIA: "media_service",
    MEDIA2: "media2_service",
    EVENTS: "event_service",
}
Call = Callable[[OnvifDevice, int, str], str | None]
"""(device, its port, the token that was asked for) -> the inner of the answer, None: no such
token."""


def host_of(device: OnvifDevice, port: int) -> str:
    """Host and port as its URLs name them."""
    shown = f"{device.inner_host or device.address}:{device.inner_port or port}"
    return f"{shown}:{device.inner_port or port}" if device.doubled_port else shown


def service_url(device: OnvifDevice, port: int, service: str) -> str:
    return f"http://{host_of(device, port)}/onvif/{PATHS[service]}"


def _login(device: OnvifDevice) -> str:
    accounts = device.accounts
    if not device.echoes_login or accounts.is_open:
        return ""
    return f"{quote(accounts.username, '')}:{quote(accounts.password, '')}@"


# -- device service --------------------------------------------------------------------------


def system_date_and_time(device: OnvifDevice, port: int, token: str) -> str:
    shape = "usual" if device.date_shape == "login" else device.date_shape
    return date_and_time(
        shape, device.clock_offset, device.zone, device.zone_offset, daylight=False
    )


def device_information(device: OnvifDevice, port: int, token: str) -> str:
    facts = {
        "Manufacturer": device.manufacturer,
        "Model": device.model,
        "FirmwareVersion": device.firmware,
        "SerialNumber": device.serial,
        "HardwareId": device.hardware,
    }
    return "".join(f"<tds:{key}>{escape(value)}</tds:{key}>" for key, value in facts.items())


def capabilities(device: OnvifDevice, port: int, token: str) -> str:
    base = f"<tt:XAddr>{service_url(device, port, DEVICE)}</tt:XAddr>"
    media = f"<tt:XAddr>{service_url(device, port, MEDIA)}</tt:XAddr>"
    return (
        f"<tds:Capabilities><tt:Device>{base}</tt:Device><tt:Media>{media}"
        "<tt:StreamingCapabilities><tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP>"
        "</tt:StreamingCapabilities></tt:Media></tds:Capabilities>"
    )


def services(device: OnvifDevice, port: int, token: str) -> str:
    offered = [DEVICE, MEDIA, *([MEDIA2] if device.has_media2 else [])]
    if device.has_events and "unlisted" not in device.event_faults:
        offered.append(EVENTS)
    return "".join(
        f"<tds:Service><tds:Namespace>{service}</tds:Namespace>"
        f"<tds:XAddr>{service_url(device, port, service)}</tds:XAddr><tds:Version>"
        "<tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
        for service in offered
    )


def scopes(device: OnvifDevice, port: int, token: str) -> str:
    return "".join(
        f"<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef><tt:ScopeItem>{escape(scope)}</tt:ScopeItem>"
        "</tds:Scopes>"
        for scope in device.all_scopes
    )


def hostname(device: OnvifDevice, port: int, token: str) -> str:
    return (
        "<tds:HostnameInformation><tt:FromDHCP>false</tt:FromDHCP>"
        f"<tt:Name>{escape(device.name)}</tt:Name></tds:HostnameInformation>"
    )


def network_interfaces(device: OnvifDevice, port: int, token: str) -> str:
    return (
        '<tds:NetworkInterfaces token="eth0"><tt:Enabled>true</tt:Enabled><tt:Info>'
        f"<tt:Name>eth0</tt:Name><tt:HwAddress>{device.mac}</tt:HwAddress><tt:MTU>1500</tt:MTU>"
        "</tt:Info><tt:IPv4><tt:Enabled>true</tt:Enabled><tt:Config><tt:Manual>"
        f"<tt:Address>{device.inner_host or device.address}</tt:Address>"
        "<tt:PrefixLength>24</tt:PrefixLength></tt:Manual><tt:DHCP>false</tt:DHCP></tt:Config>"
        "</tt:IPv4></tds:NetworkInterfaces>"
    )


def restart(device: OnvifDevice, port: int, token: str) -> str:
    device.restarts += 1
    return "<tds:Message>Rebooting in 3 seconds</tds:Message>"


# -- Media and Media2 ------------------------------------------------------------------------


def video_sources(device: OnvifDevice, port: int, token: str) -> str:
    def shown(source: VideoSource) -> str:
        size = source.profiles[0] if source.profiles and source.has_signal else None
        width, height, fps = (size.width, size.height, size.fps) if size else (0, 0, 0)
        return (
            f'<trt:VideoSources token="{source.token}"><tt:Framerate>{fps}</tt:Framerate>'
            f"<tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height>"
            "</tt:Resolution></trt:VideoSources>"
        )

    return "".join(shown(source) for source in device.sources)


def _size(profile: Profile) -> str:
    return (
        f"<tt:Resolution><tt:Width>{profile.width}</tt:Width>"
        f"<tt:Height>{profile.height}</tt:Height></tt:Resolution>"
    )


def _encoder(profile: Profile) -> str:
    """Of Media, which knows no H.265."""
    if profile.has_encoder == "no":
        return ""
    inner = f"<tt:Name>{profile.name}</tt:Name><tt:UseCount>1</tt:UseCount>"
    if profile.has_encoder == "yes":
        inner += (
            f"<tt:Encoding>{profile.codec}</tt:Encoding>{_size(profile)}<tt:RateControl>"
            f"<tt:FrameRateLimit>{profile.fps}</tt:FrameRateLimit><tt:EncodingInterval>1"
            "</tt:EncodingInterval><tt:BitrateLimit>2048</tt:BitrateLimit></tt:RateControl>"
        )
    return (
        f'<tt:VideoEncoderConfiguration token="enc_{profile.token}">{inner}'
        "</tt:VideoEncoderConfiguration>"
    )


def _bounds(source: VideoSource, element: str) -> str:
    return (
        f'<{element} token="cfg_{source.token}"><tt:Name>{source.token}</tt:Name>'
        f"<tt:UseCount>2</tt:UseCount><tt:SourceToken>{source.token}</tt:SourceToken>"
        f'<tt:Bounds x="0" y="0" width="1920" height="1080"/></{element}>'
    )


def _turning(profile: Profile, element: str) -> str:
    """The configuration of a profile for pan, tilt and zoom, if it has one."""
    if not profile.can_turn:
        return ""
    return f'<{element} token="ptz"><tt:NodeToken>ptz_node</tt:NodeToken></{element}>'


def profiles(device: OnvifDevice, port: int, token: str) -> str:
    return "".join(
        f'<trt:Profiles token="{profile.token}" fixed="true">'
        f"<tt:Name>{escape(profile.name)}</tt:Name>"
        f"{_bounds(source, 'tt:VideoSourceConfiguration')}{_encoder(profile)}"
        f"{_turning(profile, 'tt:PTZConfiguration')}</trt:Profiles>"
        for source in device.sources
        for profile in source.profiles
    )


def profiles2(device: OnvifDevice, port: int, token: str) -> str:
    def configurations(source: VideoSource, profile: Profile) -> str:
        return (
            f"<tr2:Configurations>{_bounds(source, 'tr2:VideoSource')}"
            f'<tr2:VideoEncoder token="enc_{profile.token}" GovLength="32" Profile="Main">'
            f"<tt:Name>{profile.name}</tt:Name><tt:UseCount>1</tt:UseCount>"
            f"<tt:Encoding>{profile.codec}</tt:Encoding>{_size(profile)}<tt:RateControl>"
            f"<tt:FrameRateLimit>{profile.fps}</tt:FrameRateLimit>"
            "<tt:BitrateLimit>2147483647</tt:BitrateLimit></tt:RateControl></tr2:VideoEncoder>"
            f"{_turning(profile, 'tr2:PTZ')}</tr2:Configurations>"
        )

    return "".join(
        f'<tr2:Profiles token="{profile.token}" fixed="true"><tr2:Name>{escape(profile.name)}'
        f"</tr2:Name>{configurations(source, profile)}</tr2:Profiles>"
        for source in device.sources
        for profile in source.profiles
    )


def _stream_uri(device: OnvifDevice, profile: Profile) -> str:
    host = device.stream_host or device.inner_host or device.address
    path = device.stream_path(profile)
    url = f"{device.stream_scheme}://{_login(device)}{host}:{device.rtsp_port}{path}"
    before, after = device.uri_padding
    return before + escape(url) + after


def _snapshot_uri(device: OnvifDevice, port: int, profile: Profile) -> str:
    path = f"/onvif/snapshot?profile={profile.token}"
    if device.has_query_login:
        path += f"&{urlencode(query_login(device), quote_via=quote)}"
    before, after = device.uri_padding
    return before + escape(f"http://{_login(device)}{host_of(device, port)}{path}") + after


def _media_uri(uri: str, is_invalid_after_restart: bool) -> str:
    return (
        f"<trt:MediaUri><tt:Uri>{uri}</tt:Uri><tt:InvalidAfterConnect>false"
        f"</tt:InvalidAfterConnect><tt:InvalidAfterReboot>{str(is_invalid_after_restart).lower()}"
        "</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>"
    )


def stream_uri(device: OnvifDevice, port: int, token: str) -> str | None:
    profile = device.profile(token)
    return _media_uri(_stream_uri(device, profile), device.changes_paths) if profile else None


def stream_uri2(device: OnvifDevice, port: int, token: str) -> str | None:
    profile = device.profile(token)
    return f"<tr2:Uri>{_stream_uri(device, profile)}</tr2:Uri>" if profile else None


def snapshot_uri(device: OnvifDevice, port: int, token: str) -> str | None:
    profile = device.profile(token) if device.has_snapshot else None
    return _media_uri(_snapshot_uri(device, port, profile), False) if profile else None


def snapshot_uri2(device: OnvifDevice, port: int, token: str) -> str | None:
    profile = device.profile(token) if device.has_snapshot else None
    return f"<tr2:Uri>{_snapshot_uri(device, port, profile)}</tr2:Uri>" if profile else None


CALLS: dict[str, dict[str, Call]] = {
    DEVICE: {
        "GetSystemDateAndTime": system_date_and_time,
        "GetDeviceInformation": device_information,
        "GetCapabilities": capabilities,
        "GetServices": services,
        "GetScopes": scopes,
        "GetHostname": hostname,
        "GetNetworkInterfaces": network_interfaces,
        "SystemReboot": restart,
    },
    MEDIA: {
        "GetVideoSources": video_sources,
        "GetProfiles": profiles,
        "GetStreamUri": stream_uri,
        "GetSnapshotUri": snapshot_uri,
    },
    MEDIA2: {
        "GetProfiles": profiles2,
        "GetStreamUri": stream_uri2,
        "GetSnapshotUri": snapshot_uri2,
    },
}
OPEN_CALLS = {"GetSystemDateAndTime", "GetServices", "GetCapabilities", "GetHostname"}
"""Those that need no login (ONVIF Core 5.9.4.3)."""
