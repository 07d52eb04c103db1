"""Clips that several tests read, each made once in a run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.video import clips

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "15")
OPTIONS = {
    "h264": ("-an", *H264, "-bf", "0"),
    "b-frames": ("-an", "-c:v", "libx264", "-g", "15", "-bf", "2"),
    "h265": (
        "-an",
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=0:keyint=15",
    ),
    "mjpeg": ("-an", "-c:v", "mjpeg", "-huffman", "default", "-pix_fmt", "yuvj420p"),
    "aac": (*H264, "-bf", "0", "-c:a", "aac", "-b:a", "32k"),
    "pcma": (*H264, "-bf", "0", "-c:a", "pcm_alaw"),
    "long-gop": ("-an", *H264, "-g", "1000", "-bf", "0"),
}


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes the clip of a name of OPTIONS, 2 seconds of 320x180 at 15 pictures a second. Those with
    sound have parameter sets in their description alone, the others in their packets alone."""
    folder = tmp_path_factory.mktemp("clips")

    def path_of(name: str) -> Path:
        # JPEG in RTP has a size in blocks of 8 pixels (RFC 2435, 3.1.5).
        size = "320x184" if name == "mjpeg" else "320x180"
        ending = "mov" if name in ("mjpeg", "aac", "pcma") else "ts"
        path = folder / f"{name}.{ending}"
        return path if path.exists() else clips.make(path, *OPTIONS[name], size=size)

    return path_of


@pytest.fixture(scope="session")
def recorded(clip: Callable[[str], Path]) -> Callable[[str], clips.Recorded]:
    """The same clip as RTP packets."""
    known: dict[str, clips.Recorded] = {}

    def packets_of(name: str) -> clips.Recorded:
        if name not in known:
            known[name] = clips.recorded(clip(name))
        return known[name]

    return packets_of
