"""Measure a picture: brightness, structure, sharpness, and what differs from an earlier one.

Used in the child only (`measuring_child.py`), because it loads numpy and OpenCV. A picture is
decoded at a fraction of its size and judged on a grid of 16 by 9 blocks, 320 pixels wide.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from picture_health.model import (
    HEIGHT,
    WIDTH,
    CannotMeasure,
    Comparison,
    Measures,
    Sample,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[Any]

COLUMNS, ROWS = 16, 9
"""Of the grid of blocks; the first and the last row are outside of the inner part."""
LARGEST = 50_000_000
"""Pixels of a picture that is decoded: 8K has 33 million."""
REDUCTIONS = (8, 4, 2)
"""Fractions of its size at which a JPEG can be decoded, for a part of the time and memory."""
DARK = 24.0
"""Mean grey level of a dark block; a light in it is DARK brighter."""
STILL = 0.1
"""Mean difference of a block in grey levels up to which it is the same: noise makes more of it,
also after compression, and the same picture compressed alike makes none."""
ALIVE = 1.0
"""Grey levels by which the pixels of a block vary where compression has left something."""
STRUCTURE = 1.6
"""Grey levels by which a block with structure varies, beside its surroundings."""
NOISE_SHARE = 0.8
"""Of the noise in a pixel, the share that is left after softening, with room to spare."""
EDGE = 3.0
"""Slope of an edge, in grey levels a pixel, in the softened picture."""
EDGE_PIXELS = 12
"""Of a block that has edges."""
SHARPER = 0.7
"""The quantile of blocks that tells the sharpness: a soft light or a cloud blurs no picture."""
SAME_EDGES = 0.3
"""Correlation of the edges of a block in two pictures from which they are the same."""
REACH = 3
"""Pixels of a descriptor by which wind may shake a camera."""


def measured(data: bytes, earlier: Sequence[bytes] = ()) -> Sample:
    """Measure a JPEG, also beside earlier descriptors. Raises CannotMeasure."""
    return sample_of(decoded(data), earlier)


def sample_of(picture: "Grey", earlier: Sequence[bytes] = ()) -> Sample:
    """Measure a picture that is decoded."""
    import cv2

    picture = cv2.resize(picture, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_AREA)
    small = picture[::2, ::2].copy()
    comparisons = tuple(_compared(small, other) if other else None for other in earlier)
    return Sample(_measures(picture, small), small.tobytes(), comparisons)


def decoded(data: bytes) -> "Grey":
    """A grey picture, at the smallest size that is large enough."""
    import cv2
    import numpy as np

    width, height = size_of(data)
    if width * height > LARGEST:
        raise CannotMeasure(f"The picture is too large: {width} × {height} pixels")
    reduction = next((part for part in REDUCTIONS if width >= part * 2 * WIDTH), 1)
    way = getattr(cv2, f"IMREAD_REDUCED_GRAYSCALE_{reduction}", cv2.IMREAD_GRAYSCALE)
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


def _measures(picture: "Grey", small: "Grey") -> Measures:
    soft = _softened(small, 1.0)
    means = _blocks(soft).mean(axis=(1, 3))
    brightest = _blocks(soft).max(axis=(1, 3))
    dark = (means <= DARK) & (brightest <= 2 * DARK)
    sharpness, edges = _sharpness(picture)
    return Measures(
        brightness=float(_inner(means).mean()),
        dark=float(_inner(dark).mean()),
        structure=float(_inner(_structured(small)).mean()),
        layout=_layout(_inner(means)),
        sharpness=sharpness,
        edges=edges,
    )


def _softened(picture: "Grey", sigma: float) -> "Grey":
    import cv2
    import numpy as np

    soft: Grey = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), sigma)
    return soft


def _blocks(picture: "Grey") -> "Grey":
    """The picture as rows, lines of a row, columns, and pixels of a column."""
    height, width = picture.shape
    return picture.reshape(ROWS, height // ROWS, COLUMNS, width // COLUMNS)


def _inner(blocks: "Grey") -> "Grey":
    return blocks[1:-1]


def _structured(small: "Grey") -> "Grey":
    """Which blocks vary by more than noise, a smooth gradient left aside."""
    import numpy as np

    soft = _softened(small, 1.2)
    band = soft - _softened(soft, 4.0)
    spread = np.sqrt(_blocks(band * band).mean(axis=(1, 3)))
    noise = np.median(np.abs(small - soft)) * 1.5
    limit: Any = max(STRUCTURE, NOISE_SHARE * float(noise))
    structured: Grey = spread > limit
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


def _sharpness(picture: "Grey") -> tuple[float, float]:
    """How steep edges are beside the softened ones, in the blocks where they are steepest, and the
    share of blocks that have edges.

    The fine slope is projected onto the softened one: noise has no direction and adds nothing.
    """
    import numpy as np

    fine, coarse = (_slopes(_softened(picture, sigma)) for sigma in (0.8, 2.4))
    power = coarse[0] ** 2 + coarse[1] ** 2
    strong = power > EDGE**2
    weights = np.where(strong, power, 0.0)
    shares = np.where(strong, fine[0] * coarse[0] + fine[1] * coarse[1], 0.0)
    has_edges = _inner(_blocks(strong).sum(axis=(1, 3)) >= EDGE_PIXELS)
    if not has_edges.any():
        return 0.0, 0.0
    ratios = _inner(_blocks(shares).sum(axis=(1, 3)))[has_edges]
    ratios = ratios / _inner(_blocks(weights).sum(axis=(1, 3)))[has_edges]
    return float(np.quantile(ratios, SHARPER)), float(has_edges.mean())


def _slopes(picture: "Grey") -> tuple["Grey", "Grey"]:
    """Grey levels a pixel, to the right and down."""
    import cv2

    return (
        cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=1, scale=0.5),
        cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=1, scale=0.5),
    )


# -- two pictures -------------------------------------------------------------------------------


def _compared(small: "Grey", other: bytes) -> Comparison:
    import numpy as np

    if len(other) != WIDTH * HEIGHT:
        raise CannotMeasure("The earlier picture is not one of these")
    earlier = np.frombuffer(other, np.uint8).reshape(HEIGHT, WIDTH)
    difference = _blocks(np.abs(small.astype(np.int16) - earlier)).mean(axis=(1, 3))
    alive = _blocks(small).std(axis=(1, 3)) > ALIVE
    structured = _inner(_structured(earlier))
    is_lit = _blocks(small).mean(axis=(1, 3)) > DARK
    gone = structured & ~_inner(_structured(small)) & _inner(is_lit)
    agreement, compared = _agreement(small, earlier)
    return Comparison(
        alive=float(alive.mean()),
        unchanged=float((difference[alive] <= STILL).mean()) if alive.any() else 0.0,
        difference=float(np.median(difference)),
        lost=float(gone.sum() / max(structured.sum(), 1)),
        held=float(structured.mean()),
        agreement=agreement,
        compared=compared,
    )


def _agreement(small: "Grey", earlier: "Grey") -> tuple[float, float]:
    """The share of blocks whose edges are in the same places in both, and of those compared."""
    import numpy as np

    first, second = _edges(small), _edges(earlier)
    powers = [_blocks(edges.real**2 + edges.imag**2).sum(axis=(1, 3)) for edges in (first, second)]
    limit = EDGE_PIXELS / 2 * EDGE**4
    usable = _inner((powers[0] > limit) & (powers[1] > limit))
    if not usable.any():
        return 0.0, 0.0
    scale = _inner(np.sqrt(powers[0] * powers[1]))[usable]
    best = 0.0
    for down, right in _moves(first, second):
        moved = np.roll(second, (down, right), axis=(0, 1))
        shared = _blocks(first.real * moved.real + first.imag * moved.imag).sum(axis=(1, 3))
        best = max(best, float((_inner(shared)[usable] / scale > SAME_EDGES).mean()))
    return best, float(usable.mean())


def _edges(small: "Grey") -> "Grey":
    """Slopes with twice their angle: an edge is the same whichever side of it is bright, as by day
    and in infrared light."""
    right, down = _slopes(_softened(small, 1.0))
    edges: Grey = (right + 1j * down) ** 2
    return edges


def _moves(first: "Grey", second: "Grey") -> list[tuple[int, int]]:
    """No move, and the small one by which the pictures fit best."""
    import cv2
    import numpy as np

    before, now = (np.sqrt(np.abs(edges)).astype(np.float32) for edges in (second, first))
    (right, down), _response = cv2.phaseCorrelate(before, now, _window())
    if max(abs(right), abs(down)) > REACH + 0.5 or (abs(right) < 0.5 and abs(down) < 0.5):
        return [(0, 0)]
    return [(0, 0), (round(down), round(right))]


@cache
def _window() -> "Grey":
    import cv2

    window: Grey = cv2.createHanningWindow((WIDTH, HEIGHT), cv2.CV_32F)
    return window
