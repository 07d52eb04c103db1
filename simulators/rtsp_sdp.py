"""The descriptions (SDP, RFC 8866) that a pretend RTSP device gives, in the style of a maker.

Each is written from what is known of the maker's habits: how it joins control URLs, what it adds,
and what it leaves out.
"""

import string
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from simulators import parameter_sets as sets
from simulators import rtsp_clip

AUDIO = {
    "PCMA": (8, "PCMA/8000"),
    "PCMU": (0, "PCMU/8000"),
    "AAC": (97, "MPEG4-GENERIC/16000"),
    "G726": (98, "G726-16/8000"),
}
AAC_FORMAT = (
    "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
    "indexdeltalength=3;config=1408"
)
METADATA = "vnd.onvif.metadata/90000"


@dataclass(frozen=True)
class Stream:
    """What a device offers at one path. `codec`: H264, H265, MJPEG or MPEG4; `audio`: empty or a
    key of AUDIO. `status`: what DESCRIBE answers, 404 for instance where there is no signal."""

    codec: str = "H264"
    width: int = 1920
    height: int = 1080
    fps: int = 15
    audio: str = ""
    status: int = 200
    style: str = ""
    """A key of STYLES; empty: that of the device."""
    clip: str = ""
    """The path of an H.264 file that is sent (simulators/rtsp_clip.py); empty: a grey picture."""
    picture: Callable[[], bytes] | None = None
    """Makes the key frame of the moment; None: a grey one."""
    is_live: bool = False
    """The clip runs whether somebody watches or not: who comes begins in the middle of it."""
    later_clip: str = ""
    """What follows it; empty: it starts again from the beginning."""
    stamps: str = ""
    """What is wrong with its stamps, out of rtsp_clip.STAMPS."""
    sets: str = "both"
    """Where the parameter sets of a clip are: both, description, packets; or false: the description
    has those of another size."""
    lost: int = 0
    """One packet of so many is lost; 0: none."""


@dataclass(frozen=True)
class Description:
    """The answer to DESCRIBE: the body, and the head beside CSeq and Content-Length."""

    body: bytes
    head: tuple[tuple[str, str], ...] = field(default=())


def _text(parts: list[bytes]) -> str:
    return ",".join(b64encode(part).decode() for part in parts)


def codec_lines(stream: Stream, payload: int = 96, blank: str = "") -> list[str]:
    """`rtpmap` and `fmtp` of the video, with parameter sets that tell its true size."""
    if stream.codec == "MJPEG":
        return ["a=rtpmap:26 JPEG/90000"]
    if stream.codec == "MPEG4":
        return [f"a=rtpmap:{payload} MP4V-ES/90000", f"a=fmtp:{payload} profile-level-id=245"]
    if stream.codec == "H265":
        size = (stream.width, stream.height)
        values = [
            f"sprop-vps={_text([sets.h265_vps()])}",
            f"sprop-sps={_text([sets.h265_sps(*size)])}",
            f"sprop-pps={_text([sets.h265_pps()])}",
        ]
        text = "; ".join(values)
        return [f"a=rtpmap:{payload} H265/90000{blank}", f"a=fmtp:{payload} {text}"]
    sprop = _text([sets.h264_sps(stream.width, stream.height), sets.h264_pps()])
    if stream.clip and stream.sets == "packets":
        return [f"a=rtpmap:{payload} H264/90000{blank}"]
    if stream.clip and stream.sets != "false":
        sprop = rtsp_clip.sets_text(stream.clip)
    return [
        f"a=rtpmap:{payload} H264/90000{blank}",
        f"a=fmtp:{payload} packetization-mode=1;profile-level-id=42C028;"
        f"sprop-parameter-sets={sprop}",
    ]


def audio_lines(audio: str) -> list[str]:
    """A medium of sound, without its control."""
    payload, name = AUDIO[audio]
    lines = [f"m=audio 0 RTP/AVP {payload}", f"a=rtpmap:{payload} {name}"]
    return [*lines, f"a=fmtp:{payload} {AAC_FORMAT}"] if audio == "AAC" else lines


def _video(stream: Stream) -> str:
    return f"m=video 0 RTP/AVP {26 if stream.codec == 'MJPEG' else 96}"


