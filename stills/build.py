"""Build what takes, keeps and shows stills."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from fleet.build import FleetPackage
from fleet.package import Job, Package
from fleet.status import statuses
from fleet.texts import sentences
from stills.files import StillFiles
from stills.film import Films
from stills.hourly import HourlyStills
from stills.intervals import Intervals
from stills.keeping import GB, StillKeeping
from stills.shelf import Shelf
from stills.taking import Stills, Way
from store.json_file import CannotOpen
from store.sql import Unreachable

FOLDER = "stills"
"""In MEDIA_DIR."""
TAKE_EVERY = 15.0
CLEAN_EVERY = 300.0


@dataclass(frozen=True, slots=True)
class StillsOptions:
    """Options of stills, by their names in `settings.py`."""

    media_dir: Path
    stills_interval: int
    stills_keep_days: int
    stills_max_gb: float


@dataclass(frozen=True, slots=True)
class StillsPackage(Package):
    """Stills: taking them, what is kept of them, and how often they are due."""

    stills: Stills
    shelf: Shelf
    intervals: Intervals
    keeping: StillKeeping
    hourly: HourlyStills
    films: Films

    def open(self) -> None:
        try:
            self.intervals.open()
        except Unreachable as error:
            raise CannotOpen(sentences(str(error), "Check DATABASE_URL and DATA_DIR.")) from error

    def jobs(self) -> Sequence[Job]:
        return (
            Job("stills", "Take stills that are due", TAKE_EVERY, _patient(self.hourly.run)),
            Job("old_stills", "Delete old stills", CLEAN_EVERY, _patient(self.keeping.run)),
        )

    def forget(self) -> str:
        return self.keeping.forget()

    def stop(self) -> None:
        self.hourly.stop()
        self.stills.stop()
        self.films.stop()


def _patient(run: Callable[[], str]) -> Callable[[], str]:
    """The same, but an outage of the database is only told: it is logged elsewhere, once."""

    def run_if_possible() -> str:
        try:
            return run()
        except Unreachable as error:
            return str(error)

    return run_if_possible


def build_stills(
    options: StillsOptions,
    clock: Callable[[], datetime],
    fleet: FleetPackage,
    ways: Sequence[Way],
    zone: Callable[[], tzinfo],
    make_thumbnail: Callable[[bytes], bytes | None],
    prove: Callable[[], str],
) -> StillsPackage:
    """Build what takes stills, by the first of these ways that gives a picture. `zone` is the time
    zone of this server; `make_thumbnail` makes a small JPEG of a large one, or None. `prove`
    says why the folder of stills is not ours now, or nothing."""
    engine, tracker = fleet.journal.engine, fleet.tracker
    files = StillFiles(options.media_dir / FOLDER)
    intervals = Intervals(engine, options.stills_interval, tracker.fleet)
    fleet.journal_writer.on_recovery.append(intervals.open)
    doubt = fleet.trusted.distrust_reason
    shelf = Shelf(
        engine, files, tracker.fleet, intervals, clock, zone, doubt, make_thumbnail, prove
    )
    max_bytes = int(options.stills_max_gb * GB)
    keeping = StillKeeping(engine, files, clock, options.stills_keep_days, max_bytes, prove=prove)
    shelf.make_room = keeping.make_room
    keeping.on_deleted = shelf.reload_newest
    stills = Stills(
        shelf, ways, tracker.fleet, lambda findings: tracker.apply(findings, clock()), clock
    )

    def current_statuses() -> dict[int, str]:
        return statuses(tracker.devices(), clock(), fleet.rules())

    hourly = HourlyStills(stills, intervals, tracker.fleet, current_statuses, clock, zone)
    films = Films(shelf, keeping.films, prove)
    return StillsPackage(stills, shelf, intervals, keeping, hourly, films)
