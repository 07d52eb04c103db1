"""The values of picture health: what is measured in a picture, and what is concluded from it."""

from dataclasses import dataclass
from typing import Literal

Fault = Literal["black", "frozen", "blurred", "covered", "moved"]
FAULTS: tuple[Fault, ...] = ("black", "frozen", "blurred", "covered", "moved")
Health = Literal["unknown", "healthy", "suspected", "faulty"]
"""`unknown`: there is no newest sample to judge. `suspected`: the newest sample shows a fault, but
not enough samples in a row do."""
Level = Literal["low", "normal", "high"]
"""How sensitive: `high` finds weaker faults and finds them earlier, `low` only the plain ones."""
WIDTH, HEIGHT = 160, 90
"""Of the small grey picture in a descriptor, whatever the shape of the original."""
COLUMNS, ROWS = 16, 9
"""Of the grid of blocks; the first and the last row are outside of the inner part."""
DESCRIPTOR_BYTES = WIDTH * HEIGHT + 2 * COLUMNS * ROWS
"""A byte for each pixel, and two for each block: whether it has structure, and how sharp it is."""


def is_descriptor(data: bytes) -> bool:
    """False for one that another version made, which describes a picture in another way."""
    return len(data) == DESCRIPTOR_BYTES


class CannotMeasure(Exception):
    """A picture cannot be measured; in words for people, with what to do about it."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


@dataclass(frozen=True, slots=True)
class Measures:
    """What a picture shows. Shares are of the blocks of its inner part, from 0 to 1: the lines at
    the top and the bottom, where a camera writes name and time, do not take part."""

    brightness: float
    """Mean grey level, 0 to 255."""
    dark: float
    """Share of blocks that are dark and have no light in them."""
    structure: float
    """Share of blocks that show more than noise and a smooth gradient."""
    layout: float
    """By how many grey levels the blocks differ from one smooth surface over the picture."""
    sharpness: float
    """How steep edges are, beside the same edges softened: near 1 blurred, from 1.4 on sharp; 0
    where there are too few edges. Noise and contrast do not change it."""
    edges: float
    """Share of blocks with edges, by which sharpness is measured."""
    sharpest: float = 0.0
    """The sharpness of the sharpest blocks, in the same scale."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A picture beside an earlier one. Shares are of blocks, from 0 to 1."""

    alive: float
    """Share of blocks that are not even: in those compression leaves no noise."""
    unchanged: float
    """Share of these that are the same, but for what compression does."""
    difference: float
    """Median difference of the blocks in grey levels."""
    lost: float
    """Share of the blocks with structure in the earlier picture that are lit and have none now."""
    held: float
    """Share of all blocks that had structure in the earlier picture."""
    agreement: float
    """Share of the blocks with edges in both whose edges are in the same places."""
    compared: float
    """Share of all blocks that have edges in both."""
    sharpness: float | None = None
    """The part of the earlier sharpness above 1 that blocks with the same edges have kept, 1 for
    all; None where there are too few such blocks."""
    in_place: float = 1.0
    """As `agreement`, but without the blocks that fit as well after a larger move, and less those
    that fit only then: near 0 or below where the camera was turned along a regular front."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture that was measured. `descriptor` is what a later picture is compared with;
    `comparisons` has an entry for each earlier descriptor, None where that was empty."""

    measures: Measures
    descriptor: bytes
    comparisons: tuple[Comparison | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture that a person called normal."""

    measures: Measures
    descriptor: bytes
