"""Cameras that give pictures as a test says, and all that takes and keeps stills of them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from fleet.model import Fault
from fleet.pictures import NotOffered, NotTaken, TakenPicture, jpeg_size
from stills.files import StillFiles
from stills.film import Films
from stills.hourly import HourlyStills
from stills.intervals import Intervals
from stills.keeping import StillKeeping
from stills.shelf import Shelf
from stills.taking import LOCAL, SNAPSHOT, STREAM, Stills, Way
from tests.fleet.reports import A, B, C, Story, seen

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
SCAN = b"\xff\xda\x00\x08\x01\x01\0\0\x3f\0" + b"picture"
HOUR = 3600


def frame(width: int, height: int, marker: int = 0xC0) -> bytes:
    """A frame header with one component."""
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes((0xFF, marker, 0, 11, 8)) + size + b"\x01\x01\x11\0"


def jpeg(width: int = 64, height: int = 48, *segments: bytes) -> bytes:
    """A JPEG by its headers; its picture cannot be decoded."""
    return b"\xff\xd8" + b"".join(segments) + frame(width, height) + SCAN + b"\xff\xd9"


@contextmanager
def no_more_threads() -> Iterator[None]:
    """The system starts no other thread: none has room for a stack of that size."""
    size = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(size)


class Studio:
    """Three cameras, 1 to 3, and the ways to take their pictures. `answers` has what each way does
    for each device: bytes, an error, or a function; a way without an answer is not offered."""

    def __init__(self, engine: Engine, folder: Path, keep_days: int = 30, most: int = 0) -> None:
        self.now = NOON
        self.seconds = 0.0
        self.doubt = ""
        self.trouble = ""
        self.is_checked = False
        self.zone = BERLIN
        self.answers: dict[tuple[str, int], object] = {}
        self.asked: list[tuple[str, int]] = []
        self.story = Story()
        self.story.tell(*(seen(key, address=None) for key in (A, B, C)))
        self.statuses: dict[int, str] = {}
        self.engine = engine
        self.folder = folder
        self.keep_days = keep_days
        self.most = most
        self.start()

    def start(self) -> None:
        """Build all of it, as after a restart."""
        self.intervals = Intervals(self.engine, HOUR, lambda: self.story.fleet)
        self.intervals.open()
        files = StillFiles(self.folder / "stills")
        self.shelf = Shelf(
            self.engine,
            files,
            lambda: self.story.fleet,
            self.intervals,
            lambda: self.now,
            lambda: self.zone,
            lambda: self.doubt,
            lambda data: None,
            lambda: self.trouble,
            lambda: self.seconds,
        )
        self.keeping = StillKeeping(
            self.engine,
            files,
            lambda: self.now,
            self.keep_days,
            self.most,
            lambda: self.seconds,
            lambda: self.trouble,
        )
        self.films = Films(self.shelf, self.keeping.films, lambda: self.trouble)
        self.shelf.make_room = self.keeping.make_room
        self.keeping.on_deleted = self.shelf.reload_newest
        self.stills = Stills(
            self.shelf,
            [Way(name, self._way(name)) for name in (LOCAL, SNAPSHOT, STREAM)],
            lambda: self.story.fleet,
            self._report,
            lambda: self.now,
            lambda: self.seconds,
        )
        self.hourly = HourlyStills(
            self.stills,
            self.intervals,
            lambda: self.story.fleet,
            lambda: self.statuses,
            lambda: self.now,
            lambda: self.zone,
            lambda: self.seconds,
        )

    def _report(self, findings: object) -> None:
        assert isinstance(findings, list)
        self.story.tell(*findings, at=self.now)

    def _way(self, name: str) -> Callable[[int, float], TakenPicture]:
        def take(device: int, timeout: float) -> TakenPicture:
            assert timeout > 0
            self.asked.append((name, device))
            answer = self.answers.get((name, device), NotOffered("none"))
            if callable(answer):
                answer = answer()
            if isinstance(answer, Exception):
                try:
                    raise answer
                finally:
                    del answer  # else it keeps the frames of its callers, and their pictures
            assert isinstance(answer, bytes)
            width, height = jpeg_size(answer) if self.is_checked else (64, 48)
            return TakenPicture(answer, width, height, self.now, name, ("a note",))

        return take

    def forward(self, **length: float) -> None:
        """Let time pass, on both clocks."""
        step = timedelta(**length)
        self.now += step
        self.seconds += step.total_seconds()

    def findings(self, device: int = 1) -> list[Fault]:
        return list(self.story.device(device).findings)

    def fail(self, way: str = STREAM, device: int = 1, reason: str = "It is dark.") -> None:
        self.answers[way, device] = NotTaken(reason, "Turn on the light.")

    def slots(self, device: int = 1) -> list[datetime]:
        """The slots of the stills that are kept, in the order in which they were taken."""
        year = timedelta(days=100 * 365)
        kept = self.shelf.between(device, NOON - year, NOON + year)
        return [still.slot for still in sorted(kept, key=lambda still: still.id) if still.slot]
