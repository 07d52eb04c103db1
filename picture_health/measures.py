"""Measure a picture: brightness, structure, sharpness, and what differs from an earlier one.

Used in the child only (`measuring_child.py`), because it loads numpy and OpenCV. A picture is
decoded at a fraction of its size and judged on a grid of 16 by 9 blocks, 320 pixels wide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from picture_health.model import (
    COLUMNS,
    HEIGHT,
    ROWS,
    WIDTH,
    CannotMeasure,
    Comparison,
    Measures,
    Sample,
    is_descriptor,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[Any]

LARGEST = 50_000_000
"""Pixels of a picture that is decoded: 8K has 33 million."""
GREY = b"P5\n"
"""How a binary PGM begins, whose bytes are its pixels."""
REDUCTIONS = (8, 4, 2)
"""Fractions of its size at which a JPEG can be decoded, for a part of the time and memory."""
DARK = 24.0
"""Mean grey level of a dark block; a light in it is DARK brighter."""
STILL = 0.1
"""Mean difference of a block in grey levels up to which it is the same: noise makes more of it,
also after compression, and the same picture compressed alike makes none."""
ALIVE = 1.0
"""Grey levels by which the pixels of a block vary where compression has left something."""
WIDE = 4.0
"""Pixels over which a small picture is softened, to take what is only light from it."""
STRUCTURE = 1.6
"""Grey levels by which a block with structure varies, beside its surroundings."""
NOISE_SHARE = 0.8
"""Of the noise in a pixel, the share that is left after softening, with room to spare."""
EDGE = 3.0
"""Slope of an edge, in grey levels a pixel, in the softened picture."""
MARGIN = HEIGHT // ROWS
"""Pixels of a small picture above and below its inner part."""
INNER_HEIGHT = HEIGHT - 2 * MARGIN
PADDED = (120, 288)
"""Pixels, down and right, in which a small picture can be moved and keep OVERLAP in view."""
BLOCK_PIXELS = WIDTH * HEIGHT // (COLUMNS * ROWS)
"""Of a block of a small picture."""
EDGE_PIXELS = 12
"""Of a block that has edges."""
SHARPER = 0.7
"""The quantile of blocks that tells the sharpness: a soft light or a cloud blurs no picture."""
SHARPEST = 0.9
"""The quantile that tells how sharp the sharpest blocks are."""
SHARPNESS_STEPS = 80
"""In a descriptor, for a sharpness of 1: from 0 to 3 in a byte."""
SAME_EDGES = 0.4
"""Correlation of the edges of a block in two pictures from which they are in the same places."""
LEAST_STEEP = 0.05
"""By which a sharpness above 1 is divided, at least."""
IN_PLACE = 0.9
"""Share of blocks with their edges in the same places from which no move is looked for."""
ENOUGH_BLOCKS = 3
"""Least blocks by which the sharpness of two pictures can be compared."""
REACH = 3
"""Pixels of a descriptor by which wind may shake a camera."""
AT_ODDS = 0.25
"""Share of blocks with their edges in the same places up to which no second look is needed."""
FURTHER = 6
"""Least pixels, right or down, of a move that wind does not make."""
OVERLAP = 0.3
"""Least share of the picture that is still in view after such a move."""
ENOUGH_UNLIKE = 0.35
"""Least share of blocks by which being in place can be told from having moved so."""


def measured(data: bytes, earlier: Sequence[bytes] = ()) -> Sample:
    """Measure a JPEG or a grey picture, also beside earlier descriptors. Raises CannotMeasure."""
    return sample_of(decoded(data), earlier)


def sample_of(picture: "Grey", earlier: Sequence[bytes] = ()) -> Sample:
    """Measure a picture that is decoded."""
    import cv2
    import numpy as np

    picture = cv2.resize(picture, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_AREA)
    small = picture[::2, ::2].copy()
    grey = small.astype(np.float32)
    wide = _softened(grey, WIDE)
    view = _View(small, _structured(grey, wide), _sharpness(picture), *_edges(grey, wide))
    comparisons = tuple(
        _compared(grey, view, _remembered(other)) if other else None for other in earlier
    )
    return Sample(_measures(grey, view), _descriptor(view), comparisons)


def decoded(data: bytes) -> "Grey":
    """A grey picture, at the smallest size that is large enough; a PGM as it is."""
    import cv2
    import numpy as np

    way = cv2.IMREAD_GRAYSCALE
    if not data.startswith(GREY):
        width, height = size_of(data)
        if width * height > LARGEST:
            raise CannotMeasure(f"The picture is too large: {width} × {height} pixels")
        reduction = next((part for part in REDUCTIONS if width >= part * 2 * WIDTH), 1)
        way = getattr(cv2, f"IMREAD_REDUCED_GRAYSCALE_{reduction}", way)
    buffer = np.frombuffer(data, np.uint8)
    picture = cv2.imdecode(buffer, way | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise CannotMeasure("The picture cannot be decoded")
    grey: Grey = picture
    return grey


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG, from its frame header (ITU-T T.81, B.2.2). Raises
    CannotMeasure."""
    place = 2
    while data[:2] == b"\xff\xd8" and place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(data[at : at + 2]) for at in (place + 5, place + 7))
            if width and height:
                return width, height
            break
        place += 1 if marker == 0xFF else 2 + int.from_bytes(data[place + 2 : place + 4])
    raise CannotMeasure("The picture is not a JPEG")


