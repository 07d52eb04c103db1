"""A real RTSP server, GStreamer's, as a child of Debian's own Python."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).parent.parent / "simulators" / "gst_rtsp.py"
_MODULES = Path("/usr/lib/python3/dist-packages/gi")
_TYPELIBS = Path("/usr/lib").glob("*/girepository-1.0/GstRtspServer-1.0.typelib")
needs_gst = pytest.mark.skipif(
    not (_MODULES.exists() and any(_TYPELIBS)),
    reason="GStreamer's RTSP server is missing: apt-get install gir1.2-gst-rtsp-server-1.0 "
    "python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad",
)


@contextmanager
def gst_server(address: str, *options: str) -> Iterator[int]:
    """The port of a server at this address, which plays a test picture until the block ends.

    For the options see `simulators/gst_rtsp.py --help`.
    """
    command = [PYTHON, str(SCRIPT), "--address", address, *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        state, _, port = server.stdout.readline().partition(" ")
        assert state == "ready", "the server did not start: its reason is above"
        try:
            yield int(port)
        finally:
            server.stdin.close()
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()


@contextmanager
def stalled(address: str) -> Iterator[None]:
    """The server at this address sends nothing more, and its connections stay open."""
    children = [
        pid
        for path in Path("/proc/self/task").glob("*/children")
        for pid in path.read_text().split()
    ]
    (pid,) = (
        int(child)
        for child in children
        if {str(SCRIPT), address} <= {*Path(f"/proc/{child}/cmdline").read_text().split("\0")}
    )
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
