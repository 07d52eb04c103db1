"""Ask an ONVIF device for everything about it: what it is, its video sources, its streams.

Whatever one operation fails to give is left out; the others are asked all the same.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape

from fleet import access_fields, path_logins
from fleet.channels import HTTPS_LINK, TLS_LINK, TLS_PORT
from fleet.model import NoAnswer, Target
from sources import onvif_answers, onvif_http, soap, tls
from sources.device_urls import SCHEMES, DeviceUrl
from sources.onvif_answers import Information, Profile, Uri
from sources.onvif_http import Conversation
from store.masking import MASK, masked
from store.secret_texts import SecretTexts

PATH = "/onvif/device_service"
READ_TIMEOUT = 20.0
"""Seconds for everything; what was not asked by then is left out."""
MAX_WITH_STREAMS = 128
"""Video sources whose streams are asked for; of more it is only known that they are there."""
MAX_WITH_DETAILS = 8
"""Video sources up to which the sub streams and the snapshots are asked for, too."""
STREAM = (
    "<GetStreamUri><StreamSetup><t:Stream>RTP-Unicast</t:Stream><t:Transport>"
    "<t:Protocol>RTSP</t:Protocol></t:Transport></StreamSetup>"
    "<ProfileToken>{}</ProfileToken></GetStreamUri>"
)
STREAM2 = "<GetStreamUri><Protocol>RTSP</Protocol><ProfileToken>{}</ProfileToken></GetStreamUri>"
SNAPSHOT = "<GetSnapshotUri><ProfileToken>{}</ProfileToken></GetSnapshotUri>"


@dataclass(frozen=True, slots=True)
class Stream:
    """A profile with where its stream is: `link` is the path, after `:port` unless that is 554, or
    after `rtsps:port` with TLS. Empty if the device gave none, or one that has a secret in it
    (`has_secret`)."""

    profile: Profile
    link: str = ""
    is_tls: bool = False
    has_secret: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """A video source: its token, its streams, the largest first, its snapshot, and whether it gets
    a signal."""

    token: str
    streams: tuple[Stream, ...]
    snapshot: str = ""
    has_signal: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that a device says.

    `foreign_hosts` are the hosts of its URLs that are not the one by which it was asked.
    `until_restart`: a URI changes with the next restart. `is_open`: nothing needed a login.
    `is_whole` is False if the login was refused, so that it says next to nothing.
    `not_permitted` are the operations that the user may not use.
    """

    information: Information = Information()
    scopes: tuple[str, ...] = ()
    endpoint: str = ""
    macs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ()
    foreign_hosts: tuple[str, ...] = ()
    until_restart: bool = False
    is_open: bool = False
    is_whole: bool = False
    not_permitted: tuple[str, ...] = ()


def device_service(target: Target) -> DeviceUrl:
    """Where the device service of a target is."""
    scheme = "https" if target.options.get("tls") else "http"
    return DeviceUrl(scheme, target.host, target.port or SCHEMES[scheme], target.path or PATH)


def own_place(announced: DeviceUrl, base: DeviceUrl, *, is_port_given: bool) -> DeviceUrl:
    """Where to ask for a service of the device: at the host by which we reach it. Behind a port
    forward, the port that a person gave leads there; TLS is never given up."""
    is_elsewhere = announced.host != base.host
    keeps_port = (is_port_given and is_elsewhere) or (base.is_tls and not announced.is_tls)
    if keeps_port:
        return replace(base, path=announced.path)
    return DeviceUrl(announced.scheme, base.host, announced.port, announced.path)


