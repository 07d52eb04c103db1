"""A process that makes a film of stills: an order as JSON on the standard input, an MP4 in the file
that it names.

For each picture it writes a line: `+` if it is a frame of the film, `-` if it cannot be decoded; at
the end `=`, or `!` with the reason why the film cannot be written. It decodes what cameras sent, so
it is a process of its own, with limits: what breaks a decoder ends this process and nothing else.
Started by its path with `python -I`; it imports nothing of the program.
"""

import errno
import json
import os
import resource
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

MOST_MEMORY = 2 << 30
MOST_OUTPUT = 1 << 30
MOST_INPUT = 64 << 20
MOST_PIXELS = 100_000_000
CPU_PER_PICTURE, CPU_AT_LEAST = 10, 30
"""Seconds; a small computer needs one for a picture of 8 megapixels."""
NICE = 10
SACRIFICE = 500
"""Of 1000: how much rather this process is ended than another one where memory runs out."""
HALVINGS = 3
"""How often the decoder can halve a JPEG while it reads it."""
KEY_EVERY = 2
"""Seconds of the film from one key frame to the next."""
TURNS = {
    2: ("hflip",),
    3: ("hflip", "vflip"),
    4: ("vflip",),
    5: ("transpose=cclock_flip",),
    6: ("transpose=clock",),
    7: ("transpose=clock_flip",),
    8: ("transpose=cclock",),
}
"""What shows a picture upright, by its orientation in Exif."""
ENCODER = {
    "preset": "veryfast",
    "crf": "23",
    "threads": "1",
    "x264-params": "rc-lookahead=4:sync-lookahead=0",
}
"""A longer look ahead keeps large frames in memory, and saves little of pictures an hour apart."""
BT709, LIMITED = 1, 1
NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def main() -> int:
    """Read the order and make the film. 0 if it is written."""
    order = json.load(sys.stdin)
    cpu = CPU_AT_LEAST + CPU_PER_PICTURE * len(order["pictures"])
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_OUTPUT, MOST_OUTPUT))
    os.nice(NICE)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(SACRIFICE))
    try:
        make(order, lambda line: print(line, flush=True))
    except OSError as error:
        print(f"!{error.strerror or error}", flush=True)
        return 1
    print("=", flush=True)
    return 0


def make(order: Mapping[str, Any], tell: Callable[[str], object]) -> None:
    """Write the film: one frame for each picture that can be decoded. Raises OSError."""
    import av

    output: Any = av.open(order["output"], "w", format="mp4", options={"movflags": "+faststart"})
    with output:
        stream = output.add_stream("libx264", rate=order["rate"], options=ENCODER)
        stream.width, stream.height, stream.pix_fmt = order["width"], order["height"], "yuv420p"
        context = stream.codec_context
        context.gop_size, context.max_b_frames = KEY_EVERY * order["rate"], 0
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED
        number, shape = 0, Shaper(order["width"], order["height"])
        for path, orientation, longest in order["pictures"]:
            frame = shape.frame(Path(path), orientation, longest)
            if frame is None:
                tell("-")
                continue
            frame.pts, frame.time_base = number, Fraction(1, order["rate"])
            output.mux(stream.encode(frame))
            number += 1
            tell("+")
        output.mux(stream.encode(None))
    if not number:
        return  # Nothing was written.
    with Path(order["output"]).open("rb+") as file:
        os.fsync(file.fileno())


class Shaper:
    """Makes frames of one size of pictures of any: scaled, upright, with black bars beside."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._graphs: dict[tuple[object, ...], Any] = {}

    def frame(self, path: Path, orientation: int, longest: int) -> Any:
        """The picture as a frame; None if it cannot be read or decoded. `longest`: its longer
        side, in pixels."""
        import av

        try:
            picture = _decoded(_read(path), self._halvings(longest))
            return picture and self._shaped(picture, orientation)
        except (OSError, ValueError, MemoryError, av.FFmpegError):
            return None

    def _halvings(self, longest: int) -> int:
        wanted = 2 * max(self.width, self.height)
        return next((n for n in range(HALVINGS, 0, -1) if longest >> n >= wanted), 0)

    def _shaped(self, picture: Any, orientation: int) -> Any:
        key = (picture.width, picture.height, picture.format.name, orientation)
        graph = self._graphs.get(key)
        if graph is None:
            self._graphs.clear()  # Cameras seldom change what they send.
            graph = self._graphs[key] = self._graph(picture, orientation)
        picture.pts, picture.time_base = 0, Fraction(1, 25)
        graph.push(picture)
        return graph.pull()

    def _graph(self, picture: Any, orientation: int) -> Any:
        from av.filter import Graph

        graph: Any = Graph()
        size = f"w={self.width}:h={self.height}"
        scale = f"scale={size}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=area"
        colors = "in_range=full:out_range=limited:in_color_matrix=bt601:out_color_matrix=bt709"
        steps = [
            *TURNS.get(orientation, ()),
            f"{scale}:{colors}",
            "format=yuv420p",
            f"pad={size}:x=(ow-iw)/2:y=(oh-ih)/2",
        ]
        last = graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=Fraction(1, 25),
        )
        for step in (*steps, "buffersink"):
            name, _, options = step.partition("=")
            following = graph.add(name, options or None)
            last.link_to(following)
            last = following
        graph.configure()
        return graph


def _read(path: Path) -> bytes:
    """A still. Raises OSError, also where a link or a pipe is in its place."""
    with os.fdopen(os.open(path, NO_LINK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a file")
        return file.read(MOST_INPUT)


def _decoded(data: bytes, halvings: int) -> Any:
    """The picture; None if it is damaged."""
    import av

    decoder: Any = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count = 1
    strict = {"err_detect": "crccheck+bitstream+buffer+explode"}
    decoder.options = {"max_pixels": str(MOST_PIXELS), "lowres": str(halvings), **strict}
    frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    return frames[0] if frames and not frames[0].is_corrupt else None


if __name__ == "__main__":
    sys.exit(main())
