"""The devices of the demo, and the events of each in the last months.

A device's number is its place here, from 1, and in the crowd of pretend cameras. All times
are days ago, so that the story ends when the demo starts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from simulators.panasonic import Camera, crowd

WATCHED = 170
"""Days since the place is watched."""
UNWATCHED = (47, 48, 49, 71)
"""Days ago on which it was not: the machine was off. Nothing is told of these days."""
CALM = (*range(3, 43, 3), *range(52, 68, 3), *range(76, 89, 3))
"""Days ago on which a silence of less than a day may begin, far enough from those."""
OFFICE, WAREHOUSE, CAR_PARK, ANNEX = "Head office", "Warehouse", "Car park", "Annex"
POWER_CUT = (12.4, 12.2)
"""The warehouse was dark for five hours."""
PASSWORD, SETUP = "password.unset", "setup.open"
Span = tuple[float, float]
"""Days ago: from, and until; until 0 is still so."""


@dataclass(frozen=True)
class Member:
    """A device of the demo.

    `name` is its own (16 bytes at the most), `called` what a person gave it. `first_seen`: None
    when it was listed and never asked. `moved`: when, and the address that it left.
    `faults`: its findings, by kind. `away`: where it was until the last moment.
    """

    name: str
    site: str = "here"
    called: str = ""
    tags: tuple[str, ...] = ()
    notes: str = ""
    parent: int | None = None
    first_seen: float | None = 168.6
    silent: tuple[Span, ...] = ()
    moved: tuple[tuple[float, str], ...] = ()
    faults: tuple[tuple[str, Span], ...] = ()
    away: str = ""
    retired: float = 0


MAIN = (
    Member("Main entrance", OFFICE, tags=("door",), silent=((80.7, 80.66), (22.3, 22.29))),
    Member(
        "Reception",
        OFFICE,
        tags=("door", "people"),
        notes="Set the password when the new recorder arrives.",
        silent=((55.2, 54.9),),
        faults=((PASSWORD, (34.3, 0)),),
    ),
    Member("Server room", OFFICE, tags=("indoor",), silent=((5.1, 5.09),)),
    Member("Meeting rooms", OFFICE, tags=("indoor",), silent=((64.4, 63.8),)),
    Member("", OFFICE, called="Recorder, head office", tags=("recorder",)),
    Member(
        "Gate north",
        WAREHOUSE,
        tags=("gate", "outdoor", "plates"),
        notes="Reads number plates. The mast sways in storms; its cable was replaced in spring.",
        parent=25,
        silent=((61.4, 58.9), (26.2, 26.05), POWER_CUT, (3.6, 3.58)),
        moved=((74.3, "127.20.0.201"), (19.3, "127.20.0.202")),
        faults=((PASSWORD, (168.6, 167.2)), (SETUP, (12.2, 12.18))),
    ),
    Member(
        "Ramp",
        WAREHOUSE,
        tags=("outdoor",),
        notes="Uses DHCP; the router gives it a new address now and then.",
        silent=(POWER_CUT,),
        moved=((83.4, "127.20.0.203"), (31.8, "127.20.0.204")),
        away="127.20.0.205",
    ),
    Member("AW-HE130", OFFICE, called="Auditorium", tags=("pan-tilt",), silent=((39.5, 38.7),)),
    Member(
        "Bicycle shed", CAR_PARK, tags=("outdoor", "new"), first_seen=21.3, silent=((9.4, 9.35),)
    ),
    Member(
        "Loading bay 1",
        WAREHOUSE,
        tags=("dock",),
        notes="Hit by a lorry; it was being repaired for nine days.",
        parent=25,
        silent=((40.6, 31.4), POWER_CUT),
    ),
    Member(
        "Loading bay 2",
        WAREHOUSE,
        tags=("dock",),
        notes="Loose plug: goes offline whenever the gate slams.",
        parent=25,
        silent=(*((day + 0.3, day + 0.22) for day in range(30, 18, -2)), POWER_CUT),
    ),
    Member("Cold store", WAREHOUSE, tags=("indoor",), parent=25, first_seen=132.4),
)

DOWN = (
    Member("Annex stairs", ANNEX, tags=("indoor",), parent=45, silent=((0.2, 0),)),
    Member("Annex roof", ANNEX, tags=("outdoor",), parent=45, silent=((33.5, 33.2), (0.2, 0))),
    Member("Loading ramp", WAREHOUSE, silent=((57.3, 57.1), (3.2, 0))),
    Member(
        "Canteen",
        OFFICE,
        tags=("indoor", "people"),
        silent=((88.2, 87.9), (0.03, 0)),
        faults=((PASSWORD, (120.4, 0)),),
    ),
    Member("", ANNEX, called="Recorder, annex", tags=("recorder",), silent=((0.201, 0),)),
    Member("", WAREHOUSE, called="Loading dock (being installed)", first_seen=None),
    Member("Old gate", WAREHOUSE, notes="Scrapped.", silent=((38.1, 0),), retired=29.6),
    Member("AW-HE130", CAR_PARK, called="Barrier", tags=("outdoor",), silent=((16.4, 0),)),
)
"""The last of the cast: they do not answer, each for a reason of its own."""


def members() -> list[Member]:
    """All devices of the demo, in the order of their numbers."""
    return [*MAIN, *_ordinary(), *DOWN]


def cameras() -> list[Camera]:
    """The pretend devices of all members; those of DOWN are off."""
    everyone = members()
    devices = crowd(len(everyone))
    for member, device in zip(everyone, devices, strict=True):
        device.name = member.name
        device.on = member not in DOWN
    return devices


def actors(devices: Sequence[Camera]) -> list[int]:
    """Indexes of the devices that can move and die while the demo runs."""
    places = range(len(MAIN), len(devices) - len(DOWN))
    return [place for place in places if devices[place].family != "NX"]


def _ordinary() -> Iterator[Member]:
    """The ordinary devices, with random silences that are the same each time."""
    yield from (_plain(13 + row, f"Aisle {row + 1}", WAREHOUSE, "indoor") for row in range(12))
    yield Member("", WAREHOUSE, called="Recorder, warehouse", tags=("recorder",))
    yield from (_plain(26 + row, f"Corridor {row + 1}", OFFICE, "indoor") for row in range(8))
    yield from (_plain(34 + row, f"Car park {row + 1}", CAR_PARK, "outdoor") for row in range(7))


def _plain(number: int, name: str, site: str, tag: str) -> Member:
    lot = Random(number)
    begins = [day - lot.random() / 4 for day in lot.sample(CALM, lot.choice((0, 0, 1, 1, 2, 4)))]
    silent = tuple((begin, begin - lot.choice((0.004, 0.02, 0.1, 0.3, 0.8))) for begin in begins)
    first_seen = WATCHED - 1 - 30 * lot.random()
    member = Member(name, site, tags=(tag,), first_seen=first_seen, silent=silent)
    return replace(member, silent=(*silent, POWER_CUT)) if site == WAREHOUSE else member
