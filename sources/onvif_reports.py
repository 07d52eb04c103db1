"""What an ONVIF device says, as facts, links, channels and findings. Pure, no I/O."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from fleet import identity
from fleet.channels import SNAPSHOT, STREAM, SUB_STREAM, TLS_LINK
from fleet.kinds import CAMERA
from fleet.model import Finding, Sighting
from sources import login_texts, onvif_http
from sources.onvif_answers import Profile
from sources.onvif_clock import DeviceClock
from sources.onvif_http import Logins
from sources.onvif_reading import Channel, Reading, Stream
from sources.ws_discovery_wire import names

MAX_STREAMS = 6
"""Streams of one camera that are kept."""
WITHHELD = (
    "the address of its stream contains a password other than the saved one. It is not stored, so "
    "the stream is not checked"
)
MakeFinding = Callable[..., Finding]
LOGIN_KINDS = ("login.wrong", "login.method", "login.clock")
ELSEWHERE = (
    "login method not supported: its streams are listed at another port, which offers only Basic. "
    "That would reveal the password to another device behind a port forward. Turn on Digest in the "
    "device"
)


def is_several(reading: Reading, known: int) -> bool:
    """True if each video source is a channel: there are several, or there were (`known`)."""
    return len(reading.channels) > (0 if known else 1)


def facts_of(reading: Reading, clock: DeviceClock, known: int) -> dict[str, Any]:
    information, named = reading.information, names(reading.scopes)
    facts: dict[str, Any] = {
        "manufacturer": information.manufacturer,
        "hardware": information.hardware,
        "location": named.get("location", "")[:200],
        "time_zone": clock.zone,
        "not_permitted": sorted(reading.not_permitted),
    }
    if clock.now is None:
        facts["clock"] = "unknown"
    if is_several(reading, known):
        facts["channels"] = len(reading.channels)
    elif reading.channels:
        facts |= _stream_facts(reading.channels[0])
    return {key: value for key, value in facts.items() if value not in (None, "", [])}


def _stream_facts(channel: Channel) -> dict[str, Any]:
    listed = [_stream(stream) for stream in channel.streams[:MAX_STREAMS]]
    if not listed:
        return {}
    main = {key: value for key, value in listed[0].items() if key in ("codec", "width", "height")}
    can_turn = any(stream.profile.can_turn for stream in channel.streams)
    return {**main, "streams": listed, **({"ptz": True} if can_turn else {})}


def _stream(stream: Stream) -> dict[str, Any]:
    """A stream as the trial of an address lists it: path, profile, codec, size, rate."""
    profile, link = stream.profile, stream.link.removeprefix(TLS_LINK)
    port, path = "", link
    if link.startswith(":"):
        port, _, rest = link[1:].partition("/")
        path = f"/{rest}"
    values: dict[str, Any] = {
        "path": path,
        "port": int(port) if port else None,
        "profile": profile.name or profile.token,
        "codec": profile.codec,
        "width": profile.width,
        "height": profile.height,
        "rate": profile.rate,
        "audio": profile.audio,
        "tls": stream.is_tls,
        "has_secret": stream.has_secret,
    }
    return {key: value for key, value in values.items() if value or key == "path"}


def links_of(reading: Reading, known: int) -> dict[str, str]:
    """The links of a device with one video source. One with several has channels."""
    if is_several(reading, known) or not reading.channels:
        return {}
    return _links(reading.channels[0])


def _links(channel: Channel) -> dict[str, str]:
    streams = [stream for stream in channel.streams if stream.link]
    links = {SNAPSHOT: channel.snapshot}
    if streams:
        links |= {STREAM: streams[0].link, SUB_STREAM: _sub_link(streams)}
    return {name: link for name, link in links.items() if link}


def _sub_link(streams: Sequence[Stream]) -> str:
    """The link of the largest stream that is smaller than the first; empty without one."""
    main, others = streams[0], streams[1:]
    smaller = [each for each in others if _is_smaller(each.profile, main.profile)]
    return next((each.link for each in smaller if each.link != main.link), "")


def _is_smaller(profile: Profile, main: Profile) -> bool:
    """True also where a device does not tell the sizes: its profiles come largest first."""
    if not (profile.width and profile.height and main.width and main.height):
        return True
    return profile.width * profile.height < main.width * main.height


def has_withheld_stream(reading: Reading) -> bool:
    """True if a video source has only streams whose address has a secret in it."""
    return any(
        not _links(channel).get("stream") and any(stream.has_secret for stream in channel.streams)
        for channel in reading.channels
    )


def channel_sightings(device: Sighting, reading: Reading, known: int) -> Iterator[Sighting]:
    """A sighting for each channel of a device with several video sources."""
    if not is_several(reading, known):
        return
    owner = device.identities[0]
    numbers = {token: number for number, token in enumerate(reading.sources, 1)}
    for place, channel in enumerate(reading.channels, 1):
        number = str(numbers.get(channel.token, place))
        facts = {"channel": number, "signal": channel.has_signal, **_stream_facts(channel)}
        yield replace(
            device,
            identities=(identity.channel_key(owner, channel.token),),
            kind=CAMERA,
            name=None,
            serial=None,
            facts=facts,
            links=_links(channel),
            learned=None,
        )


def login_findings(logins: Logins, reading: Reading, finding: MakeFinding) -> Iterator[Finding]:
    """The findings about the login: what is wrong is raised, what is right again is cleared."""
    outcome = logins.outcome
    left = logins.attempts_left
    texts = {
        onvif_http.WRONG: ("login.wrong", login_texts.with_attempts(login_texts.WRONG, left)),
        onvif_http.NEEDED: ("login.wrong", "it requires a user name and a password"),
        onvif_http.METHOD: (
            "login.method",
            f"login method not supported ({', '.join(logins.schemes) or 'unknown'})",
        ),
        onvif_http.UNPROVEN: ("login.method", "it neither accepts nor refuses the login"),
        onvif_http.CLOCK: ("login.clock", "it refuses the login because of its clock"),
    }
    raised, text = texts.get(outcome, ("", ""))
    if logins.has_withheld and reading.is_whole and not any(c.streams for c in reading.channels):
        raised, text = "login.method", ELSEWHERE
    if raised:
        yield finding(raised, text, {} if left is None else {"attempts_left": left})
    for kind in {*LOGIN_KINDS} - {raised} if outcome == onvif_http.ACCEPTED else ():
        yield finding(kind, "its login works", cleared=True)
    if reading.is_open:
        yield finding("login.none", login_texts.OPEN)
    elif outcome:
        yield finding("login.none", "it requires a login", cleared=True)
