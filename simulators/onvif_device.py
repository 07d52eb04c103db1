"""Pretend ONVIF cameras and recorders: what each has, how it misbehaves, and what it was asked."""

import itertools
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from simulators.logins import Accounts

JPEG = b64decode(
    "/9j/4AAQSkZJRgABAgAAAQABAAD//gAQTGF2YzU5LjM3LjEwMAD/2wBDAAg+Pkk+SVVVVVVVVWRdZGhoaGRkZGRo"
    "aGhwcHCDg4NwcHBoaHBwfHyDg4+Tj4eHg4eTk5ubm7q6srLZ2eD/////xABKAAEAAAAAAAAAAAAAAAAAAAAAAQEA"
    "AAAAAAAAAAAAAAAAAAAAEAEAAAAAAAAAAAAAAAAAAAAAEQEAAAAAAAAAAAAAAAAAAAAA/8AAEQgAMABAAwEiAAIR"
    "AAMRAP/aAAwDAQACEQMRAD8AAAAAAAAAAAAAAAAAAAAAAAAA/9k="
)
"""A grey picture, 64 by 48."""


@dataclass(frozen=True)
class Profile:
    """A stream of a video source. `path` is that of its RTSP URL. `has_encoder`: yes; bare (the
    encoder has neither Encoding nor Resolution in Media, as where Media cannot say H.265); no (no
    encoder at all in Media). Media2 has it always. `can_turn`: it has a pan and
    tilt unit."""

    token: str
    path: str
    name: str = ""
    codec: str = "H264"
    width: int = 1920
    height: int = 1080
    fps: int = 15
    has_encoder: str = "yes"
    can_turn: bool = False


@dataclass(frozen=True)
class VideoSource:
    """A sensor of a camera or a channel of a recorder. One without signal is 0 by 0 at no frames a
    second, as recorders give it."""

    token: str
    profiles: tuple[Profile, ...]
    has_signal: bool = True


@dataclass(frozen=True)
class EventState:
    """What a device says of itself in an event: the topic, and the simple items of source and
    data."""

    topic: str
    source: dict[str, str]
    data: dict[str, str]


def camera_sources() -> tuple[VideoSource, ...]:
    """One sensor with a main and a sub stream."""
    main = Profile("Profile_1", "/stream1", "mainStream")
    sub = Profile("Profile_2", "/stream2", "subStream", width=640, height=360)
    return (VideoSource("VideoSource_1", (main, sub)),)


def recorder_sources(channels: int, dark: Iterable[int] = ()) -> tuple[VideoSource, ...]:
    """As many sources, from 1, with the paths of Dahua; those in `dark` have no signal."""
    lost = set(dark)

    def profile(channel: int, sub: int) -> Profile:
        return Profile(
            f"MediaProfile{channel - 1:03}0{sub}",
            f"/cam/realmonitor?channel={channel}&subtype={sub}&unicast=true&proto=Onvif",
            f"Channel{channel}{('Main', 'Sub')[sub]}",
            width=(1920, 704)[sub],
            height=(1080, 576)[sub],
        )

    return tuple(
        VideoSource(
            f"{channel - 1:05}", (profile(channel, 0), profile(channel, 1)), channel not in lost
        )
        for channel in range(1, channels + 1)
    )


