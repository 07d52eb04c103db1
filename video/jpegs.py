"""Pictures for viewers whose browser shows no video: one decoder for all of them.

Used in the child only. Nothing is decoded that nobody watches, a picture is scaled and coded once
for all viewers with equal options, and the pictures of an MJPEG camera pass as they are unless they
have to be scaled. What a decoder cannot read is counted, never raised.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from video.model import Picture
from video.packets import EncodedPacket, VideoCoding
from video.watching import PictureOptions

if TYPE_CHECKING:
    import av

DECODERS = {"h264": "h264", "h265": "hevc", "mjpeg": "mjpeg"}
MOST_PIXELS = 139_264 * 256
"""Of a picture that is decoded, the largest that H.264 knows (level 6.2), 8K. A few bytes can say
that they are a picture of a gigabyte."""
TICKS = 90_000
MAX_WAITING = 64
"""Pictures that a decoder holds back at most, before the times of the oldest are forgotten."""
EARLY = 0.25
"""Share of the distance between two pictures by which one can come early and still counts: times
are never exact."""


class Jpegs:
    """The pictures of one stream for several wishes at once. `errors` counts packets that could not
    be decoded. It begins at the first key frame that it is given."""

    def __init__(self) -> None:
        self.errors = 0
        self._decoder: _Decoder | None = None
        self._coding: VideoCoding | None = None
        self._outputs: dict[PictureOptions, _Output] = {}

    def feed(
        self, packet: EncodedPacket, wanted: Collection[PictureOptions]
    ) -> Iterator[tuple[PictureOptions, Picture]]:
        """The pictures that a packet of video completes, for each wish whose time it is."""
        if not isinstance(packet.coding, VideoCoding) or packet.coding.encoding not in DECODERS:
            return
        for options in self._outputs.keys() - set(wanted):
            del self._outputs[options]
        for options in wanted:
            if options not in self._outputs:
                self._outputs[options] = _Output(options)
        if packet.coding.encoding == "mjpeg":
            yield from self._of_mjpeg(packet, packet.coding)
            return
        for frame, time, at in self._decoded(packet, packet.coding):
            for options, output in self._outputs.items():
                if output.is_due(time):
                    yield from self._made(options, output, frame, at)

    def _of_mjpeg(
        self, packet: EncodedPacket, coding: VideoCoding
    ) -> Iterator[tuple[PictureOptions, Picture]]:
        size = (coding.width, coding.height)
        to_scale = []
        for options, output in self._outputs.items():
            if not output.is_due(packet.pts):
                continue
            if output.fits(coding.width):
                yield options, Picture(packet.data, *size, size, packet.at)
            else:
                to_scale.append((options, output))
        if to_scale:
            for frame, _time, at in self._decoded(packet, coding):
                for options, output in to_scale:
                    yield from self._made(options, output, frame, at)

    def _made(
        self, options: PictureOptions, output: "_Output", frame: "av.VideoFrame", at: float
    ) -> Iterator[tuple[PictureOptions, Picture]]:
        import av

        try:
            yield options, output.picture(frame, at)
        except (ValueError, av.error.FFmpegError):
            self.errors += 1

    def _decoded(
        self, packet: EncodedPacket, coding: VideoCoding
    ) -> Iterator[tuple["av.VideoFrame", float, float]]:
        """Each picture with its time and its arrival, once a key frame has come."""
        import av

        is_other = self._coding is None or self._coding.encoding != coding.encoding
        if self._decoder is None or is_other:
            if not packet.is_key:
                return
            self._decoder, self._coding = _Decoder(coding), coding
        try:
            yield from self._decoder.decode(packet)
        except (ValueError, av.error.FFmpegError):
            self.errors += 1


def whole_picture(
    packet: EncodedPacket, quality: int, grey_width: int = 0, is_seen: bool = True
) -> Picture | None:
    """The picture of a key frame in full size, that of an MJPEG camera as it is; also in grey, or
    only so, as a wish says (video/watching.py). None where the decoder finds damage in it, or
    cannot read it."""
    import av

    coding = packet.coding
    if not isinstance(coding, VideoCoding) or coding.encoding not in DECODERS:
        return None
    try:
        frame = _Decoder(coding, is_strict=True).only_frame(packet)
        if frame is None or frame.is_corrupt:
            return None
        size = frame.width, frame.height
        picture = Picture(packet.data if is_seen else b"", *size, size, packet.at)
        if is_seen and coding.encoding != "mjpeg":
            picture = _Output(PictureOptions(0, 0, quality)).picture(frame, packet.at)
        return replace(picture, grey=_pgm(frame, grey_width)) if grey_width else picture
    except (ValueError, av.error.FFmpegError):
        return None


def _pgm(frame: "av.VideoFrame", most_width: int) -> bytes:
    """A binary PGM (Netpbm) of so many pixels' width at most. Raises as `picture` does."""
    width = min(frame.width, most_width)
    height = max(round(frame.height * width / frame.width), 1)
    plane = frame.reformat(width, height, format="gray", interpolation="AREA").planes[0]
    data, step = memoryview(plane), plane.line_size
    rows = [data[at : at + width] for at in range(0, height * step, step)]
    return b"".join((f"P5\n{width} {height}\n255\n".encode(), *rows))