# -- one picture --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _View:
    """A small picture, and what is compared of it with another one."""

    pixels: "Grey"
    structured: "Grey"
    """Which blocks have structure."""
    sharpness: "Grey"
    """Of each block; 0 where there are no edges."""
    edges: tuple["Grey", "Grey"]
    power: "Grey"
    """Of the edges of each block."""
    has_edges: "Grey"
    """Which blocks have edges to compare."""


def _descriptor(view: _View) -> bytes:
    """What `_remembered` makes a view of."""
    import numpy as np

    sharpness = np.clip(np.round(view.sharpness * SHARPNESS_STEPS), 0, 255).astype(np.uint8)
    return view.pixels.tobytes() + view.structured.tobytes() + sharpness.tobytes()


def _remembered(descriptor: bytes) -> _View:
    import numpy as np

    if not is_descriptor(descriptor):
        raise CannotMeasure("The earlier picture is not one of these")
    data = np.frombuffer(descriptor, np.uint8)
    pixels = data[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    grey = pixels.astype(np.float32)
    structured, sharpness = data[WIDTH * HEIGHT :].reshape(2, ROWS, COLUMNS)
    return _View(
        pixels,
        structured > 0,
        sharpness.astype(np.float32) / SHARPNESS_STEPS,
        *_edges(grey, _softened(grey, WIDE)),
    )


def _measures(picture: "Grey", view: _View) -> Measures:
    means, sharpness = _inner(_means(picture)), _inner(view.sharpness)
    brightest = _inner(_blocks(_softened(picture, 1.0)).max(axis=1).max(axis=2))
    sharp = sharpness[sharpness > 0]
    return Measures(
        brightness=float(means.mean()),
        dark=float(((means <= DARK) & (brightest <= 2 * DARK)).mean()),
        structure=float(_inner(view.structured).mean()),
        layout=_layout(means),
        sharpness=_quantile(sharp, SHARPER),
        edges=float((sharpness > 0).mean()),
        sharpest=_quantile(sharp, SHARPEST),
    )


def _quantile(values: "Grey", share: float) -> float:
    """The value below which about this share of them is; 0 of none."""
    import numpy as np

    return float(np.sort(values)[round(share * (values.size - 1))]) if values.size else 0.0


def _softened(picture: "Grey", sigma: float) -> "Grey":
    import cv2

    soft: Grey = cv2.GaussianBlur(picture, (0, 0), sigma)
    return soft


def _blocks(picture: "Grey") -> "Grey":
    """The picture as rows, lines of a row, columns, and pixels of a column."""
    height, width = picture.shape
    return picture.reshape(ROWS, height // ROWS, COLUMNS, width // COLUMNS)


def _means(picture: "Grey") -> "Grey":
    """The mean of each block of a picture of 32-bit floats."""
    import cv2

    means: Grey = cv2.resize(picture, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    return means


def _inner(blocks: "Grey") -> "Grey":
    return blocks[1:-1]


def _structured(grey: "Grey", wide: "Grey") -> "Grey":
    """Which blocks vary by more than noise, a smooth gradient left aside."""
    import numpy as np

    soft = _softened(grey, 1.2)
    band = soft - wide
    noise = np.median(np.abs(grey - soft)) * 1.5
    limit = max(STRUCTURE, NOISE_SHARE * float(noise))
    structured: Grey = _means(band * band) > limit * limit
    return structured


def _layout(means: "Grey") -> float:
    surface = _surface(means.shape)
    rest = means.ravel() - surface @ means.ravel()
    return float(rest.std())


@cache
def _surface(shape: tuple[int, int]) -> "Grey":
    """The matrix that fits a surface of second degree to the blocks."""
    import numpy as np

    rows, columns = np.meshgrid(*(np.linspace(-1, 1, count) for count in shape), indexing="ij")
    terms = [rows**0, rows, columns, rows * rows, columns * columns, rows * columns]
    base = np.stack([term.ravel() for term in terms], axis=1)
    return base @ np.linalg.pinv(base)


def _sharpness(picture: "Grey") -> "Grey":
    """How steep the edges of each block are beside the softened ones; 0 without edges.

    The fine slope is projected onto the softened one: noise has no direction and adds nothing.
    """
    import numpy as np

    grey = picture.astype(np.float32)
    fine, coarse = (_slopes(_softened(grey, sigma)) for sigma in (0.8, 2.4))
    power = coarse[0] * coarse[0] + coarse[1] * coarse[1]
    strong = (power > EDGE**2).astype(np.float32)
    shares = _means((fine[0] * coarse[0] + fine[1] * coarse[1]) * strong)
    sharpness = shares / np.maximum(_means(power * strong), 1e-6)
    has_edges = _means(strong) >= (EDGE_PIXELS - 0.5) / (4 * BLOCK_PIXELS)
    return np.where(has_edges, np.maximum(sharpness, 1 / SHARPNESS_STEPS), 0.0)


def _edges(grey: "Grey", wide: "Grey") -> tuple[tuple["Grey", "Grey"], "Grey", "Grey"]:
    """Slopes with twice their angle, their power in each block, and which blocks have edges.

    An edge is the same whichever side of it is bright, because infrared light can swap the two.
    The rim of a lamp's light is no edge. All edges count alike, strong or weak, so that snowflakes
    and glare do not outweigh what is behind them.
    """
    import numpy as np

    right, down = _slopes(_softened(grey, 1.0) - wide)
    squares = (right * right, down * down)
    strength = squares[0] + squares[1]
    weights = 1 / np.maximum(strength, EDGE**2)
    edges = ((squares[0] - squares[1]) * weights, 2 * right * down * weights)
    has_edges = _means(strength * strength) > EDGE**4 * EDGE_PIXELS / 2 / BLOCK_PIXELS
    return edges, _means(edges[0] * edges[0] + edges[1] * edges[1]), has_edges


def _slopes(picture: "Grey") -> tuple["Grey", "Grey"]:
    """Grey levels a pixel, to the right and down."""
    import cv2

    return (
        cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=1, scale=0.5),
        cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=1, scale=0.5),
    )


# -- two pictures -------------------------------------------------------------------------------


def _compared(grey: "Grey", view: _View, earlier: _View) -> Comparison:
    import cv2
    import numpy as np

    difference = _means(cv2.absdiff(view.pixels, earlier.pixels).astype(np.float32))
    means = _means(grey)
    alive = _means(grey * grey) - means * means > ALIVE**2
    structured = _inner(earlier.structured)
    gone = structured & ~_inner(view.structured) & (_inner(means) > DARK)
    usable = _inner(view.has_edges & earlier.has_edges)
    agreement, same = _agreement(view, earlier, usable)
    is_unsure = AT_ODDS < agreement < IN_PLACE
    return Comparison(
        alive=float(alive.mean()),
        unchanged=float((difference[alive] <= STILL).mean()) if alive.any() else 0.0,
        difference=_quantile(difference.ravel(), 0.5),
        lost=float(gone.sum() / max(structured.sum(), 1)),
        held=float(structured.mean()),
        agreement=agreement,
        compared=float(usable.mean()),
        sharpness=_kept_sharpness(_inner(view.sharpness)[same], _inner(earlier.sharpness)[same]),
        in_place=_in_place(view, earlier, usable, same) if is_unsure else agreement,
    )


def _kept_sharpness(now: "Grey", then: "Grey") -> float | None:
    """The usual part of the sharpness above 1 that blocks have kept. Glare and passers-by have
    edges of their own, so only blocks whose edges are in the same places are compared."""
    import numpy as np

    both = (now > 0) & (then > 0)
    if both.sum() < ENOUGH_BLOCKS:
        return None
    return _quantile((now[both] - 1) / np.maximum(then[both] - 1, LEAST_STEEP), 0.5)


def _agreement(view: _View, earlier: _View, usable: "Grey") -> tuple[float, "Grey"]:
    """The share of usable blocks whose edges are in the same places in both, and which blocks of
    all are in the same places."""
    if not usable.any():
        return 0.0, usable
    correlation = _correlation(view, earlier, (0, 0))
    share = float((correlation[usable] > SAME_EDGES).mean())
    if share < IN_PLACE and (move := _move(view, earlier)):
        moved = _correlation(view, earlier, move)
        if (better := float((moved[usable] > SAME_EDGES).mean())) > share:
            correlation, share = moved, better
    return share, correlation > SAME_EDGES


def _in_place(view: _View, earlier: _View, usable: "Grey", same: "Grey") -> float:
    """The share of blocks in the same places, less the share that would be after a larger move:
    the one by which the pictures fit best. Blocks that fit both tell nothing: of a regular front
    of windows that is most of them, whether or not the camera was turned by a window."""
    move = _larger_move(view, earlier)
    other = (_correlation(view, earlier, move) > SAME_EDGES) & _inner(_still_in_view(move))
    unlike = usable & ~(same & other)
    if unlike.mean() < ENOUGH_UNLIKE:
        return 1.0
    return float(same[unlike].mean() - other[unlike].mean())


def _correlation(view: _View, earlier: _View, move: tuple[int, int]) -> "Grey":
    """Of the edges of each block of the inner part, the earlier ones moved down and right."""
    import numpy as np

    first, second = (np.roll(plane, move, axis=(0, 1)) for plane in earlier.edges)
    power = _means(first * first + second * second) if any(move) else earlier.power
    shared = _means(view.edges[0] * first + view.edges[1] * second)
    correlation: Grey = _inner(shared / np.maximum(np.sqrt(view.power * power), 1e-6))
    return correlation


def _move(view: _View, earlier: _View) -> tuple[int, int] | None:
    """The small one by which the pictures fit best, if there is any."""
    import cv2

    before, now = (_strengths(each) for each in (earlier, view))
    (right, down), _response = cv2.phaseCorrelate(before, now, _window())
    if max(abs(right), abs(down)) > REACH + 0.5 or (abs(right) < 0.5 and abs(down) < 0.5):
        return None
    return round(down), round(right)


def _strengths(view: _View) -> "Grey":
    """How steep the edges are, whatever their direction."""
    import cv2

    strengths: Grey = cv2.sqrt(cv2.magnitude(*view.edges))
    return strengths


@cache
def _window() -> "Grey":
    import cv2

    window: Grey = cv2.createHanningWindow((WIDTH, HEIGHT), cv2.CV_32F)
    return window


def _larger_move(view: _View, earlier: _View) -> tuple[int, int]:
    """The one, down and right, by which the edges fit best, wherever they fit otherwise."""
    import cv2

    now, before = (cv2.dft(_padded(each)) for each in (view, earlier))
    product = cv2.mulSpectrums(now, before, 0, conjB=True)
    fits = cv2.dft(product, flags=cv2.DFT_INVERSE)[..., 0] * _larger_moves()
    down, right = divmod(int(fits.argmax()), PADDED[1])
    return _signed(down, PADDED[0]), _signed(right, PADDED[1])


def _signed(place: int, size: int) -> int:
    """A place in a correlation as a move: the second half of it are the negative ones."""
    return place - size if place > size // 2 else place


def _padded(view: _View) -> "Grey":
    """The edges of the inner part as complex numbers, with room for a move."""
    import cv2
    import numpy as np

    padded = np.zeros((*PADDED, 2), np.float32)
    padded[:INNER_HEIGHT, :WIDTH] = cv2.merge(view.edges)[MARGIN:-MARGIN]
    return padded


@cache
def _larger_moves() -> "Grey":
    """What each move counts: nothing if it is small or leaves little in view, else the more the
    less is left, for which there are fewer edges to fit."""
    import numpy as np

    down, right = (np.abs((np.arange(size) + size // 2) % size - size // 2) for size in PADDED)
    shares = np.outer(np.maximum(1 - down / INNER_HEIGHT, 0), np.maximum(1 - right / WIDTH, 0))
    is_larger = np.maximum.outer(down, right) >= FURTHER
    counts = np.where(is_larger & (shares >= OVERLAP), 1 / np.sqrt(np.maximum(shares, OVERLAP)), 0)
    return counts.astype(np.float32)


def _still_in_view(move: tuple[int, int]) -> "Grey":
    """Which blocks show, after a move, only what the inner part showed before it."""
    import numpy as np

    inside = np.zeros((HEIGHT, WIDTH), np.float32)
    down, right = move
    rows = slice(max(down, 0) + MARGIN, HEIGHT - MARGIN + min(down, 0))
    columns = slice(max(right, 0), WIDTH + min(right, 0))
    inside[rows, columns] = 1
    return _means(inside) > 0.99