@dataclass
class OnvifDevice:
    """A pretend camera or recorder.

    `mode`: well; off, swallows; silent (accepts and says nothing), html (answers a page to
    everything), bomb (an answer whose entities grow without end), endless (a body without end),
    redirecting (302 to another host), failing (500 with an empty body), junk (not HTTP).

    `spoils` names calls whose answer is not well-formed; `garbles` those whose answer has a byte
    that is no UTF-8; `refuses` those that it answers with "not supported"; `denies` those that its
    user may not use.
    """

    address: str
    port: int = 0
    """0: the port of all."""
    accounts: Accounts = field(default_factory=Accounts)
    logins: tuple[str, ...] = ("wsse", "digest")
    """What it accepts: wsse (WS-UsernameToken), digest (over HTTP, as its accounts offer it)."""
    mode: str = "well"
    manufacturer: str = "Acme"
    model: str = "IPC-100"
    firmware: str = "1.0.3"
    serial: str = "A1000001"
    hardware: str = "1.0"
    mac: str = "00:00:5e:00:53:01"
    endpoint: str = ""
    """Empty: made of the MAC."""
    name: str = "IPCAM"
    scopes: tuple[str, ...] = ()
    """In addition to those of its name, hardware and kind."""
    sources: tuple[VideoSource, ...] = field(default_factory=camera_sources)
    rtsp_port: int = 554
    has_media2: bool = False
    clock_offset: float = 0.0
    """Seconds by which its clock is ahead."""
    zone: str = "CET-1CEST,M3.5.0,M10.5.0/3"
    zone_offset: float = 3600
    """Seconds by which its local time is ahead of its UTC."""
    date_shape: str = "usual"
    """Of GetSystemDateAndTime: a key of simulators.onvif_dates.SHAPES, fault, or login."""
    token_tolerance: float = 300.0
    """How old or new a WS-UsernameToken may be, in seconds by the device's clock."""
    refusal: str = "fault"
    """Of a login: fault, clock (for each reason), html, empty, bad-request, attempts; a token that
    is too old is refused with `clock` where `names_clock`."""
    names_clock: bool = True
    inner_host: str = ""
    """The host that its URLs name; empty: its address."""
    inner_port: int = 0
    doubled_port: bool = False
    echoes_login: bool = False
    uri_padding: tuple[str, str] = ("", "")
    """Text before and after each stream and snapshot URI."""
    stream_host: str = ""
    """Where stream URIs lead, beside `inner_host`."""
    stream_scheme: str = "rtsp"
    changes_paths: bool = False
    """Stream URIs are invalid after a restart: they hold the number of restarts."""
    has_snapshot: bool = True
    snapshot_works: bool = True
    snapshot_kind: str = "well"
    """A key of simulators.onvif_snapshots.CONTENTS, or one of UNENDING."""
    pictures: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)
    """What makes the JPEG of the moment, by path of a stream; a grey one for the others."""
    has_query_login: bool = False
    """The address of its snapshot has the login in it."""
    snapshot_accounts: Accounts | None = None
    """The accounts for its snapshot alone, where it has others for that."""
    spoils: frozenset[str] = frozenset()
    garbles: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    denies: frozenset[str] = frozenset()
    xaddrs: tuple[str, ...] = ()
    """In its ProbeMatch, with {host} for its address and {port}; empty: the usual one."""
    has_types: bool = True
    reuses_id: bool = False
    """The message id of a ProbeMatch is the endpoint reference."""
    reversed_mac: bool = False
    """The MAC at the end of its endpoint reference is written backwards."""
    junk_first: bool = False
    """Sends broken datagrams and the match of a printer before its own."""
    is_discoverable: bool = True
    counts_starts: bool = False
    """Its ProbeMatches have an AppSequence, whose InstanceId is another one after a restart."""
    has_events: bool = False
    """It offers pull points, and sends to each new one what `event_states` has."""
    event_faults: frozenset[str] = frozenset()
    """How its events misbehave: unlisted, full (refuses each subscription), no-address, epoch,
    bad-time, by-parameter (a subscription is known by its reference parameter alone), no-renew,
    ends (with the first fetch), bomb, flood (each answer is full), hangs (swallows requests, then
    restarts), slow (every answer takes `event_delay` seconds while there is a subscription)."""
    event_delay: float = 0.2
    event_states: "list[EventState]" = field(default_factory=list)
    subscriptions: "dict[int, list[str]]" = field(default_factory=dict)
    """The messages that wait, by the number of the subscription."""
    swallowed: int = 0
    restarts: int = 0
    asked: "Counter[str]" = field(default_factory=Counter)
    """Calls by name, also without a login, and `snapshot` and `subscription`: those it was able
    to judge."""
    probes: int = 0

    @property
    def picture_accounts(self) -> Accounts:
        """The accounts for its snapshot."""
        return self.snapshot_accounts or self.accounts

    @property
    def endpoint_reference(self) -> str:
        digits = self.mac.replace(":", "").lower()
        if self.reversed_mac:
            digits = "".join(reversed([digits[at : at + 2] for at in range(0, 12, 2)]))
        return self.endpoint or f"urn:uuid:2419d68a-2dd2-21b2-a205-{digits}"

    @property
    def all_scopes(self) -> tuple[str, ...]:
        base = "onvif://www.onvif.org"
        kind = "network_video_transmitter" if len(self.sources) == 1 else "video_encoder"
        return (
            f"{base}/type/{kind}",
            f"{base}/Profile/Streaming",
            f"{base}/hardware/{self.model}",
            f"{base}/name/{self.name.replace(' ', '%20')}",
            *self.scopes,
        )

    def stream_path(self, profile: Profile) -> str:
        if not self.changes_paths:
            return profile.path
        mark = "&" if "?" in profile.path else "?"
        return f"{profile.path}{mark}boot={self.restarts}"

    def profile(self, token: str) -> Profile | None:
        every = itertools.chain.from_iterable(source.profiles for source in self.sources)
        return next((profile for profile in every if profile.token == token), None)
