"""A real RTSP server, GStreamer's, with a moving test picture. Run it by Debian's own Python, which
has GStreamer's bindings:

    /usr/bin/python3 simulators/gst_rtsp.py --address 127.81.0.1 --login admin:secret --digest

It prints one line, `ready <port>`, when it accepts connections, and ends when its input closes.
"""

import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

ENCODERS = {
    "h264": "openh264enc gop-size={gop} bitrate={bits} ! h264parse ! rtph264pay name=pay0 pt=96",
    "h265": "x265enc key-int-max={gop} tune=zerolatency speed-preset=ultrafast ! h265parse "
    "! rtph265pay name=pay0 pt=96",
    "mjpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
}
AUDIO = "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=8000,channels=1 ! {} name=pay1"
SOUNDS = {"pcma": "alawenc ! rtppcmapay pt=8", "pcmu": "mulawenc ! rtppcmupay pt=0"}


def pipeline(given: argparse.Namespace, codec: str, audio: str) -> str:
    width, _, height = given.size.partition("x")
    caps = f"video/x-raw,format=I420,width={width},height={height},framerate={given.fps}/1"
    source = f"videotestsrc is-live=true pattern={given.pattern} ! {caps}"
    if given.pictures:
        files = f'multifilesrc location="{given.pictures}/%03d.jpg" loop=true'
        frames = f"{files} caps=image/jpeg,framerate={given.fps}/1 ! jpegdec"
        source = f"{frames} ! videoconvert ! videoscale ! {caps}"
    coding = {"gop": given.fps * given.gop, "bits": given.bits}
    parts = [f"{source} ! {ENCODERS[codec].format(**coding)}"]
    if audio:
        parts.append(AUDIO.format(SOUNDS[audio]))
    return f"( {' '.join(parts)} )"


def accounts(given: argparse.Namespace) -> "GstRtspServer.RTSPAuth":
    """The authentication of a server whose streams only this login may see."""
    username, _, password = given.login.partition(":")
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if given.digest:
        auth.set_supported_methods(2)  # GST_RTSP_AUTH_DIGEST
        auth.add_digest(username, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(username, password), token)
    return auth


def stream(
    given: argparse.Namespace, codec: str, audio: str = ""
) -> "GstRtspServer.RTSPMediaFactory":
    """What is played at a path: to the one account, where there is one."""
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(pipeline(given, codec, audio))
    factory.set_shared(True)
    if given.login:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
    return factory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1", help="out of 127.0.0.0/8")
    parser.add_argument("--port", default="0", help="0: a free one")
    parser.add_argument("--path", action="append", help="of a stream; may be given several times")
    parser.add_argument("--login", default="", help="name:password; empty: open to everybody")
    parser.add_argument("--digest", action="store_true", help="Digest in place of Basic")
    parser.add_argument("--codec", choices=ENCODERS, default="h264")
    parser.add_argument(
        "--sub", choices=["", *ENCODERS], default="", help="codec of another stream, at /stream2"
    )
    parser.add_argument("--audio", choices=["", *SOUNDS], default="")
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--gop", type=int, default=2, help="seconds between two key frames")
    parser.add_argument("--bits", type=int, default=1_000_000, help="a second, of H.264")
    parser.add_argument("--pattern", default="ball", help="of videotestsrc")
    parser.add_argument(
        "--pictures", default="", help="folder with 000.jpg, 001.jpg, ... to play in a loop"
    )
    given = parser.parse_args()
    if not given.address.startswith("127."):
        parser.error("only addresses out of 127.0.0.0/8 are served")
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(given.address)
    server.set_service(given.port)
    if given.login:
        server.set_auth(accounts(given))
    main_stream = stream(given, given.codec, given.audio)
    for path in given.path or ["/stream1"]:
        server.get_mount_points().add_factory(path, main_stream)
    if given.sub:
        server.get_mount_points().add_factory("/stream2", stream(given, given.sub))
    if not server.attach(None):
        sys.exit(f"{given.address}:{given.port} cannot be bound")
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_HUP | GLib.IO_IN, lambda *_: loop.quit())
    print("ready", server.get_bound_port(), flush=True)
    loop.run()


if __name__ == "__main__":
    main()
