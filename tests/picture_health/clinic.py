"""Cameras that show what a test says, and all of picture health over them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from fleet.model import Finding
from fleet.pictures import NotTaken, TakenPicture
from picture_health.camera_settings import HealthSettings
from picture_health.facade import PictureHealth
from picture_health.kept_pictures import KeptPictures
from picture_health.measuring import Measuring
from picture_health.sampling import Sampling
from tests.fleet.reports import RULES, A, B, C, Story, seen
from tests.picture_health.scenes import Camera, Moment
from video.thumbnails import small_jpeg

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
Answer = bytes | Exception | Callable[[], bytes]


@lru_cache
def scene(seed: int, condition: str = "day") -> Camera:
    """A camera in front of a scene; the same one each time."""
    return Camera(seed, condition)


class Clinic:
    """Three cameras, 1 to 3. The first one has a picture with noise each time, unless `answers`
    says otherwise; the others have none."""

    def __init__(self, engine: Engine, measuring: Measuring, interval: int = 300) -> None:
        self.now = NOON
        self.seconds = 0.0
        self.zone: tzinfo = BERLIN
        self.interval = interval
        self.number = 0
        self.answers: dict[int, Answer] = {1: self.view()}
        self.asked: list[int] = []
        self.story = Story()
        self.story.tell(*(seen(key, address=None, at=NOON) for key in (A, B, C)))
        self.engine = engine
        self.measuring = measuring
        self.start()

    def start(self) -> None:
        """Build all of it, as after a restart."""
        fleet = lambda: self.story.fleet  # noqa: E731
        self.settings = HealthSettings(self.engine, self.interval, lambda: self.zone, fleet)
        self.kept = KeptPictures(self.engine, fleet, small_jpeg)
        self.sampling = Sampling(
            self.engine,
            self.settings,
            self.kept,
            self.measuring,
            [self._take],
            fleet,
            self._report,
            lambda: self.now,
            lambda: self.seconds,
        )
        self.health = PictureHealth(
            self.settings, self.kept, self.sampling, fleet, lambda: RULES, lambda: self.now
        )
        self.settings.open()
        self.kept.open()
        self.sampling.open()

    def _report(self, findings: Sequence[Finding]) -> None:
        self.story.tell(*findings, at=self.now)

    def _take(self, device: int, timeout: float) -> TakenPicture:
        assert timeout > 0
        self.asked.append(device)
        answer = self.answers.get(device, NotTaken("It is dark.", "Turn on the light."))
        data = answer() if callable(answer) else answer
        if isinstance(data, Exception):
            raise data
        return TakenPicture(data, 640, 360, self.now, "stream")

    def view(self, fault: str = "", seed: int = 1) -> Callable[[], bytes]:
        """What a camera shows from now on: another picture each time, with this fault."""
        since = self.number + 1

        def picture() -> bytes:
            self.number += 1
            return scene(seed).jpeg(Moment(self.number, fault, since))

        return picture

    def forward(self, **length: float) -> None:
        """Let time pass, on both clocks."""
        step = timedelta(**length)
        self.now += step
        self.seconds += step.total_seconds()

    def check(self, times: int = 1, device: int = 1) -> str:
        """Sample a camera so often, a minute apart; its state then."""
        for _ in range(times):
            self.forward(minutes=1)
            self.health.check(device)
        return self.health.of(device).state

    def findings(self, device: int = 1) -> dict[str, str]:
        """The findings of a device in the fleet: kind and text."""
        return {each.kind: each.text for each in self.story.device(device).findings}
