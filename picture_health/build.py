"""Build picture health: what is set, what is kept, and the sampling of cameras."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from fleet.build import FleetPackage
from fleet.labels import counted
from fleet.package import Package
from fleet.status import statuses
from fleet.texts import sentences
from picture_health import health_rows as rows
from picture_health.camera_settings import HealthSettings
from picture_health.facade import PictureHealth
from picture_health.kept_pictures import KeptPictures
from picture_health.measuring import Measuring
from picture_health.sampler import Sampler
from picture_health.sampling import Look, Sampling, Way
from store.json_file import CannotOpen
from store.sql import Unreachable

if TYPE_CHECKING:
    from sqlalchemy import Engine

IDLE = 120.0
"""Seconds without a sample, after which the process that measures is ended."""
KEEP_EVIDENCE = timedelta(days=30)
"""After the end of a finding, so that the link of its event works."""


@dataclass(frozen=True, slots=True)
class PictureHealthOptions:
    """Options of picture health, by their names in `settings.py`."""

    picture_health_interval: int


@dataclass(frozen=True, slots=True)
class PictureHealthPackage(Package):
    """Picture health: what is known of it, and what samples cameras."""

    health: PictureHealth
    settings: HealthSettings
    kept: KeptPictures
    sampling: Sampling
    sampler: Sampler
    measuring: Measuring
    fleet: FleetPackage

    def open(self) -> None:
        try:
            self.load()
            self.sampling.open()
        except Unreachable as error:
            raise CannotOpen(sentences(str(error), "Check DATABASE_URL and DATA_DIR.")) from error

    def load(self) -> None:
        """Load what people set and kept. Raises Unreachable."""
        self.settings.open()
        self.kept.open()

    def start(self) -> None:
        self.sampler.start()

    def tick(self) -> str:
        self.sampling.flush()
        self.measuring.end_if_idle(IDLE)
        return ""

    def forget(self) -> str:
        engine: Engine = self.fleet.journal.engine
        now = self.fleet.clock()
        number = rows.forget_evidence(engine, now - KEEP_EVIDENCE, now)
        fleet = self.fleet.tracker.fleet()
        gone = rows.devices(engine) - fleet.devices.keys() - fleet.redirects.keys()
        if gone:
            rows.remove_devices(engine, sorted(gone))
            for part in (self.settings, self.kept, self.sampling):
                part.forget(frozenset(gone))
        return counted(number, "picture") if number else ""

    def stop(self) -> None:
        self.sampler.stop()
        self.sampling.stop()
        self.measuring.stop()


def build_picture_health(
    options: PictureHealthOptions,
    clock: Callable[[], datetime],
    fleet: FleetPackage,
    ways: Sequence[Way],
    zone: Callable[[], tzinfo],
    scale: Callable[[bytes, int], bytes | None],
    looks: Sequence[Look] = (),
) -> PictureHealthPackage:
    """Build picture health over these ways to take a picture, and `looks`, which take one that
    nobody is going to see. `zone` is the time zone of this
    server; `scale` makes a JPEG of so many pixels' width of a larger one, or None."""
    engine, tracker = fleet.journal.engine, fleet.tracker
    settings = HealthSettings(engine, options.picture_health_interval, zone, tracker.fleet)
    kept, measuring = KeptPictures(engine, tracker.fleet, scale), Measuring()
    sampling = Sampling(
        engine,
        settings,
        kept,
        measuring,
        ways,
        tracker.fleet,
        lambda findings: tracker.apply(findings, clock()),
        clock,
        looks=looks,
    )
    health = PictureHealth(settings, kept, sampling, tracker.fleet, fleet.rules, clock)

    def current_statuses() -> dict[int, str]:
        return statuses(tracker.devices(), clock(), fleet.rules())

    sampler = Sampler(health, settings, tracker.fleet, current_statuses)
    package = PictureHealthPackage(health, settings, kept, sampling, sampler, measuring, fleet)
    fleet.journal_writer.on_recovery.append(package.load)
    return package