def _joined(*lines: str, end: str = "\r\n") -> bytes:
    return "".join(line + end for line in lines).encode()


SDP_TYPE = ("Content-Type", "application/sdp")


def dahua(stream: Stream, url: str) -> Description:
    """Content-Base ends in the query and then a slash; the last medium is metadata."""
    lines = [
        *("v=0", "o=- 2250000001 2250000001 IN IP4 0.0.0.0", "s=Media Server"),
        *("c=IN IP4 0.0.0.0", "t=0 0", "a=control:*", "a=packetization-supported:DH"),
        *("a=rtppayload-supported:DH", "a=range:npt=now-"),
        *(_video(stream), "a=control:trackID=0", f"a=framerate:{stream.fps:.6f}"),
        *codec_lines(stream),
        "a=recvonly",
    ]
    if stream.audio:
        lines += [*audio_lines(stream.audio), "a=control:trackID=1", "a=recvonly"]
    lines += ["m=application 0 RTP/AVP 107", "a=control:trackID=4"]
    lines += [f"a=rtpmap:107 {METADATA}", "a=recvonly"]
    head = (("x-Accept-Dynamic-Rate", "1"), ("Content-Base", f"{url}/"))
    return Description(_joined(*lines), (*head, ("Cache-Control", "must-revalidate"), SDP_TYPE))


def hikvision(stream: Stream, url: str) -> Description:
    """Control URLs are absolute and have a query of their own."""
    base = url.partition("?")[0].rstrip("/") + "/"
    query = "?transportmode=unicast&profile=Profile_1"

    def track(number: int) -> str:
        return f"a=control:{base}trackID={number}{query}"

    lines = [
        *("v=0", "o=- 1620000000000001 1620000000000001 IN IP4 192.0.2.77"),
        *("s=Media Presentation", "e=NONE", "b=AS:5050", "t=0 0", f"a=control:{base}{query}"),
        *(_video(stream), "c=IN IP4 0.0.0.0", "b=AS:5000", "a=recvonly"),
        *(f"a=x-dimensions:{stream.width},{stream.height}", track(1)),
        *codec_lines(stream),
    ]
    if stream.audio:
        lines += [*audio_lines(stream.audio), "a=recvonly", track(2)]
    lines += ["m=application 0 RTP/AVP 107", "c=IN IP4 0.0.0.0", "b=AS:50", "a=recvonly"]
    lines += [track(3), f"a=rtpmap:107 {METADATA}", "a=appversion:1.0"]
    return Description(_joined(*lines), (SDP_TYPE, ("Content-Base", base)))


def reolink(stream: Stream, url: str) -> Description:
    """An old live555: relative controls, AAC without the number of its channels."""
    name = url.rpartition("/")[2]
    lines = [
        *("v=0", "o=- 1619000000000001 1 IN IP4 192.0.2.78", 's=Session streamed by "preview"'),
        *(f"i={name}", "t=0 0", "a=tool:LIVE555 Streaming Media v2013.04.08"),
        *("a=type:broadcast", "a=control:*", "a=range:npt=0-", f"a=x-qt-text-inf:{name}"),
        *(_video(stream), "c=IN IP4 0.0.0.0", "b=AS:500"),
        *codec_lines(stream),
        "a=control:track1",
    ]
    if stream.audio:
        lines += [*audio_lines(stream.audio), "a=control:track2"]
    return Description(_joined(*lines), (("Content-Base", f"{url}/"), SDP_TYPE))


def tp_link(stream: Stream, url: str) -> Description:
    """A third medium whose type has a slash and whose format is no number; sound to speak into."""
    lines = [
        *("v=0", "o=- 14660001 1 IN IP4 127.0.0.1", 's=Session streamed by "TP-LINK RTSP Server"'),
        *("t=0 0", _video(stream), "c=IN IP4 0.0.0.0", "b=AS:4096", "a=range:npt=0-"),
        *("a=control:track1", *codec_lines(stream)),
    ]
    if stream.audio:
        lines += [*audio_lines(stream.audio), "a=control:track2"]
    lines += ["m=application/TP-LINK 0 RTP/AVP smart/1/90000", "a=rtpmap:95 TP-LINK/90000"]
    return Description(_joined(*lines, "a=control:track3"), (SDP_TYPE, ("Content-Base", f"{url}/")))