class _Decoder:
    """One decoder, in the thread of its caller. A strict one raises for damage that others hide
    with what they have decoded before."""

    def __init__(self, coding: VideoCoding, *, is_strict: bool = False) -> None:
        import av
        from av.codec.context import Flags

        self._context: Any = av.CodecContext.create(DECODERS[coding.encoding], "r")
        self._context.thread_count = 1
        strict = {"err_detect": "explode"} if is_strict else {}
        self._context.options = {"max_pixels": str(MOST_PIXELS), **strict}
        if coding.reorder == 0:
            # Where pictures change places, this would give them in the order in which they came.
            self._context.flags |= Flags.low_delay
        self._arrivals: dict[int, float] = {}

    def decode(self, packet: EncodedPacket) -> Iterator[tuple["av.VideoFrame", float, float]]:
        import av

        encoded = av.Packet(packet.data)
        encoded.pts = encoded.dts = round(packet.pts * TICKS)
        encoded.time_base = Fraction(1, TICKS)
        self._arrivals[encoded.pts] = packet.at
        if len(self._arrivals) > MAX_WAITING:
            self._arrivals.pop(next(iter(self._arrivals)))
        for frame in self._context.decode(encoded):
            ticks = frame.pts if frame.pts is not None else encoded.pts
            yield frame, ticks / TICKS, self._arrivals.pop(ticks, packet.at)

    def only_frame(self, packet: EncodedPacket) -> "av.VideoFrame | None":
        """The picture of one packet, also where a decoder would wait for the next one."""
        import av

        encoded = av.Packet(packet.data)
        frames = [*self._context.decode(encoded), *self._context.decode(None)]
        return frames[0] if frames else None


class _Output:
    """What one wish needs: when its next picture is due, and its encoder."""

    def __init__(self, options: PictureOptions) -> None:
        self._options = options
        self._distance = 1 / options.max_rate if options.max_rate > 0 else 0.0
        self._due: float | None = None
        self._encoder: Any = None
        self._reformatter: Any = None
        self._number = 0

    def is_due(self, time: float) -> bool:
        """True for at most `max_rate` pictures a second, as evenly as they come."""
        if self._due is not None and self._due - 2 * self._distance < time:
            if time < self._due - self._distance * EARLY:
                return False
            self._due = max(self._due + self._distance, time)
        else:
            self._due = time + self._distance
        return True

    def fits(self, width: int) -> bool:
        return self._options.max_width <= 0 or width <= self._options.max_width

    def picture(self, frame: "av.VideoFrame", at: float) -> Picture:
        """Scaled and coded. Raises ValueError or FFmpegError."""
        source = (frame.width, frame.height)
        width, height = self._size(*source)
        if self._encoder is None or (self._encoder.width, self._encoder.height) != (width, height):
            self._open(width, height)
        scaled = self._reformatter.reformat(
            frame, width, height, format="yuvj420p", interpolation="FAST_BILINEAR"
        )
        self._number += 1
        scaled.pts, scaled.time_base = self._number, self._encoder.time_base
        data = b"".join(bytes(packet) for packet in self._encoder.encode(scaled))
        if not data:
            raise ValueError("no picture")
        return Picture(data, width, height, source, at)

    def _size(self, width: int, height: int) -> tuple[int, int]:
        if self.fits(width):
            return width, height
        # Colours have half the lines and columns.
        scaled = max(self._options.max_width // 2 * 2, 2)
        return scaled, max(round(height * scaled / width / 2) * 2, 2)

    def _open(self, width: int, height: int) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        encoder: Any = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
        encoder.time_base = Fraction(1, TICKS)
        encoder.thread_count = 1
        encoder.qmin = encoder.qmax = _scale(self._options.quality)
        self._encoder, self._reformatter = encoder, VideoReformatter()


def _scale(quality: int) -> int:
    """The scale of libavcodec, 1 (best) to 31, for a quality of JPEG of 1 to 100: both multiply the
    same tables, by an eighth of the scale or by (200 - 2 * quality) percent."""
    level = min(max(quality, 1), 100)
    percent = 5000 / level if level < 50 else 200 - 2 * level
    return min(max(round(percent * 8 / 100), 1), 31)
