"""The text that names what makes a camera unreachable, for one or several ways up."""

from dataclasses import replace

import pytest

from fleet.model import Device
from tests.fleet.reports import NOON
from web.pages.outages import parent_outage

UP, DOWN, CUT, GONE = "ACTIVE", "OFFLINE", "UNREACHABLE", "retired"
NAMES = " ABCDEFGH"
HIDDEN = 9
"""A parent that the person does not see, so that it is not among the devices."""


def outage(ways: dict[int, tuple[str, list[int]]]) -> str:
    """The outage of device 1; each device has a status and its parents."""
    devices, statuses = {}, {}
    for id, (kind, parents) in ways.items():
        device = Device(id, "camera", "here", (f"mac:{id}",), NAMES[id], parents=tuple(parents))
        is_retired = kind == GONE
        devices[id] = replace(device, retired_at=NOON) if is_retired else device
        statuses[id] = DOWN if is_retired else kind
    return parent_outage(devices[1], devices, statuses)


@pytest.mark.parametrize(
    ("ways", "text"),
    [
        ({1: (DOWN, [2]), 2: (DOWN, [])}, ""),
        ({1: (CUT, [2]), 2: (DOWN, [])}, "behind B, which is offline"),
        ({1: (CUT, [2, 3]), 2: (GONE, []), 3: (DOWN, [])}, "behind C, which is offline"),
        (
            {1: (CUT, [2, 3]), 2: (DOWN, []), 3: ("MISSING", [])},
            "behind B, which is offline, and C, which is missing",
        ),
        (
            {1: (CUT, [2, 3]), 2: (CUT, [4]), 3: (CUT, [4]), 4: (DOWN, [])},
            "behind D, which is offline",
        ),
        (
            {1: (CUT, [2]), 2: (DOWN, [3, 4]), 3: (DOWN, []), 4: (UP, [])},
            "behind B, which is offline",
        ),
        (
            {1: (CUT, [2]), 2: (GONE, [3, 4]), 3: (UP, [4]), 4: (DOWN, [])},
            "behind D, which is offline",
        ),
        ({1: (CUT, [2]), 2: (CUT, [HIDDEN])}, "behind B, which is unreachable"),
        ({1: (CUT, [2]), 2: (CUT, [3]), 3: (UP, [HIDDEN])}, "behind B, which is unreachable"),
        ({1: (CUT, [HIDDEN])}, ""),
        (
            {1: (CUT, [2, 3, 4, 5, 6]), **{id: (DOWN, []) for id in range(2, 7)}},
            "behind B, which is offline, C, which is offline, D, which is offline, and 2 "
            "more devices that are down",
        ),
    ],
)
def test_an_outage_names_every_parent_that_is_down(
    ways: dict[int, tuple[str, list[int]]], text: str
) -> None:
    assert outage(ways) == text