def cheap(stream: Stream, url: str) -> Description:
    """No origin, no session name, no Content-Type and no Content-Base; a frame rate of zero before
    the true one, blanks and tabs behind numbers, and a last line without an end."""
    lines = [
        *("v=0", "t=0 0 ", "a=range:npt=0-", _video(stream) + " ", "c=IN IP4 0.0.0.0"),
        *codec_lines(stream, blank=" "),
        *("a=framerate:0S", f"a=framerate:{stream.fps}\t", "a=control:trackID=3"),
    ]
    if stream.audio:
        lines += [*audio_lines(stream.audio), "a=control:trackID=4"]
    lines += ["m=meta 0 RTP/AVP 123", "b=AS:0", "a=rtpmap:123 META /0", "a=control:track=2"]
    return Description(_joined(*lines).removesuffix(b"\r\n"))


def loopback(stream: Stream, url: str) -> Description:
    """A Content-Base that names the device's own loopback, on another port, and lines of Unix."""
    lines = [
        *("v=0", "o=RTSP Session 1 2 IN IP4 0.0.0.0", "s=-", "c=IN c=IN IP4 0.0.0.0", "t=0 0"),
        *("a=control:*", _video(stream), *codec_lines(stream), "a=control:video"),
    ]
    path = "/" + url.partition("://")[2].partition("/")[2]
    base = ("Content-Base", f"rtsp://127.0.0.1:65534{path}")
    return Description(_joined(*lines, end="\n"), (SDP_TYPE, base))


def doorbell(stream: Stream, url: str) -> Description:
    """Sound first, with the payload number of a second sound that goes back to the visitor."""
    voice = ["m=audio 0 RTP/AVP 97", "a=rtpmap:97 MPEG4-GENERIC/16000", f"a=fmtp:97 {AAC_FORMAT}"]
    lines = [
        *("v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=Doorbell", "t=0 0", "a=control:*"),
        *(*voice, "a=control:track2", "a=recvonly"),
        *(_video(stream), *codec_lines(stream), "a=control:track1", "a=recvonly"),
        *("m=audio 0 RTP/AVP 97", "a=rtpmap:97 PCMA/8000", "a=control:track3", "a=sendonly"),
    ]
    return Description(_joined(*lines), (SDP_TYPE, ("Content-Base", f"{url}/")))


def send_only(stream: Stream, url: str) -> Description:
    """Its picture is marked `sendonly`, from the camera's point of view."""
    lines = [
        *("v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=No Name", "t=0 0"),
        *(_video(stream), *codec_lines(stream), "a=control:streamid=0", "a=sendonly"),
    ]
    return Description(_joined(*lines), (SDP_TYPE, ("Content-Base", url)))


def no_video(stream: Stream, url: str) -> Description:
    """Sound and metadata only."""
    lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=Sound", "t=0 0"]
    lines += [*audio_lines(stream.audio or "PCMU"), "a=control:track1"]
    lines += ["m=application 0 RTP/AVP 107", f"a=rtpmap:107 {METADATA}", "a=control:track2"]
    return Description(_joined(*lines), (SDP_TYPE, ("Content-Base", f"{url}/")))


def multicast(stream: Stream, url: str) -> Description:
    """Its media go to a group."""
    ordinary = reolink(stream, url)
    body = ordinary.body.replace(b"c=IN IP4 0.0.0.0", b"c=IN IP4 239.192.0.1/16")
    return Description(body, ordinary.head)


STYLES = {
    "dahua": dahua,
    "hikvision": hikvision,
    "reolink": reolink,
    "tp-link": tp_link,
    "cheap": cheap,
    "loopback": loopback,
    "doorbell": doorbell,
    "send-only": send_only,
    "no-video": no_video,
    "multicast": multicast,
}


def huge(ordinary: Description, size: int) -> Description:
    """The same with this many bytes of attributes in front of its media."""
    head, mark, media = ordinary.body.partition(b"m=")
    line = b"a=x-note:" + string.ascii_letters.encode() * 4 + b"\r\n"
    return Description(head + line * (size // len(line)) + mark + media, ordinary.head)
