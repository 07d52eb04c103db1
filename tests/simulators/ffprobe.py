"""FFmpeg's probe, as a judge of pretend cameras that is not ours."""

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

needs_ffprobe = pytest.mark.skipif(
    shutil.which("ffprobe") is None, reason="ffprobe is missing: apt-get install ffmpeg"
)


def ffprobe(url: str, *options: str) -> list[dict[str, Any]]:
    """The streams at an address; raises CalledProcessError with FFmpeg's own words."""
    command = ["ffprobe", "-v", "error", *options, "-show_streams", "-of", "json", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, "ffprobe", done.stdout, done.stderr)
    streams: list[dict[str, Any]] = json.loads(done.stdout)["streams"]
    return streams


def probe_rtsp(url: str) -> list[dict[str, Any]]:
    return ffprobe(
        url, "-rtsp_transport", "tcp", "-timeout", "5000000", "-analyzeduration", "200000"
    )


def probe_all(urls: list[str]) -> list[list[dict[str, Any]]]:
    """The streams of several cameras, asked at once: a probe waits more than it computes."""
    with ThreadPoolExecutor(len(urls)) as pool:
        return list(pool.map(probe_rtsp, urls))


def video_size(streams: list[dict[str, Any]]) -> tuple[str, int, int]:
    """Codec, width and height of the first video."""
    video = next(stream for stream in streams if stream["codec_type"] == "video")
    return video["codec_name"], video["width"], video["height"]