@dataclass(slots=True)
class Reader:
    """One reading while it runs."""

    conversation: Conversation
    target: Target
    base: DeviceUrl
    ends_at: float = 0.0
    services: Mapping[str, DeviceUrl] = field(default_factory=dict)
    foreign_hosts: dict[str, None] = field(default_factory=dict)
    until_restart: bool = False

    async def read(self) -> Reading:
        """Everything. Raises as a request does only where the first one fails."""
        self.ends_at = asyncio.get_running_loop().time() + READ_TIMEOUT
        first = await self.conversation.ask(self.base, soap.DEVICE, "<GetDeviceInformation/>")
        if not self._may_go_on():
            return Reading()
        self.services = await self._services()
        scopes = await self._body(self.base, soap.DEVICE, "<GetScopes/>")
        guid = await self._body(self.base, soap.DEVICE, "<GetEndpointReference/>")
        macs = await self._body(self.base, soap.DEVICE, "<GetNetworkInterfaces/>")
        sources, channels = await self._channels()
        return Reading(
            onvif_answers.information(first.body),
            onvif_answers.scopes(scopes),
            onvif_answers.endpoint(guid),
            onvif_answers.macs(macs),
            sources,
            channels,
            tuple(self.foreign_hosts),
            self.until_restart,
            self._is_open() and any(each.streams for each in channels),
            self._may_go_on(),
            tuple(self.conversation.logins.denied),
        )

    def _may_go_on(self) -> bool:
        """False once a login is wanted and not accepted."""
        return self.conversation.logins.outcome in ("", onvif_http.ACCEPTED)

    def _is_open(self) -> bool:
        """True if no login was wanted."""
        logins = self.conversation.logins
        return not logins.outcome and not logins.unproven

    async def _body(self, place: DeviceUrl, namespace: str, body: str) -> object:
        """The body of a successful response; None for any other, or for none."""
        left = self.ends_at - asyncio.get_running_loop().time()
        if left <= 0 or not self._may_go_on():
            return None
        try:
            async with asyncio.timeout(left):
                response = await self.conversation.ask(place, namespace, body)
        except (NoAnswer, tls.TooOld, OSError):
            return None
        return response.body if response.is_success else None

    async def _services(self) -> Mapping[str, DeviceUrl]:
        operation = "<GetServices><IncludeCapability>false</IncludeCapability></GetServices>"
        named = onvif_answers.services(await self._body(self.base, soap.DEVICE, operation))
        if soap.MEDIA not in named and soap.MEDIA2 not in named:
            operation = "<GetCapabilities><Category>All</Category></GetCapabilities>"
            body = await self._body(self.base, soap.DEVICE, operation)
            named = {**named, **onvif_answers.services(body)}
        return named

    async def _media(self, namespace: str, operation: str) -> object:
        """The answer of a media service: where the device says, else where it was asked before."""
        announced = self.services.get(namespace)
        if announced is None:
            return await self._body(self.base, namespace, operation)
        self._note(announced)
        place = own_place(announced, self.base, is_port_given=self.target.port is not None)
        body = await self._body(place, namespace, operation)
        other = replace(self.base, path=announced.path)
        if body is not None or place == other:
            return body
        return await self._body(other, namespace, operation)

    async def _channels(self) -> tuple[tuple[str, ...], tuple[Channel, ...]]:
        body = await self._media(soap.MEDIA, "<GetVideoSources/>")
        sources, dark = onvif_answers.video_sources(body), onvif_answers.dark_sources(body)
        first = onvif_answers.profiles(await self._media(soap.MEDIA, "<GetProfiles/>"))
        second: tuple[Profile, ...] = ()
        if soap.MEDIA2 in self.services:
            operation = "<GetProfiles><Type>All</Type></GetProfiles>"
            second = onvif_answers.profiles(await self._media(soap.MEDIA2, operation))
        profiles = onvif_answers.merged(first, second)
        groups = onvif_answers.by_source(profiles, sources)
        tokens = {profile.token for profile in first}
        is_small = len(groups) <= MAX_WITH_DETAILS
        channels = []
        for place, (token, group) in enumerate(groups.items()):
            asked = group[: len(group) if len(groups) == 1 else 2 if is_small else 1][:8]
            asked = asked if place < MAX_WITH_STREAMS else ()
            streams = [await self._stream(each, each.token in tokens) for each in asked]
            snapshot = await self._snapshot(group[0].token, tokens) if is_small else ""
            channels.append(Channel(token, tuple(streams), snapshot, token not in dark))
        return sources, tuple(channels)

    async def _stream(self, profile: Profile, is_media: bool) -> Stream:
        namespace, operation = (soap.MEDIA, STREAM) if is_media else (soap.MEDIA2, STREAM2)
        uri = await self._uri(namespace, operation.format(escape(profile.token, quote=False)))
        if uri is None or uri.url.scheme not in ("rtsp", "rtsps"):
            return Stream(profile)
        link, has_secret = self._link(uri.url)
        if link and uri.url.is_tls:
            link = f"{TLS_LINK}{link if link[0] == ':' else f':{TLS_PORT}{link}'}"
        return Stream(profile, link, uri.url.is_tls, has_secret)

    async def _snapshot(self, token: str, tokens: set[str]) -> str:
        namespace = soap.MEDIA if token in tokens else soap.MEDIA2
        uri = await self._uri(namespace, SNAPSHOT.format(escape(token, quote=False)))
        if uri is None or uri.url.scheme not in ("http", "https"):
            return ""
        place = own_place(uri.url, self.base, is_port_given=self.target.port is not None)
        link, _has_secret = self._link(place)
        if link and place.is_tls:
            return f"{HTTPS_LINK}{link if link[0] == ':' else f':{place.port}{link}'}"
        return link

    async def _uri(self, namespace: str, operation: str) -> Uri | None:
        uri = onvif_answers.uri(await self._media(namespace, operation))
        if uri is not None:
            self._note(uri.url)
            self.until_restart = self.until_restart or uri.until_restart
        return uri

    def _note(self, url: DeviceUrl) -> None:
        """Remember a host that is not the device's own address."""
        if url.host != self.base.host and self.base.address is not None:
            self.foreign_hosts[url.host[:64]] = None

    def _link(self, url: DeviceUrl) -> tuple[str, bool]:
        """The URL without host and login: in a path that repeats the login of the device,
        placeholders take its place. Empty, and True, if another secret was in it."""
        username, password = self.target.username or "", self.target.secret or ""
        path = path_logins.hidden(url.path, username, password)
        # In Base64, for example, it has no place that a later password could take.
        is_left = SecretTexts.of([password], username).hidden(path) != path
        if is_left or has_secret(path, username):
            return "", True
        return (path if url.port == SCHEMES[url.scheme] else f":{url.port}{path}"), False


def has_secret(path: str, username: str) -> bool:
    """True if the path has anything that looks like a password, apart from a place for one."""
    if path_logins.has_foreign(path, username):
        return True
    plain = path_logins.without_places(path)
    return access_fields.has_password(path) or (MASK in masked(plain) and MASK not in plain)
