"""A process that makes one small picture: MP4 or a large JPEG on the standard input, JPEG on the
standard output.

It decodes what a camera sent, so it is a process of its own, with limits: what breaks a decoder
ends this process and nothing else. Started by its path with `python -I` (it imports nothing of the
program) and the width.
"""

import io
import resource
import sys
from fractions import Fraction
from typing import Any

MOST_MEMORY = 2 << 30
MOST_CPU = 10
MOST_INPUT = 64 << 20
LARGEST_SIDE = 16_384
MOST_PIXELS = 100_000_000
HALVINGS = 3
"""How often the decoder can halve a JPEG while it reads it: so 100 megapixels take a few MB."""


def main(width: int) -> int:
    """Read, decode the first key frame, and write. 0 if there was one."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU, MOST_CPU))
    picture = picture_of(sys.stdin.buffer.read(MOST_INPUT), width)
    sys.stdout.buffer.write(picture)
    return 0 if picture else 1


def picture_of(data: bytes, width: int) -> bytes:
    """The first key frame as JPEG of this width or less; nothing if none can be decoded."""
    import av

    if data.startswith(b"\xff\xd8"):
        return _of_jpeg(data, width)
    container: Any = av.open(io.BytesIO(data), mode="r", format="mp4")
    with container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        stream.codec_context.skip_frame = "NONKEY"
        for frame in container.decode(stream):
            if frame.width > LARGEST_SIDE or frame.height > LARGEST_SIDE:
                return b""
            return _jpeg(frame, min(width, frame.width))
    return b""


def _of_jpeg(data: bytes, width: int) -> bytes:
    import av

    for halvings in range(HALVINGS, -1, -1):
        decoder: Any = av.CodecContext.create("mjpeg", "r")
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(MOST_PIXELS), "lowres": str(halvings)}
        for frame in decoder.decode(av.Packet(data)):
            if halvings == 0 or frame.width >= width:
                return _jpeg(frame, min(width, frame.width))
    return b""


def _jpeg(frame: Any, width: int) -> bytes:
    """A frame, scaled, with even sides."""
    import av

    width = max(2, width // 2 * 2)
    height = max(2, round(frame.height * width / frame.width / 2) * 2)
    scaled = frame.reformat(width, height, format="yuvj420p")
    scaled.pts = 0
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base, encoder.options = Fraction(1, 25), {"qmin": "4", "qmax": "4"}
    return b"".join(bytes(packet) for packet in [*encoder.encode(scaled), *encoder.encode(None)])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
